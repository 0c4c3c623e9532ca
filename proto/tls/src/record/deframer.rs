//! Records out of a byte stream that arrives in pieces.

use super::{HEADER_LEN, Record, RecordHeader};
use crate::error::{DecodeError, DecodeErrorKind};

/// The most bytes that [`DeframeError::NotTls`] shows of what came instead of a record.
const SAMPLE_LEN: usize = 64;

/// The bytes that wait in a [`Deframer`] unless another cap is asked for.
const DEFAULT_LIMIT: usize = 256 * 1024;

/// Why no further record can come out of a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeframeError {
    /// A record was due and something else came, such as an HTTP answer or an SSH banner.
    #[error("no TLS record header at byte {offset}")]
    NotTls {
        /// Where in the stream, counted from zero.
        offset: u64,
        /// What came, at most 64 bytes; more of it after further feeding.
        first: Vec<u8>,
    },
    /// A record header is well formed except for its length.
    #[error("unreadable record")]
    Record(#[source] DecodeError),
    /// More bytes were fed than may wait; the records that already came must be taken first.
    #[error("more than {limit} bytes wait to be taken")]
    Overfull {
        /// The cap in bytes.
        limit: usize,
    },
}

/// Cuts a stream of bytes into records, however the bytes arrive.
///
/// Holds at most its cap of bytes (256 KiB unless told otherwise), which matters only to a caller that feeds without taking.
#[derive(Debug, Clone)]
pub struct Deframer {
    buffer: Vec<u8>,
    start: usize,
    /// Bytes of the stream before `buffer[0]`.
    passed: u64,
    limit: usize,
    broken: bool,
}

impl Default for Deframer {
    fn default() -> Self {
        Self::new()
    }
}

impl Deframer {
    /// Starts at the beginning of a stream with the default cap.
    #[must_use]
    pub fn new() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }

    /// Starts at the beginning of a stream; at most `limit` bytes may wait.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { buffer: Vec::new(), start: 0, passed: 0, limit, broken: false }
    }

    /// Returns how many bytes wait, as whole records or as the start of one.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Adds bytes of the stream; on [`DeframeError::Overfull`] none of them was taken.
    ///
    /// After the stream broke, bytes are only kept to fill the sample of [`DeframeError::NotTls`].
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), DeframeError> {
        if self.broken {
            let room = SAMPLE_LEN.saturating_sub(self.buffered());
            self.buffer.extend_from_slice(&bytes[..room.min(bytes.len())]);
            return Ok(());
        }
        if bytes.len() > self.limit.saturating_sub(self.buffered()) {
            return Err(DeframeError::Overfull { limit: self.limit });
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.passed += self.start as u64;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes the next record, or `None` when more bytes are needed; a stream that broke stays broken.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, DeframeError> {
        let waiting = &self.buffer[self.start..];
        let header = match RecordHeader::decode(waiting) {
            Ok(header) => header,
            Err(error) if error.kind == DecodeErrorKind::Truncated => return Ok(None),
            Err(error) => {
                self.broken = true;
                return Err(self.failure(error));
            }
        };
        let end = self.start + HEADER_LEN + usize::from(header.length);
        let Some(payload) = self.buffer.get(self.start + HEADER_LEN..end) else {
            return Ok(None);
        };
        self.start = end;
        Ok(Some(Record { content_type: header.content_type, version: header.version, payload }))
    }

    fn failure(&self, error: DecodeError) -> DeframeError {
        if error.kind != DecodeErrorKind::NotTls {
            return DeframeError::Record(error);
        }
        let waiting = &self.buffer[self.start..];
        DeframeError::NotTls { offset: self.passed + self.start as u64, first: waiting[..waiting.len().min(SAMPLE_LEN)].to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::ContentType;

    #[test]
    fn records_come_out_whatever_the_pieces() {
        let stream = [21, 3, 3, 0, 2, 2, 40, 23, 3, 3, 0, 0, 22, 3, 1, 0, 1, 9];
        for size in 1..=stream.len() {
            let mut deframer = Deframer::new();
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                deframer.feed(piece).unwrap();
                while let Some(record) = deframer.next_record().unwrap() {
                    seen.push((record.content_type, record.payload.to_vec()));
                }
            }
            let expected = [(ContentType::ALERT, vec![2, 40]), (ContentType::APPLICATION_DATA, vec![]), (ContentType::HANDSHAKE, vec![9])];
            assert_eq!(seen, expected, "pieces of {size}");
            assert_eq!(deframer.buffered(), 0);
        }
    }

    #[test]
    fn an_http_answer_is_shown_with_its_first_bytes() {
        let mut deframer = Deframer::new();
        deframer.feed(b"HTTP/1.1 400 ").unwrap();
        let DeframeError::NotTls { offset: 0, first } = deframer.next_record().unwrap_err() else {
            panic!("expected NotTls at the start");
        };
        assert_eq!(first, b"HTTP/1.1 400 ");
        deframer.feed(&[b'x'; 1000]).unwrap();
        let DeframeError::NotTls { first, .. } = deframer.next_record().unwrap_err() else {
            panic!("expected NotTls again");
        };
        assert_eq!(first.len(), 64);
    }

    #[test]
    fn the_offset_counts_the_records_before() {
        let mut deframer = Deframer::new();
        deframer.feed(&[21, 3, 3, 0, 1]).unwrap();
        assert_eq!(deframer.next_record(), Ok(None));
        deframer.feed(&[7, 21, 3, 3, 0, 0]).unwrap();
        assert!(deframer.next_record().unwrap().is_some());
        deframer.feed(b"SSH").unwrap();
        assert!(deframer.next_record().unwrap().is_some());
        let error = deframer.next_record().unwrap_err();
        assert_eq!(error, DeframeError::NotTls { offset: 11, first: b"SSH".to_vec() });
    }

    #[test]
    fn waiting_bytes_are_capped() {
        let mut deframer = Deframer::with_limit(10);
        deframer.feed(&[23; 8]).unwrap();
        assert_eq!(deframer.feed(&[0; 3]), Err(DeframeError::Overfull { limit: 10 }));
        assert_eq!(deframer.buffered(), 8);
    }
}
