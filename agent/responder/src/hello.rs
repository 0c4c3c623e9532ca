//! The ClientHello as it arrived: reading it off the wire, and giving the same bytes to the TLS library afterwards.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use parallax_tls::{
    ClientHello,
    record::{Deframer, HEADER_LEN, HandshakeJoiner},
    registry::ContentType,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// Most bytes that a ClientHello may take on the wire, record headers included.
pub const MAX_HELLO_BYTES: usize = 64 * 1024;

/// The first flight of a client.
#[derive(Debug)]
pub(crate) struct FirstFlight {
    /// Every byte that was read.
    pub(crate) bytes: Vec<u8>,
    /// How many of them are the records of the ClientHello; none when no ClientHello came out of them.
    pub(crate) hello: Option<(usize, ClientHello)>,
}

/// Reads until the ClientHello is whole, cannot become one any more, or the peer stops sending.
pub(crate) async fn read_first_flight<R: AsyncRead + Unpin>(stream: &mut R) -> io::Result<FirstFlight> {
    let mut reader = HelloReader::new();
    let mut bytes = Vec::with_capacity(2_048);
    let mut chunk = [0; 4_096];
    loop {
        let count = stream.read(&mut chunk).await?;
        bytes.extend_from_slice(&chunk[..count]);
        match reader.feed(&chunk[..count]) {
            Progress::Whole(length, hello) => return Ok(FirstFlight { bytes, hello: Some((length, *hello)) }),
            Progress::NotAHello => return Ok(FirstFlight { bytes, hello: None }),
            Progress::More if count == 0 || bytes.len() > MAX_HELLO_BYTES => return Ok(FirstFlight { bytes, hello: None }),
            Progress::More => {}
        }
    }
}

/// What the bytes of a stream have come to so far.
#[derive(Debug)]
pub enum Progress {
    /// Part of a ClientHello.
    More,
    /// A ClientHello, and the bytes that its records take from the start of the stream.
    Whole(usize, Box<ClientHello>),
    /// Something else.
    NotAHello,
}

/// Reads a ClientHello off the beginning of a stream, piece by piece.
#[derive(Debug)]
pub struct HelloReader {
    records: Deframer,
    messages: HandshakeJoiner,
    passed: usize,
}

impl Default for HelloReader {
    fn default() -> Self {
        Self::new()
    }
}

impl HelloReader {
    /// Starts at the beginning of a stream.
    pub fn new() -> Self {
        Self { records: Deframer::with_limit(MAX_HELLO_BYTES), messages: HandshakeJoiner::with_limit(MAX_HELLO_BYTES), passed: 0 }
    }

    /// Takes in the bytes that follow; after anything but [`Progress::More`] there is nothing more to read.
    pub fn feed(&mut self, bytes: &[u8]) -> Progress {
        if self.records.feed(bytes).is_err() {
            return Progress::NotAHello;
        }
        loop {
            let record = match self.records.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => return Progress::More,
                Err(_) => return Progress::NotAHello,
            };
            self.passed += HEADER_LEN + record.payload.len();
            if record.content_type != ContentType::HANDSHAKE || self.messages.feed(record.payload).is_err() {
                return Progress::NotAHello;
            }
            match self.messages.next_message().map(|message| message.map(|message| ClientHello::decode(message.bytes))) {
                Ok(Some(Ok(hello))) => return Progress::Whole(self.passed, Box::new(hello)),
                Ok(None) => {}
                Ok(Some(Err(_))) | Err(_) => return Progress::NotAHello,
            }
        }
    }
}

/// A stream whose first bytes were read before and are handed out again.
#[derive(Debug)]
pub(crate) struct Replayed<S> {
    first: Vec<u8>,
    given: usize,
    stream: S,
}

impl<S> Replayed<S> {
    pub(crate) fn new(first: Vec<u8>, stream: S) -> Self {
        Self { first, given: 0, stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let waiting = &this.first[this.given..];
        if waiting.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, into);
        }
        let count = waiting.len().min(into.remaining());
        into.put_slice(&waiting[..count]);
        this.given += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use parallax_tls::{Extension, record::encode_records, registry::ProtocolVersion};

    use super::*;

    fn hello() -> ClientHello {
        ClientHello { extensions: vec![Extension::ServerName("shop.example".to_owned())], ..ClientHello::default() }
    }

    #[tokio::test]
    async fn records_and_what_follows_them_are_told_apart() {
        for fragment in [1, 7, 1_000] {
            let mut wire = encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS10, &hello().encode(), fragment);
            let length = wire.len();
            wire.extend_from_slice(b"early");
            let flight = read_first_flight(&mut wire.as_slice()).await.unwrap();
            let (passed, seen) = flight.hello.unwrap();
            assert_eq!((passed, seen), (length, hello()), "fragments of {fragment}");
            assert_eq!(flight.bytes, wire);
        }
    }

    #[tokio::test]
    async fn hostile_first_flights_end_without_a_hello() {
        let endless = vec![22, 3, 1, 0x40, 0];
        let too_long = [vec![22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff], vec![0; 9]].concat();
        for wire in [b"GET / HTTP/1.1\r\n".to_vec(), endless, too_long, vec![22, 3, 1, 0, 4, 1, 0, 0, 0], vec![21, 3, 1, 0, 2, 2, 40], vec![]] {
            assert!(read_first_flight(&mut wire.as_slice()).await.unwrap().hello.is_none(), "{wire:?}");
        }
        let many_empty_records: Vec<u8> = [22, 3, 1, 0, 0].repeat(40_000);
        let flight = read_first_flight(&mut many_empty_records.as_slice()).await.unwrap();
        assert!(flight.hello.is_none() && flight.bytes.len() <= MAX_HELLO_BYTES + 4_096);
    }

    #[tokio::test]
    async fn replayed_bytes_come_first() {
        let mut stream = Replayed::new(b"abc".to_vec(), &b"def"[..]);
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "abcdef");
    }
}
