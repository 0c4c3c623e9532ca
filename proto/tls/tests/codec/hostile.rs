//! Decoders return, whatever the bytes: arbitrary ones, recorded flights that were damaged, and the corpora of the fuzz targets.

use parallax_tls::record::{Deframer, HandshakeJoiner, HandshakeMessage, Record};
use parallax_tls::registry::{CipherSuite, ProtocolVersion};
use parallax_tls::server_flight::{CertificateMessage, CertificateRequest, NewSessionTicket, ServerKeyExchange};
use parallax_tls::{Alert, ClientHello, ServerAnswerReader, ServerHello, read_server_answer, server_name_offset, ssl2};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support;

/// Gives the bytes to every decoder and checks what must hold whatever they are.
pub(crate) fn decode_everything(bytes: &[u8], piece: usize) {
    if let Ok(hello) = ClientHello::decode(bytes) {
        assert_eq!(hello.encode(), bytes);
    }
    if let Ok(hello) = ServerHello::decode(bytes) {
        let _ = (hello.selected_version(), hello.selected_group(), hello.alpn());
        assert_eq!(hello.encode(), bytes);
    }
    if let Ok(certificates) = CertificateMessage::decode(bytes) {
        assert_eq!(certificates.encode(), bytes);
    }
    for version in [ProtocolVersion::TLS10, ProtocolVersion::TLS12] {
        if let Ok(request) = CertificateRequest::decode(bytes, version) {
            assert_eq!(request.encode(version), bytes);
        }
        for suite in [0xc02f, 0x009e, 0xc035, 0x00aa] {
            let _ = ServerKeyExchange::decode(bytes, version, CipherSuite(suite));
        }
    }
    if let Ok(alert) = Alert::decode(bytes) {
        assert_eq!(alert.encode(), bytes);
    }
    let _ = (Record::decode(bytes), HandshakeMessage::decode(bytes), NewSessionTicket::decode(bytes), ssl2::ServerHello::decode(bytes));
    if let Some(range) = server_name_offset(bytes) {
        assert!(!range.is_empty() && range.end <= bytes.len());
    }
    incremental_readers(bytes, piece);
}

fn incremental_readers(bytes: &[u8], piece: usize) {
    let mut deframer = Deframer::new();
    let mut joiner = HandshakeJoiner::with_limit(4096);
    let mut reader = ServerAnswerReader::new();
    for part in bytes.chunks(piece) {
        let _ = deframer.feed(part);
        while let Ok(Some(record)) = deframer.next_record() {
            let _ = joiner.feed(record.payload);
            while let Ok(Some(_)) = joiner.next_message() {}
        }
        reader.feed(part);
    }
    assert_eq!(reader.answer(), &read_server_answer(bytes));
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..600), piece in 1_usize..100) {
        decode_everything(&bytes, piece);
    }

    #[test]
    fn arbitrary_bodies_behind_real_headers(kind in 0_u8..26, body in vec(any::<u8>(), 0..600), piece in 1_usize..100) {
        let length = (body.len() as u16).to_be_bytes();
        let message = [&[kind, 0][..], &length, &body].concat();
        decode_everything(&message, piece);
        let length = (message.len() as u16).to_be_bytes();
        decode_everything(&[&[22, 3, 3][..], &length, &message].concat(), piece);
    }

    #[test]
    fn damaged_flights(
        which: Index,
        damage in vec((any::<Index>(), any::<u8>()), 0..12),
        keep: Index,
        piece in 1_usize..500,
    ) {
        let mut recordings = support::recordings("server_answers");
        recordings.extend(support::recordings("client_hellos"));
        let mut bytes = which.get(&recordings).1.clone();
        for (place, value) in damage {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        bytes.truncate(keep.index(bytes.len()) + 1);
        decode_everything(&bytes, piece);
        decode_everything(&bytes[bytes.len().min(5)..], piece);
    }
}

#[test]
fn every_prefix_of_every_recording() {
    for folder in ["server_answers", "client_hellos"] {
        for (_, bytes) in support::recordings(folder) {
            for end in 0..=bytes.len().min(400) {
                decode_everything(&bytes[..end], 50);
            }
        }
    }
}
