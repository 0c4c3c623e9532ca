//! The session service: one stream per agent.

use std::{pin::Pin, sync::Arc};

use parallax_proto::v1::{SessionRequest, SessionResponse, session_service_server::SessionService};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

use super::session;
use crate::app::App;

/// The service.
pub(super) struct Sessions(pub(super) Arc<App>);

#[tonic::async_trait]
impl SessionService for Sessions {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<SessionResponse, Status>> + Send>>;

    async fn session(&self, request: Request<Streaming<SessionRequest>>) -> Result<Response<Self::SessionStream>, Status> {
        let responses = session::open(&self.0, request).await?;
        Ok(Response::new(Box::pin(ReceiverStream::new(responses))))
    }
}
