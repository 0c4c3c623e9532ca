//! A device on the way that answers DNS queries for a name before the resolver does, in its name.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TransportSlice};

use super::inject::eavesdrop;

/// A device that outruns resolvers.
#[derive(Debug, Clone)]
pub struct Outrunner {
    /// The name that is answered for.
    pub name: String,
    /// The address that it is given; other types than A get an empty answer.
    pub address: Ipv4Addr,
}

impl Outrunner {
    /// Serves until the process ends.
    pub fn serve(&self) -> io::Result<()> {
        eavesdrop(|packet| self.answer(packet))
    }

    /// Returns what a packet over IPv4 brings forth and whom it goes to: a query the lie, and an answer itself, since a firewall beside this device drops what is
    /// forwarded. So the lie is always first, as it is where the resolver is far away.
    fn answer(&self, packet: &[u8]) -> Option<(IpAddr, Vec<u8>)> {
        let sliced = SlicedPacket::from_ip(packet).ok()?;
        let (Some(NetSlice::Ipv4(ip)), Some(TransportSlice::Udp(udp))) = (sliced.net, sliced.transport) else { return None };
        let (from, to) = (ip.header().source_addr(), ip.header().destination_addr());
        let (resolver, asker, port, answer) = match (udp.source_port(), udp.destination_port()) {
            (DNS_PORT, port) => (from, to, port, udp.payload().to_vec()),
            (port, DNS_PORT) => (to, from, port, self.lie(udp.payload())?),
            _ => return None,
        };
        // Written anew: on its way between namespaces a packet has no checksum yet.
        let builder = PacketBuilder::ipv4(resolver.octets(), asker.octets(), TTL).udp(DNS_PORT, port);
        let mut bytes = Vec::with_capacity(builder.size(answer.len()));
        builder.write(&mut bytes, &answer).expect("a vector takes all");
        Some((asker.into(), bytes))
    }

    /// Writes the answer to a query for the name (RFC 1035 section 4.1).
    fn lie(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (header, question) = query.split_at_checked(HEADER_LEN)?;
        let wanted = in_labels(&self.name);
        let (name, rest) = question.split_at_checked(wanted.len())?;
        let kind = rest.get(..4).filter(|_| name.eq_ignore_ascii_case(&wanted))?;
        let is_address = kind == [0, 1, 0, 1];
        let mut answer = header[..2].to_vec();
        // A response that was recursed for, without error; one question, an answer or none.
        answer.extend_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
        answer.extend_from_slice(&question[..wanted.len() + 4]);
        if is_address {
            answer.extend_from_slice(&[0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend_from_slice(&self.address.octets());
        }
        Some(answer)
    }
}

fn in_labels(name: &str) -> Vec<u8> {
    let mut labels: Vec<u8> = name.split('.').flat_map(|label| [&[u8::try_from(label.len()).unwrap_or(0)], label.as_bytes()].concat()).collect();
    labels.push(0);
    labels
}

const DNS_PORT: u16 = 53;
const HEADER_LEN: usize = 12;
const TTL: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_for_the_name_alone_are_answered() {
        let device = Outrunner { name: "shop.test".to_owned(), address: Ipv4Addr::new(203, 0, 113, 66) };
        let query = |name: &str, kind: u8| [&[7, 9, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &in_labels(name), &[0, kind, 0, 1]].concat();
        let answer = device.lie(&query("Shop.Test", 1)).unwrap();
        assert_eq!((&answer[..2], answer[7], &answer[answer.len() - 4..]), (&[7, 9][..], 1, &[203, 0, 113, 66][..]));
        assert_eq!(device.lie(&query("shop.test", 28)).unwrap()[7], 0, "no address of the other family");
        assert_eq!(device.lie(&query("shop.test.example", 1)), None);
        let mut packet = Vec::new();
        PacketBuilder::ipv4([198, 18, 1, 10], [198, 18, 53, 53], 63).udp(40_000, 53).write(&mut packet, &query("shop.test", 1)).unwrap();
        let (to, forged) = device.answer(&packet).unwrap();
        let Some(TransportSlice::Udp(udp)) = SlicedPacket::from_ip(&forged).unwrap().transport else { panic!("no UDP") };
        assert_eq!((to, udp.source_port(), udp.destination_port()), ([198, 18, 1, 10].into(), 53, 40_000));
        assert_eq!(device.answer(&forged), Some((to, forged.clone())), "what a resolver says is passed on");
    }
}
