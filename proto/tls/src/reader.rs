//! A cursor over borrowed bytes.

use crate::error::{DecodeError, DecodeErrorKind};

/// Reads integers and length-prefixed vectors (RFC 8446 section 3.4) from a slice, in order.
///
/// Every method names what it reads, so that an error says where the bytes went wrong. A failed read consumes nothing.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Returns how many bytes were read so far.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Returns how many bytes are left.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// Says whether every byte was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Reads `count` bytes.
    pub fn take(&mut self, count: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let taken = self
            .position
            .checked_add(count)
            .and_then(|end| self.bytes.get(self.position..end))
            .ok_or_else(|| DecodeError::new(what, DecodeErrorKind::Truncated))?;
        self.position += count;
        Ok(taken)
    }

    /// Reads `N` bytes into an array.
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    /// Reads all bytes that are left.
    pub fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        self.position = self.bytes.len();
        rest
    }

    /// Reads one byte.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        let [value] = self.array(what)?;
        Ok(value)
    }

    /// Reads a big-endian integer of two bytes.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    /// Reads a big-endian integer of three bytes.
    pub fn u24(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let [high, middle, low] = self.array(what)?;
        Ok(u32::from_be_bytes([0, high, middle, low]))
    }

    /// Reads a vector whose length is one byte.
    pub fn vec_u8(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        self.vector(what, |reader| reader.u8(what).map(usize::from))
    }

    /// Reads a vector whose length is two bytes.
    pub fn vec_u16(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        self.vector(what, |reader| reader.u16(what).map(usize::from))
    }

    /// Reads a vector whose length is three bytes.
    pub fn vec_u24(&mut self, what: &'static str) -> Result<&'a [u8], DecodeError> {
        self.vector(what, |reader| reader.u24(what).map(|length| length as usize))
    }

    /// Reads all bytes that are left as two-byte items.
    pub fn rest_of_u16<T>(&mut self, what: &'static str, item: impl Fn(u16) -> T) -> Result<Vec<T>, DecodeError> {
        let (pairs, odd) = self.bytes.get(self.position..).unwrap_or_default().as_chunks::<2>();
        if !odd.is_empty() {
            return Err(DecodeError::new(what, DecodeErrorKind::BadLength));
        }
        self.position = self.bytes.len();
        Ok(pairs.iter().map(|pair| item(u16::from_be_bytes(*pair))).collect())
    }

    /// Fails unless every byte was read.
    pub fn expect_end(&self, what: &'static str) -> Result<(), DecodeError> {
        if self.is_empty() { Ok(()) } else { Err(DecodeError::new(what, DecodeErrorKind::TrailingBytes)) }
    }

    fn vector(&mut self, what: &'static str, length: impl Fn(&mut Self) -> Result<usize, DecodeError>) -> Result<&'a [u8], DecodeError> {
        let start = self.position;
        let vector = length(self).and_then(|length| self.take(length, what));
        if vector.is_err() {
            self.position = start;
        }
        vector
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_vector_consumes_nothing() {
        let mut reader = Reader::new(&[0, 3, 1, 2]);
        let error = reader.vec_u16("list").unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::Truncated);
        assert_eq!(reader.position(), 0);
        assert_eq!(reader.vec_u8("list").unwrap(), b"");
        assert_eq!(reader.u24("number").unwrap(), 0x03_01_02);
        assert!(reader.is_empty());
    }

    #[test]
    fn odd_bytes_are_not_pairs() {
        let error = Reader::new(&[1, 2, 3]).rest_of_u16("suites", |value| value).unwrap_err();
        assert_eq!(error.to_string(), "suites: a length field contradicts the content");
    }
}
