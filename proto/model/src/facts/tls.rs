use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;

/// What the handshake showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFacts {
    /// What was sent.
    pub hello: HelloSent,
    /// How it ended.
    pub end: TlsEnd,
    /// From the write of the ClientHello to the end, microseconds.
    pub end_us: u64,
    /// From the write of the ClientHello to the first byte of an answer, microseconds.
    pub first_byte_us: Option<u64>,
    /// Bytes of the stream that were read.
    pub bytes_read: u64,
    /// What the server said in clear.
    pub answer: ServerAnswerFacts,
    /// What the full path negotiated; absent on the raw path and when it did not get that far.
    pub handshake: Option<HandshakeFacts>,
    /// The chain as it was sent (DER, leaf first), seen even when verification fails.
    pub certificates: Vec<Bytes>,
    /// The bytes on the connection, up to the plan's cap.
    pub transcript: Vec<TranscriptEntry>,
}

/// The ClientHello that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HelloSent {
    /// The server name in it.
    pub server_name: Option<String>,
    /// Bytes on the wire, record headers included; 0 when something else than a ClientHello was sent.
    pub bytes: u32,
    /// Writes it was sent in.
    pub writes: u8,
    /// SHA-256 of the bytes on the wire.
    pub sha256: Bytes,
}

/// How a handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsEnd {
    /// Finished on both sides, and no alert with the first read.
    Established,
    /// The raw path read the server's answer, which is as far as it goes.
    Answered,
    /// The peer closed the stream (FIN).
    Closed,
    /// ECONNRESET.
    Reset,
    /// Nothing more came in time.
    TimedOut,
    /// A fatal alert; its number (RFC 8446 section 6). Whether it was encrypted stands in the answer's alerts.
    Alert(u8),
    /// What came is not TLS.
    NotTls,
    /// TLS records that break the protocol.
    Malformed,
    /// The prober's own library went no further; never the server's fault by itself.
    LocalRefusal(LocalRefusal),
    /// An ICMP error on the established connection; errno.
    Unreachable(i32),
    /// The plan's cap on bytes was reached.
    OverCap,
    /// Another error of the host; errno.
    LocalError(i32),
}

/// What the prober's own library refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LocalRefusal {
    /// The server chose a version that was not offered or that the library lacks.
    Version,
    /// The server chose a suite that was not offered or that the library lacks.
    CipherSuite,
    /// The server chose a group that was not offered or that the library lacks.
    Group,
    /// The server chose an application protocol that was not offered.
    ApplicationProtocol,
    /// The server's handshake signature does not verify.
    Signature,
    /// A certificate that cannot be read.
    CertificateEncoding,
    /// Anything else that the library calls incompatible.
    Other,
}

/// What a server said in clear, up to its first encrypted record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerAnswerFacts {
    /// The version that the ServerHello selects.
    pub version: Option<u16>,
    /// The cipher suite that it selects.
    pub cipher_suite: Option<u16>,
    /// The group that it (or its ServerKeyExchange) selects.
    pub group: Option<u16>,
    /// Bits of the prime of its finite-field key exchange (DHE of TLS 1.2 and before).
    pub dh_bits: Option<u16>,
    /// The application protocol, when it stands in clear (TLS 1.2).
    pub alpn: Option<String>,
    /// Extension types of the ServerHello in their order.
    pub extensions: Vec<u16>,
    /// HelloRetryRequests that came first.
    pub hello_retry_requests: u8,
    /// Whether a CertificateRequest came (in clear, or seen by the full path).
    pub certificate_requested: bool,
    /// Alerts in their order.
    pub alerts: Vec<AlertSeen>,
    /// Whether encrypted records came.
    pub encrypted_records: bool,
    /// The first bytes (64 at most) when what came is not TLS.
    pub not_tls: Option<Bytes>,
}

/// An alert from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AlertSeen {
    /// 1 warning, 2 fatal.
    pub level: u8,
    /// Its number (RFC 8446 section 6).
    pub description: u8,
    /// Whether it came under the handshake's keys, which only the holder of the session can write.
    pub encrypted: bool,
}

/// What a full handshake negotiated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HandshakeFacts {
    /// The version.
    pub version: Option<u16>,
    /// The cipher suite.
    pub cipher_suite: Option<u16>,
    /// The key-exchange group.
    pub group: Option<u16>,
    /// The application protocol.
    pub alpn: Option<String>,
    /// Whether a HelloRetryRequest was answered.
    pub hello_retry: bool,
    /// Whether the server proved that it holds the leaf's key (CertificateVerify or ServerKeyExchange); none when it never came to that.
    pub signature_verified: Option<bool>,
    /// The stapled OCSP response (DER).
    pub staple: Option<Bytes>,
    /// From the write of the ClientHello to Finished, microseconds.
    pub elapsed_us: u64,
    /// The ClientHello as the fleet's responder received it, read back inside TLS; SHA-256.
    pub echo_sha256: Option<Bytes>,
}

/// Bytes of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptEntry {
    /// Who wrote them.
    pub direction: Direction,
    /// When, microseconds after the connection was up.
    pub at_us: u64,
    /// The bytes; the last entry may be cut.
    pub bytes: Bytes,
}

/// Who wrote bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The agent.
    Sent,
    /// The peer.
    Received,
}
