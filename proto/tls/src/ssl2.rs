//! The two hellos of SSL 2, which has a record format of its own (RFC 6101 appendix E, "The SSL Protocol", 1995).

use crate::error::{DecodeError, DecodeErrorKind};
use crate::reader::Reader;
use crate::writer::Writer;

/// The cipher kinds of SSL 2 that implementations had, three bytes each.
pub const CIPHER_KINDS: [u32; 7] = [0x01_0080, 0x02_0080, 0x03_0080, 0x04_0080, 0x05_0080, 0x06_0040, 0x07_00c0];

/// Writes a CLIENT-HELLO that offers [`CIPHER_KINDS`], record header included.
#[must_use]
pub fn client_hello(challenge: &[u8; 16]) -> Vec<u8> {
    let mut body = Writer::new();
    body.u8(CLIENT_HELLO);
    body.u16(VERSION);
    body.u16(CIPHER_KINDS.len() as u16 * KIND_LEN as u16);
    body.u16(0);
    body.u16(challenge.len() as u16);
    CIPHER_KINDS.iter().for_each(|kind| body.bytes(&kind.to_be_bytes()[1..]));
    body.bytes(challenge);
    let body = body.into_bytes();
    let mut record = Writer::new();
    record.u16(TWO_BYTE_HEADER | body.len() as u16);
    record.bytes(&body);
    record.into_bytes()
}

/// What a SERVER-HELLO says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerHello {
    /// The cipher kinds that the server has in common with the client, three bytes each.
    pub cipher_kinds: Vec<u32>,
    /// The server's certificate in DER; empty when a session was resumed.
    pub certificate: Vec<u8>,
}

impl ServerHello {
    /// Reads a SERVER-HELLO from its record header on; what follows the record is left alone.
    ///
    /// The kind of the error is [`DecodeErrorKind::Truncated`] as long as more bytes may complete it.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        const WHAT: &str = "SSL 2 server hello";
        let mut record = Reader::new(bytes);
        let header = record.u16(WHAT)?;
        let has_padding = header & TWO_BYTE_HEADER == 0;
        let length = usize::from(if has_padding { header & THREE_BYTE_LENGTH } else { header & !TWO_BYTE_HEADER });
        let padding = if has_padding { usize::from(record.u8(WHAT)?) } else { 0 };
        let body = record.take(length, WHAT)?;
        let bad_length = DecodeError::new(WHAT, DecodeErrorKind::BadLength);
        let mut reader = Reader::new(body.get(..length.saturating_sub(padding)).unwrap_or_default());
        let truncated_inside = |_| bad_length;
        if reader.u8(WHAT).map_err(truncated_inside)? != SERVER_HELLO {
            return Err(DecodeError::new(WHAT, DecodeErrorKind::Unexpected));
        }
        let _session_id_hit = reader.u8(WHAT).map_err(truncated_inside)?;
        let _certificate_type = reader.u8(WHAT).map_err(truncated_inside)?;
        if reader.u16(WHAT).map_err(truncated_inside)? != VERSION {
            return Err(DecodeError::new(WHAT, DecodeErrorKind::BadValue));
        }
        let mut lengths = [0; 3];
        for length in &mut lengths {
            *length = usize::from(reader.u16(WHAT).map_err(truncated_inside)?);
        }
        let certificate = reader.take(lengths[0], WHAT).map_err(truncated_inside)?.to_vec();
        let kinds = reader.take(lengths[1], WHAT).map_err(truncated_inside)?;
        reader.take(lengths[2], WHAT).map_err(truncated_inside)?;
        let (kinds, odd) = kinds.as_chunks::<KIND_LEN>();
        if !odd.is_empty() {
            return Err(bad_length);
        }
        let cipher_kinds = kinds.iter().map(|[high, middle, low]| u32::from_be_bytes([0, *high, *middle, *low])).collect();
        Ok(Self { cipher_kinds, certificate })
    }
}

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 4;
const VERSION: u16 = 0x0002;
const KIND_LEN: usize = 3;
/// Set in a header of two bytes, whose other bits are the length; a header of three bytes has 14 bits of it.
const TWO_BYTE_HEADER: u16 = 0x8000;
const THREE_BYTE_LENGTH: u16 = 0x3fff;

#[cfg(test)]
mod tests {
    use super::*;

    fn server_hello(certificate: &[u8], kinds: &[u8]) -> Vec<u8> {
        let mut body = vec![SERVER_HELLO, 0, 1, 0, 2];
        for length in [certificate.len(), kinds.len(), 4] {
            body.extend_from_slice(&(length as u16).to_be_bytes());
        }
        body.extend_from_slice(&[certificate, kinds, &[9; 4]].concat());
        [&(TWO_BYTE_HEADER | body.len() as u16).to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn the_hello_is_framed_as_ssl_2() {
        let wire = client_hello(&[7; 16]);
        assert_eq!(wire[..5], [0x80, wire.len() as u8 - 2, 1, 0, 2]);
        assert_eq!(wire.len(), 2 + 9 + 21 + 16);
    }

    #[test]
    fn a_server_hello_names_its_kinds() {
        let wire = server_hello(&[0x30, 0], &[1, 0, 0x80, 7, 0, 0xc0]);
        assert_eq!(ServerHello::decode(&wire), Ok(ServerHello { cipher_kinds: vec![0x01_0080, 0x07_00c0], certificate: vec![0x30, 0] }));
        for end in 0..wire.len() {
            assert_eq!(ServerHello::decode(&wire[..end]).unwrap_err().kind, DecodeErrorKind::Truncated, "{end} bytes");
        }
        assert_eq!(ServerHello::decode(&server_hello(&[], &[1, 0])).unwrap_err().kind, DecodeErrorKind::BadLength);
        assert_eq!(ServerHello::decode(&[0x80, 1, 0]).unwrap_err().kind, DecodeErrorKind::Unexpected, "an error message");
    }
}
