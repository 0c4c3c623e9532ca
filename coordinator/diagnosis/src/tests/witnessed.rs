//! Writes what a witness recorded of a case's plain attempts.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    facts::{EndKind, EndWitnessed, Facts, HelloArrived, LogEvent, LogFacts, LogLine, Sender, WitnessFacts, WitnessedFlow},
    id::AttemptId,
};

use super::case::{Case, Witnessed};
use crate::RoundView;

/// Gives every attempt ends and a ClientHello of its own, so that records can be joined to it, and adds the records.
pub(super) fn add(round: &mut RoundView, case: &Case) {
    if case.witness.is_empty() {
        return;
    }
    for (at, attempt) in round.attempts.iter_mut().enumerate() {
        let seat = round.vantages.iter().position(|view| view.name == attempt.vantage).unwrap();
        let number = u16::try_from(at).unwrap();
        if let Some(tcp) = &mut attempt.facts.tcp {
            tcp.local = Some(SocketAddr::new(source(seat), 40_000 + number));
        }
        if let Some(tls) = &mut attempt.facts.tls {
            tls.hello.sha256 = Bytes(number.to_be_bytes().repeat(16));
        }
    }
    for (seat, view) in round.vantages.iter_mut().enumerate().filter(|(_, view)| !case.translated.split_whitespace().any(|name| name == view.name.as_str())) {
        view.egress = Some(source(seat));
    }
    for record in &case.witness {
        let attempt = testify(round, record);
        round.attempts.push(attempt);
    }
}

fn source(seat: usize) -> IpAddr {
    IpAddr::from([198, 18, u8::try_from(seat).unwrap(), 10])
}

fn testify(round: &RoundView, record: &Witnessed) -> Attempt {
    let address = SocketAddr::new(record.at.parse().unwrap(), round.check.target.port);
    let seen = |attempt: &Attempt| {
        let word = record.saw.split_whitespace().filter_map(|pair| pair.split_once('=')).find(|(whose, _)| *whose == attempt.vantage.as_str())?.1;
        flow(attempt, word)
    };
    let plain = round.attempts.iter().filter(|attempt| attempt.experiment == Experiment::Baseline && attempt.address == Some(address));
    let facts = WitnessFacts {
        sources: (0..round.vantages.len()).map(source).collect(),
        since: Some(round.started_at - Duration::from_secs(1)),
        until: Some(round.started_at + Duration::from_secs(15)),
        on_host: true,
        lost_packets: record.lost,
        flows: plain.filter_map(seen).collect(),
        log: log(round, record, address),
    };
    let facts = if record.saw.is_empty() { WitnessFacts { since: None, until: None, on_host: false, ..facts } } else { facts };
    Attempt {
        id: AttemptId::new(),
        round: round.round,
        check: round.check.id,
        vantage: record.by.parse().unwrap(),
        profile: round.check.profiles[0].clone(),
        experiment: Experiment::Witness,
        address: Some(address),
        sequence: 0,
        started_at: round.started_at + Duration::from_secs(15),
        elapsed_us: 0,
        clock_offset_us: None,
        facts: Facts { witness: Some(Box::new(facts)), ..Facts::default() },
    }
}

/// Writes what the server's log has; none when the witness does not read it.
fn log(round: &RoundView, record: &Witnessed, address: SocketAddr) -> Option<Box<LogFacts>> {
    let plain = round.attempts.iter().filter(|attempt| attempt.experiment == Experiment::Baseline && attempt.address == Some(address));
    let line = |attempt: &Attempt| {
        let word = record.log.split_whitespace().filter_map(|pair| pair.split_once('=')).find(|(whose, _)| *whose == attempt.vantage.as_str())?.1;
        let event = match word {
            "proxy" => LogEvent::ProxyHeaderMissing,
            "protocol" => LogEvent::HandshakeFailed(258),
            "denied" => LogEvent::Denied,
            "reset" => LogEvent::PeerReset,
            "served" => LogEvent::Served(200),
            other => panic!("a log does not say {other:?}"),
        };
        let client = attempt.facts.tcp.as_ref()?.local?;
        let client_port = record.log_ports.then_some(client.port());
        Some(LogLine { at: attempt.started_at + Duration::from_millis(30), client: client.ip(), client_port, server_port: Some(443), event })
    };
    let lines: Vec<LogLine> = plain.filter_map(line).collect();
    let (since, until) = (round.started_at - Duration::from_secs(1), round.started_at + Duration::from_secs(60));
    (!record.log.is_empty()).then(|| Box::new(LogFacts { since, until, read: lines.len() as u64, lost: 0, lines }))
}

/// Writes the connection that the word describes; none for `never`.
fn flow(attempt: &Attempt, word: &str) -> Option<WitnessedFlow> {
    let tcp = attempt.facts.tcp.as_ref()?;
    let sent = attempt.facts.tls.as_ref().map(|tls| tls.hello.sha256.clone());
    let end = |by, kind| EndWitnessed { by, kind, at_us: 20_000, ttl: 64 };
    let arrived = |sha256: Bytes| HelloArrived { sha256, bytes: 240, at_us: 10_000 };
    let (connected, hello, server_bytes, ends) = match word {
        "never" => return None,
        "unanswered" => (false, None, 0, vec![]),
        "refused" => (false, None, 0, vec![end(Sender::Server, EndKind::Reset)]),
        "hello-lost" => (true, None, 0, vec![end(Sender::Client, EndKind::Reset)]),
        "changed" => (true, Some(arrived(Bytes(vec![9; 32]))), 3_597, vec![]),
        "mute" => (true, sent.map(arrived), 0, vec![end(Sender::Client, EndKind::Close)]),
        "answer-lost" => (true, sent.map(arrived), 3_597, vec![end(Sender::Client, EndKind::Close)]),
        "reset" => (true, sent.map(arrived), 0, vec![end(Sender::Server, EndKind::Reset)]),
        "alert" => (true, sent.map(arrived), 7, vec![end(Sender::Server, EndKind::Alert(40)), end(Sender::Server, EndKind::Close)]),
        "forged" => (true, sent.map(arrived), 3_597, vec![end(Sender::Client, EndKind::Reset)]),
        "ok" => (true, sent.map(arrived), 3_597, vec![end(Sender::Client, EndKind::Close)]),
        other => panic!("a witness does not see {other:?}"),
    };
    Some(WitnessedFlow {
        client: tcp.local?,
        server: tcp.remote,
        begun_at: attempt.started_at + Duration::from_millis(5),
        syns: 1,
        syn_ttl: 58,
        syn_acks: u32::from(connected),
        client_bytes: hello.as_ref().map_or(0, |hello| u64::from(hello.bytes)),
        hello,
        server_bytes,
        ends,
    })
}
