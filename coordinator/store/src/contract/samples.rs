//! Things to store.

use std::time::Duration;

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    cadence::Cadence,
    check::Check,
    clock::Timestamp,
    facts::{AlertSeen, ConnectEnd, Direction, Facts, HandshakeFacts, HelloSent, ServerAnswerFacts, TcpFacts, TcpInfo, TlsEnd, TlsFacts, TranscriptEntry},
    id::{AttemptId, CheckId, RoundId, VantageName},
    outcome::Outcome,
    vantage::{Labels, Standing, Vantage},
    verdict::{Cause, Counter, Evidence, Finding, Locus, MatrixCell, Participation, Remedy, Scope, Tier, Verdict},
};

use crate::{IssuedCertificate, JoinToken, RoundRecord, RoundVantage, ShareState};

/// 2026-11-23T08:00:00Z and some seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    "2026-11-23T08:00:00Z".parse::<Timestamp>().unwrap() + Duration::from_secs(seconds.unsigned_abs())
}

pub(crate) fn name(text: &str) -> VantageName {
    text.parse().unwrap()
}

pub(crate) fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn bytes(byte: u8) -> Bytes {
    Bytes(vec![byte; 32])
}

/// A token whose secret's digest is `bytes(1)`, good for an hour.
pub(crate) fn token(id: &str, uses_left: u32) -> JoinToken {
    JoinToken {
        id: id.to_owned(),
        secret_sha256: bytes(1),
        labels: labels(&[("site", "fra-1"), ("country", "de")]),
        uses_left,
        expires_at: at(3_600),
        created_at: at(0),
        created_by: "ops".to_owned(),
    }
}

pub(crate) fn vantage(text: &str) -> Vantage {
    Vantage {
        name: name(text),
        labels: labels(&[("rack", "7"), ("country", "fr")]),
        standing: Standing::Active,
        version: "0.1.0".to_owned(),
        enrolled_at: at(1),
        last_seen: None,
        egress: Some("192.0.2.7".parse().unwrap()),
        clock_offset_ms: None,
        capabilities: vec!["ipv6".to_owned()],
    }
}

pub(crate) fn certificate(key: u8) -> IssuedCertificate {
    IssuedCertificate { serial: format!("0{key}"), key_sha256: bytes(key), not_after: at(604_800) }
}

pub(crate) fn check(text: Option<&str>) -> Check {
    let check = Check::once("api.example.test:8443@192.0.2.7".parse().unwrap(), at(0));
    Check {
        name: text.map(|text| text.parse().unwrap()),
        cadence: Cadence::every(Duration::from_secs(60)).unwrap(),
        expected_keys: vec![bytes(9)],
        trust: vec![Bytes(vec![0x30, 0x82, 0xff])],
        ..check
    }
}

/// An open round of `check` that starts at `started_at`, with a share for each name.
pub(crate) fn round(check: &Check, started_at: Timestamp, names: &[&str]) -> RoundRecord {
    let share = |text: &&str| {
        let vantage = vantage(text);
        RoundVantage {
            name: vantage.name.clone(),
            group: vantage.group(),
            labels: vantage.labels,
            build: vantage.version,
            clock_offset_ms: Some(-3),
            egress: vantage.egress,
            share: ShareState::Assigned,
        }
    };
    RoundRecord {
        id: check.round_at(started_at),
        check: check.clone(),
        started_at,
        deadline: started_at + Duration::from_secs(60),
        vantages: names.iter().map(share).collect(),
        adhoc: false,
        closed_at: None,
        unjudged: 0,
    }
}

/// An attempt of `round` whose facts hold one of everything that is stored in a way of its own.
pub(crate) fn attempt(round: RoundId, vantage: &str, sequence: u32) -> Attempt {
    Attempt {
        id: AttemptId::new(),
        round,
        check: CheckId::new(),
        vantage: name(vantage),
        profile: "modern".parse().unwrap(),
        experiment: Experiment::SplitName,
        address: Some("[2001:db8::7]:8443".parse().unwrap()),
        sequence,
        started_at: at(i64::from(sequence)),
        elapsed_us: 12_345,
        clock_offset_us: Some(-77),
        facts: facts(),
    }
}

fn facts() -> Facts {
    let tcp = TcpFacts {
        remote: "[2001:db8::7]:8443".parse().unwrap(),
        local: Some("[2001:db8::1]:40000".parse().unwrap()),
        source_port_pinned: false,
        end: ConnectEnd::Connected,
        connect_us: 1_200,
        hop_limit: None,
        mss_clamp: Some(536),
        icmp_from: None,
        at_connect: Some(TcpInfo { state: 1, rtt_us: 1_200, ..TcpInfo::default() }),
        at_end: None,
        ack_ttl: Some(57),
    };
    let tls = TlsFacts {
        hello: HelloSent { server_name: Some("api.example.test".into()), bytes: 517, writes: 2, sha256: bytes(4) },
        end: TlsEnd::Alert(40),
        end_us: 2_500,
        first_byte_us: Some(2_400),
        bytes_read: 7,
        answer: ServerAnswerFacts { alerts: vec![AlertSeen { level: 2, description: 40, encrypted: false }], ..ServerAnswerFacts::default() },
        handshake: Some(HandshakeFacts { version: Some(0x0304), alpn: Some("h2".into()), ..HandshakeFacts::default() }),
        certificates: vec![Bytes(vec![0x30; 1_200]), Bytes(vec![0x31; 900])],
        transcript: vec![TranscriptEntry { direction: Direction::Received, at_us: 2_400, bytes: Bytes(vec![0x15, 3, 3, 0, 2, 2, 40]) }],
    };
    Facts { tcp: Some(tcp), tls: Some(tls), ..Facts::default() }
}

pub(crate) fn verdict(round: &RoundRecord, headline: &str) -> Verdict {
    let finding = Finding {
        locus: Locus::Path,
        cause: Cause::PathSniFilter,
        tier: Tier::Likely,
        mechanism: Some("tls.reset.sni".into()),
        scope: Scope { vantages: vec!["north".into()], share: 0.5, ..Scope::default() },
        location: None,
        evidence: vec![Evidence { rule: "control-name".into(), text: "2 of 2".into(), attempts: vec![AttemptId::new()] }],
        counter: Some(Counter { cause: Cause::ServerSniRejected, next: "M2".into() }),
        remedy: Remedy::default(),
    };
    let cell = MatrixCell {
        vantage: "north".into(),
        address: "192.0.2.7:8443".into(),
        profile: "modern".into(),
        outcome: Outcome::TlsReset,
        attempts: 2,
        failures: 2,
        handshake_ms: None,
        negotiated: None,
        client_refuses: None,
    };
    Verdict {
        api_version: Verdict::API_VERSION.into(),
        kind: Verdict::KIND.into(),
        target: "api.example.test:8443".into(),
        check: round.check.name.as_ref().map(ToString::to_string),
        round: round.id,
        revision: 0,
        rules: "1".into(),
        started_at: round.started_at,
        closed_at: round.deadline,
        headline: headline.to_owned(),
        healthy: false,
        vantages: Participation { eligible: 2, reported: 2, ..Participation::default() },
        findings: vec![finding],
        matrix: vec![cell],
        audit: Vec::new(),
        digest: None,
    }
}
