use serde::{Deserialize, Serialize};

/// What was said in clear before TLS, of a target with `PROTOCOL+starttls`.
///
/// Texts are the server's own words with control characters shown as `.`; what is not UTF-8 is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartTlsFacts {
    /// How it ended.
    pub end: UpgradeEnd,
    /// The server's first words, at most 256 characters; for MySQL its version.
    pub greeting: Option<String>,
    /// What the server says it can do, a line each: at most 64 of at most 128 characters.
    pub capabilities: Vec<String>,
    /// Whether TLS is among them; none where the protocol has no such list or the server would not show it.
    pub offered: Option<bool>,
    /// The answer that decided, at most 256 characters.
    pub reply: Option<String>,
    /// From the connection to the first byte, microseconds.
    pub first_byte_us: Option<u64>,
    /// From the connection to the end, microseconds.
    pub elapsed_us: u64,
    /// Bytes that were read.
    pub bytes_read: u64,
    /// Bytes in clear behind the answer that calls for TLS; a client that takes them for protected ones is open to injection (RFC 3207 section 6).
    pub surplus_bytes: u64,
}

/// How the upgrade ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpgradeEnd {
    /// The server waits for a ClientHello.
    Ready,
    /// The server does not know the command or does not list it.
    NotOffered,
    /// The server knows it and says no, or refuses service altogether.
    Refused,
    /// What came is not the protocol.
    NotProtocol,
    /// The peer closed the stream (FIN).
    Closed,
    /// ECONNRESET.
    Reset,
    /// Nothing more came in time.
    TimedOut,
    /// The cap on bytes was reached.
    OverCap,
    /// An ICMP error on the established connection; errno.
    Unreachable(i32),
    /// Another error of the host; errno.
    LocalError(i32),
}
