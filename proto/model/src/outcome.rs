//! What one attempt means, computed from its facts alone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    attempt::Attempt,
    facts::{BodyEnd, BodyFacts, ConnectEnd, DnsFacts, Facts, HttpEnd, HttpFacts, LookupEnd, NotCompleted, QuicEnd, StartTlsFacts, TlsEnd, UpgradeEnd},
};

/// What one attempt means; its text form is `stage.what`, as verdicts show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It went as far as the plan wanted.
    Ok,
    /// RCODE 3.
    DnsNxdomain,
    /// RCODE 2.
    DnsServfail,
    /// RCODE 5.
    DnsRefused,
    /// Another RCODE than 0, 2, 3 and 5.
    DnsResponse(u16),
    /// No response in time.
    DnsTimeout,
    /// RCODE 0 without an address.
    DnsNoAnswer,
    /// The query could not be made or the response is not DNS.
    DnsFailed,
    /// ECONNREFUSED.
    TcpRefused,
    /// No answer to the SYN.
    TcpTimeout,
    /// An ICMP error or no route.
    TcpUnreachable,
    /// A reset while connecting.
    TcpReset,
    /// The server's list lacks STARTTLS, or it does not know the command.
    StartTlsNotOffered,
    /// The server knows STARTTLS and says no, or refuses service.
    StartTlsRefused,
    /// A FIN before TLS was called for.
    StartTlsClosed,
    /// A reset before TLS was called for.
    StartTlsReset,
    /// Silence before TLS was called for.
    StartTlsTimeout,
    /// Something else than the protocol answered, or it answered without end.
    StartTlsNotProtocol,
    /// An ICMP error before TLS was called for.
    StartTlsUnreachable,
    /// A reset after the ClientHello.
    TlsReset,
    /// A FIN after the ClientHello.
    TlsClosed,
    /// Silence after the ClientHello.
    TlsTimeout,
    /// A fatal alert.
    TlsAlert(u8),
    /// Something else than TLS answered.
    TlsNotTls,
    /// Records that break the protocol.
    TlsMalformed,
    /// The prober's own library went no further.
    TlsUnsupported,
    /// An ICMP error after the ClientHello.
    TlsUnreachable,
    /// The cap on bytes was reached.
    TlsOverCap,
    /// The certificate or chain is not acceptable; only the coordinator, which has the clock and the trust store, says this.
    Certificate(CertificateFault),
    /// Silence over QUIC.
    QuicTimeout,
    /// ICMP port unreachable over QUIC.
    QuicRefused,
    /// Another ICMP error over QUIC, or no route.
    QuicUnreachable,
    /// The server speaks other versions of QUIC only.
    QuicVersion,
    /// The peer closed the QUIC connection for another reason than a TLS alert.
    QuicClosed,
    /// A stateless reset of QUIC.
    QuicReset,
    /// Datagrams that break QUIC.
    QuicMalformed,
    /// A status of 400 or above.
    Http(u16),
    /// No status line in time, or a body that fell silent.
    HttpTimeout,
    /// The stream ended or was reset before a status line, or within a body.
    HttpClosed,
    /// What came is not HTTP.
    HttpNotHttp,
    /// Not made or not finished: says nothing about the target.
    NotCompleted(NotCompletedKind),
}

/// What is wrong with a certificate or chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "named like the causes in the catalogue, which explains them")]
pub enum CertificateFault {
    Expired,
    NotYetValid,
    NameMismatch,
    SelfSigned,
    Untrusted,
    WeakKey,
    WeakSignature,
    Revoked,
    ChainIncomplete,
    ChainMisordered,
    ChainExpired,
    StapleMissing,
    StapleInvalid,
    KeyType,
    Purpose,
    NameConstraints,
    KeyUnexpected,
    Unreadable,
}

impl CertificateFault {
    const NAMES: [(Self, &'static str); 18] = [
        (Self::Expired, "expired"),
        (Self::NotYetValid, "not-yet-valid"),
        (Self::NameMismatch, "name-mismatch"),
        (Self::SelfSigned, "self-signed"),
        (Self::Untrusted, "untrusted"),
        (Self::WeakKey, "weak-key"),
        (Self::WeakSignature, "weak-signature"),
        (Self::Revoked, "revoked"),
        (Self::ChainIncomplete, "chain-incomplete"),
        (Self::ChainMisordered, "chain-misordered"),
        (Self::ChainExpired, "chain-expired"),
        (Self::StapleMissing, "staple-missing"),
        (Self::StapleInvalid, "staple-invalid"),
        (Self::KeyType, "key-type"),
        (Self::Purpose, "purpose"),
        (Self::NameConstraints, "name-constraints"),
        (Self::KeyUnexpected, "key-unexpected"),
        (Self::Unreadable, "unreadable"),
    ];

    /// Returns the name after `certificate.`.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

/// Why an attempt says nothing about the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "explained at facts::NotCompleted")]
pub enum NotCompletedKind {
    PolicyDenied,
    Unsupported,
    SkippedLate,
    Interrupted,
    Cancelled,
    OverLimit,
    OutOfResources,
    LocalError,
}

impl NotCompletedKind {
    const NAMES: [(Self, &'static str); 8] = [
        (Self::PolicyDenied, "policy-denied"),
        (Self::Unsupported, "unsupported"),
        (Self::SkippedLate, "skipped-late"),
        (Self::Interrupted, "interrupted"),
        (Self::Cancelled, "cancelled"),
        (Self::OverLimit, "over-limit"),
        (Self::OutOfResources, "out-of-resources"),
        (Self::LocalError, "local-error"),
    ];

    /// Returns the name after `missing.`.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

impl From<NotCompleted> for NotCompletedKind {
    fn from(reason: NotCompleted) -> Self {
        match reason {
            NotCompleted::PolicyDenied(_) => Self::PolicyDenied,
            NotCompleted::Unsupported => Self::Unsupported,
            NotCompleted::SkippedLate => Self::SkippedLate,
            NotCompleted::Interrupted => Self::Interrupted,
            NotCompleted::Cancelled => Self::Cancelled,
            NotCompleted::OverLimit => Self::OverLimit,
            NotCompleted::OutOfResources(_) => Self::OutOfResources,
        }
    }
}

impl Outcome {
    /// Computes what an attempt means from its facts alone: the deepest stage that was reached decides.
    pub fn of(attempt: &Attempt) -> Self {
        Self::of_facts(&attempt.facts)
    }

    /// Computes what facts mean; see [`Outcome::of`].
    pub fn of_facts(facts: &Facts) -> Self {
        if let Some(reason) = facts.not_completed {
            return Self::NotCompleted(reason.into());
        }
        if let Some(tls) = &facts.tls {
            return match tls.end {
                TlsEnd::Established => facts.http.as_ref().map_or(Self::Ok, Self::of_http),
                TlsEnd::Answered => Self::Ok,
                TlsEnd::Closed => Self::TlsClosed,
                TlsEnd::Reset => Self::TlsReset,
                TlsEnd::TimedOut => Self::TlsTimeout,
                TlsEnd::Alert(number) => Self::TlsAlert(number),
                TlsEnd::NotTls => Self::TlsNotTls,
                TlsEnd::Malformed => Self::TlsMalformed,
                TlsEnd::LocalRefusal(_) => Self::TlsUnsupported,
                TlsEnd::Unreachable(_) => Self::TlsUnreachable,
                TlsEnd::OverCap => Self::TlsOverCap,
                TlsEnd::LocalError(_) => Self::NotCompleted(NotCompletedKind::LocalError),
            };
        }
        if let Some(quic) = &facts.quic {
            return Self::of_quic(quic.end);
        }
        if let Some(starttls) = &facts.starttls {
            return Self::of_starttls(starttls);
        }
        if let Some(tcp) = &facts.tcp {
            return match tcp.end {
                ConnectEnd::Connected => Self::Ok,
                ConnectEnd::Refused => Self::TcpRefused,
                ConnectEnd::Reset => Self::TcpReset,
                ConnectEnd::TimedOut => Self::TcpTimeout,
                ConnectEnd::Unreachable(_) => Self::TcpUnreachable,
                ConnectEnd::LocalError(_) => Self::NotCompleted(NotCompletedKind::LocalError),
            };
        }
        facts.dns.as_ref().map_or(Self::Ok, Self::of_dns)
    }

    fn of_starttls(starttls: &StartTlsFacts) -> Self {
        match starttls.end {
            UpgradeEnd::Ready => Self::Ok,
            UpgradeEnd::NotOffered => Self::StartTlsNotOffered,
            UpgradeEnd::Refused => Self::StartTlsRefused,
            UpgradeEnd::NotProtocol | UpgradeEnd::OverCap => Self::StartTlsNotProtocol,
            UpgradeEnd::Closed => Self::StartTlsClosed,
            UpgradeEnd::Reset => Self::StartTlsReset,
            UpgradeEnd::TimedOut => Self::StartTlsTimeout,
            UpgradeEnd::Unreachable(_) => Self::StartTlsUnreachable,
            UpgradeEnd::LocalError(_) => Self::NotCompleted(NotCompletedKind::LocalError),
        }
    }

    fn of_quic(end: QuicEnd) -> Self {
        match end {
            QuicEnd::Established => Self::Ok,
            QuicEnd::TimedOut => Self::QuicTimeout,
            QuicEnd::VersionRefused => Self::QuicVersion,
            // RFC 9001 section 4.8: a TLS alert travels as a code of QUIC.
            QuicEnd::Closed(code @ 0x100..0x200) => Self::TlsAlert(code.to_be_bytes()[7]),
            QuicEnd::Closed(_) | QuicEnd::ApplicationClosed(_) => Self::QuicClosed,
            QuicEnd::Reset => Self::QuicReset,
            QuicEnd::Refused => Self::QuicRefused,
            QuicEnd::Unreachable(_) => Self::QuicUnreachable,
            QuicEnd::LocalRefusal(_) => Self::TlsUnsupported,
            QuicEnd::Malformed(_) => Self::QuicMalformed,
            QuicEnd::LocalError(_) => Self::NotCompleted(NotCompletedKind::LocalError),
        }
    }

    fn of_http(http: &HttpFacts) -> Self {
        match (http.end, http.status) {
            (HttpEnd::Answered, Some(status)) if status >= 400 => Self::Http(status),
            (HttpEnd::Answered, _) => http.body.as_ref().map_or(Self::Ok, Self::of_body),
            (HttpEnd::Quiet, _) => Self::Ok,
            (HttpEnd::Closed | HttpEnd::Reset, _) => Self::HttpClosed,
            (HttpEnd::TimedOut, _) => Self::HttpTimeout,
            (HttpEnd::Alert(number), _) => Self::TlsAlert(number),
            (HttpEnd::NotHttp, _) => Self::HttpNotHttp,
        }
    }

    fn of_body(body: &BodyFacts) -> Self {
        match body.end {
            BodyEnd::Whole | BodyEnd::Capped => Self::Ok,
            BodyEnd::TimedOut if body.stalled() => Self::HttpTimeout,
            BodyEnd::TimedOut => Self::Ok,
            BodyEnd::Ended | BodyEnd::Closed | BodyEnd::Reset | BodyEnd::Alert(_) | BodyEnd::Malformed => Self::HttpClosed,
        }
    }

    fn of_dns(dns: &DnsFacts) -> Self {
        if !dns.addresses.is_empty() {
            return Self::Ok;
        }
        let worst = |end: LookupEnd| match end {
            LookupEnd::Response(0) => Self::DnsNoAnswer,
            LookupEnd::Response(2) => Self::DnsServfail,
            LookupEnd::Response(3) => Self::DnsNxdomain,
            LookupEnd::Response(5) => Self::DnsRefused,
            LookupEnd::Response(code) => Self::DnsResponse(code),
            LookupEnd::TimedOut => Self::DnsTimeout,
            LookupEnd::Failed(_) | LookupEnd::Malformed | LookupEnd::NoResolver | LookupEnd::NotSecured | LookupEnd::HttpStatus(_) => Self::DnsFailed,
            LookupEnd::Denied => Self::NotCompleted(NotCompletedKind::PolicyDenied),
        };
        let ends = dns.answers.iter().map(|answer| worst(answer.end));
        ends.min_by_key(|outcome| *outcome == Self::DnsNoAnswer).unwrap_or(Self::DnsFailed)
    }

    /// Tells whether the attempt went as far as the plan wanted.
    pub fn is_ok(self) -> bool {
        self == Self::Ok
    }

    /// Tells whether the attempt says anything about the target.
    pub fn is_completed(self) -> bool {
        !matches!(self, Self::NotCompleted(_))
    }

    /// Tells whether the attempt was completed and failed.
    pub fn is_failure(self) -> bool {
        self.is_completed() && !self.is_ok()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fixed = match self {
            Self::DnsResponse(code) => return write!(f, "dns.rcode.{code}"),
            Self::TlsAlert(number) => return write!(f, "tls.alert.{number}"),
            Self::Certificate(fault) => return write!(f, "certificate.{}", fault.as_str()),
            Self::Http(status) => return write!(f, "http.{status}"),
            Self::NotCompleted(kind) => return write!(f, "missing.{}", kind.as_str()),
            fixed => FIXED.iter().find(|row| row.0 == *fixed).map_or("", |row| row.1),
        };
        f.pad(fixed)
    }
}

const FIXED: [(Outcome, &str); 36] = [
    (Outcome::Ok, "ok"),
    (Outcome::DnsNxdomain, "dns.nxdomain"),
    (Outcome::DnsServfail, "dns.servfail"),
    (Outcome::DnsRefused, "dns.refused"),
    (Outcome::DnsTimeout, "dns.timeout"),
    (Outcome::DnsNoAnswer, "dns.no-answer"),
    (Outcome::DnsFailed, "dns.failed"),
    (Outcome::TcpRefused, "tcp.refused"),
    (Outcome::TcpTimeout, "tcp.timeout"),
    (Outcome::TcpUnreachable, "tcp.unreachable"),
    (Outcome::TcpReset, "tcp.reset"),
    (Outcome::StartTlsNotOffered, "starttls.not-offered"),
    (Outcome::StartTlsRefused, "starttls.refused"),
    (Outcome::StartTlsClosed, "starttls.closed"),
    (Outcome::StartTlsReset, "starttls.reset"),
    (Outcome::StartTlsTimeout, "starttls.timeout"),
    (Outcome::StartTlsNotProtocol, "starttls.not-protocol"),
    (Outcome::StartTlsUnreachable, "starttls.unreachable"),
    (Outcome::TlsReset, "tls.reset"),
    (Outcome::TlsClosed, "tls.closed"),
    (Outcome::TlsTimeout, "tls.timeout"),
    (Outcome::TlsNotTls, "tls.not-tls"),
    (Outcome::TlsMalformed, "tls.malformed"),
    (Outcome::TlsUnsupported, "tls.unsupported"),
    (Outcome::TlsUnreachable, "tls.unreachable"),
    (Outcome::TlsOverCap, "tls.over-cap"),
    (Outcome::QuicTimeout, "quic.timeout"),
    (Outcome::QuicRefused, "quic.refused"),
    (Outcome::QuicUnreachable, "quic.unreachable"),
    (Outcome::QuicVersion, "quic.version"),
    (Outcome::QuicClosed, "quic.closed"),
    (Outcome::QuicReset, "quic.reset"),
    (Outcome::QuicMalformed, "quic.malformed"),
    (Outcome::HttpTimeout, "http.timeout"),
    (Outcome::HttpClosed, "http.closed"),
    (Outcome::HttpNotHttp, "http.not-http"),
];

/// Says that a text is no outcome's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no outcome is called {0:?}")]
pub struct UnknownOutcome(pub String);

impl std::str::FromStr for Outcome {
    type Err = UnknownOutcome;
    fn from_str(text: &str) -> Result<Self, UnknownOutcome> {
        let parsed = FIXED.iter().find(|row| row.1 == text).map(|row| row.0).or_else(|| {
            let (stage, what) = text.rsplit_once('.')?;
            match stage {
                "dns.rcode" => what.parse().ok().map(Self::DnsResponse),
                "tls.alert" => what.parse().ok().map(Self::TlsAlert),
                "certificate" => CertificateFault::NAMES.iter().find(|row| row.1 == what).map(|row| Self::Certificate(row.0)),
                "http" => what.parse().ok().map(Self::Http),
                "missing" => NotCompletedKind::NAMES.iter().find(|row| row.1 == what).map(|row| Self::NotCompleted(row.0)),
                _ => None,
            }
        });
        parsed.ok_or_else(|| UnknownOutcome(text.to_owned()))
    }
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_name_that_reads_back() {
        let parametrised = [Outcome::DnsResponse(9), Outcome::TlsAlert(112), Outcome::Http(502)];
        let certificates = CertificateFault::NAMES.map(|row| Outcome::Certificate(row.0));
        let missing = NotCompletedKind::NAMES.map(|row| Outcome::NotCompleted(row.0));
        for outcome in FIXED.iter().map(|row| row.0).chain(parametrised).chain(certificates).chain(missing) {
            let text = outcome.to_string();
            assert!(!text.is_empty(), "{outcome:?}");
            assert_eq!(text.parse(), Ok(outcome));
        }
    }
}
