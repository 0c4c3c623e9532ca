//! The body of an answer: how much of it comes, when, and how it ends; its bytes are not kept.

use parallax_model::facts::{BodyEnd, BodyFacts, TlsEnd};
use tokio::time::Instant;

use crate::{
    capture::micros,
    http::{header, status_of},
    net::Connection,
    tls::{Channel, ReadEnd},
};

/// How an answer says where its body ends (RFC 9112 section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length(u64),
    Chunked,
    UntilClose,
}

/// Reads what follows the head that the channel holds, at most so many bytes of it; `stopped` is how reading ended already, if it did.
pub(crate) async fn read<C: Connection>(
    channel: &mut Channel<'_, C>,
    most: u32,
    started: Instant,
    mut stopped: Option<ReadEnd>,
    deadline: Instant,
) -> Option<BodyFacts> {
    let head = head_length(channel.plaintext())?;
    let framing = Framing::of(&channel.plaintext()[..head]);
    let now = || micros(started.elapsed());
    let mut came = (channel.plaintext().len() > head).then(|| (now(), now()));
    let end = loop {
        let body = &channel.plaintext()[head..];
        if framing.is_whole(body) {
            break BodyEnd::Whole;
        }
        if body.len() >= most as usize {
            break BodyEnd::Capped;
        }
        if let Some(end) = stopped {
            break framing.end(end);
        }
        let before = body.len();
        stopped = if channel.has_ended() { Some(ReadEnd::Notified) } else { channel.read(deadline).await.err() };
        if channel.plaintext().len() - head > before {
            came = Some((came.map_or_else(now, |(first, _)| first), now()));
        }
    };
    Some(BodyFacts {
        end,
        bytes: (channel.plaintext().len() - head) as u64,
        promised: framing.promised(),
        first_byte_us: came.map(|(first, _)| first),
        last_byte_us: came.map(|(_, last)| last),
        elapsed_us: now(),
    })
}

impl Framing {
    fn of(head: &[u8]) -> Self {
        let chunked = header(head, "transfer-encoding", MAX_VALUE_CHARS).is_some_and(|value| value.to_ascii_lowercase().ends_with("chunked"));
        match status_of(head) {
            Some(100..200 | 204 | 304) => Self::None,
            _ if chunked => Self::Chunked,
            _ => header(head, "content-length", MAX_VALUE_CHARS).and_then(|value| value.parse().ok()).map_or(Self::UntilClose, Self::Length),
        }
    }

    fn promised(self) -> Option<u64> {
        if let Self::Length(promised) = self { Some(promised) } else { None }
    }

    fn is_whole(self, body: &[u8]) -> bool {
        match self {
            Self::None => true,
            Self::Length(promised) => body.len() as u64 >= promised,
            Self::Chunked => body == LAST_CHUNK || body.strip_suffix(LAST_CHUNK).is_some_and(|rest| rest.ends_with(b"\r\n")),
            Self::UntilClose => false,
        }
    }

    fn end(self, end: ReadEnd) -> BodyEnd {
        match end {
            ReadEnd::Notified | ReadEnd::Stream(TlsEnd::Closed) if self == Self::UntilClose => BodyEnd::Whole,
            ReadEnd::Notified => BodyEnd::Ended,
            ReadEnd::Stream(TlsEnd::Closed) => BodyEnd::Closed,
            ReadEnd::Stream(TlsEnd::TimedOut) => BodyEnd::TimedOut,
            ReadEnd::Stream(TlsEnd::OverCap) => BodyEnd::Capped,
            ReadEnd::Stream(TlsEnd::Alert(number)) => BodyEnd::Alert(number),
            ReadEnd::Stream(TlsEnd::Malformed | TlsEnd::NotTls | TlsEnd::LocalRefusal(_)) => BodyEnd::Malformed,
            ReadEnd::Stream(_) => BodyEnd::Reset,
        }
    }
}

/// Returns how long the head of a response is, its end included.
pub(crate) fn head_length(bytes: &[u8]) -> Option<usize> {
    let end = |mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark).map(|at| at + mark.len());
    [end(b"\r\n\r\n"), end(b"\n\n")].into_iter().flatten().min()
}

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const MAX_VALUE_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_where_the_body_ends() {
        let of = |head: &str| Framing::of(format!("HTTP/1.1 {head}\r\n\r\n").as_bytes());
        assert_eq!(of("200 OK\r\nContent-Length: 70000"), Framing::Length(70_000));
        assert_eq!(of("200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: gzip, Chunked"), Framing::Chunked);
        assert_eq!(of("200 OK\r\nContent-Length: -5"), Framing::UntilClose);
        assert_eq!(of("304 Not Modified\r\nContent-Length: 70000"), Framing::None);
        assert_eq!(head_length(b"HTTP/1.1 200 OK\r\n\r\nbody\n\n"), Some(19));
        assert_eq!(head_length(b"HTTP/1.0 200 OK\n\nbody\r\n\r\n"), Some(17));
        assert_eq!(head_length(b"HTTP/1.1 200 OK\r\n"), None);
    }

    #[test]
    fn a_body_is_whole_when_all_that_was_promised_is_there() {
        assert!(Framing::Length(3).is_whole(b"abc") && !Framing::Length(3).is_whole(b"ab") && Framing::None.is_whole(b""));
        assert!(Framing::Chunked.is_whole(b"0\r\n\r\n") && Framing::Chunked.is_whole(b"1\r\na\r\n0\r\n\r\n"));
        assert!(!Framing::Chunked.is_whole(b"10\r\n\r\n") && !Framing::UntilClose.is_whole(b"abc"));
        let closed = ReadEnd::Stream(TlsEnd::Closed);
        assert_eq!((Framing::UntilClose.end(closed), Framing::Length(9).end(closed)), (BodyEnd::Whole, BodyEnd::Closed));
        assert_eq!((Framing::Chunked.end(ReadEnd::Notified), Framing::UntilClose.end(ReadEnd::Notified)), (BodyEnd::Ended, BodyEnd::Whole));
    }
}
