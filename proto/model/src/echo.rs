//! What a control responder tells a vantage inside TLS: what arrived of its ClientHello.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;

/// One line of JSON that a responder writes after every finished handshake, before it closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// SHA-256 of the ClientHello's records as they arrived.
    pub hello_sha256: Bytes,
    /// Their size.
    pub hello_bytes: u32,
    /// The server name in it.
    pub server_name: Option<String>,
    /// Where the connection came from, as the responder sees it.
    pub peer: SocketAddr,
}

/// Largest line that a vantage reads; an honest one is far below it.
pub const MAX_LINE_BYTES: usize = 1_024;

impl Echo {
    /// Writes the line, newline included.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("plain fields always serialise");
        line.push('\n');
        line
    }

    /// Reads the line; none when it is not one.
    pub fn from_line(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line.get(..MAX_LINE_BYTES.min(line.len()))?.trim_ascii_end()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back() {
        let echo = Echo { hello_sha256: Bytes(vec![7; 32]), hello_bytes: 240, server_name: Some("x.test".into()), peer: "192.0.2.7:40000".parse().unwrap() };
        assert_eq!(Echo::from_line(echo.to_line().as_bytes()), Some(echo));
        assert_eq!(Echo::from_line(b"HTTP/1.1 200 OK"), None);
    }
}
