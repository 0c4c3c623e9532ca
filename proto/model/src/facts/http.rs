use serde::{Deserialize, Serialize};

/// What one HEAD request over the handshaken stream brought (RFC 9110).
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
    /// Bytes of the answer that were read.
    pub bytes_read: u64,
    /// From the request to the status line or the end, microseconds.
    pub elapsed_us: u64,
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
