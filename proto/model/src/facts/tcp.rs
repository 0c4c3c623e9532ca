use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// What the connection showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TcpFacts {
    /// The peer.
    pub remote: SocketAddr,
    /// The own end, once it was known.
    pub local: Option<SocketAddr>,
    /// Whether the source port was chosen by the plan.
    pub source_port_pinned: bool,
    /// How connecting ended.
    pub end: ConnectEnd,
    /// From SYN to the end, microseconds.
    pub connect_us: u64,
    /// `IP_TTL`/`IPV6_UNICAST_HOPS` that was set, none for the host's default.
    pub hop_limit: Option<u8>,
    /// `TCP_MAXSEG` that was set before connecting.
    pub mss_clamp: Option<u16>,
    /// The router or host that answered with ICMP, when the error queue told.
    pub icmp_from: Option<IpAddr>,
    /// `TCP_INFO` when the connection was up.
    pub at_connect: Option<TcpInfo>,
    /// `TCP_INFO` at the end of the attempt, also when it failed.
    pub at_end: Option<TcpInfo>,
    /// Arrival TTL of the acknowledgement of the first flight (`TCP_NLA_TTL`).
    pub ack_ttl: Option<u8>,
}

/// How connecting ended; the number is the errno of the host's kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectEnd {
    /// The connection is established.
    Connected,
    /// ECONNREFUSED: a reset, or an ICMP port unreachable.
    Refused,
    /// ECONNRESET while connecting.
    Reset,
    /// Nothing came in time.
    TimedOut,
    /// EHOSTUNREACH, ENETUNREACH or EACCES-like: an ICMP error or no route.
    Unreachable(i32),
    /// The host itself could not try.
    LocalError(i32),
}

/// The kernel's view of a connection (`struct tcp_info`, linux/tcp.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TcpInfo {
    /// `tcpi_state`: 1 is ESTABLISHED.
    pub state: u8,
    /// Segments sent and not acknowledged.
    pub unacked: u32,
    /// Bytes acknowledged by the peer, the SYN included.
    pub bytes_acked: u64,
    /// Payload bytes sent, retransmissions included.
    pub bytes_sent: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
    /// Segments received.
    pub segments_in: u32,
    /// Segments sent.
    pub segments_out: u32,
    /// Data segments received.
    pub data_segments_in: u32,
    /// Retransmissions over the connection's life.
    pub total_retransmissions: u32,
    /// Segments received out of order.
    pub out_of_order_in: u32,
    /// Smoothed round trip, microseconds.
    pub rtt_us: u32,
    /// Smallest round trip, microseconds; to whoever answered the SYN.
    pub min_rtt_us: u32,
    /// Largest segment that is sent.
    pub send_mss: u32,
    /// Largest segment that was received, as the kernel estimates it.
    pub receive_mss: u32,
    /// Segment size that the host advertised.
    pub advertised_mss: u32,
    /// Path MTU that the kernel holds.
    pub path_mtu: u32,
}
