//! The record layer (RFC 8446 section 5.1): headers, writing payloads as records, and the two incremental readers.

mod deframer;
mod joiner;

pub use deframer::{DeframeError, Deframer};
pub use joiner::{HandshakeJoiner, HandshakeMessage};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::reader::Reader;
use crate::registry::{ContentType, ProtocolVersion};

/// The bytes of a record header: type, version, length.
pub const HEADER_LEN: usize = 5;

/// The largest plaintext payload of a record, in bytes (RFC 8446 section 5.1).
pub const MAX_FRAGMENT: usize = 1 << 14;

/// The largest payload of any record, in bytes: the ciphertext of TLS 1.2 may be 2048 bytes longer than its plaintext (RFC 5246 section 6.2.3).
pub const MAX_PAYLOAD: usize = MAX_FRAGMENT + 2048;

/// The first five bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// What the payload holds.
    pub content_type: ContentType,
    /// The version in the header; it says little, TLS 1.3 writes 0x0303 or 0x0301 here.
    pub version: ProtocolVersion,
    /// The bytes of payload that follow.
    pub length: u16,
}

impl RecordHeader {
    /// Reads a header from the first five bytes; further bytes are left alone.
    ///
    /// The kind of the error is [`DecodeErrorKind::NotTls`] as soon as the bytes cannot become a header, even when
    /// fewer than five are there, and [`DecodeErrorKind::TooLarge`] for a length above [`MAX_PAYLOAD`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "record header";
        if !could_be_header(bytes) {
            return Err(DecodeError::new(WHAT, DecodeErrorKind::NotTls));
        }
        let mut reader = Reader::new(bytes);
        let content_type = ContentType(reader.u8(WHAT)?);
        let version = ProtocolVersion(reader.u16(WHAT)?);
        let length = reader.u16(WHAT)?;
        if usize::from(length) > MAX_PAYLOAD {
            return Err(DecodeError::new(WHAT, DecodeErrorKind::TooLarge { limit: MAX_PAYLOAD }));
        }
        Ok(Self { content_type, version, length })
    }
}

/// A record whose payload is borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// What the payload holds.
    pub content_type: ContentType,
    /// The version in the header.
    pub version: ProtocolVersion,
    /// The payload, still encrypted when keys are in use.
    pub payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes` and returns it with the bytes behind it.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let header = RecordHeader::decode(bytes)?;
        let mut reader = Reader::new(bytes);
        reader.take(HEADER_LEN, "record header")?;
        let payload = reader.take(usize::from(header.length), "record payload")?;
        Ok((Self { content_type: header.content_type, version: header.version, payload }, reader.rest()))
    }

    /// Copies the payload.
    #[must_use]
    pub fn to_owned_record(&self) -> OwnedRecord {
        OwnedRecord { content_type: self.content_type, version: self.version, payload: self.payload.to_vec() }
    }
}

/// A record that owns its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedRecord {
    /// What the payload holds.
    pub content_type: ContentType,
    /// The version in the header.
    pub version: ProtocolVersion,
    /// The payload, still encrypted when keys are in use.
    pub payload: Vec<u8>,
}

/// Writes `payload` as records of one type, each with at most `max_fragment` bytes.
///
/// `max_fragment` is held between 1 and [`MAX_FRAGMENT`]; an empty payload makes no record.
#[must_use]
pub fn encode_records(content_type: ContentType, version: ProtocolVersion, payload: &[u8], max_fragment: usize) -> Vec<u8> {
    let size = max_fragment.clamp(1, MAX_FRAGMENT);
    let mut bytes = Vec::with_capacity(payload.len() + HEADER_LEN * payload.len().div_ceil(size));
    for fragment in payload.chunks(size) {
        let length = u16::try_from(fragment.len()).expect("a fragment is at most 2^14 bytes");
        bytes.push(content_type.0);
        bytes.extend_from_slice(&version.0.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(fragment);
    }
    bytes
}

/// Says whether `bytes`, however few, can be the start of a record: a known content type, then major version 3.
fn could_be_header(bytes: &[u8]) -> bool {
    let known_type = |byte: u8| (ContentType::CHANGE_CIPHER_SPEC.0..=ContentType::HEARTBEAT.0).contains(&byte);
    bytes.first().is_none_or(|byte| known_type(*byte)) && bytes.get(1).is_none_or(|major| *major == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_refused_as_early_as_its_first_byte() {
        assert_eq!(RecordHeader::decode(b"H").unwrap_err().kind, DecodeErrorKind::NotTls);
        assert_eq!(RecordHeader::decode(&[22, 2]).unwrap_err().kind, DecodeErrorKind::NotTls);
        assert_eq!(RecordHeader::decode(&[22, 3]).unwrap_err().kind, DecodeErrorKind::Truncated);
        let too_long = RecordHeader::decode(&[22, 3, 3, 0x48, 1]).unwrap_err().kind;
        assert_eq!(too_long, DecodeErrorKind::TooLarge { limit: 18_432 });
    }

    #[test]
    fn payloads_are_cut_into_records() {
        let bytes = encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS10, &[1, 2, 3], 2);
        assert_eq!(bytes, [22, 3, 1, 0, 2, 1, 2, 22, 3, 1, 0, 1, 3]);
        let (record, rest) = Record::decode(&bytes).unwrap();
        assert_eq!(record.payload, [1, 2]);
        assert_eq!(Record::decode(rest).unwrap().0.to_owned_record().payload, [3]);
    }
}
