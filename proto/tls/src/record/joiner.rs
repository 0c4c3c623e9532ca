//! Handshake messages out of the payloads of handshake records.

use super::MAX_PAYLOAD;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::reader::Reader;
use crate::registry::HandshakeType;

/// The largest message that a [`HandshakeJoiner`] joins unless told otherwise.
const DEFAULT_LIMIT: usize = 256 * 1024;

const HEADER_LEN: usize = 4;

/// One handshake message, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandshakeMessage<'a> {
    /// What the body holds.
    pub message_type: HandshakeType,
    /// The message without its four header bytes.
    pub body: &'a [u8],
    /// The message with its header, as the `decode` functions of messages take it.
    pub bytes: &'a [u8],
}

impl<'a> HandshakeMessage<'a> {
    /// Reads exactly one message.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let message_type = HandshakeType(reader.u8("handshake message")?);
        let body = reader.vec_u24("handshake message")?;
        reader.expect_end("handshake message")?;
        Ok(Self { message_type, body, bytes })
    }

    /// Reads exactly one message of the given type and returns its body.
    pub(crate) fn body_of(bytes: &'a [u8], message_type: HandshakeType, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let message = Self::decode(bytes)?;
        if message.message_type == message_type { Ok(message.body) } else { Err(DecodeError::new(what, DecodeErrorKind::Unexpected)) }
    }
}

/// Joins messages that span records and separates those that share one (RFC 8446 section 5.1).
///
/// A message whose header announces more than the cap is refused before its body is collected.
#[derive(Debug, Clone)]
pub struct HandshakeJoiner {
    buffer: Vec<u8>,
    start: usize,
    limit: usize,
}

impl Default for HandshakeJoiner {
    fn default() -> Self {
        Self::new()
    }
}

impl HandshakeJoiner {
    /// Starts empty with a cap of 256 KiB a message.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }

    /// Starts empty with a cap of `limit` bytes a message body.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, limit }
    }

    /// Returns how many bytes wait, as whole messages or as the start of one.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Adds the payload of a handshake record.
    ///
    /// Fails, and takes nothing, when more than one message of the largest size and one record would wait: a caller
    /// that takes all messages after each record meets the refusal of [`Self::next_message`] first.
    pub fn feed(&mut self, payload: &[u8]) -> Result<(), DecodeError> {
        let most = self.limit.saturating_add(HEADER_LEN + MAX_PAYLOAD);
        if payload.len() > most.saturating_sub(self.buffered()) {
            return Err(DecodeError::new("handshake messages", DecodeErrorKind::TooLarge { limit: most }));
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(payload);
        Ok(())
    }

    /// Takes the next message, or `None` when more bytes are needed.
    pub fn next_message(&mut self) -> Result<Option<HandshakeMessage<'_>>, DecodeError> {
        let waiting = &self.buffer[self.start..];
        let Some((&[message_type, high, middle, low], body)) = waiting.split_first_chunk::<HEADER_LEN>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        if length > self.limit {
            let kind = DecodeErrorKind::TooLarge { limit: self.limit };
            return Err(DecodeError::new("handshake message", kind));
        }
        let Some(body) = body.get(..length) else {
            return Ok(None);
        };
        self.start += HEADER_LEN + length;
        Ok(Some(HandshakeMessage { message_type: HandshakeType(message_type), body, bytes: &waiting[..HEADER_LEN + length] }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_joined_and_separated() {
        let mut joiner = HandshakeJoiner::new();
        joiner.feed(&[14, 0, 0, 0, 2, 0]).unwrap();
        let done = joiner.next_message().unwrap().unwrap();
        assert_eq!((done.message_type, done.body), (HandshakeType::SERVER_HELLO_DONE, &[][..]));
        assert_eq!(joiner.next_message(), Ok(None));
        joiner.feed(&[0, 2, 8]).unwrap();
        assert_eq!(joiner.next_message(), Ok(None));
        joiner.feed(&[9]).unwrap();
        let hello = joiner.next_message().unwrap().unwrap();
        assert_eq!((hello.body, hello.bytes), (&[8, 9][..], &[2, 0, 0, 2, 8, 9][..]));
        assert_eq!(joiner.buffered(), 0);
    }

    #[test]
    fn a_ten_megabyte_certificate_is_refused_at_its_header() {
        let mut joiner = HandshakeJoiner::new();
        joiner.feed(&[11, 0x98, 0x96, 0x80]).unwrap();
        let error = joiner.next_message().unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::TooLarge { limit: 262_144 });
    }

    #[test]
    fn bytes_that_nobody_takes_are_capped() {
        let mut joiner = HandshakeJoiner::with_limit(100);
        let fed = (0..1000).take_while(|_| joiner.feed(&[0; 1000]).is_ok()).count();
        assert_eq!(fed, (100 + 4 + MAX_PAYLOAD) / 1000);
    }
}
