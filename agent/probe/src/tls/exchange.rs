//! Bytes out and bytes in on one connection, within the caps on time and size, with everything noted on the way.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use parallax_model::{
    bytes::Bytes,
    facts::{Direction, HelloSent, TlsEnd, TranscriptEntry},
    profile::Delivery,
};
use parallax_tls::{ServerAnswer, ServerAnswerReader, record::HEADER_LEN, server_name_offset};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, sleep, timeout_at},
};

use crate::{
    capture::{Capture, micros},
    net::{Connection, stream_end},
};

/// A connection under way.
pub(crate) struct Exchange<C> {
    connection: C,
    capture: Capture,
    reader: ServerAnswerReader,
    reading_clear_part: bool,
    buffer: Vec<u8>,
    deadline: Instant,
    /// How many bytes may still be read.
    read_budget: u64,
    bytes_read: u64,
    started: Option<Instant>,
    first_byte: Option<Duration>,
    /// How the first write failed, kept because bytes that arrived before may still be there to read.
    write_end: Option<TlsEnd>,
}

/// What was sent first, for [`HelloSent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) writes: u8,
}

impl<C: Connection> Exchange<C> {
    /// Takes over a connection that has just come up.
    pub(crate) fn new(connection: C, deadline: Instant, read_bytes: u64, transcript_bytes: u32) -> Self {
        Self {
            connection,
            capture: Capture::new(Instant::now(), transcript_bytes),
            reader: ServerAnswerReader::new(),
            reading_clear_part: true,
            buffer: Vec::with_capacity(READ_SIZE),
            deadline,
            read_budget: read_bytes,
            bytes_read: 0,
            started: None,
            first_byte: None,
            write_end: None,
        }
    }

    /// Sends the first flight as the plan wants it delivered, and says what went out.
    pub(crate) async fn deliver(&mut self, wire: Vec<u8>, delivery: Delivery, server_name: Option<&str>) -> HelloSent {
        let wire = if delivery == Delivery::SplitRecords { in_two_records(wire) } else { wire };
        self.started = Some(Instant::now());
        let sent = match delivery {
            Delivery::SplitInName => self.send_in_two(&wire, cut_in_name(&wire)).await,
            Delivery::Whole | Delivery::SplitRecords => {
                self.send(&wire).await;
                Sent { writes: 1 }
            }
        };
        HelloSent {
            server_name: server_name.map(str::to_owned),
            bytes: u32::try_from(wire.len()).unwrap_or(u32::MAX),
            writes: sent.writes,
            sha256: Bytes(digest(&SHA256, &wire).as_ref().to_vec()),
        }
    }

    /// Sends bytes in two segments, the second after the first has arrived or a moment has passed.
    pub(crate) async fn send_in_two(&mut self, wire: &[u8], cut: usize) -> Sent {
        let (head, tail) = wire.split_at(cut);
        self.send(head).await;
        let latest = Instant::now() + SPLIT_LONGEST;
        sleep(SPLIT_SHORTEST).await;
        while Instant::now() < latest && self.connection.info().is_some_and(|info| info.unacked > 0) {
            sleep(SPLIT_POLL).await;
        }
        self.send(tail).await;
        Sent { writes: 2 }
    }

    /// Writes bytes; how that failed shows when the next read finds nothing.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.started.get_or_insert_with(Instant::now);
        self.capture.note(Direction::Sent, bytes);
        if self.write_end.is_some() {
            return;
        }
        self.write_end = match timeout_at(self.deadline, self.connection.write_all(bytes)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(stream_end(&error)),
            Err(_) => Some(TlsEnd::TimedOut),
        };
    }

    /// Reads what has come, or says how the stream ended; the bytes stay in [`Exchange::received`] until the next call.
    pub(crate) async fn receive(&mut self) -> Result<(), TlsEnd> {
        self.receive_until(self.deadline).await
    }

    /// Like [`Exchange::receive`], with an earlier deadline.
    pub(crate) async fn receive_until(&mut self, until: Instant) -> Result<(), TlsEnd> {
        self.buffer.clear();
        if self.read_budget == 0 {
            return Err(TlsEnd::OverCap);
        }
        let read = timeout_at(until.min(self.deadline), self.connection.read_buf(&mut self.buffer)).await;
        let count = match read {
            Err(_) => return Err(self.silence()),
            Ok(Err(error)) => return Err(stream_end(&error)),
            Ok(Ok(0)) => return Err(self.write_end.unwrap_or(TlsEnd::Closed)),
            Ok(Ok(count)) => count,
        };
        if self.first_byte.is_none() {
            self.first_byte = self.started.map(|started| started.elapsed());
        }
        self.bytes_read += count as u64;
        self.read_budget = self.read_budget.saturating_sub(count as u64);
        self.capture.note(Direction::Received, &self.buffer);
        if self.reading_clear_part {
            self.reader.feed(&self.buffer);
        }
        Ok(())
    }

    /// Names a silence: an ICMP error that the kernel took as a hint is more than nothing.
    fn silence(&self) -> TlsEnd {
        match self.connection.take_error() {
            Some(libc::ECONNRESET) => TlsEnd::Reset,
            Some(libc::ETIMEDOUT) | None => TlsEnd::TimedOut,
            Some(errno) => stream_end(&std::io::Error::from_raw_os_error(errno)),
        }
    }

    /// Returns the bytes of the last successful read.
    pub(crate) fn received(&self) -> &[u8] {
        &self.buffer
    }

    /// Returns what the server said in clear so far.
    pub(crate) fn answer(&self) -> &ServerAnswer {
        self.reader.answer()
    }

    /// Returns what went both ways so far, within the cap of the transcript.
    pub(crate) fn transcript(&self) -> &[TranscriptEntry] {
        self.capture.entries()
    }

    /// Stops looking for clear records: from here on everything is under the session's keys.
    pub(crate) fn clear_part_is_over(&mut self) {
        self.reading_clear_part = false;
    }

    /// Returns the connection.
    pub(crate) fn connection(&self) -> &C {
        &self.connection
    }

    /// Returns the time since the first byte was sent, microseconds.
    pub(crate) fn elapsed_us(&self) -> u64 {
        self.started.map_or(0, |started| micros(started.elapsed()))
    }

    /// Closes the connection and gives out what was noted.
    pub(crate) fn finish(self) -> Noted {
        Noted {
            first_byte_us: self.first_byte.map(micros),
            bytes_read: self.bytes_read,
            info: self.connection.info(),
            ack_ttl: self.connection.ack_ttl(),
            answer: self.reader.into_answer(),
            transcript: self.capture.into_entries(),
        }
    }
}

/// What an exchange noted.
pub(crate) struct Noted {
    pub(crate) first_byte_us: Option<u64>,
    pub(crate) bytes_read: u64,
    pub(crate) answer: ServerAnswer,
    pub(crate) transcript: Vec<TranscriptEntry>,
    pub(crate) info: Option<parallax_model::facts::TcpInfo>,
    pub(crate) ack_ttl: Option<u8>,
}

/// Returns where a hello is cut: in the middle of its server name, or of the hello when it carries none.
pub(crate) fn cut_in_name(wire: &[u8]) -> usize {
    server_name_offset(wire).map_or(wire.len() / 2, |name| name.start.midpoint(name.end))
}

/// Writes the one record of a hello as two, cut at the same place; what is not one record stays as it is.
fn in_two_records(wire: Vec<u8>) -> Vec<u8> {
    let cut = cut_in_name(&wire);
    let Some((&[kind, high, low, ..], payload)) = wire.split_first_chunk::<HEADER_LEN>() else { return wire };
    if cut <= HEADER_LEN || cut >= wire.len() {
        return wire;
    }
    let (head, tail) = payload.split_at(cut - HEADER_LEN);
    let mut records = Vec::with_capacity(wire.len() + HEADER_LEN);
    for part in [head, tail] {
        records.extend_from_slice(&[kind, high, low]);
        records.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        records.extend_from_slice(part);
    }
    records
}

const READ_SIZE: usize = 16 * 1024;
/// Long enough that a server which reads at once has read the first part alone.
const SPLIT_SHORTEST: Duration = Duration::from_millis(15);
const SPLIT_LONGEST: Duration = Duration::from_millis(50);
const SPLIT_POLL: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use parallax_tls::{ClientHello, Extension, record::HandshakeJoiner, record::Record, registry::ProtocolVersion};

    use super::*;

    #[test]
    fn two_records_carry_the_same_hello_and_neither_holds_the_name() {
        let hello = ClientHello { extensions: vec![Extension::ServerName("shop.example".to_owned())], ..ClientHello::default() };
        let wire = in_two_records(hello.to_records(ProtocolVersion::TLS10));
        let (first, rest) = Record::decode(&wire).unwrap();
        let (second, rest) = Record::decode(rest).unwrap();
        assert!(rest.is_empty());
        let holds = |bytes: &[u8]| bytes.windows(12).any(|window| window == b"shop.example");
        assert!(!holds(first.payload) && !holds(second.payload));
        let mut joiner = HandshakeJoiner::default();
        joiner.feed(first.payload).unwrap();
        joiner.feed(second.payload).unwrap();
        let message = joiner.next_message().unwrap().unwrap();
        assert_eq!(ClientHello::decode(message.bytes), Ok(hello));
    }
}
