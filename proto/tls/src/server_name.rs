//! Where the host name stands in a written ClientHello.

use std::ops::Range;

use crate::error::{DecodeError, DecodeErrorKind};
use crate::extension::HOST_NAME;
use crate::reader::Reader;
use crate::record::{HEADER_LEN, RecordHeader};
use crate::registry::{ContentType, ExtensionType, HandshakeType};

/// Finds the host name of `server_name` in what a client wrote first: TLS records that start with a ClientHello.
///
/// The range counts from the first byte of the stream and is never empty. When the name itself is cut by a record border, the range
/// runs from its first to its last byte and includes the header between. The stream may end anywhere behind the name.
#[must_use]
pub fn server_name_offset(bytes: &[u8]) -> Option<Range<usize>> {
    let stream = HandshakeStream::of(bytes);
    let name = host_name_range(&stream.payload).ok()??;
    if name.is_empty() {
        return None;
    }
    Some(stream.offset_of(name.start)?..stream.offset_of(name.end - 1)? + 1)
}

/// The joined payloads of the leading handshake records, with the way back to offsets in the stream.
struct HandshakeStream {
    payload: Vec<u8>,
    /// For each record: where its payload starts, in the joined payload and in the stream.
    starts: Vec<(usize, usize)>,
}

impl HandshakeStream {
    fn of(bytes: &[u8]) -> Self {
        let mut stream = Self { payload: Vec::new(), starts: Vec::new() };
        let mut offset = 0;
        while let Some(rest) = bytes.get(offset..) {
            let Ok(header) = RecordHeader::decode(rest) else { break };
            if header.content_type != ContentType::HANDSHAKE {
                break;
            }
            let body = &rest[HEADER_LEN..];
            let present = body.len().min(usize::from(header.length));
            stream.starts.push((stream.payload.len(), offset + HEADER_LEN));
            stream.payload.extend_from_slice(&body[..present]);
            offset += HEADER_LEN + usize::from(header.length);
        }
        stream
    }

    fn offset_of(&self, position: usize) -> Option<usize> {
        let (joined, offset) = self.starts.iter().rev().find(|(joined, _)| *joined <= position)?;
        Some(offset + (position - joined))
    }
}

/// Walks a ClientHello that may be cut behind the name.
fn host_name_range(message: &[u8]) -> Result<Option<Range<usize>>, DecodeError> {
    const WHAT: &str = "client hello";
    let mut reader = Reader::new(message);
    if HandshakeType(reader.u8(WHAT)?) != HandshakeType::CLIENT_HELLO {
        return Err(DecodeError::new(WHAT, DecodeErrorKind::Unexpected));
    }
    let length = reader.u24(WHAT)? as usize;
    let end = reader.position() + length.min(reader.remaining());
    let mut reader = Reader::new(&message[..end]);
    reader.take(4 + 2 + 32, WHAT)?;
    reader.vec_u8("session id")?;
    reader.vec_u16("cipher suites")?;
    reader.vec_u8("compression methods")?;
    reader.u16("extensions")?;
    while !reader.is_empty() {
        let extension_type = ExtensionType(reader.u16("extension type")?);
        if extension_type == ExtensionType::SERVER_NAME {
            return host_name_in(reader);
        }
        reader.vec_u16("extension body")?;
    }
    Ok(None)
}

fn host_name_in(mut reader: Reader<'_>) -> Result<Option<Range<usize>>, DecodeError> {
    const WHAT: &str = "server name";
    let body_length = usize::from(reader.u16(WHAT)?);
    let body_end = reader.position() + body_length;
    reader.u16(WHAT)?;
    while reader.position() < body_end {
        let name_type = reader.u8(WHAT)?;
        let name = reader.vec_u16(WHAT)?;
        if name_type == HOST_NAME {
            let end = reader.position();
            return Ok((end <= body_end).then_some(end - name.len()..end));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_hello::ClientHello;
    use crate::extension::Extension;
    use crate::record::encode_records;
    use crate::registry::ProtocolVersion;

    fn hello() -> ClientHello {
        let extensions = vec![Extension::Padding(40), Extension::ServerName("name.example".to_owned())];
        ClientHello { extensions, ..ClientHello::default() }
    }

    #[test]
    fn the_name_is_found_behind_other_extensions() {
        let wire = hello().to_records(ProtocolVersion::TLS10);
        let range = server_name_offset(&wire).unwrap();
        assert_eq!(&wire[range.clone()], b"name.example");
        assert_eq!(server_name_offset(&wire[..range.end]), Some(range.clone()), "the rest may be missing");
        assert_eq!(server_name_offset(&wire[..range.end - 1]), None, "a part of the name is not the name");
        let nameless = hello().without_server_name().to_records(ProtocolVersion::TLS10);
        assert_eq!(server_name_offset(&nameless), None);
    }

    #[test]
    fn record_borders_are_seen_through() {
        let message = hello().encode();
        for size in 1..=message.len() {
            let wire = encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS10, &message, size);
            let range = server_name_offset(&wire).unwrap();
            assert_eq!((wire[range.start], wire[range.end - 1]), (b'n', b'e'), "records of {size}");
            if size == message.len() {
                assert_eq!(&wire[range], b"name.example");
            }
        }
    }

    #[test]
    fn an_empty_name_has_no_inside() {
        let message = hello().with_server_name("").encode();
        for size in 1..=message.len() {
            let wire = encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS10, &message, size);
            assert_eq!(server_name_offset(&wire), None, "records of {size}");
        }
    }
}
