//! One hello, what came back for it, and what a question is.

use parallax_model::facts::{AuditAnswer, TlsEnd};
use parallax_tls::{
    ClientHello, ServerAnswer, ServerHello,
    record::{MAX_FRAGMENT, encode_records},
    registry::{CipherSuite, ContentType, NamedGroup, ProtocolVersion, SignatureScheme},
    server_flight::KeyExchangeGroup,
};

/// Something to find out with hellos one after the other: what was offered so far and the answer decide the next one.
pub(super) trait Question {
    /// What comes out.
    type Finding;

    /// Returns the hello to send now; none when the question is answered.
    fn next(&self) -> Option<Ask>;

    /// Takes in the answer to that hello.
    fn learn(&mut self, reply: &Reply);

    /// Returns what was found, also when it was not asked to its end.
    fn finding(self) -> Self::Finding;
}

/// A hello and the way it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) hello: ClientHello,
    /// The version in the headers of its records.
    pub(super) record_version: ProtocolVersion,
    /// The longest payload of a record.
    pub(super) fragment: usize,
    pub(super) cut: Cut,
}

/// Where a hello is cut in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nowhere.
    Nowhere,
    /// Into two segments in the middle.
    Middle,
    /// Into two segments inside the server name.
    Name,
    /// Into two records inside the server name.
    NameRecords,
}

impl Ask {
    pub(super) fn new(hello: ClientHello) -> Self {
        let record_version = hello.legacy_version.min(ProtocolVersion::TLS10);
        Self { hello, record_version, fragment: MAX_FRAGMENT, cut: Cut::Nowhere }
    }

    /// Returns the bytes on the wire.
    pub(super) fn wire(&self) -> Vec<u8> {
        encode_records(ContentType::HANDSHAKE, self.record_version, &self.hello.encode(), self.fragment)
    }
}

/// Says what the end of a stream without a ServerHello is as an answer.
pub(super) fn answer_of(end: TlsEnd) -> AuditAnswer {
    match end {
        TlsEnd::Alert(number) => AuditAnswer::Alert(number),
        TlsEnd::Closed => AuditAnswer::Closed,
        TlsEnd::Reset => AuditAnswer::Reset,
        TlsEnd::TimedOut => AuditAnswer::Silence,
        TlsEnd::NotTls => AuditAnswer::NotTls,
        TlsEnd::OverCap => AuditAnswer::OverCap,
        TlsEnd::Unreachable(_) | TlsEnd::LocalError(_) => AuditAnswer::Broken,
        TlsEnd::Malformed | TlsEnd::LocalRefusal(_) | TlsEnd::Established | TlsEnd::Answered => AuditAnswer::Malformed,
    }
}

/// What came back for one hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) end: AuditAnswer,
    pub(super) answer: ServerAnswer,
    pub(super) bytes_sent: u32,
    pub(super) elapsed_us: u64,
}

impl Reply {
    /// Puts together what was read up to the end of the stream.
    pub(super) fn of(end: TlsEnd, answer: ServerAnswer, offered: &[ProtocolVersion]) -> Self {
        let chosen = answer.version();
        let end = match (chosen, end) {
            (Some(version), _) if offered.contains(&version) => AuditAnswer::Hello,
            (Some(version), _) => AuditAnswer::OtherVersion(version.0),
            (None, end) => answer_of(end),
        };
        Self { end, answer, bytes_sent: 0, elapsed_us: 0 }
    }

    /// Makes a reply of a connection that did not come up.
    pub(super) fn not_connected() -> Self {
        Self { end: AuditAnswer::NotConnected, answer: ServerAnswer::default(), bytes_sent: 0, elapsed_us: 0 }
    }

    /// Returns the ServerHello, or the HelloRetryRequest in its place, when its version was offered.
    pub(super) fn hello(&self) -> Option<&ServerHello> {
        let hello = self.answer.server_hello.as_ref().or_else(|| self.answer.hello_retry_requests.first());
        hello.filter(|_| self.end == AuditAnswer::Hello)
    }

    /// Returns the suite that was chosen.
    pub(super) fn suite(&self) -> Option<CipherSuite> {
        self.hello().map(|hello| hello.cipher_suite)
    }

    /// Returns the group that was chosen, in the hello or in ServerKeyExchange.
    pub(super) fn group(&self) -> Option<NamedGroup> {
        let of_exchange = || match self.answer.server_key_exchange.as_ref()?.group {
            KeyExchangeGroup::Named(group) => Some(group),
            KeyExchangeGroup::FiniteField { .. } => None,
        };
        self.hello()?.selected_group().or_else(of_exchange)
    }

    /// Returns the scheme of the signature in ServerKeyExchange.
    pub(super) fn signature_scheme(&self) -> Option<SignatureScheme> {
        self.answer.server_key_exchange.as_ref()?.signature_scheme
    }

    /// Tells whether the peer said something by TLS, be it a refusal.
    pub(super) fn is_spoken(&self) -> bool {
        matches!(self.end, AuditAnswer::Hello | AuditAnswer::OtherVersion(_) | AuditAnswer::Alert(_))
    }
}
