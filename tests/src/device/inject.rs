//! An injector on the way: it reads along, and answers in the server's place.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
    str::FromStr,
};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TcpSlice, TransportSlice};
use nix::sys::socket::{AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, socket};
use socket2::{Domain, Protocol, Socket, Type};

/// An injector.
#[derive(Debug, Clone)]
pub struct Injector {
    /// Packets that hold this name are answered.
    pub name: String,
    /// What is sent.
    pub forge: Forgery,
    /// The hop limit that it is sent with.
    pub ttl: u8,
    /// Packets with a smaller hop limit are left alone.
    pub least_ttl: u8,
}

/// What an injector sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// RST and ACK.
    Reset,
    /// FIN and ACK.
    Close,
    /// A fatal alert in clear, and FIN.
    Alert(u8),
}

impl FromStr for Forgery {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "reset" => Ok(Self::Reset),
            "close" => Ok(Self::Close),
            number => number.parse().map(Self::Alert),
        }
    }
}

/// A packet to answer.
pub(super) struct Seen {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// The sequence number that an answer carries.
    pub(super) sequence: u32,
    /// The acknowledgement that it carries.
    pub(super) acknowledgement: u32,
}

impl Injector {
    /// Serves until the process ends.
    pub fn serve(&self) -> io::Result<()> {
        eavesdrop(|packet| self.read(packet).map(|seen| (seen.from.ip(), seen.answer(self.forge, self.ttl))))
    }

    fn read(&self, packet: &[u8]) -> Option<Seen> {
        let (from, to, ttl, tcp) = read(packet)?;
        let holds = tcp.payload().windows(self.name.len()).any(|window| window == self.name.as_bytes());
        (holds && ttl >= self.least_ttl).then(|| Seen::answered(from, to, &tcp))
    }
}

/// Returns whom a TCP packet is from and to, its hop limit, and its segment.
pub(super) fn read(packet: &[u8]) -> Option<(SocketAddr, SocketAddr, u8, TcpSlice<'_>)> {
    let sliced = SlicedPacket::from_ip(packet).ok()?;
    let (source, destination, hop_limit): (IpAddr, IpAddr, u8) = match sliced.net? {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into(), ip.header().ttl()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into(), ip.header().hop_limit()),
        NetSlice::Arp(_) => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { return None };
    Some((SocketAddr::new(source, tcp.source_port()), SocketAddr::new(destination, tcp.destination_port()), hop_limit, tcp))
}

impl Seen {
    /// Makes the numbers with which an answer continues the stream.
    pub(super) fn answered(from: SocketAddr, to: SocketAddr, tcp: &TcpSlice<'_>) -> Self {
        let length = u32::try_from(tcp.payload().len()).unwrap_or(0);
        Self { from, to, sequence: tcp.acknowledgment_number(), acknowledgement: tcp.sequence_number().wrapping_add(length) }
    }

    /// Writes an answer in the name of whom the packet went to.
    pub(super) fn answer(&self, forge: Forgery, ttl: u8) -> Vec<u8> {
        let ip = match (self.to.ip(), self.from.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => PacketBuilder::ipv4(source.octets(), destination.octets(), ttl),
            (source, destination) => PacketBuilder::ipv6(v6(source), v6(destination), ttl),
        };
        let tcp = ip.tcp(self.to.port(), self.from.port(), self.sequence, WINDOW).ack(self.acknowledgement);
        let (tcp, payload) = match forge {
            Forgery::Reset => (tcp.rst(), Vec::new()),
            Forgery::Close => (tcp.fin(), Vec::new()),
            // RFC 8446, sections 5.1 and 6.
            Forgery::Alert(number) => (tcp.psh().fin(), vec![21, 3, 3, 0, 2, 2, number]),
        };
        let mut bytes = Vec::with_capacity(tcp.size(payload.len()));
        tcp.write(&mut bytes, &payload).expect("a vector takes all");
        bytes
    }
}

/// Sockets that send whole packets.
pub(super) struct Raw([Socket; 2]);

impl Raw {
    /// Opens one for each family.
    pub(super) fn open() -> io::Result<Self> {
        let header_included = Some(Protocol::from(libc::IPPROTO_RAW));
        Ok(Self([Socket::new(Domain::IPV4, Type::RAW, header_included)?, Socket::new(Domain::IPV6, Type::RAW, header_included)?]))
    }

    /// Sends a whole packet to an address.
    pub(super) fn send(&self, to: IpAddr, packet: &[u8]) -> io::Result<()> {
        // Ports of a raw socket's address must be zero.
        self.0[usize::from(to.is_ipv6())].send_to(packet, &SocketAddr::new(to, 0).into()).map(drop)
    }
}

/// Reads along with what passes, and sends each answer as a whole packet to its address; returns when the kernel refuses.
pub(super) fn eavesdrop(answer: impl Fn(&[u8]) -> Option<(IpAddr, Vec<u8>)>) -> io::Result<()> {
    let tap: OwnedFd = socket(AddressFamily::Packet, SockType::Datagram, SockFlag::empty(), SockProtocol::EthAll)?;
    let raw = Raw::open()?;
    let mut packet = vec![0; 65_536];
    loop {
        let (length, from) = recvfrom::<LinkAddr>(tap.as_raw_fd(), &mut packet)?;
        let outgoing = from.is_some_and(|from| from.pkttype() == libc::PACKET_OUTGOING);
        let Some((to, bytes)) = packet.get(..length).filter(|_| !outgoing).and_then(&answer) else { continue };
        raw.send(to, &bytes)?;
    }
}

fn v6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

const WINDOW: u16 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_goes_back_and_continues_the_stream() {
        let injector = Injector { name: "shop.test".to_owned(), forge: Forgery::Alert(40), ttl: 59, least_ttl: 30 };
        let hello = |ttl| {
            let mut bytes = Vec::new();
            PacketBuilder::ipv4([198, 18, 1, 10], [192, 0, 2, 11], ttl).tcp(40_000, 443, 7, 512).ack(99).write(&mut bytes, b"..shop.test..").unwrap();
            bytes
        };
        assert!(injector.read(&hello(29)).is_none(), "below the least hop limit");
        let seen = injector.read(&hello(62)).unwrap();
        let forged = seen.answer(injector.forge, injector.ttl);
        let sliced = SlicedPacket::from_ip(&forged).unwrap();
        let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
        assert_eq!((tcp.source_port(), tcp.destination_port(), tcp.sequence_number(), tcp.acknowledgment_number()), (443, 40_000, 99, 20));
        assert_eq!(tcp.payload(), [21, 3, 3, 0, 2, 2, 40]);
    }
}
