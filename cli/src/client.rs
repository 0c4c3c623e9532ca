//! The one connection to the coordinator.

use std::time::Duration;

use parallax_proto::v1::operator_service_client::OperatorServiceClient;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint},
};

use crate::{
    config::Context,
    exit::{Failure, UNREACHABLE},
};

/// The operator API with the caller's token.
pub type Client = OperatorServiceClient<InterceptedService<Channel, Bearer>>;

/// Adds the token to every request.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const LARGEST_MESSAGE_BYTES: usize = 64 << 20;

/// Connects to the coordinator of a context.
pub async fn connect(context: &Context) -> Result<Client, Failure> {
    let mut token: MetadataValue<Ascii> =
        format!("Bearer {}", context.token.trim()).parse().map_err(|_| Failure::usage("the token holds characters that no token has"))?;
    token.set_sensitive(true);
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&context.authority_pem));
    let unreachable = |why: String| {
        Failure::new(
            UNREACHABLE,
            format!("cannot reach the coordinator at {}: {why}; is it running, and is this its address? (--coordinator HOST:PORT)", context.coordinator),
        )
    };
    let endpoint = Endpoint::from_shared(format!("https://{}", context.coordinator))
        .and_then(|endpoint| endpoint.tls_config(tls))
        .map_err(|error| Failure::usage(format!("the context is not usable: {}", deepest(&error))))?
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(10));
    let channel = endpoint.connect().await.map_err(|error| unreachable(deepest(&error)))?;
    Ok(OperatorServiceClient::with_interceptor(channel, Bearer(token)).max_decoding_message_size(LARGEST_MESSAGE_BYTES))
}

fn deepest(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
