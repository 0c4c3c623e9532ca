//! Where the world begins: connections with the socket options that experiments need, real ones and scripted ones.

mod errno;
pub mod scripted;
mod sockopt;
mod system;
mod udp;

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use parallax_model::facts::{ConnectEnd, TcpInfo};
pub use system::SystemNet;
use tokio::io::{AsyncRead, AsyncWrite};
pub use udp::SystemDatagrams;

/// Makes connections.
pub trait Net: Send + Sync {
    /// What a connection is.
    type Connection: Connection;
    /// What a UDP socket is.
    type Datagrams: Datagrams;

    /// Connects once; a failure is a result like any other.
    fn dial(&self, dial: &Dial) -> impl Future<Output = Dialled<Self::Connection>> + Send;

    /// Opens a UDP socket that hears one peer alone, from a source port of the plan's or of the host's choice.
    fn datagrams(&self, remote: SocketAddr, source_port: Option<u16>) -> impl Future<Output = io::Result<Self::Datagrams>> + Send;
}

/// A UDP socket with one peer.
pub trait Datagrams: Send + Sync {
    /// Sends one datagram; an ICMP error that came meanwhile is an error.
    fn send(&self, bytes: &[u8]) -> impl Future<Output = io::Result<()>> + Send;

    /// Waits for one datagram; an ICMP error that came meanwhile is an error.
    fn receive(&self, into: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send;

    /// Returns the own end.
    fn local(&self) -> Option<SocketAddr>;

    /// Returns who sent the ICMP error, where the error queue told.
    fn icmp_from(&self) -> Option<IpAddr>;
}

/// A TCP connection and the kernel's view of it.
pub trait Connection: AsyncRead + AsyncWrite + Unpin + Send {
    /// Returns `TCP_INFO`, none when the host will not say.
    fn info(&self) -> Option<TcpInfo>;

    /// Sets the hop limit of further packets, none for the host's default.
    fn set_hop_limit(&self, hop_limit: Option<u8>);

    /// Makes the host ignore packets of the peer that arrive with a smaller TTL (`IP_MINTTL`, `IPV6_MINHOPCOUNT`).
    fn set_least_ttl(&self, least: u8);

    /// Makes ICMP errors end reads and writes (`IP_RECVERR`), which otherwise only [`Connection::take_error`] shows.
    fn heed_icmp(&self);

    /// Waits until there is something to read, the end of the stream, or an error; reads alone are not woken by an error.
    fn stirs(&self) -> impl Future<Output = ()> + Send;

    /// Returns and clears the pending error (`SO_ERROR`), soft ones included.
    fn take_error(&self) -> Option<i32>;

    /// Makes closing send a reset and free the source port at once.
    fn reset_on_close(&self);

    /// Returns the arrival TTL of the first acknowledgement of sent data, where the kernel told.
    fn ack_ttl(&self) -> Option<u8>;
}

/// How to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// The peer.
    pub remote: SocketAddr,
    /// When to give up.
    pub timeout: Duration,
    /// The hop limit of the SYN and all that follows, none for the host's default.
    pub hop_limit: Option<u8>,
    /// The smallest arrival TTL that is not ignored, from the SYN-ACK on.
    pub least_ttl: Option<u8>,
    /// The largest segment to announce and send (`TCP_MAXSEG`).
    pub mss: Option<u16>,
    /// The source port, none for one of the host's choice.
    pub source_port: Option<u16>,
    /// Whether the kernel shall tell the arrival TTL of acknowledgements.
    pub want_ack_ttl: bool,
}

impl Dial {
    /// Makes a plain connection to `remote`.
    pub fn to(remote: SocketAddr, timeout: Duration) -> Self {
        Self { remote, timeout, hop_limit: None, least_ttl: None, mss: None, source_port: None, want_ack_ttl: false }
    }
}

/// What came of connecting.
#[derive(Debug)]
pub struct Dialled<C> {
    /// How it ended.
    pub end: ConnectEnd,
    /// The connection, when there is one.
    pub connection: Option<C>,
    /// From SYN to the end.
    pub elapsed: Duration,
    /// The own end, once it was known.
    pub local: Option<SocketAddr>,
    /// The ICMP error that ended it, when the error queue told.
    pub icmp: Option<Icmp>,
    /// `TCP_INFO` at the end, failed or not.
    pub info: Option<TcpInfo>,
}

impl<C> Dialled<C> {
    pub(crate) fn failed(end: ConnectEnd, elapsed: Duration) -> Self {
        Self { end, connection: None, elapsed, local: None, icmp: None, info: None }
    }
}

/// An ICMP error from the error queue of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Icmp {
    /// Who sent it.
    pub from: Option<IpAddr>,
    /// What it says.
    pub kind: IcmpKind,
}

/// What an ICMP error says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpKind {
    /// The hop limit expired (ICMP type 11, ICMPv6 type 3).
    Expired,
    /// The port is closed (ICMP 3/3, ICMPv6 1/4).
    PortUnreachable,
    /// Any other unreachable, such as administratively prohibited.
    Unreachable,
}

pub(crate) use errno::{connect_end, datagram_end, out_of_resources, stream_end};
