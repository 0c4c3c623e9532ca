//! What is written is read back, for any value; what is read is written back, for any bytes.

use parallax_tls::record::{Deframer, HandshakeJoiner, MAX_FRAGMENT, encode_records};
use parallax_tls::registry::{AlertDescription, AlertLevel, CipherSuite, ContentType, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};
use parallax_tls::server_flight::CertificateMessage;
use parallax_tls::{Alert, ClientHello, Extension, ServerHello, read_server_answer, server_name_offset};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::support;

fn bytes(longest: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..=longest)
}

fn values<T: std::fmt::Debug>(make: fn(u16) -> T) -> impl Strategy<Value = Vec<T>> {
    vec(any::<u16>().prop_map(make), 0..20)
}

/// Any extension in the form that decoding would choose for it.
fn extension() -> impl Strategy<Value = Extension> {
    let any_extension = prop_oneof![
        "[a-z0-9.-]{0,80}".prop_map(Extension::ServerName),
        values(NamedGroup).prop_map(Extension::SupportedGroups),
        values(SignatureScheme).prop_map(Extension::SignatureAlgorithms),
        values(SignatureScheme).prop_map(Extension::SignatureAlgorithmsCert),
        values(ProtocolVersion).prop_map(Extension::SupportedVersions),
        vec((any::<u16>().prop_map(NamedGroup), bytes(80)), 0..4).prop_map(Extension::KeyShare),
        vec(bytes(20), 0..4).prop_map(Extension::Alpn),
        bytes(10).prop_map(Extension::EcPointFormats),
        bytes(10).prop_map(Extension::PskKeyExchangeModes),
        Just(Extension::ExtendedMasterSecret),
        Just(Extension::EncryptThenMac),
        Just(Extension::PostHandshakeAuth),
        Just(Extension::StatusRequest),
        Just(Extension::SignedCertificateTimestamp),
        bytes(100).prop_map(Extension::SessionTicket),
        bytes(40).prop_map(Extension::RenegotiationInfo),
        bytes(40).prop_map(Extension::Cookie),
        (0_usize..2000).prop_map(Extension::Padding),
        (0_u16..16, bytes(20)).prop_map(|(nibble, body)| Extension::Grease(nibble * 0x1010 + 0x0a0a, body)),
        (any::<u16>(), bytes(60)).prop_map(|(value, body)| Extension::Raw(ExtensionType(value), body)),
        (0_u16..60, bytes(60)).prop_map(|(value, body)| Extension::Raw(ExtensionType(value), body)),
    ];
    any_extension.prop_map(|extension| match extension {
        Extension::Raw(extension_type, body) => Extension::decode(extension_type, &body),
        typed => typed,
    })
}

fn client_hello() -> impl Strategy<Value = ClientHello> {
    (any::<u16>(), any::<[u8; 32]>(), bytes(255), values(CipherSuite), bytes(255), vec(extension(), 0..15), any::<bool>()).prop_map(
        |(version, random, session_id, cipher_suites, compression_methods, extensions, block)| ClientHello {
            legacy_version: ProtocolVersion(version),
            random,
            session_id,
            cipher_suites,
            compression_methods,
            empty_extension_block: block && extensions.is_empty(),
            extensions,
        },
    )
}

fn server_hello() -> impl Strategy<Value = ServerHello> {
    let extensions = vec((any::<u16>().prop_map(ExtensionType), bytes(60)), 0..6);
    (any::<u16>(), any::<[u8; 32]>(), bytes(255), any::<u16>(), any::<u8>(), extensions, any::<bool>()).prop_map(
        |(version, random, session_id, suite, compression, extensions, block)| ServerHello {
            legacy_version: ProtocolVersion(version),
            random,
            session_id,
            cipher_suite: CipherSuite(suite),
            compression,
            empty_extension_block: block && extensions.is_empty(),
            extensions,
        },
    )
}

fn content_type() -> impl Strategy<Value = ContentType> {
    (20_u8..=24).prop_map(ContentType)
}

proptest! {
    #[test]
    fn any_client_hello(hello in client_hello()) {
        prop_assert_eq!(ClientHello::decode(&hello.encode()), Ok(hello));
    }

    #[test]
    fn any_server_hello(hello in server_hello()) {
        prop_assert_eq!(ServerHello::decode(&hello.encode()), Ok(hello));
    }

    #[test]
    fn any_alert(level: u8, description: u8) {
        let alert = Alert { level: AlertLevel(level), description: AlertDescription(description) };
        prop_assert_eq!(Alert::decode(&alert.encode()), Ok(alert));
        let answer = read_server_answer(&alert.to_record(ProtocolVersion::TLS12));
        prop_assert_eq!(answer.plaintext_alerts, [alert]);
    }

    #[test]
    fn any_chain_of_certificates(certificates in vec(vec(any::<u8>(), 1..300), 0..5)) {
        let message = CertificateMessage { certificates };
        prop_assert_eq!(CertificateMessage::decode(&message.encode()), Ok(message));
    }

    #[test]
    fn any_records_in_any_pieces(
        payloads in vec((content_type(), 0x0300_u16..0x0400, bytes(3000)), 0..5),
        fragment in 1_usize..1500,
        piece in 1_usize..700,
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for (content_type, version, payload) in &payloads {
            stream.extend(encode_records(*content_type, ProtocolVersion(*version), payload, fragment));
            expected.extend(payload.chunks(fragment).map(|part| (*content_type, ProtocolVersion(*version), part.to_vec())));
        }
        let mut deframer = Deframer::new();
        let mut seen = Vec::new();
        for part in stream.chunks(piece) {
            deframer.feed(part).unwrap();
            while let Some(record) = deframer.next_record().unwrap() {
                seen.push((record.content_type, record.version, record.payload.to_vec()));
            }
        }
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(deframer.buffered(), 0);
    }

    #[test]
    fn any_messages_across_any_records(messages in vec((any::<u8>(), bytes(2000)), 0..6), fragment in 1_usize..900) {
        let stream: Vec<u8> = messages
            .iter()
            .flat_map(|(kind, body)| [&[*kind, 0][..], &(body.len() as u16).to_be_bytes(), body].concat())
            .collect();
        let mut joiner = HandshakeJoiner::new();
        let mut seen = Vec::new();
        for part in stream.chunks(fragment) {
            joiner.feed(part).unwrap();
            while let Some(message) = joiner.next_message().unwrap() {
                seen.push((message.message_type.0, message.body.to_vec()));
            }
        }
        prop_assert_eq!(seen, messages);
        prop_assert_eq!(joiner.buffered(), 0);
    }

    #[test]
    fn the_name_is_found_in_any_hello(hello in client_hello(), name in "[a-z]{1,60}", fragment in option::of(1_usize..300)) {
        let hello = hello.without_server_name().with_server_name(&name);
        let size = fragment.unwrap_or(MAX_FRAGMENT);
        let wire = encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS10, &hello.encode(), size);
        let range = server_name_offset(&wire).unwrap();
        let (first, last) = (name.as_bytes()[0], name.as_bytes()[name.len() - 1]);
        prop_assert_eq!((wire[range.start], wire[range.end - 1]), (first, last));
        if fragment.is_none() {
            prop_assert_eq!(&wire[range], name.as_bytes());
        }
    }

    #[test]
    fn what_is_read_from_damaged_hellos_is_written_back(
        which: Index,
        damage in vec((any::<Index>(), any::<u8>()), 0..8),
    ) {
        let recordings = support::recordings("client_hellos");
        let mut message = which.get(&recordings).1[5..].to_vec();
        for (place, value) in damage {
            let place = place.index(message.len());
            message[place] = value;
        }
        if let Ok(hello) = ClientHello::decode(&message) {
            prop_assert_eq!(hello.encode(), message);
        }
    }

    #[test]
    fn what_is_read_from_any_extension_is_written_back(value in prop_oneof![0_u16..60, any::<u16>()], body in bytes(40)) {
        let extension = Extension::decode(ExtensionType(value), &body);
        prop_assert_eq!(extension.extension_type().0, value);
        prop_assert_eq!(extension.encode_body(), body);
    }
}
