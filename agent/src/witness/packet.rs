//! A TCP segment out of the bytes of an IP packet: pure, never panics, takes cut packets.

use std::net::{IpAddr, SocketAddr};

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};

/// What a segment says (RFC 9293 section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) ttl: u8,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) sequence: u32,
    /// What was captured of the payload.
    pub(super) payload: &'a [u8],
    /// Its length on the wire.
    pub(super) length: u32,
}

/// Reads a packet that begins with its IP header; none when it is not a whole TCP header in one fragment.
pub(crate) fn decode(packet: &[u8]) -> Option<Segment<'_>> {
    let sliced = LaxSlicedPacket::from_ip(packet).ok()?;
    let (source, destination, ttl, declared): (IpAddr, IpAddr, u8, usize) = match sliced.net? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), header.ttl(), usize::from(header.total_len()))
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into(), header.hop_limit(), usize::from(header.payload_length()) + IPV6_HEADER)
        }
        _ => return None,
    };
    let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { return None };
    let cut_off = declared.saturating_sub(packet.len());
    Some(Segment {
        from: SocketAddr::new(source, tcp.source_port()),
        to: SocketAddr::new(destination, tcp.destination_port()),
        ttl,
        syn: tcp.syn(),
        ack: tcp.ack(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        sequence: tcp.sequence_number(),
        payload: tcp.payload(),
        length: u32::try_from(tcp.payload().len() + cut_off).unwrap_or(u32::MAX),
    })
}

const IPV6_HEADER: usize = 40;

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    use super::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        PacketBuilder::ipv4([198, 18, 1, 10], [192, 0, 2, 11], 58).tcp(40_000, 443, 7, 512).ack(9).psh().write(&mut bytes, payload).unwrap();
        bytes
    }

    #[test]
    fn a_cut_packet_keeps_its_length_on_the_wire() {
        let whole = packet(&[22; 1_000]);
        let segment = decode(&whole[..140]).unwrap();
        assert_eq!((segment.payload.len(), segment.length, segment.ttl, segment.sequence), (100, 1_000, 58, 7));
        assert_eq!((segment.from, segment.to), ("198.18.1.10:40000".parse().unwrap(), "192.0.2.11:443".parse().unwrap()));
        assert!(segment.ack && !segment.syn && !segment.fin && !segment.rst);
    }

    #[test]
    fn padding_behind_a_packet_is_no_payload() {
        let mut padded = packet(b"");
        padded.extend_from_slice(&[0; 6]);
        assert_eq!(decode(&padded).map(|segment| segment.length), Some(0));
    }

    #[test]
    fn what_is_not_tcp_is_none() {
        let mut udp = Vec::new();
        PacketBuilder::ipv6([0; 16], [1; 16], 64).udp(1, 2).write(&mut udp, b"x").unwrap();
        for bytes in [udp.as_slice(), b"", &packet(b"")[..30], &[0x60; 40]] {
            assert_eq!(decode(bytes), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), version in prop_oneof![Just(0x45_u8), Just(0x60), any::<u8>()]) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() {
                *first = version;
            }
            if let Some(segment) = decode(&bytes) {
                prop_assert!(segment.payload.len() <= bytes.len());
            }
        }
    }
}
