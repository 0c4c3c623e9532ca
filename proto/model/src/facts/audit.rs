use std::{fmt, net::SocketAddr};

use parallax_tls::registry::{AlertDescription, ProtocolVersion};
use serde::{Deserialize, Serialize};

use super::{Rung, RungFacts};
use crate::bytes::Bytes;

/// Everything that the server at one address can do, found by many small handshakes of an [`Audit`](crate::assignment::Experiment::Audit) attempt.
///
/// Numbers are those of the IANA registries, in the order in which the server chose them. What was not asked is absent or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditFacts {
    /// Connections that were tried.
    pub connections: u32,
    /// From the first SYN to the end of the last answer, microseconds.
    pub elapsed_us: u64,
    /// Bytes that were read on all connections.
    pub bytes_read: u64,
    /// What cut the audit short; none when every question was asked to its end.
    pub stopped: Option<AuditStop>,
    /// SSL 2, which speaks another format.
    pub ssl2: Option<Ssl2Facts>,
    /// SSL 3 to TLS 1.3, by version.
    pub versions: Vec<VersionFacts>,
    /// What the ServerHello of the highest version below TLS 1.3 grants.
    pub features: Option<FeatureFacts>,
    /// The ephemeral secrets of the key exchange.
    pub key_exchange: KeyExchangeFacts,
    /// Application protocols.
    pub alpn: Option<AlpnFacts>,
    /// Whether sessions are resumed.
    pub sessions: SessionFacts,
    /// Each chain (DER, leaf first) that any name or key type brought, once.
    pub chains: Vec<Vec<Bytes>>,
    /// Which chain came for what was asked.
    pub certificates: Vec<CertificateFacts>,
    /// The request for a client certificate, when one came.
    pub client_certificate: Option<ClientCertificateFacts>,
    /// How hellos with one peculiarity each were answered.
    pub tolerance: Vec<RungFacts>,
    /// What came back for a second ClientHello on a finished connection of TLS 1.2 (RFC 5746): [`AuditAnswer::Hello`] when the server renegotiates.
    pub renegotiation: Option<AuditAnswer>,
    /// What came back for the preface of HTTP/2 where `h2` was agreed on.
    pub http2: Option<Http2Answer>,
    /// The JARM fingerprint: 62 hexadecimal digits, all zero when the server answered none of the ten hellos.
    pub jarm: Option<String>,
    /// The JA3S fingerprint of the answer to a modern hello: MD5, 32 hexadecimal digits.
    pub ja3s: Option<String>,
}

impl AuditFacts {
    /// Tells whether the server agrees on an application protocol.
    #[must_use]
    pub fn agrees_on(&self, protocol: &str) -> bool {
        self.alpn.as_ref().is_some_and(|alpn| alpn.accepted.iter().any(|accepted| accepted == protocol))
    }

    /// Returns what came of one rung of the ladder; none when it was not asked.
    #[must_use]
    pub fn answer_to(&self, wanted: Rung) -> Option<AuditAnswer> {
        self.tolerance.iter().find(|rung| rung.rung() == Some(wanted)).map(|rung| rung.answer)
    }
}

/// What cut an audit short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditStop {
    /// The plan's cap on connections.
    Connections,
    /// The plan's cap on time.
    Time,
    /// The plan's cap on bytes.
    Bytes,
    /// The server had answered and then stopped accepting connections or answering on them.
    Vanished,
}

impl fmt::Display for AuditStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connections => "the cap on connections was reached",
            Self::Time => "the time was up",
            Self::Bytes => "the cap on bytes was reached",
            Self::Vanished => "the server no longer answered",
        })
    }
}

/// What came back for one hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditAnswer {
    /// A ServerHello, or a HelloRetryRequest.
    Hello,
    /// A ServerHello of another version than was offered; its version.
    OtherVersion(u16),
    /// A fatal alert in clear; its number (RFC 8446 section 6).
    Alert(u8),
    /// The peer closed the stream without an answer.
    Closed,
    /// The peer reset the connection.
    Reset,
    /// Nothing came in time.
    Silence,
    /// What came is not TLS.
    NotTls,
    /// TLS records that break the protocol, or a choice that was not offered.
    Malformed,
    /// The plan's cap on bytes was reached inside the answer.
    OverCap,
    /// An ICMP error or an error of the host on the established connection.
    Broken,
    /// There was no connection to ask on.
    NotConnected,
}

impl fmt::Display for AuditAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello => f.write_str("hello"),
            Self::OtherVersion(version) => write!(f, "hello of {}", ProtocolVersion(*version)),
            Self::Alert(number) => write!(f, "alert {}", AlertDescription(*number)),
            Self::Closed => f.write_str("closed"),
            Self::Reset => f.write_str("reset"),
            Self::Silence => f.write_str("silence"),
            Self::NotTls => f.write_str("not TLS"),
            Self::Malformed => f.write_str("malformed"),
            Self::OverCap => f.write_str("too long"),
            Self::Broken => f.write_str("connection broken"),
            Self::NotConnected => f.write_str("not connected"),
        }
    }
}

/// What a server accepts of a list that it was offered, in the order of its choice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Accepted {
    /// What it chose, each time out of all that was left.
    pub numbers: Vec<u16>,
    /// What it answered to the rest; none when the rest was not asked.
    pub refusal: Option<AuditAnswer>,
    /// Whether it keeps to its own order, by the list forward and reversed; none when there was no choice or it was not asked.
    pub server_order: Option<bool>,
}

/// One protocol version of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionFacts {
    /// The version as it stands on the wire, 0x0300 to 0x0304.
    pub version: u16,
    /// What came back for a hello of this version alone with all suites of it; for TLS 1.3 with an empty key_share.
    pub answer: AuditAnswer,
    /// Cipher suites.
    #[serde(default)]
    pub suites: Accepted,
    /// Whether a client that prefers ChaCha20 gets it although the server keeps to its own order otherwise; none when not asked.
    #[serde(default)]
    pub prefers_chacha: Option<bool>,
    /// Groups: of HelloRetryRequest in TLS 1.3, of ServerKeyExchange before.
    #[serde(default)]
    pub groups: Accepted,
    /// Signature schemes: of ServerKeyExchange in TLS 1.2, those of one type of key after the other; in TLS 1.3 those that the server can sign with, in the order of their offer, empty with
    /// the refusal [`AuditAnswer::Hello`] when it refuses in secret.
    #[serde(default)]
    pub signature_schemes: Accepted,
    /// A suite that the server chose although it was not offered.
    #[serde(default)]
    pub unoffered_suite: Option<u16>,
}

/// SSL 2 of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssl2Facts {
    /// What came back for its CLIENT-HELLO; [`AuditAnswer::Hello`] stands for SERVER-HELLO.
    pub answer: AuditAnswer,
    /// The cipher kinds of SERVER-HELLO, three bytes each.
    pub cipher_kinds: Vec<u32>,
}

/// What a ServerHello of TLS 1.2 or before grants to a hello that offers every extension.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FeatureFacts {
    /// The version of that ServerHello.
    pub version: u16,
    /// Its suite.
    pub cipher_suite: u16,
    /// Its extension types in their order.
    pub extensions: Vec<u16>,
    /// Whether `renegotiation_info` came (RFC 5746).
    pub renegotiation_info: bool,
    /// Whether `extended_master_secret` came (RFC 7627).
    pub extended_master_secret: bool,
    /// Whether `encrypt_then_mac` came with a CBC suite (RFC 7366); none when no such suite is accepted or it was not asked.
    pub encrypt_then_mac: Option<bool>,
    /// The compression method that was chosen with DEFLATE (1) on offer.
    pub compression: u8,
    /// The mode of `heartbeat`, 1 or 2 (RFC 6520); none when it did not come.
    pub heartbeat: Option<u8>,
    /// Protocols of `next_protocol_negotiation`, none when it did not come.
    pub next_protocols: Option<Vec<String>>,
    /// Whether a ticket was promised by `session_ticket` (RFC 5077).
    pub session_ticket: bool,
    /// Bytes of the session id that was issued.
    pub session_id_bytes: u8,
    /// Whether the server returned a made-up session id, which TLS 1.3 does and older versions must not.
    pub session_id_echoed: bool,
    /// The last byte of the downgrade sentinel in the random (RFC 8446 section 4.1.3): 1 for TLS 1.2, 0 before; none without it.
    pub downgrade_sentinel: Option<u8>,
    /// What came back for a hello one version below the highest with TLS_FALLBACK_SCSV (RFC 7507); none when there is no such version.
    pub fallback_scsv: Option<AuditAnswer>,
}

/// The ephemeral secrets of a server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyExchangeFacts {
    /// How real key shares of post-quantum hybrids were answered, one hello each.
    pub hybrid_shares: Vec<ShareFacts>,
    /// The finite field of DHE suites.
    pub finite_field: Option<FiniteFieldFacts>,
    /// Whether the elliptic-curve public value was the same on two connections; none when fewer than two were seen.
    pub curve_value_reused: Option<bool>,
}

/// How one real key share was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareFacts {
    /// The group.
    pub group: u16,
    /// What came back.
    pub answer: AuditAnswer,
    /// Whether the server took the share; false when it asked for another group or chose an older version.
    pub taken: bool,
    /// Bytes of the hello on the wire.
    pub bytes_sent: u32,
}

/// The prime of finite-field Diffie-Hellman (RFC 5246 section 7.4.3).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FiniteFieldFacts {
    /// Bits of the prime, leading zeros not counted.
    pub prime_bits: u32,
    /// The prime, at most 2,048 bytes.
    pub prime: Bytes,
    /// The generator, at most 2,048 bytes.
    pub generator: Bytes,
    /// The name of the prime when many servers share it, such as `ffdhe2048`.
    pub well_known: Option<String>,
    /// Whether the public value was the same on two connections; none when only one was seen.
    pub value_reused: Option<bool>,
}

/// Application protocols of a server (RFC 7301): of its highest version below TLS 1.3, or of TLS 1.3 when it speaks nothing older.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AlpnFacts {
    /// The protocols that it chose, each time out of all that was left.
    pub accepted: Vec<String>,
    /// What came back when only unknown protocols were offered: alert 120 for a refusal, [`AuditAnswer::Hello`] when it goes on without; none when not asked.
    pub no_overlap: Option<AuditAnswer>,
}

/// Whether a server resumes sessions; each part is absent when it was not asked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SessionFacts {
    /// By ticket in TLS 1.2 (RFC 5077).
    pub tls12_ticket: Option<Resumption>,
    /// By session id in TLS 1.2.
    pub tls12_id: Option<Resumption>,
    /// By pre-shared key in TLS 1.3.
    pub tls13_psk: Option<Resumption>,
    /// The lifetime hint of the ticket of TLS 1.2, seconds; 0 leaves it to the client.
    pub tls12_lifetime_seconds: Option<u32>,
    /// The lifetime of the last ticket of TLS 1.3, seconds; at most the seven days that RFC 8446 section 4.6.1 allows.
    pub tls13_lifetime_seconds: Option<u32>,
    /// Tickets that came on one connection of TLS 1.3 without a request.
    pub tls13_tickets: Option<u8>,
    /// `max_early_data_size` of the ticket, bytes; 0 when it allows none.
    pub max_early_data_bytes: Option<u32>,
    /// The first 16 bytes of the ticket of TLS 1.2: the name of the key in the format that RFC 5077 recommends.
    pub ticket_key_name: Option<Bytes>,
    /// What came of offering, at the target's other addresses, a session of this one; asked where this one resumes its own.
    pub elsewhere: Vec<ElsewhereFacts>,
    /// What came of offering, under the target's name, a session that was begun under another one or none: [`Resumption::Resumed`] when the client was
    /// served. Asked where the target's name alone wants a client certificate, and serves nobody without.
    pub across_names: Option<Resumption>,
}

/// What another address of the target made of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElsewhereFacts {
    /// Where it was offered.
    pub address: SocketAddr,
    /// The version of the session.
    pub version: u16,
    /// [`Resumption::Resumed`] or [`Resumption::Refused`].
    pub resumption: Resumption,
}

/// What came back for the preface of HTTP/2 (RFC 9113 section 3.4), which a server answers with SETTINGS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Http2Answer {
    /// A SETTINGS frame.
    Settings,
    /// A response of HTTP/1.
    Http1,
    /// Something else.
    Other,
    /// The peer ended the stream without a word.
    Ended,
    /// Nothing came in time.
    Silence,
}

impl fmt::Display for Http2Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Settings => "settings",
            Self::Http1 => "an answer in HTTP/1",
            Self::Other => "no HTTP",
            Self::Ended => "the end of the stream",
            Self::Silence => "nothing in time",
        })
    }
}

/// What came of offering a session to a server again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resumption {
    /// It was resumed.
    Resumed,
    /// The server made a full handshake instead.
    Refused,
    /// The first connection left nothing to offer.
    NotIssued,
}

impl fmt::Display for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Resumed => "resumed",
            Self::Refused => "refused",
            Self::NotIssued => "not issued",
        })
    }
}

/// Which chain came for what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateFacts {
    /// What was asked.
    pub ask: CertificateAsk,
    /// The server name that was sent.
    pub server_name: Option<String>,
    /// What came back.
    pub answer: AuditAnswer,
    /// The version that the server chose.
    #[serde(default)]
    pub version: Option<u16>,
    /// Its suite.
    #[serde(default)]
    pub cipher_suite: Option<u16>,
    /// Where the chain stands in [`AuditFacts::chains`]; none when no certificate came.
    #[serde(default)]
    pub chain: Option<u32>,
    /// The stapled OCSP response (DER).
    #[serde(default)]
    pub staple: Option<Bytes>,
    /// The body of `signed_certificate_timestamp` in the ServerHello (RFC 6962 section 3.3).
    #[serde(default)]
    pub timestamps: Option<Bytes>,
}

/// What a certificate was asked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateAsk {
    /// The target's name.
    OwnName,
    /// No name.
    NoName,
    /// A name that has nothing to do with the target.
    OtherName,
    /// The target's name, with suites and schemes for RSA keys alone.
    Rsa,
    /// The target's name, with suites and schemes for ECDSA keys alone.
    Ecdsa,
}

/// A request for a client certificate (RFC 5246 section 7.4.4).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientCertificateFacts {
    /// Certificate types, such as 1 (RSA) and 64 (ECDSA); empty in TLS 1.3.
    pub certificate_types: Vec<u8>,
    /// Signature schemes.
    pub signature_schemes: Vec<u16>,
    /// The names of the authorities (DER), at most 32 of them.
    pub authorities: Vec<Bytes>,
    /// How many authorities there were.
    pub authorities_count: u32,
    /// Bytes of the server's flight that carried the request.
    pub flight_bytes: u64,
}
