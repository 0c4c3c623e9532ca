use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What one request over the handshaken stream brought (RFC 9110): HEAD, or GET where the body is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpFacts {
    /// How it ended.
    pub end: HttpEnd,
    /// The status code, when a status line was read.
    pub status: Option<u16>,
    /// The `server` header, at most 128 characters.
    pub server: Option<String>,
    /// The `location` header, at most 512 characters.
    pub location: Option<String>,
    /// The `alt-svc` header (RFC 7838), at most 256 characters: `h3=":443"` says that QUIC is spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_svc: Option<String>,
    /// The `date` header: when the answer came into being, by the clock of the server; a cache adds `age`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Timestamp>,
    /// The `age` header, seconds: how long the answer has lain in caches (RFC 9111 section 5.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u32>,
    /// The `strict-transport-security` header (RFC 6797), at most 128 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict_transport_security: Option<String>,
    /// Bytes of the answer that were read, those of a body not counted.
    pub bytes_read: u64,
    /// From the request to the status line or the end, microseconds.
    pub elapsed_us: u64,
    /// The body, where it was asked for and a status line came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyFacts>,
}

impl HttpFacts {
    /// Makes facts of a request that ended like this and brought nothing.
    pub fn ended(end: HttpEnd) -> Self {
        Self {
            end,
            status: None,
            server: None,
            location: None,
            alt_svc: None,
            date: None,
            age_seconds: None,
            strict_transport_security: None,
            bytes_read: 0,
            elapsed_us: 0,
            body: None,
        }
    }
}

/// The body of an answer, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyFacts {
    /// How reading it ended.
    pub end: BodyEnd,
    /// Bytes of it that came, framing included.
    pub bytes: u64,
    /// How many bytes the answer promised (`content-length`).
    pub promised: Option<u64>,
    /// From the request to the first byte, microseconds; absent when none came.
    pub first_byte_us: Option<u64>,
    /// From the request to the last byte that came, microseconds.
    pub last_byte_us: Option<u64>,
    /// From the request to the end of reading, microseconds.
    pub elapsed_us: u64,
}

/// How reading a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyEnd {
    /// All that was promised came, or a stream without a promise was closed.
    Whole,
    /// As much came as is read at most.
    Capped,
    /// The server itself said that nothing more comes (close_notify), before all that it had promised.
    Ended,
    /// The stream was closed without that word, before all that was promised.
    Closed,
    /// The connection was reset.
    Reset,
    /// The time was up.
    TimedOut,
    /// A fatal TLS alert came; its number.
    Alert(u8),
    /// What came breaks the session.
    Malformed,
}

impl BodyFacts {
    /// Tells whether the stream fell silent for longer than bytes had come before: it did not just flow slowly.
    pub fn stalled(&self) -> bool {
        self.end == BodyEnd::TimedOut && self.last_byte_us.unwrap_or(0).saturating_mul(2) < self.elapsed_us
    }

    /// Tells whether the stream was cut before its end, and not by the server's own word.
    pub fn was_cut(&self) -> bool {
        matches!(self.end, BodyEnd::Closed | BodyEnd::Reset) || self.stalled()
    }
}

/// How the exchange after the handshake ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HttpEnd {
    /// A status line was read.
    Answered,
    /// The stream ended before a status line.
    Closed,
    /// The connection was reset.
    Reset,
    /// Nothing came in time.
    TimedOut,
    /// A fatal TLS alert came instead; its number.
    Alert(u8),
    /// What came is not HTTP/1.x.
    NotHttp,
    /// Nothing was asked and nothing came: the read of a target without HTTP ended in silence, which is fine.
    Quiet,
}
