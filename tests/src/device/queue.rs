//! A device that holds every packet in a queue of the kernel until it has decided (`NFQUEUE`): it reads streams where firewall rules read packets, ends no
//! connection itself, adds no hop, and its resets look as if the other end had sent them.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use nfq::{Message, Queue, Verdict};

use super::{
    front::is_complete,
    inject::{Forgery, Raw, Seen, read},
};

/// A device behind a queue.
#[derive(Debug, Clone)]
pub struct Holder {
    /// What it looks for in a stream; everything is meant if nothing is given.
    pub name: Option<String>,
    /// What it does with what it found.
    pub deed: Deed,
}

/// What a device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Nothing of the connection passes any more.
    Drop,
    /// The same, and both ends get a reset with the hop limit of the other end's packets.
    Reset,
    /// Packets pass later by so many milliseconds.
    Delay(u64),
    /// The first copy of each segment with data is lost.
    LoseFirst,
    /// The segment that continues a ClientHello is lost, with all that follows.
    LoseContinued,
}

impl FromStr for Deed {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "drop" => Ok(Self::Drop),
            "reset" => Ok(Self::Reset),
            "lose-first" => Ok(Self::LoseFirst),
            "lose-continued" => Ok(Self::LoseContinued),
            milliseconds => milliseconds.parse().map(Self::Delay),
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Pass,
    PassAfter(Duration),
    Drop,
    /// It is dropped, and these go to their addresses.
    Answered(Vec<(IpAddr, Vec<u8>)>),
}

/// What is known of one direction of a connection.
#[derive(Debug, Default)]
struct Stream {
    first: u32,
    bytes: Vec<u8>,
    hop_limit: u8,
    is_condemned: bool,
}

/// The streams that pass, each by its source and destination.
#[derive(Debug, Default)]
struct Streams(HashMap<(SocketAddr, SocketAddr), Stream>);

impl Holder {
    /// Serves the queue of that number until the kernel refuses.
    pub fn serve(&self, number: u16) -> io::Result<()> {
        let mut queue = Queue::open()?;
        queue.bind(number)?;
        queue.set_nonblocking(true);
        let raw = Raw::open()?;
        let (mut streams, mut held) = (Streams::default(), VecDeque::<(Instant, Message)>::new());
        loop {
            while let Some((_, mut message)) = held.pop_front_if(|(due, _)| *due <= Instant::now()) {
                message.set_verdict(Verdict::Accept);
                queue.verdict(message)?;
            }
            let mut message = match queue.recv() {
                Ok(message) => message,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    thread::sleep(BREATH);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match self.decide(&mut streams, message.get_payload()) {
                Fate::PassAfter(delay) => {
                    held.push_back((Instant::now() + delay, message));
                    continue;
                }
                Fate::Pass => message.set_verdict(Verdict::Accept),
                Fate::Drop => message.set_verdict(Verdict::Drop),
                Fate::Answered(answers) => {
                    message.set_verdict(Verdict::Drop);
                    for (to, bytes) in answers {
                        raw.send(to, &bytes)?;
                    }
                }
            }
            queue.verdict(message)?;
        }
    }

    fn decide(&self, streams: &mut Streams, packet: &[u8]) -> Fate {
        let Some((from, to, hop_limit, tcp)) = read(packet) else { return Fate::Pass };
        if let Deed::Delay(milliseconds) = self.deed {
            return Fate::PassAfter(Duration::from_millis(milliseconds));
        }
        let back = streams.0.get(&(to, from)).map(|stream| (stream.is_condemned, stream.hop_limit));
        let stream = streams.0.entry((from, to)).or_default();
        if tcp.syn() {
            *stream = Stream { first: tcp.sequence_number().wrapping_add(1), ..Stream::default() };
        }
        stream.hop_limit = hop_limit;
        if stream.is_condemned || back.is_some_and(|(is_condemned, _)| is_condemned) {
            return Fate::Drop;
        }
        let is_begun = !is_complete(&stream.bytes);
        let is_new = stream.take(tcp.sequence_number(), tcp.payload());
        match self.deed {
            Deed::LoseFirst if is_new => return Fate::Drop,
            Deed::LoseContinued if is_new && is_begun => {}
            Deed::Drop | Deed::Reset if self.name.as_ref().is_none_or(|name| stream.holds(name)) && is_new => {}
            _ => return Fate::Pass,
        }
        stream.is_condemned = true;
        if self.deed != Deed::Reset {
            return Fate::Drop;
        }
        let to_client = Seen::answered(from, to, &tcp);
        let to_server = Seen { from: to, to: from, sequence: tcp.sequence_number(), acknowledgement: tcp.acknowledgment_number() };
        let servers_hop_limit = back.map_or(hop_limit, |(_, limit)| limit);
        Fate::Answered(vec![(from.ip(), to_client.answer(Forgery::Reset, servers_hop_limit)), (to.ip(), to_server.answer(Forgery::Reset, hop_limit))])
    }
}

impl Stream {
    /// Takes in a segment, and tells whether it held data that was not seen before.
    fn take(&mut self, sequence: u32, payload: &[u8]) -> bool {
        let start = sequence.wrapping_sub(self.first) as usize;
        let end = start + payload.len();
        if payload.is_empty() || end > MOST_BYTES {
            return false;
        }
        let is_longer = end > self.bytes.len();
        self.bytes.resize(self.bytes.len().max(end), 0);
        let is_new = is_longer || self.bytes[start..end] != *payload;
        self.bytes[start..end].copy_from_slice(payload);
        is_new
    }

    fn holds(&self, name: &str) -> bool {
        self.bytes.windows(name.len()).any(|window| window == name.as_bytes())
    }
}

/// How long it sleeps when nothing waits.
const BREATH: Duration = Duration::from_micros(500);
/// No ClientHello is longer.
const MOST_BYTES: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    const CLIENT: [u8; 4] = [198, 18, 1, 10];
    const SERVER: [u8; 4] = [192, 0, 2, 11];

    fn packet(out: bool, ttl: u8, sequence: u32, syn: bool, payload: &[u8]) -> Vec<u8> {
        let (from, to, ports) = if out { (CLIENT, SERVER, (40_000, 443)) } else { (SERVER, CLIENT, (443, 40_000)) };
        let tcp = PacketBuilder::ipv4(from, to, ttl).tcp(ports.0, ports.1, sequence, 512);
        let tcp = if syn { tcp.syn() } else { tcp.ack(1_000) };
        let mut bytes = Vec::new();
        tcp.write(&mut bytes, payload).unwrap();
        bytes
    }

    #[test]
    fn a_name_is_read_over_segments_in_any_order_and_both_ends_are_reset_in_each_others_name() {
        let (holder, mut streams) = (Holder { name: Some("shop.test".to_owned()), deed: Deed::Reset }, Streams::default());
        assert_eq!(holder.decide(&mut streams, &packet(true, 62, 99, true, b"")), Fate::Pass);
        assert_eq!(holder.decide(&mut streams, &packet(false, 58, 999, true, b"")), Fate::Pass);
        assert_eq!(holder.decide(&mut streams, &packet(true, 62, 107, false, b"p.test")), Fate::Pass);
        let Fate::Answered(answers) = holder.decide(&mut streams, &packet(true, 62, 100, false, b"\x16...sho")) else { panic!("not found") };
        let [(client, to_client), (server, to_server)] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!((*client, *server), (CLIENT.into(), SERVER.into()));
        let (_, _, ttl, tcp) = read(to_client).unwrap();
        assert_eq!((ttl, tcp.rst(), tcp.sequence_number(), tcp.acknowledgment_number()), (58, true, 1_000, 107));
        let (_, _, ttl, tcp) = read(to_server).unwrap();
        assert_eq!((ttl, tcp.rst(), tcp.sequence_number()), (62, true, 100));
        assert_eq!(holder.decide(&mut streams, &packet(false, 58, 1_000, false, b"late")), Fate::Drop);
    }

    #[test]
    fn what_continues_a_hello_is_told_from_what_comes_after_it() {
        let (holder, hello) = (Holder { name: None, deed: Deed::LoseContinued }, b"\x16\x03\x01\0\x04hell");
        for (first, fate) in [(&hello[..7], Fate::Drop), (&hello[..], Fate::Pass)] {
            let mut streams = Streams::default();
            assert_eq!(holder.decide(&mut streams, &packet(true, 62, 99, true, b"")), Fate::Pass);
            assert_eq!(holder.decide(&mut streams, &packet(true, 62, 100, false, first)), Fate::Pass);
            let next = 100 + u32::try_from(first.len()).unwrap();
            assert_eq!(holder.decide(&mut streams, &packet(true, 62, next, false, b"more")), fate);
        }
    }

    #[test]
    fn a_segment_that_comes_again_passes_where_first_copies_are_lost() {
        let (holder, mut streams) = (Holder { name: None, deed: Deed::LoseFirst }, Streams::default());
        assert_eq!(holder.decide(&mut streams, &packet(true, 62, 99, true, b"")), Fate::Pass);
        let hello = packet(true, 62, 100, false, b"\x16hello");
        assert_eq!((holder.decide(&mut streams, &hello), holder.decide(&mut streams, &hello)), (Fate::Drop, Fate::Pass));
    }
}
