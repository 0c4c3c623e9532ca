use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::LogFacts;
use crate::{bytes::Bytes, clock::Timestamp};

/// What a witness on the server's host saw of connections, packet by packet: what arrived there, and what left.
///
/// It stands before the host's own firewall on the way in and behind it on the way out: a packet that the firewall drops has arrived, and an answer to it that was sent
/// has left.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct WitnessFacts {
    /// Where the connections come from that it was asked about.
    pub sources: Vec<IpAddr>,
    /// From when on every connection is in its memory, by the coordinator's clock; none when it did not watch this address.
    pub since: Option<Timestamp>,
    /// Until when it watched, by the coordinator's clock.
    pub until: Option<Timestamp>,
    /// Whether the address is one of the host's own: then nothing reaches it unseen.
    pub on_host: bool,
    /// Packets that the host kept from it meanwhile because it was too slow; where this is not 0, what it did not see says nothing.
    pub lost_packets: u64,
    /// The connections from these sources, oldest first.
    pub flows: Vec<WitnessedFlow>,
    /// What the server's own log says of them, where the witness reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Box<LogFacts>>,
}

/// One connection as the server's host saw it, from its SYN on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessedFlow {
    /// Where it comes from, as it arrives there.
    pub client: SocketAddr,
    /// What it connects to, as it arrives there.
    pub server: SocketAddr,
    /// When its first SYN arrived, by the coordinator's clock.
    pub begun_at: Timestamp,
    /// SYNs that arrived.
    pub syns: u32,
    /// Arrival TTL of the first.
    pub syn_ttl: u8,
    /// SYN-ACKs that left.
    pub syn_acks: u32,
    /// Payload bytes that arrived in order.
    pub client_bytes: u64,
    /// The ClientHello, once it arrived whole.
    pub hello: Option<HelloArrived>,
    /// Payload bytes that left.
    pub server_bytes: u64,
    /// What ended it, in the order of time; the first few.
    pub ends: Vec<EndWitnessed>,
}

/// A ClientHello as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloArrived {
    /// SHA-256 of its records.
    pub sha256: Bytes,
    /// Their size.
    pub bytes: u32,
    /// When it was whole, microseconds after the first SYN.
    pub at_us: u64,
}

/// A packet that ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EndWitnessed {
    /// In whose name it was sent.
    pub by: Sender,
    /// What it is.
    pub kind: EndKind,
    /// When, microseconds after the first SYN.
    pub at_us: u64,
    /// Its TTL there.
    pub ttl: u8,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sender {
    /// Who connected; what arrives in its name may be somebody else's.
    Client,
    /// The server's host: it really left there.
    Server,
}

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndKind {
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// A TLS alert in clear; its number.
    Alert(u8),
}
