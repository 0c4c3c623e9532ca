//! Answers recorded from OpenSSL 3.0 servers, and answers that no server should give.

use parallax_tls::record::{Record, encode_records};
use parallax_tls::registry::{AlertDescription, CipherSuite, ContentType, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme};
use parallax_tls::server_flight::{CertificateMessage, CertificateRequest, HELLO_RETRY_REQUEST_RANDOM, KeyExchangeGroup, ServerKeyExchange};
use parallax_tls::{Alert, DecodeErrorKind, ServerAnswer, ServerAnswerReader, ServerHello, read_server_answer};

use crate::support;

fn answer(name: &str) -> ServerAnswer {
    read_server_answer(&support::recording(&format!("server_answers/{name}.hex")))
}

fn handshake_record(message: &[u8]) -> Vec<u8> {
    encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS12, message, usize::MAX)
}

fn tls12_hello() -> ServerHello {
    ServerHello { cipher_suite: CipherSuite(0xc02f), ..ServerHello::default() }
}

fn tls13_hello() -> ServerHello {
    ServerHello { extensions: vec![(ExtensionType::SUPPORTED_VERSIONS, vec![3, 4])], cipher_suite: CipherSuite(0x1301), ..ServerHello::default() }
}

#[test]
fn tls13_ends_in_clear_with_its_hello() {
    let answer = answer("tls13");
    let hello = answer.server_hello.as_ref().unwrap();
    assert_eq!(hello.selected_version(), ProtocolVersion::TLS13);
    assert_eq!(hello.legacy_version, ProtocolVersion::TLS12);
    assert_eq!(hello.selected_group(), Some(NamedGroup::X25519));
    assert_eq!(hello.cipher_suite, CipherSuite::TLS_AES_256_GCM_SHA384);
    assert!(answer.saw_encrypted_records && answer.clear_part_ended());
    assert!(answer.certificates.is_empty() && answer.error.is_none() && answer.plaintext_alerts.is_empty());
    assert_eq!((answer.records.handshake, answer.records.change_cipher_spec), (1, 1));
    assert_eq!(answer.records.bytes, 757);
}

#[test]
fn a_retry_names_the_group_that_the_server_wants() {
    let answer = answer("tls13_retry");
    assert!(answer.server_hello.is_none() && answer.error.is_none());
    let [retry] = answer.hello_retry_requests.as_slice() else { panic!("one retry") };
    assert!(retry.is_hello_retry_request());
    assert_eq!(retry.selected_group(), Some(NamedGroup::SECP384R1));
    assert_eq!(answer.version(), Some(ProtocolVersion::TLS13));
    assert!(!answer.clear_part_ended(), "the server waits for the second hello");
}

#[test]
fn change_cipher_spec_behind_a_retry_does_not_hide_the_hello() {
    let answer = answer("tls13_retry_full");
    assert_eq!(answer.hello_retry_requests.len(), 1);
    let hello = answer.server_hello.as_ref().unwrap();
    assert!(!hello.is_hello_retry_request());
    assert_eq!(hello.selected_group(), Some(NamedGroup::SECP384R1));
    assert!(answer.saw_encrypted_records && answer.error.is_none());
}

#[test]
fn tls12_shows_certificate_group_and_request() {
    let answer = answer("tls12_ecdhe_client_certificate");
    assert_eq!(answer.version(), Some(ProtocolVersion::TLS12));
    assert_eq!(answer.certificates.len(), 1);
    assert_eq!(answer.certificates[0][0], 0x30, "DER");
    assert_eq!(answer.server_key_exchange.as_ref().unwrap().group, KeyExchangeGroup::Named(NamedGroup::X25519));
    let request = answer.certificate_request.unwrap();
    assert_eq!(request.certificate_types, [1, 2, 64]);
    assert!(request.signature_schemes.contains(&SignatureScheme::ECDSA_SECP256R1_SHA256));
    assert_eq!(request.authorities.len(), 1);
    assert!(request.authorities[0].ends_with(b"test.local"));
    assert!(answer.server_hello_done && !answer.saw_encrypted_records && answer.error.is_none());
}

#[test]
fn tls12_with_a_finite_field_shows_the_size_of_the_prime() {
    let answer = answer("tls12_dhe");
    let exchange = answer.server_key_exchange.as_ref().unwrap();
    assert_eq!((exchange.group.prime_bits(), exchange.public_value.len()), (Some(2048), 256));
    assert!(answer.server_hello_done && answer.error.is_none());
}

#[test]
fn tls12_with_rsa_key_transport_has_a_staple_and_no_group() {
    let answer = answer("tls12_rsa_staple");
    assert_eq!(answer.server_hello.as_ref().unwrap().cipher_suite.name(), "TLS_RSA_WITH_AES_128_GCM_SHA256");
    assert_eq!(answer.server_key_exchange, None);
    assert_eq!(answer.ocsp_response.map(|response| response.len()), Some(1290));
    assert!(answer.server_hello_done && answer.error.is_none());
}

#[test]
fn tls10_requests_certificates_without_schemes() {
    let answer = answer("tls10");
    assert_eq!(answer.version(), Some(ProtocolVersion::TLS10));
    assert!(answer.server_key_exchange.is_some_and(|exchange| matches!(exchange.group, KeyExchangeGroup::Named(_))));
    let request = answer.certificate_request.unwrap();
    assert!(request.signature_schemes.is_empty());
    assert!(request.authorities[0].ends_with(b"test.local"));
    assert!(answer.server_hello_done && answer.error.is_none());
}

#[test]
fn tls12_is_encrypted_behind_change_cipher_spec() {
    let answer = answer("tls12_full");
    assert!(answer.server_hello_done && answer.saw_encrypted_records);
    assert_eq!((answer.error, answer.not_tls), (None, None));
    assert!(answer.plaintext_alerts.is_empty());
}

#[test]
fn refusals_are_alerts_in_clear() {
    for (name, description) in [("alert_protocol_version", AlertDescription::PROTOCOL_VERSION), ("alert_no_shared_cipher", AlertDescription::HANDSHAKE_FAILURE)]
    {
        let answer = answer(name);
        assert_eq!(answer.plaintext_alerts, [Alert::fatal(description)]);
        assert!(answer.clear_part_ended());
    }
}

#[test]
fn every_flight_reads_alike_in_any_pieces() {
    for (name, bytes) in support::recordings("server_answers") {
        let whole = read_server_answer(&bytes);
        assert_eq!((whole.error, &whole.not_tls), (None, &None), "{name}");
        for size in [1, 2, 3, 5, 64, 1000] {
            let mut reader = ServerAnswerReader::new();
            bytes.chunks(size).for_each(|piece| reader.feed(piece));
            assert_eq!(reader.answer(), &whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn messages_of_recorded_flights_are_written_again_byte_for_byte() {
    let mut written = 0;
    for (name, bytes) in support::recordings("server_answers") {
        let whole = read_server_answer(&bytes);
        let Some(hello) = &whole.server_hello else { continue };
        let mut expected = vec![hello.encode()];
        if !whole.certificates.is_empty() {
            expected.push(CertificateMessage { certificates: whole.certificates.clone() }.encode());
        }
        if let Some(request) = &whole.certificate_request {
            expected.push(request.encode(hello.selected_version()));
        }
        for message in expected {
            let found = bytes.windows(message.len()).any(|window| window == message);
            assert!(found, "{name}: message of type {} is not in the recording", message[0]);
            written += 1;
        }
    }
    assert!(written > 10);
}

#[test]
fn other_protocols_are_shown_by_their_first_bytes() {
    let http = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n";
    for pieces in [1, 7, http.len()] {
        let mut reader = ServerAnswerReader::new();
        http.chunks(pieces).for_each(|piece| reader.feed(piece));
        assert_eq!(reader.answer().not_tls.as_deref(), Some(&http[..64]), "pieces of {pieces}");
        assert_eq!(reader.answer().error, None);
    }
    assert_eq!(read_server_answer(b"SSH-2.0-x\r\n").not_tls.as_deref(), Some(&b"SSH-2.0-x\r\n"[..]));
    assert_eq!(read_server_answer(b"").not_tls, None);
}

#[test]
fn tls_that_breaks_off_into_something_else_is_an_error() {
    let mut bytes =
        Alert { level: parallax_tls::registry::AlertLevel::WARNING, description: AlertDescription::UNRECOGNIZED_NAME }.to_record(ProtocolVersion::TLS12);
    bytes.extend_from_slice(b"HTTP/1.1 400");
    let answer = read_server_answer(&bytes);
    assert_eq!(answer.error.unwrap().kind, DecodeErrorKind::NotTls);
    assert_eq!((answer.not_tls, answer.plaintext_alerts.len()), (None, 1));
}

#[test]
fn a_warning_before_the_hello_does_not_end_the_reading() {
    let mut bytes = vec![21, 3, 1, 0, 2, 1, 112];
    bytes.extend(handshake_record(&tls12_hello().encode()));
    let answer = read_server_answer(&bytes);
    assert_eq!(answer.plaintext_alerts[0].description, AlertDescription::UNRECOGNIZED_NAME);
    assert_eq!(answer.server_hello, Some(tls12_hello()));
    assert!(!answer.clear_part_ended());
}

#[test]
fn an_alert_of_two_bytes_is_in_clear_even_behind_change_cipher_spec() {
    let mut bytes = handshake_record(&tls12_hello().encode());
    bytes.extend([20, 3, 3, 0, 1, 1]);
    let clear = [21, 3, 3, 0, 2, 2, 20];
    let sealed = [&[21, 3, 3, 0, 26][..], &[7; 26]].concat();
    let answer = read_server_answer(&[bytes.clone(), clear.to_vec()].concat());
    assert_eq!((answer.plaintext_alerts, answer.saw_encrypted_records), (vec![Alert::fatal(AlertDescription::BAD_RECORD_MAC)], false));
    let answer = read_server_answer(&[bytes, sealed].concat());
    assert_eq!((answer.plaintext_alerts, answer.saw_encrypted_records, answer.error), (vec![], true, None));
}

#[test]
fn messages_in_the_wrong_place_end_the_reading() {
    let certificate = CertificateMessage { certificates: vec![vec![0x30, 0]] }.encode();
    let cases = [
        [certificate.clone(), tls12_hello().encode()].concat(),
        [tls12_hello().encode(), tls12_hello().encode()].concat(),
        [tls12_hello().encode(), certificate.clone(), certificate.clone()].concat(),
        [tls13_hello().encode(), certificate].concat(),
    ];
    for messages in cases {
        let answer = read_server_answer(&handshake_record(&messages));
        assert_eq!(answer.error.unwrap().kind, DecodeErrorKind::Unexpected);
    }
}

#[test]
fn change_cipher_spec_means_nothing_in_tls13() {
    let mut bytes = handshake_record(&tls13_hello().encode());
    bytes.extend([20, 3, 3, 0, 1, 1]);
    bytes.extend(handshake_record(&[14, 0, 0, 0]));
    let answer = read_server_answer(&bytes);
    assert_eq!((answer.error.unwrap().kind, answer.saw_encrypted_records), (DecodeErrorKind::Unexpected, false));
}

#[test]
fn endless_streams_stay_within_the_caps() {
    let mut reader = ServerAnswerReader::new();
    let retry = ServerHello { random: HELLO_RETRY_REQUEST_RANDOM, ..tls13_hello() };
    for _ in 0..1000 {
        reader.feed(&[21, 3, 3, 0, 2, 1, 90]);
        reader.feed(&handshake_record(&retry.encode()));
    }
    assert_eq!(reader.answer().hello_retry_requests.len(), 4);
    assert_eq!(reader.answer().error.unwrap().kind, DecodeErrorKind::TooLarge { limit: 4 });
    let mut reader = ServerAnswerReader::new();
    (0..1000).for_each(|_| reader.feed(&[21, 3, 3, 0, 2, 1, 90]));
    assert_eq!((reader.answer().plaintext_alerts.len(), reader.answer().records.alert), (16, 1000));

    let large = CertificateMessage { certificates: vec![vec![0x30; 10_000_000]] }.encode();
    let answer = read_server_answer(&handshake_record(&[tls12_hello().encode(), large].concat()));
    assert_eq!(answer.error.unwrap().kind, DecodeErrorKind::TooLarge { limit: 262_144 });
    assert_eq!((answer.server_hello, answer.records.bytes > 10_000_000), (Some(tls12_hello()), true));
}

#[test]
fn a_record_longer_than_the_protocol_allows_is_an_error() {
    let answer = read_server_answer(&[22, 3, 3, 0xff, 0xff, 2]);
    assert_eq!(answer.error.unwrap().kind, DecodeErrorKind::TooLarge { limit: 18_432 });
}

#[test]
fn one_read_of_many_megabytes_is_taken_in_pieces() {
    let stream = encode_records(ContentType::APPLICATION_DATA, ProtocolVersion::TLS12, &vec![9; 3_000_000], 16_384);
    let answer = read_server_answer(&stream);
    assert_eq!((answer.error, answer.records.application_data), (None, 184));
    assert_eq!(Record::decode(&stream).unwrap().0.payload.len(), 16_384);
}

#[test]
fn selected_values_need_a_well_formed_extension() {
    let with = |extension_type, body: &[u8]| ServerHello { extensions: vec![(extension_type, body.to_vec())], ..ServerHello::default() };
    assert_eq!(with(ExtensionType::SUPPORTED_VERSIONS, &[3]).selected_version(), ProtocolVersion::TLS12);
    assert_eq!(with(ExtensionType::KEY_SHARE, &[0, 29]).selected_group(), Some(NamedGroup::X25519));
    assert_eq!(with(ExtensionType::KEY_SHARE, &[0, 29, 0, 1, 5]).selected_group(), Some(NamedGroup::X25519));
    assert_eq!(with(ExtensionType::KEY_SHARE, &[0, 29, 0, 1]).selected_group(), None);
    assert_eq!(with(ExtensionType::ALPN, &[0, 3, 2, b'h', b'2']).alpn(), Some(&b"h2"[..]));
    assert_eq!(with(ExtensionType::ALPN, &[0, 4, 2, b'h', b'2', 0]).alpn(), None);
}

#[test]
fn key_exchange_follows_suite_and_version() {
    let body = [3, 0, 23, 1, 9, 4, 3, 0, 1, 7];
    let message = [&[12, 0, 0, body.len() as u8][..], &body].concat();
    let read = |version, suite| ServerKeyExchange::decode(&message, version, CipherSuite(suite));
    let exchange = read(ProtocolVersion::TLS12, 0xc02b).unwrap().unwrap();
    assert_eq!(exchange.group, KeyExchangeGroup::Named(NamedGroup::SECP256R1));
    assert_eq!(exchange.signature_scheme, Some(SignatureScheme::ECDSA_SECP256R1_SHA256));
    assert_eq!(read(ProtocolVersion::TLS12, 0x002f), Ok(None));
    assert!(read(ProtocolVersion::TLS10, 0xc009).is_err(), "before TLS 1.2 the scheme's bytes are a length");
    let hinted = [&[12, 0, 0, 8, 0, 2, b'h', b'i'][..], &[3, 0, 29, 0]].concat();
    let exchange = ServerKeyExchange::decode(&hinted, ProtocolVersion::TLS12, CipherSuite(0xc035)).unwrap().unwrap();
    assert_eq!((exchange.group, exchange.signature_scheme), (KeyExchangeGroup::Named(NamedGroup::X25519), None));
}

#[test]
fn certificate_requests_differ_by_version() {
    let request = CertificateRequest { certificate_types: vec![1], signature_schemes: vec![SignatureScheme(0x0403)], authorities: vec![vec![0x30, 0]] };
    let modern = request.encode(ProtocolVersion::TLS12);
    assert_eq!(CertificateRequest::decode(&modern, ProtocolVersion::TLS12), Ok(request.clone()));
    let old = request.encode(ProtocolVersion::TLS11);
    let read = CertificateRequest::decode(&old, ProtocolVersion::TLS11).unwrap();
    assert_eq!(read, CertificateRequest { signature_schemes: vec![], ..request });
}
