//! How large a typical attempt is on the wire.

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    check::Check,
    clock::Timestamp,
    facts::*,
    id::{AttemptId, CheckId, RoundId},
};
use parallax_proto::{v1, wire};

pub(crate) fn typical_check() -> Check {
    Check::once("api.example.test".parse().unwrap(), Timestamp::from_micros(0))
}

/// A full handshake with TLS 1.3, a chain of two, and the default transcript.
pub(crate) fn typical_attempt() -> Attempt {
    let remote = "203.0.113.7:443".parse().unwrap();
    let info = TcpInfo { state: 1, bytes_acked: 1, segments_in: 1, segments_out: 2, rtt_us: 20_412, min_rtt_us: 20_412, send_mss: 1_448, ..TcpInfo::default() };
    let entry = |direction, at_us, size| TranscriptEntry { direction, at_us, bytes: Bytes(vec![0x16; size]) };
    let chosen = (Some(0x0304), Some(0x1302), Some(0x001d));
    Attempt {
        id: AttemptId::new(),
        round: RoundId::new(),
        check: CheckId::new(),
        vantage: "fra-1".parse().unwrap(),
        profile: "modern".parse().unwrap(),
        experiment: Experiment::Baseline,
        address: Some(remote),
        sequence: 0,
        started_at: Timestamp::from_micros(1_795_000_000_000_000),
        elapsed_us: 64_211,
        clock_offset_us: Some(-1_204),
        facts: Facts {
            tcp: Some(TcpFacts {
                remote,
                local: Some("192.0.2.9:40112".parse().unwrap()),
                source_port_pinned: false,
                end: ConnectEnd::Connected,
                connect_us: 20_600,
                hop_limit: None,
                mss_clamp: None,
                icmp_from: None,
                at_connect: Some(info),
                at_end: Some(TcpInfo { bytes_sent: 1_100, bytes_received: 3_900, ..info }),
                ack_ttl: Some(57),
            }),
            tls: Some(TlsFacts {
                hello: HelloSent { server_name: Some("api.example.test".into()), bytes: 245, writes: 1, sha256: Bytes(vec![7; 32]) },
                end: TlsEnd::Established,
                end_us: 41_900,
                first_byte_us: Some(20_700),
                bytes_read: 3_900,
                answer: ServerAnswerFacts {
                    version: chosen.0,
                    cipher_suite: chosen.1,
                    group: chosen.2,
                    extensions: vec![43, 51],
                    encrypted_records: true,
                    ..Default::default()
                },
                handshake: Some(HandshakeFacts {
                    version: chosen.0,
                    cipher_suite: chosen.1,
                    group: chosen.2,
                    alpn: Some("h2".into()),
                    signature_verified: Some(true),
                    elapsed_us: 41_900,
                    ..Default::default()
                }),
                certificates: vec![Bytes(vec![0x30; 1_200]), Bytes(vec![0x30; 1_300])],
                transcript: vec![entry(Direction::Sent, 30, 245), entry(Direction::Received, 20_700, 3_851)],
            }),
            http: Some(HttpFacts {
                status: Some(200),
                server: Some("nginx".into()),
                bytes_read: 240,
                elapsed_us: 20_800,
                ..HttpFacts::ended(HttpEnd::Answered)
            }),
            ..Facts::default()
        },
    }
}

#[test]
fn a_typical_attempt_is_hardly_larger_than_the_bytes_that_were_seen() {
    let attempt = typical_attempt();
    let tls = attempt.facts.tls.as_ref().unwrap();
    let seen: usize = tls.certificates.iter().map(|certificate| certificate.0.len()).chain(tls.transcript.iter().map(|entry| entry.bytes.0.len())).sum();
    let encoded = wire::encoded_bytes(&v1::Attempt::from(&attempt));
    assert!(encoded < seen + 420, "{encoded} bytes on the wire for {seen} bytes seen");
}
