//! What an agent saw, stage by stage, with units and without meaning.
//!
//! A stage that was not reached is absent. Times are microseconds on the agent's monotonic clock, counted from the start of the attempt unless said otherwise.

mod audit;
mod dns;
mod http;
mod path;
mod quic;
mod rung;
mod server_log;
mod starttls;
mod tcp;
mod tls;
mod witness;

use std::net::SocketAddr;

pub use audit::{
    Accepted, AlpnFacts, AuditAnswer, AuditFacts, AuditStop, CertificateAsk, CertificateFacts, ClientCertificateFacts, ElsewhereFacts, FeatureFacts,
    FiniteFieldFacts, Http2Answer, KeyExchangeFacts, Resumption, SessionFacts, ShareFacts, Ssl2Facts, VersionFacts,
};
pub use dns::{DnsAnswer, DnsFacts, DnsRecord, DnsTransport, LookupEnd, ResolverKind, ServiceRecord};
pub use http::{BodyEnd, BodyFacts, HttpEnd, HttpFacts};
pub use path::{Reply, ReplyTtlFacts, Sibling, StepEnd, TtlRange, WalkFacts, WalkPayload, WalkStep};
pub use quic::{QuicEnd, QuicFacts};
pub use rung::{Rung, RungFacts};
use serde::{Deserialize, Serialize};
pub use server_log::{LogEvent, LogFacts, LogLine};
pub use starttls::{StartTlsFacts, UpgradeEnd};
pub use tcp::{ConnectEnd, TcpFacts, TcpInfo};
pub use tls::{AlertSeen, Direction, HandshakeFacts, HelloSent, LocalRefusal, ServerAnswerFacts, TlsEnd, TlsFacts, TranscriptEntry};
pub use witness::{EndKind, EndWitnessed, HelloArrived, Sender, WitnessFacts, WitnessedFlow};

/// Everything that one attempt saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Why the attempt was not made or not finished; then nothing else is said about the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_completed: Option<NotCompleted>,
    /// The lookup, of a [`Resolve`](crate::assignment::Experiment::Resolve) attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsFacts>,
    /// The connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpFacts>,
    /// What was said before TLS, of a `PROTOCOL+starttls` target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starttls: Option<StartTlsFacts>,
    /// The handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsFacts>,
    /// The connection of a `quic://` target; what `tcp` says stands beside it for comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quic: Option<QuicFacts>,
    /// The HEAD request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpFacts>,
    /// Arrival TTLs of the server's packets, of a [`ReplyTtl`](crate::assignment::Experiment::ReplyTtl) attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_ttl: Option<ReplyTtlFacts>,
    /// The walk along the path, of a walk attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walk: Option<WalkFacts>,
    /// What arrived at the server's host and what left, of a [`Witness`](crate::assignment::Experiment::Witness) attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<Box<WitnessFacts>>,
    /// What the server can do, of an [`Audit`](crate::assignment::Experiment::Audit) attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<Box<AuditFacts>>,
}

impl Facts {
    /// Returns what was negotiated, over TCP or over QUIC.
    pub fn handshake(&self) -> Option<&HandshakeFacts> {
        let over_quic = || self.quic.as_ref().and_then(|quic| quic.handshake.as_ref());
        self.tls.as_ref().and_then(|tls| tls.handshake.as_ref()).or_else(over_quic)
    }

    /// Returns the chain that came, over TCP or over QUIC; empty when none did.
    pub fn certificates(&self) -> &[crate::bytes::Bytes] {
        let over_tcp = self.tls.as_ref().map(|tls| tls.certificates.as_slice()).filter(|chain| !chain.is_empty());
        over_tcp.or_else(|| self.quic.as_ref().map(|quic| quic.certificates.as_slice())).unwrap_or_default()
    }
}

/// Why an attempt was not made or not finished: never evidence about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotCompleted {
    /// The agent's own policy refuses this address.
    PolicyDenied(SocketAddr),
    /// The agent cannot do what was asked.
    Unsupported,
    /// The share's window had passed.
    SkippedLate,
    /// The agent was stopped or killed while it ran.
    Interrupted,
    /// The coordinator or the operator called it off.
    Cancelled,
    /// The share's cap on connections or time was used up.
    OverLimit,
    /// The agent's host lacks something (file descriptors, ports, memory); the errno says what.
    OutOfResources(i32),
}
