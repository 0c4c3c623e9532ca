//! The counterpart of the reader.

use crate::registry::HandshakeType;

/// Appends integers and length-prefixed vectors (RFC 8446 section 3.4) to a buffer.
///
/// A vector longer than its prefix can say is cut at the last byte that fits: encoders never fail, and a hello that
/// asks for the impossible stays well framed up to the cut.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts with no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Writes two bytes, big-endian.
    pub fn u16(&mut self, value: u16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes `count` zero bytes.
    pub fn zeros(&mut self, count: usize) {
        self.bytes.resize(self.bytes.len().saturating_add(count), 0);
    }

    /// Writes what `fill` writes behind a length of one byte.
    pub fn vec_u8(&mut self, fill: impl FnOnce(&mut Self)) {
        self.vector::<1>(fill);
    }

    /// Writes what `fill` writes behind a length of two bytes.
    pub fn vec_u16(&mut self, fill: impl FnOnce(&mut Self)) {
        self.vector::<2>(fill);
    }

    /// Writes what `fill` writes behind a length of three bytes.
    pub fn vec_u24(&mut self, fill: impl FnOnce(&mut Self)) {
        self.vector::<3>(fill);
    }

    fn vector<const PREFIX: usize>(&mut self, fill: impl FnOnce(&mut Self)) {
        let prefix = self.bytes.len();
        self.zeros(PREFIX);
        let start = self.bytes.len();
        fill(self);
        let longest = (1_usize << (8 * PREFIX)) - 1;
        self.bytes.truncate(start.saturating_add(longest));
        let length = self.bytes.len().saturating_sub(start).to_be_bytes();
        self.bytes[prefix..start].copy_from_slice(&length[length.len() - PREFIX..]);
    }
}

/// Wraps a body into a handshake message: type, three bytes of length, body (RFC 8446 section 4).
pub(crate) fn handshake_message(message_type: HandshakeType, fill: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(message_type.0);
    writer.vec_u24(fill);
    writer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_nest_and_are_cut_where_the_prefix_ends() {
        let mut writer = Writer::new();
        writer.vec_u16(|writer| {
            writer.vec_u8(|writer| writer.zeros(300));
            writer.u8(9);
        });
        let bytes = writer.into_bytes();
        assert_eq!(bytes[..3], [1, 1, 255]);
        assert_eq!(bytes.len(), 2 + 1 + 255 + 1);
        assert_eq!(bytes.last(), Some(&9));
    }
}
