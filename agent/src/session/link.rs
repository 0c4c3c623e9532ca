//! The beginning of a session: who we are, and what the coordinator says to it.

use std::time::Duration;

use parallax_model::clock::Timestamp;
use parallax_proto::{
    v1::{self, session_request, session_response, session_service_client::SessionServiceClient},
    wire::MAX_MESSAGE_BYTES,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming, transport::Channel};

use super::{
    Context, Order,
    dial::{DialError, dial, open_channel},
    order, remember,
};
use crate::{
    fleet_clock::Exchange,
    identity::{Identity, IdentityError, Pin, PinnedVerifier},
};

/// A session that is up.
pub(super) struct Link {
    /// Where requests go.
    pub(super) requests: mpsc::Sender<v1::SessionRequest>,
    /// Where responses come from.
    pub(super) responses: Streaming<v1::SessionResponse>,
    /// The connection, for the renewal of the certificate.
    pub(super) channel: Channel,
    /// How often to send a heartbeat.
    pub(super) heartbeat: Duration,
}

/// Says why no session came up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The identity cannot be read or written.
    #[error(transparent)]
    Identity(IdentityError),
    /// There is none.
    #[error("this host is not enrolled: run 'parallax-agent run --join JOIN' with a join string from 'parallax vantage token create'")]
    NotEnrolled,
    /// No coordinator was reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The coordinator does not take this vantage.
    #[error(
        "the coordinator refuses this vantage, which may be banned, deleted, or have outlived its certificate: ask its operator, and enrol again in an empty data folder"
    )]
    Refused(#[source] tonic::Status),
    /// The coordinator's certificate is not valid at the time that it states itself.
    #[error("the coordinator's certificate is not valid at {stated}, the time that it states")]
    Dates {
        /// The time that it states.
        stated: Timestamp,
    },
    /// The stream broke before it was up.
    #[error("the session did not come up")]
    Broken(#[source] tonic::Status),
    /// The coordinator did not answer in time or as agreed.
    #[error("the coordinator did not answer the agent's greeting")]
    NoWelcome,
}

impl LinkError {
    /// Tells whether the coordinator was reached and said no.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// Connects to one coordinator and greets it.
pub(super) async fn connect(context: &Context, identity: &Identity, address: &str) -> Result<Link, LinkError> {
    let verifier = PinnedVerifier::new(Pin::Authority(identity.authority.0.clone().into()), context.memory.newest_seen());
    let stream = dial(address, &verifier, Some(identity.client_certificate())).await?;
    let observed = verifier.observed().ok_or(LinkError::NoWelcome)?;
    let channel = open_channel(address, stream).await?;
    let (requests, queue) = mpsc::channel(QUEUE);
    let sent = Instant::now();
    let hello = session_request::Message::Hello(hello(context));
    requests.try_send(v1::SessionRequest { message: Some(hello) }).map_err(|_| LinkError::NoWelcome)?;
    let mut client = SessionServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let greet = async {
        let mut responses = client.session(ReceiverStream::new(queue)).await.map_err(judge)?.into_inner();
        let first = responses.message().await.map_err(judge)?;
        Ok::<_, LinkError>((responses, first))
    };
    let (responses, first) = timeout(GREETING_TIME, greet).await.map_err(|_| LinkError::NoWelcome)??;
    let welcome = match first.and_then(|response| response.message) {
        Some(session_response::Message::Welcome(welcome)) => welcome,
        Some(session_response::Message::Revoked(revoked)) => return Err(LinkError::Refused(tonic::Status::permission_denied(revoked.reason))),
        _ => return Err(LinkError::NoWelcome),
    };
    let stated = Timestamp::from_micros(welcome.now_us);
    let judged_at = context.memory.newest_seen().map_or(stated, |seen| seen.max(stated));
    if judged_at < observed.validity.0 || judged_at > observed.validity.1 {
        return Err(LinkError::Dates { stated });
    }
    context.clock.learn(&Exchange { sent, received: stated, answered: stated, arrived: Instant::now() });
    remember(context, stated);
    context.spool.acknowledge(context.introduction.boot, welcome.acknowledged_through);
    order(context, Order::Responders(welcome.responders));
    let heartbeat = Duration::from_millis(u64::from(welcome.heartbeat_interval_ms)).clamp(Duration::from_millis(200), Duration::from_secs(60));
    Ok(Link { requests, responses, channel, heartbeat })
}

fn hello(context: &Context) -> v1::Hello {
    let introduction = &context.introduction;
    v1::Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: introduction.capabilities.clone(),
        boot_id: introduction.boot.0.as_bytes().to_vec(),
        assignment_revision: *context.revision.borrow(),
        spooled_attempts: context.spool.status().waiting,
        policy_sha256: introduction.policy_sha256.clone(),
        labels: introduction.labels.clone(),
        responder_addresses: introduction.responder_addresses.clone(),
        responder_key_sha256: introduction.responder_key_sha256.clone(),
        now_us: context.clock.wall().as_micros(),
    }
}

/// Tells a refusal from a broken connection; with TLS 1.3 a refused client certificate shows at the first call, as an alert down the error's sources.
fn judge(status: tonic::Status) -> LinkError {
    let refused = matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) || has_certificate_alert(&status);
    if refused { LinkError::Refused(status) } else { LinkError::Broken(status) }
}

fn has_certificate_alert(status: &tonic::Status) -> bool {
    use rustls::AlertDescription as Alert;
    let refusals = [Alert::UnknownCA, Alert::BadCertificate, Alert::CertificateRevoked, Alert::CertificateExpired, Alert::CertificateUnknown];
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(status);
    while let Some(error) = next {
        let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()).or_else(|| error.downcast_ref());
        if let Some(rustls::Error::AlertReceived(alert)) = tls {
            return refusals.contains(alert) || *alert == Alert::AccessDenied;
        }
        next = error.source();
    }
    false
}

const PROTOCOL: u32 = 1;
const QUEUE: usize = 256;
const GREETING_TIME: Duration = Duration::from_secs(10);
