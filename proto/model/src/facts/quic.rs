use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::HandshakeFacts;
use crate::bytes::Bytes;

/// What a QUIC connection showed (RFC 9000), of a target with `quic://`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuicFacts {
    /// The peer.
    pub remote: SocketAddr,
    /// The own end, once it was known.
    pub local: Option<SocketAddr>,
    /// How it ended.
    pub end: QuicEnd,
    /// The server name in the ClientHello.
    pub server_name: Option<String>,
    /// The version that was tried, 1 for RFC 9000.
    pub version: u32,
    /// The versions that the server named in answer to one that nobody speaks (RFC 9000 section 6), at most 32; empty when it did not answer.
    pub versions: Vec<u32>,
    /// From that question to its answer, microseconds.
    pub negotiation_us: Option<u64>,
    /// Whether the server had the address validated first (Retry, RFC 9000 section 17.2.5).
    pub retry: bool,
    /// Datagrams of the handshake that were sent.
    pub datagrams_sent: u32,
    /// Datagrams of the handshake that came.
    pub datagrams_received: u32,
    /// Bytes that came.
    pub bytes_read: u64,
    /// From the first Initial to the first datagram of an answer, microseconds.
    pub first_datagram_us: Option<u64>,
    /// From the first Initial to the end, microseconds.
    pub elapsed_us: u64,
    /// What the peer gave as its reason to close, at most 256 characters.
    pub reason: Option<String>,
    /// The router or host that answered with ICMP, when the error queue told.
    pub icmp_from: Option<IpAddr>,
    /// What was negotiated; absent when it did not get that far. Suite and group are not told by the library.
    pub handshake: Option<HandshakeFacts>,
    /// The chain as it was sent (DER, leaf first), seen even when verification fails.
    pub certificates: Vec<Bytes>,
}

/// How a QUIC connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuicEnd {
    /// The handshake was finished, and not taken back within a round trip.
    Established,
    /// Nothing more came in time.
    TimedOut,
    /// The server speaks other versions only (Version Negotiation).
    VersionRefused,
    /// The peer's QUIC closed the connection; its code (RFC 9000 section 20.1): 256 and more for a TLS alert of that number less 256.
    Closed(u64),
    /// The peer's application closed the connection; its code.
    ApplicationClosed(u64),
    /// A stateless reset (RFC 9000 section 10.3).
    Reset,
    /// ICMP port unreachable.
    Refused,
    /// Another ICMP error or no route; errno.
    Unreachable(i32),
    /// The prober's own TLS library went no further; the number of its alert.
    LocalRefusal(u8),
    /// The peer broke the protocol; the code with which the prober closed.
    Malformed(u64),
    /// The host itself could not try; errno.
    LocalError(i32),
}
