//! What was seen of each connection, packet by packet: pure, within caps.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

use aws_lc_rs::digest::{SHA256, digest};
use parallax_model::{
    bytes::Bytes,
    clock::Timestamp,
    facts::{EndKind, EndWitnessed, HelloArrived, Sender, WitnessedFlow},
};
use parallax_responder::{HelloReader, Progress};

use super::packet::Segment;

/// Connections in the order of their first SYN; the oldest are forgotten for new ones.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    flows: VecDeque<Flow>,
    /// The newest connection of each pair of ends, by its number.
    newest: HashMap<(SocketAddr, SocketAddr), u64>,
    /// The number of the first in `flows`.
    first: u64,
    /// Bytes of unfinished ClientHellos.
    held_bytes: usize,
    /// When the last connection that was forgotten began.
    forgotten: Option<Timestamp>,
}

/// One connection under way.
#[derive(Debug)]
struct Flow {
    seen: WitnessedFlow,
    client_start: u32,
    server_start: Option<u32>,
    hello: Hello,
}

/// The beginning of a client's stream.
#[derive(Debug)]
enum Hello {
    Reading {
        reader: HelloReader,
        bytes: Vec<u8>,
        ahead: Vec<(u32, Vec<u8>)>,
    },
    /// Whole, or not to be had.
    Settled,
}

impl Ledger {
    /// Takes in a segment that was sent in the name of this end.
    pub(crate) fn note(&mut self, segment: &Segment<'_>, sender: Sender, now: Timestamp) {
        let ends = match sender {
            Sender::Client => (segment.from, segment.to),
            Sender::Server => (segment.to, segment.from),
        };
        if sender == Sender::Client && segment.syn && !segment.ack {
            return self.begin(ends, segment, now);
        }
        let Some(number) = self.newest.get(&ends) else { return };
        let Some(flow) = number.checked_sub(self.first).and_then(|at| self.flows.get_mut(usize::try_from(at).ok()?)) else { return };
        let before = flow.held();
        match sender {
            Sender::Client => flow.take_from_client(segment, now, self.held_bytes < MAX_HELD_BYTES),
            Sender::Server => flow.take_from_server(segment, now),
        }
        self.held_bytes = self.held_bytes + flow.held() - before;
    }

    fn begin(&mut self, (client, server): (SocketAddr, SocketAddr), segment: &Segment<'_>, now: Timestamp) {
        let known = self.newest.get(&(client, server)).and_then(|number| number.checked_sub(self.first)).and_then(|at| usize::try_from(at).ok());
        if let Some(flow) = known.and_then(|at| self.flows.get_mut(at)).filter(|flow| flow.client_start == segment.sequence.wrapping_add(1)) {
            flow.seen.syns = flow.seen.syns.saturating_add(1);
            return;
        }
        if self.flows.len() >= MAX_FLOWS {
            self.forget_oldest();
        }
        self.newest.insert((client, server), self.first + self.flows.len() as u64);
        self.flows.push_back(Flow {
            seen: WitnessedFlow {
                client,
                server,
                begun_at: now,
                syns: 1,
                syn_ttl: segment.ttl,
                syn_acks: 0,
                client_bytes: 0,
                hello: None,
                server_bytes: 0,
                ends: Vec::new(),
            },
            client_start: segment.sequence.wrapping_add(1),
            server_start: None,
            hello: Hello::Reading { reader: HelloReader::new(), bytes: Vec::new(), ahead: Vec::new() },
        });
    }

    fn forget_oldest(&mut self) {
        let Some(flow) = self.flows.pop_front() else { return };
        let ends = (flow.seen.client, flow.seen.server);
        if self.newest.get(&ends) == Some(&self.first) {
            self.newest.remove(&ends);
        }
        self.held_bytes -= flow.held();
        self.forgotten = Some(flow.seen.begun_at);
        self.first += 1;
    }

    /// Returns when the last connection that was forgotten began: up to then the memory has holes.
    pub(crate) fn forgotten(&self) -> Option<Timestamp> {
        self.forgotten
    }

    /// Returns the newest connections between such a server and such a source, oldest first, at most so many.
    pub(crate) fn flows(&self, is_server: impl Fn(SocketAddr) -> bool, is_source: impl Fn(IpAddr) -> bool, most: usize) -> Vec<WitnessedFlow> {
        let wanted = |flow: &&Flow| is_server(flow.seen.server) && is_source(flow.seen.client.ip());
        let mut found: Vec<WitnessedFlow> = self.flows.iter().rev().filter(wanted).take(most).map(|flow| flow.seen.clone()).collect();
        found.reverse();
        found
    }
}

impl Flow {
    /// Counts the bytes that are held for the ClientHello.
    fn held(&self) -> usize {
        match &self.hello {
            Hello::Reading { bytes, ahead, .. } => bytes.len() + ahead.iter().map(|piece| piece.1.len()).sum::<usize>(),
            Hello::Settled => 0,
        }
    }

    fn take_from_client(&mut self, segment: &Segment<'_>, now: Timestamp, may_hold: bool) {
        if !may_hold {
            self.hello = Hello::Settled;
        }
        let offset = segment.sequence.wrapping_sub(self.client_start);
        if segment.length > 0 && offset < FAR {
            self.take(offset, segment, now);
        }
        self.note_end(segment, Sender::Client, now);
    }

    /// Takes payload in that continues the stream, keeps what is ahead of it, and leaves what came before.
    fn take(&mut self, offset: u32, segment: &Segment<'_>, now: Timestamp) {
        let next = u32::try_from(self.seen.client_bytes).unwrap_or(u32::MAX);
        let whole = segment.payload.len() == segment.length as usize;
        if offset > next {
            if let Hello::Reading { ahead, .. } = &mut self.hello
                && whole
                && ahead.len() < MAX_AHEAD
            {
                ahead.push((offset, segment.payload.to_vec()));
            }
            return;
        }
        let Some(fresh) = segment.length.checked_sub(next - offset).filter(|fresh| *fresh > 0) else { return };
        self.seen.client_bytes += u64::from(fresh);
        if whole {
            self.read(&segment.payload[(next - offset) as usize..], now);
        } else {
            self.hello = Hello::Settled;
        }
        let at = u32::try_from(self.seen.client_bytes).unwrap_or(u32::MAX);
        if let Hello::Reading { ahead, .. } = &mut self.hello
            && let Some(found) = ahead.iter().position(|(offset, bytes)| *offset <= at && at - offset < bytes.len() as u32)
        {
            let (offset, bytes) = ahead.swap_remove(found);
            let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            self.take(offset, &Segment { payload: &bytes, length, ..*segment }, now);
        }
    }

    fn read(&mut self, fresh: &[u8], now: Timestamp) {
        let Hello::Reading { reader, bytes, .. } = &mut self.hello else { return };
        bytes.extend_from_slice(fresh);
        match reader.feed(fresh) {
            Progress::More if bytes.len() <= MAX_HELLO_BYTES => {}
            Progress::Whole(length, _) => {
                let sha256 = Bytes(digest(&SHA256, &bytes[..length.min(bytes.len())]).as_ref().to_vec());
                let at_us = since(self.seen.begun_at, now);
                self.seen.hello = Some(HelloArrived { sha256, bytes: u32::try_from(length).unwrap_or(u32::MAX), at_us });
                self.hello = Hello::Settled;
            }
            Progress::More | Progress::NotAHello => self.hello = Hello::Settled,
        }
    }

    fn take_from_server(&mut self, segment: &Segment<'_>, now: Timestamp) {
        if segment.syn && segment.ack {
            self.seen.syn_acks = self.seen.syn_acks.saturating_add(1);
            self.server_start = Some(segment.sequence.wrapping_add(1));
        }
        let reached = self.server_start.map(|start| segment.sequence.wrapping_sub(start)).filter(|offset| *offset < FAR);
        if let Some(offset) = reached.filter(|_| segment.length > 0) {
            self.seen.server_bytes = self.seen.server_bytes.max(u64::from(offset) + u64::from(segment.length));
        }
        if let Some(number) = fatal_alert(segment.payload) {
            self.end(Sender::Server, EndKind::Alert(number), segment.ttl, now);
        }
        self.note_end(segment, Sender::Server, now);
    }

    fn note_end(&mut self, segment: &Segment<'_>, by: Sender, now: Timestamp) {
        if segment.rst {
            self.end(by, EndKind::Reset, segment.ttl, now);
        } else if segment.fin {
            self.end(by, EndKind::Close, segment.ttl, now);
        }
    }

    /// Notes each kind of end once for each side: a host with several interfaces sees its packets more than once, and lost ones are sent again.
    fn end(&mut self, by: Sender, kind: EndKind, ttl: u8, now: Timestamp) {
        if self.seen.ends.len() < MAX_ENDS && !self.seen.ends.iter().any(|end| end.by == by && end.kind == kind) {
            self.seen.ends.push(EndWitnessed { by, kind, at_us: since(self.seen.begun_at, now), ttl });
        }
    }
}

/// Reads a fatal alert in clear at the beginning of a segment (RFC 8446 sections 5.1 and 6).
fn fatal_alert(payload: &[u8]) -> Option<u8> {
    match payload {
        [21, 3, _, 0, 2, 2, number, ..] => Some(*number),
        _ => None,
    }
}

fn since(begun: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.micros_since(begun)).unwrap_or(0)
}

const MAX_FLOWS: usize = 16 * 1024;
const MAX_HELLO_BYTES: usize = 16 * 1024;
/// Over all connections; beyond it new ClientHellos are not read.
const MAX_HELD_BYTES: usize = 4 * 1024 * 1024;
const MAX_AHEAD: usize = 8;
const MAX_ENDS: usize = 8;
/// Sequence numbers so far ahead are behind.
const FAR: u32 = 1 << 30;
