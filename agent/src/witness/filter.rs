//! The kernel's filter of packets: TCP of the watched addresses and ports, nothing else.

use std::net::{IpAddr, SocketAddr};

use nix::libc;
use socket2::SockFilter;

/// Most addresses that are watched at a time; the kernel takes 4,096 instructions.
pub(super) const MAX_WATCHED: usize = 64;

/// Writes the program (classic BPF, for packets that begin with their IP header) that keeps what goes to and comes from these addresses.
///
/// IPv4 with any header length and without fragments, IPv6 without extension headers.
pub(super) fn program(servers: &[SocketAddr]) -> Vec<SockFilter> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for server in servers.iter().take(MAX_WATCHED) {
        let port = u32::from(server.port());
        match server.ip() {
            IpAddr::V4(address) => {
                let word = [address.to_bits()];
                v4.extend(block(16, &word, load_behind_header(2), port, TO_SERVER));
                v4.extend(block(12, &word, load_behind_header(0), port, FROM_SERVER));
            }
            IpAddr::V6(address) => {
                let words = address.octets().as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word)).collect::<Vec<_>>();
                v6.extend(block(24, &words, load_half(42), port, TO_SERVER));
                v6.extend(block(8, &words, load_half(40), port, FROM_SERVER));
            }
        }
    }
    let only_tcp_v4 = [load_byte(9)].into_iter().chain(refuse_unless(TCP)).chain([load_half(6), skip_if_no_bit(0x1fff), keep(0), header_length_to_x()]);
    let v4: Vec<SockFilter> = only_tcp_v4.chain(v4).chain([keep(0)]).collect();
    let v6 = [load_byte(6)].into_iter().chain(refuse_unless(TCP)).chain(v6).chain([keep(0)]);
    let to_v6 = skip(u32::try_from(v4.len() + 2).unwrap_or(u32::MAX));
    let version = [load_byte(0), op(libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K, 4), jump_if(6, 0, 1), to_v6];
    version.into_iter().chain(refuse_unless(4)).chain(v4).chain(v6).collect()
}

/// Keeps so many bytes of a packet with this address and this port, and passes on any other.
fn block(address_at: u32, address: &[u32], load_port: SockFilter, port: u32, bytes: u32) -> Vec<SockFilter> {
    let length = 2 * address.len() + 3;
    let mut block = Vec::with_capacity(length);
    for (at, word) in (address_at..).step_by(4).zip(address) {
        block.push(op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at));
        let rest = u8::try_from(length - block.len() - 1).unwrap_or(u8::MAX);
        block.push(jump_if(*word, 0, rest));
    }
    block.extend([load_port, jump_if(port, 0, 1), keep(bytes)]);
    block
}

fn refuse_unless(value: u32) -> [SockFilter; 2] {
    [jump_if(value, 1, 0), keep(0)]
}

fn load_byte(at: u32) -> SockFilter {
    op(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, at)
}

fn load_half(at: u32) -> SockFilter {
    op(libc::BPF_LD | libc::BPF_H | libc::BPF_ABS, at)
}

fn load_behind_header(at: u32) -> SockFilter {
    op(libc::BPF_LD | libc::BPF_H | libc::BPF_IND, at)
}

/// X becomes the length of the IPv4 header.
fn header_length_to_x() -> SockFilter {
    op(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0)
}

fn jump_if(value: u32, then: u8, otherwise: u8) -> SockFilter {
    SockFilter::new(code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K), then, otherwise, value)
}

fn skip_if_no_bit(bits: u32) -> SockFilter {
    SockFilter::new(code(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K), 0, 1, bits)
}

fn skip(instructions: u32) -> SockFilter {
    op(libc::BPF_JMP | libc::BPF_JA, instructions)
}

fn keep(bytes: u32) -> SockFilter {
    op(libc::BPF_RET | libc::BPF_K, bytes)
}

fn op(instruction: u32, k: u32) -> SockFilter {
    SockFilter::new(code(instruction), 0, 0, k)
}

fn code(instruction: u32) -> u16 {
    u16::try_from(instruction).unwrap_or_default()
}

/// Protocol number.
const TCP: u32 = 6;
/// Kept of a packet to the server: a ClientHello's segments, merged by the network card.
const TO_SERVER: u32 = 16 * 1024;
/// Kept of a packet from it: the headers, and the beginning of a record.
const FROM_SERVER: u32 = 160;

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use socket2::{Domain, Socket, Type};
    use std::io::Read as _;

    use super::*;

    /// What this host's kernel keeps of a packet under the program.
    fn kept(servers: &[&str], packet: &[u8]) -> Option<usize> {
        let servers: Vec<SocketAddr> = servers.iter().map(|server| server.parse().unwrap()).collect();
        let (sender, mut receiver) = Socket::pair(Domain::UNIX, Type::DGRAM, None).unwrap();
        receiver.attach_filter(&program(&servers)).unwrap();
        receiver.set_nonblocking(true).unwrap();
        // What a filter refuses is an error for the sender of a local socket.
        let _ = sender.send(packet);
        let mut bytes = vec![0; 65_536];
        receiver.read(&mut bytes).ok()
    }

    fn v4(from: ([u8; 4], u16), to: ([u8; 4], u16), payload: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        PacketBuilder::ipv4(from.0, to.0, 64).tcp(from.1, to.1, 1, 512).write(&mut bytes, &vec![0; payload]).unwrap();
        bytes
    }

    fn v6(from: (u8, u16), to: (u8, u16)) -> Vec<u8> {
        let address = |last| std::net::Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, u16::from(last)).octets();
        let mut bytes = Vec::new();
        PacketBuilder::ipv6(address(from.0), address(to.0), 64).tcp(from.1, to.1, 1, 512).write(&mut bytes, b"x").unwrap();
        bytes
    }

    const SERVER: [u8; 4] = [192, 0, 2, 11];
    const CLIENT: [u8; 4] = [198, 18, 1, 10];
    const BOTH: [&str; 3] = ["192.0.2.12:443", "192.0.2.11:443", "[2001:db8:5::11]:443"];

    #[test]
    fn packets_to_the_server_are_kept_whole_and_those_from_it_cut() {
        assert_eq!(kept(&BOTH, &v4((CLIENT, 40_000), (SERVER, 443), 1_400)), Some(1_440));
        assert_eq!(kept(&BOTH, &v4((SERVER, 443), (CLIENT, 40_000), 1_400)), Some(160));
        assert_eq!(kept(&BOTH, &v6((0x10, 40_000), (0x11, 443))), Some(61));
        assert_eq!(kept(&BOTH, &v6((0x11, 443), (0x10, 40_000))), Some(61));
    }

    #[test]
    fn everything_else_is_left_alone() {
        let mut udp = Vec::new();
        PacketBuilder::ipv4(CLIENT, SERVER, 64).udp(40_000, 443).write(&mut udp, b"x").unwrap();
        let mut fragment = v4((CLIENT, 40_000), (SERVER, 443), 0);
        fragment[7] = 1;
        let others = [
            v4((CLIENT, 40_000), (SERVER, 444), 0),
            v4((CLIENT, 443), (SERVER, 40_000), 0),
            v4((CLIENT, 40_000), ([192, 0, 2, 13], 443), 0),
            v6((0x10, 40_000), (0x12, 443)),
            udp,
            fragment,
            vec![0x45],
            Vec::new(),
        ];
        for packet in others {
            assert_eq!(kept(&BOTH, &packet), None, "{packet:?}");
        }
        assert_eq!(kept(&[], &v4((CLIENT, 40_000), (SERVER, 443), 0)), None, "nothing is watched");
    }

    #[test]
    fn as_many_addresses_as_are_watched_fit_the_kernel() {
        let many: Vec<String> = (0..80).map(|at| format!("[2001:db8::{at:x}]:443")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(kept(&many, &v6((0x10, 40_000), (0x11, 443))), None);
    }
}
