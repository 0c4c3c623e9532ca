//! ClientHellos recorded from real clients: read as an independent parser read them, and written again byte for byte.

use std::collections::BTreeMap;

use parallax_tls::record::{HandshakeJoiner, Record};
use parallax_tls::registry::{ContentType, ExtensionType, NamedGroup, is_grease};
use parallax_tls::{ClientHello, Extension, server_name_offset};

use crate::support;

fn decode_wire(wire: &[u8]) -> (ClientHello, Vec<u8>) {
    let (record, rest) = Record::decode(wire).unwrap();
    assert_eq!((record.content_type, rest), (ContentType::HANDSHAKE, &[][..]));
    let mut joiner = HandshakeJoiner::new();
    joiner.feed(record.payload).unwrap();
    let message = joiner.next_message().unwrap().expect("one whole message").bytes.to_vec();
    (ClientHello::decode(&message).unwrap(), message)
}

#[test]
fn recorded_hellos_are_written_again_byte_for_byte() {
    for (name, wire) in support::recordings("client_hellos") {
        let (hello, message) = decode_wire(&wire);
        assert_eq!(hello.encode(), message, "{name}");
        let version = Record::decode(&wire).unwrap().0.version;
        assert_eq!(hello.to_records(version), wire, "{name}");
    }
}

#[test]
fn recorded_hellos_say_what_an_independent_parser_read() {
    let path = support::package_path("testdata/client_hellos/expected.tsv");
    let table = std::fs::read_to_string(path).unwrap();
    let expected: BTreeMap<&str, Vec<&str>> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').unwrap())
        .map(|(name, facts)| (name, facts.split('\t').collect()))
        .collect();
    let recordings = support::recordings("client_hellos");
    assert_eq!(expected.len(), recordings.len());
    for (name, wire) in recordings {
        let (hello, _) = decode_wire(&wire);
        let facts = [
            hello.server_name().unwrap_or("-").to_owned(),
            or_dash(hello.alpn().iter().map(|protocol| String::from_utf8(protocol.clone()).unwrap()).collect(), ","),
            or_dash(key_shares(&hello), ","),
            ja3(&hello),
        ];
        assert_eq!(expected[name.as_str()], facts, "{name}");
    }
}

#[test]
fn the_name_is_found_in_hellos_of_every_library() {
    let mut named = 0;
    for (name, wire) in support::recordings("client_hellos") {
        let (hello, _) = decode_wire(&wire);
        let found = server_name_offset(&wire).map(|range| &wire[range]);
        assert_eq!(found, hello.server_name().map(str::as_bytes), "{name}");
        named += usize::from(found.is_some());
    }
    assert!(named > 15);
}

#[test]
fn real_extensions_take_their_typed_form() {
    let typed = [
        ExtensionType::SERVER_NAME,
        ExtensionType::SUPPORTED_GROUPS,
        ExtensionType::SIGNATURE_ALGORITHMS,
        ExtensionType::SUPPORTED_VERSIONS,
        ExtensionType::KEY_SHARE,
        ExtensionType::ALPN,
        ExtensionType::EC_POINT_FORMATS,
        ExtensionType::PSK_KEY_EXCHANGE_MODES,
        ExtensionType::EXTENDED_MASTER_SECRET,
        ExtensionType::ENCRYPT_THEN_MAC,
        ExtensionType::POST_HANDSHAKE_AUTH,
        ExtensionType::SESSION_TICKET,
        ExtensionType::RENEGOTIATION_INFO,
        ExtensionType::SIGNED_CERTIFICATE_TIMESTAMP,
        ExtensionType::PADDING,
    ];
    for (name, wire) in support::recordings("client_hellos") {
        for extension in decode_wire(&wire).0.extensions {
            if let Extension::Raw(extension_type, body) = extension {
                assert!(!typed.contains(&extension_type), "{name}: {extension_type} stayed raw: {body:?}");
                assert!(!is_grease(extension_type.0), "{name}: {extension_type}");
            }
        }
    }
}

fn key_shares(hello: &ClientHello) -> Vec<String> {
    let label = |group: NamedGroup| if is_grease(group.0) { "GREASE".to_owned() } else { group.to_string() };
    match hello.extension(ExtensionType::KEY_SHARE) {
        Some(Extension::KeyShare(shares)) => shares.iter().map(|(group, key)| format!("{}:{}", label(*group), key.len())).collect(),
        _ => Vec::new(),
    }
}

/// The JA3 string: version, suites, extensions, groups, point formats, in decimal and without GREASE.
fn ja3(hello: &ClientHello) -> String {
    let join = |values: Vec<u16>| {
        let real = values.into_iter().filter(|value| !is_grease(*value));
        real.map(|value| value.to_string()).collect::<Vec<_>>().join("-")
    };
    let groups = match hello.extension(ExtensionType::SUPPORTED_GROUPS) {
        Some(Extension::SupportedGroups(groups)) => groups.iter().map(|group| group.0).collect(),
        _ => Vec::new(),
    };
    let formats = match hello.extension(ExtensionType::EC_POINT_FORMATS) {
        Some(Extension::EcPointFormats(formats)) => formats.iter().map(|format| u16::from(*format)).collect(),
        _ => Vec::new(),
    };
    format!(
        "{},{},{},{},{}",
        hello.legacy_version.0,
        join(hello.cipher_suites.iter().map(|suite| suite.0).collect()),
        join(hello.extensions.iter().map(|extension| extension.extension_type().0).collect()),
        join(groups),
        join(formats),
    )
}

fn or_dash(items: Vec<String>, separator: &str) -> String {
    if items.is_empty() { "-".to_owned() } else { items.join(separator) }
}
