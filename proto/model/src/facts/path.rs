use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Arrival TTLs (IPv4) or hop limits (IPv6) of the packets that a peer, or somebody in its name, sent; found by bisecting `IP_MINTTL`/`IPV6_MINHOPCOUNT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyTtlFacts {
    /// Of the SYN-ACK; absent when none came.
    pub syn_ack: Option<TtlRange>,
    /// What ended the attempt.
    pub reply: Option<Reply>,
    /// Of that reply; absent when it could not be bounded.
    pub reply_ttl: Option<TtlRange>,
    /// Whether the handshake went on when packets with the reply's TTL were filtered out: then the reply came from somebody else and did not replace the server's.
    pub passed_when_filtered: Option<bool>,
    /// What other ports of the same address, or the responders, answered with: for comparison where no SYN-ACK came.
    pub siblings: Vec<Sibling>,
    /// Connections that it took.
    pub connections: u32,
}

/// The inclusive range that holds a TTL; equal ends when it is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TtlRange {
    /// Smallest possible value.
    pub least: u8,
    /// Largest possible value.
    pub most: u8,
}

impl TtlRange {
    /// Makes a range of one value.
    pub const fn exactly(ttl: u8) -> Self {
        Self { least: ttl, most: ttl }
    }

    /// Returns the distance between the two ranges, 0 when they overlap.
    pub fn gap(self, other: Self) -> u8 {
        self.least.saturating_sub(other.most).max(other.least.saturating_sub(self.most))
    }

    /// Returns how many routers decremented the value, taking the nearest usual start (64, 128, 255) above it.
    pub fn hops(self) -> u8 {
        let start = if self.most <= 64 {
            64
        } else if self.most <= 128 {
            128
        } else {
            255
        };
        start - self.most
    }

    /// Tells whether who arrives with this stands before the server of that range: beyond what an inexact measurement leaves open, and by fewer routers.
    pub fn is_nearer_than(self, server: Self) -> bool {
        let gap = self.gap(server);
        let exact = |range: Self| range.least == range.most;
        let beyond_doubt = gap >= 2 || (gap == 1 && exact(self) && exact(server));
        self.least > server.most && self.hops() < server.hops() && beyond_doubt
    }
}

/// What somebody answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// SYN-ACK.
    SynAck,
    /// ECONNREFUSED on a SYN.
    Refusal,
    /// A reset after the ClientHello.
    Reset,
    /// A FIN after the ClientHello.
    Close,
    /// A TLS alert in clear.
    Alert,
    /// Other bytes.
    Data,
}

/// The reply of another port or address, for comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sibling {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// What it answered with.
    pub reply: Reply,
    /// The TTL of that.
    pub ttl: TtlRange,
}

/// A walk along the path with a growing hop limit, from one source port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkFacts {
    /// What was sent.
    pub payload: WalkPayload,
    /// The source port of every step; 0 when the host would not pin one.
    pub source_port: u16,
    /// The steps in the order of their hop limit.
    pub steps: Vec<WalkStep>,
}

/// What a walk sends.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WalkPayload {
    /// A SYN; router addresses come from the error queue.
    Syn,
    /// A ClientHello of one segment with this server name, on a connection made at the full hop limit.
    Hello(Option<String>),
}

impl WalkFacts {
    /// Returns how many connections it made to the target: a SYN whose hop limit expires never gets there, a walk of hellos connects for each step.
    pub fn connections(&self) -> usize {
        let reaches = |step: &&WalkStep| self.payload != WalkPayload::Syn || !matches!(step.end, StepEnd::Expired(_));
        self.steps.iter().filter(reaches).count()
    }
}

/// One step of a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct WalkStep {
    /// The hop limit that was set.
    pub hop_limit: u8,
    /// What came of it.
    pub end: StepEnd,
    /// From sending to the end, microseconds.
    pub elapsed_us: u64,
}

/// What came of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepEnd {
    /// The hop limit expired on the way; the router's address where it is known (of its own ICMP on a SYN walk, never on a ClientHello walk).
    Expired(Option<IpAddr>),
    /// ICMP other than expiry, such as administratively prohibited; its sender where it is known.
    Prohibited(Option<IpAddr>),
    /// The peer answered: SYN-ACK to a SYN, bytes to a ClientHello.
    Answered,
    /// ECONNREFUSED.
    Refused,
    /// ECONNRESET.
    Reset,
    /// FIN without a byte.
    Closed,
    /// An alert in clear; its number.
    Alert(u8),
    /// Nothing came.
    Silent,
    /// The connection for this step could not be made.
    NotConnected,
}
