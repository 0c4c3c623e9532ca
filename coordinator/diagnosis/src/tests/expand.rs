//! Expands a case into a round as the coordinator would hand it over.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    check::Check,
    clock::Timestamp,
    facts::{
        AlertSeen, AuditAnswer, BodyFacts, CertificateAsk, CertificateFacts, ConnectEnd, Direction, DnsAnswer, DnsFacts, DnsRecord, DnsTransport, Facts,
        HandshakeFacts, HelloSent, HttpEnd, HttpFacts, LocalRefusal, LookupEnd, NotCompleted, QuicEnd, QuicFacts, Reply, ReplyTtlFacts, ResolverKind,
        ServerAnswerFacts, Sibling, StartTlsFacts, StepEnd, TcpFacts, TcpInfo, TlsEnd, TlsFacts, TranscriptEntry, TtlRange, UpgradeEnd, WalkFacts, WalkPayload,
        WalkStep,
    },
    id::{AttemptId, RoundId},
    outcome::Outcome,
    resolver::{NamedResolver, Resolver},
    target::Scheme,
    vantage::{Group, Labels, Responder, is_inside},
};

use super::{
    case::{Case, Resolve, See},
    pki::{CONTROL, NAME, PKI},
};
use crate::{RoundView, VantageView};

pub(super) const NOW: &str = "2026-11-23T08:00:20Z";
const START: &str = "2026-11-23T08:00:00Z";
pub(super) const RESPONDER: &str = "203.0.113.1:443";
/// What every vantage's configuration names.
const RESOLVER: &str = "198.51.100.53:53";

/// Builds the round.
pub(super) fn round(case: &Case) -> RoundView {
    let start: Timestamp = START.parse().unwrap();
    let mut check = Check::once(case.target.parse().unwrap(), start);
    if !case.profiles.is_empty() {
        check = check.with_profiles(&case.profiles).unwrap();
    }
    let beside = case.resolve.iter().filter_map(|lookup| Some(Resolver::Named(lookup.resolver.as_ref()?.parse().unwrap())));
    check.resolvers.extend(std::iter::once(Resolver::System).chain(beside));
    let vantages: Vec<VantageView> = case.vantages.iter().map(|text| vantage(text, case)).collect();
    let responders = if case.responders {
        vec![Responder { addresses: vec![RESPONDER.parse().unwrap()], key_sha256: PKI.responder_key.clone(), vantage: None }]
    } else {
        Vec::new()
    };
    let mut round = RoundView { round: RoundId::new(), check, started_at: start, vantages, attempts: Vec::new(), responders };
    for lookup in &case.resolve {
        for from in lookup.from.split_whitespace() {
            let facts = lookup_facts(lookup);
            push(&mut round, from, "modern", Experiment::Resolve, None, 0.0, facts);
        }
    }
    for see in case.see.iter().chain(&case.tries) {
        expand(&mut round, see);
    }
    if case.responders {
        reach_responders(&mut round, case);
    }
    super::witnessed::add(&mut round, case);
    round
}

fn vantage(text: &str, case: &Case) -> VantageView {
    let (name, group) = text.split_once(':').expect("name:group");
    let mut labels = Labels::from([("site".to_owned(), group.to_owned())]);
    if group == "inside" {
        labels.insert("role".to_owned(), "inside".to_owned());
    }
    for (key, value) in of(&case.labels, name).filter_map(|label| label.split_once('=')) {
        labels.insert(key.to_owned(), value.to_owned());
    }
    let offset = case.clocks.iter().filter_map(|clock| clock.split_once('=')).find(|(whose, _)| *whose == name).map(|(_, offset)| offset.parse().unwrap());
    VantageView {
        name: name.parse().unwrap(),
        group: Group::of(&labels, None),
        labels,
        build: of(&case.builds, name).next().unwrap_or("0.1.0").to_owned(),
        clock_offset_ms: offset.or(Some(3)),
        egress: Some("198.51.100.7".parse().unwrap()),
        reported: true,
        witness: case.witness.iter().any(|record| record.by == name),
    }
}

/// Returns what rows of `name what` say of one vantage.
fn of<'c>(rows: &'c [String], name: &str) -> impl Iterator<Item = &'c str> {
    rows.iter().filter_map(|text| text.split_once(' ')).filter(move |(whose, _)| *whose == name).map(|(_, what)| what)
}

fn reach_responders(round: &mut RoundView, case: &Case) {
    let said: Vec<&str> = case.tries.iter().filter(|see| see.experiment == "responder").flat_map(|see| see.from.split_whitespace()).collect();
    let names: Vec<String> = round.vantages.iter().map(|view| view.name.to_string()).collect();
    for name in names.iter().filter(|name| !said.contains(&name.as_str())) {
        let see: See = toml::from_str(&format!(
            "from = \"{name}\"\nat = \"203.0.113.1\"\nport = 443\nexperiment = \"responder\"\nchain = \"responder\"\noutcome = \"ok\""
        ))
        .unwrap();
        expand(round, &see);
    }
}

fn expand(round: &mut RoundView, see: &See) {
    let experiment: Experiment = if see.experiment.is_empty() { Experiment::Baseline } else { see.experiment.parse().unwrap() };
    let named: Vec<String> = round.check.profiles.iter().map(ToString::to_string).collect();
    let default = if experiment == Experiment::Baseline { named.join(" ") } else { named[0].clone() };
    let profiles = if see.profile.is_empty() { default } else { see.profile.clone() };
    let outcomes = outcomes(&see.outcome);
    for from in see.from.split_whitespace() {
        for at in see.at.split_whitespace() {
            let address: IpAddr = at.parse().unwrap_or_else(|_| panic!("{at} is no address"));
            let address = SocketAddr::new(address, see.port.unwrap_or(round.check.target.port));
            for profile in profiles.split_whitespace() {
                for (turn, outcome) in outcomes.iter().enumerate() {
                    let seat = round.vantages.iter().position(|view| view.name.as_str() == from).unwrap_or_else(|| panic!("no vantage {from}"));
                    let source = SourcePort { port: see.source_ports.get(turn % see.source_ports.len().max(1)).copied(), turn };
                    let facts = facts(round, see, seat, address, profile, experiment, outcome, source);
                    push(round, from, profile, experiment, Some(address), see.second + turn as f64 * 0.3, facts);
                }
            }
        }
    }
}

pub(super) fn push(round: &mut RoundView, from: &str, profile: &str, experiment: Experiment, address: Option<SocketAddr>, second: f64, facts: Facts) {
    let sequence = u32::try_from(round.attempts.len()).unwrap();
    round.attempts.push(Attempt {
        id: AttemptId::new(),
        round: round.round,
        check: round.check.id,
        vantage: from.parse().unwrap(),
        profile: profile.parse().unwrap(),
        experiment,
        address,
        sequence,
        started_at: round.started_at + Duration::from_secs_f64(second),
        elapsed_us: 20_000,
        clock_offset_us: None,
        facts,
    });
}

fn outcomes(text: &str) -> Vec<String> {
    let repeated = |word: &str| word.split_once('*').map_or_else(|| (word.to_owned(), 1), |(what, times)| (what.to_owned(), times.parse().unwrap()));
    text.split_whitespace().map(repeated).flat_map(|(what, times): (String, usize)| std::iter::repeat_n(what, times)).collect()
}

#[derive(Clone, Copy)]
pub(super) struct SourcePort {
    pub(super) port: Option<u16>,
    pub(super) turn: usize,
}

#[expect(clippy::too_many_arguments, reason = "everything that one attempt depends on")]
pub(super) fn facts(
    round: &RoundView,
    see: &See,
    seat: usize,
    address: SocketAddr,
    profile: &str,
    experiment: Experiment,
    outcome: &str,
    source: SourcePort,
) -> Facts {
    let mut facts = Facts::default();
    if outcome == "denied" {
        facts.not_completed = Some(NotCompleted::PolicyDenied(address));
        return facts;
    }
    if let Some(audit) = &see.audit {
        let mut audit = audit.clone();
        for shown in see.key_types.split_whitespace() {
            let (key_type, chain) = shown.split_once('=').unwrap();
            let ask = if key_type == "rsa" { CertificateAsk::Rsa } else { CertificateAsk::Ecdsa };
            let chain_at = u32::try_from(audit.chains.len()).unwrap();
            audit.chains.push(PKI.chain(chain));
            audit.certificates.push(CertificateFacts {
                ask,
                server_name: None,
                answer: AuditAnswer::Hello,
                version: None,
                cipher_suite: None,
                chain: Some(chain_at),
                staple: None,
                timestamps: None,
            });
        }
        facts.audit = Some(Box::new(audit));
        return facts;
    }
    if !see.walk.is_empty() {
        facts.walk = Some(walk(see, experiment));
        return facts;
    }
    let (what, refusal) = outcome.split_once('/').unwrap_or((outcome, ""));
    let outcome: Outcome = what.parse().unwrap_or_else(|error| panic!("{error}"));
    let hops = if is_inside(&round.vantages[seat].labels) { 0 } else { 4 };
    let mut tcp = connected(address, source, see.ack_ttl.unwrap_or(64 - hops));
    tcp.icmp_from = see.icmp_from.as_ref().map(|router| router.parse().unwrap());
    let connect_end = match outcome {
        Outcome::TcpRefused => ConnectEnd::Refused,
        Outcome::TcpTimeout => ConnectEnd::TimedOut,
        Outcome::TcpReset => ConnectEnd::Reset,
        Outcome::TcpUnreachable => ConnectEnd::Unreachable(see.errno.unwrap_or(113)),
        _ => ConnectEnd::Connected,
    };
    if round.check.target.scheme == Scheme::Quic {
        facts.quic = Some(quic(outcome, see, address));
        tcp.end = if see.tcp_too { ConnectEnd::TimedOut } else { ConnectEnd::Connected };
        facts.tcp = Some(tcp).filter(|_| outcome != Outcome::Ok);
    } else if let Some(end) = upgrade_end(outcome) {
        facts.starttls = Some(starttls(end, see));
        facts.tcp = Some(tcp);
    } else if connect_end != ConnectEnd::Connected {
        (tcp.end, tcp.at_connect, tcp.at_end, tcp.ack_ttl) = (connect_end, None, None, None);
        facts.tcp = Some(tcp);
    } else {
        let hello_bytes = match experiment {
            Experiment::NonTls | Experiment::LargeNonTls => 0,
            _ => see.hello_bytes.unwrap_or(if profile == "modern-pq" { 1_752 } else { 517 }),
        };
        tls_facts(&mut facts, &mut tcp, see, outcome, refusal, hello_bytes);
        let tls = facts.tls.as_mut().unwrap();
        tls.hello.server_name = match experiment {
            Experiment::ControlName | Experiment::ControlAfter => Some(CONTROL.to_owned()),
            Experiment::NoName => None,
            _ => Some(NAME.to_owned()),
        };
        facts.tcp = Some(tcp);
        let asks_http =
            round.check.target.scheme == Scheme::Https && matches!(outcome, Outcome::Ok | Outcome::Http(_) | Outcome::HttpTimeout | Outcome::HttpClosed);
        if asks_http && !matches!(experiment, Experiment::Responder | Experiment::LegacyHello | Experiment::WideHello) {
            let date = see.dated.map(|late| Timestamp::from_micros(round.started_at.as_micros() + late * 1_000_000));
            let strict_transport_security = Some(see.stays.clone().unwrap_or_else(|| "max-age=63072000".to_owned()));
            facts.http = Some(HttpFacts { body: body(&see.body), date, strict_transport_security, ..http(outcome, see.server.clone()) });
        }
    }
    if !see.ttl.is_empty() {
        facts.reply_ttl = Some(reply_ttl(&see.ttl, address.ip()));
    }
    facts
}

fn quic(outcome: Outcome, see: &See, address: SocketAddr) -> QuicFacts {
    let end = match outcome {
        Outcome::Ok => QuicEnd::Established,
        Outcome::QuicTimeout => QuicEnd::TimedOut,
        Outcome::QuicRefused => QuicEnd::Refused,
        Outcome::QuicVersion => QuicEnd::VersionRefused,
        Outcome::TlsAlert(number) => QuicEnd::Closed(0x100 + u64::from(number)),
        other => panic!("the notation has no {other} over QUIC"),
    };
    let established = end == QuicEnd::Established;
    let handshake = HandshakeFacts { version: Some(0x0304), signature_verified: Some(true), elapsed_us: 20_000, ..HandshakeFacts::default() };
    QuicFacts {
        remote: address,
        local: None,
        end,
        server_name: Some(NAME.to_owned()),
        version: 1,
        versions: Vec::new(),
        negotiation_us: None,
        retry: false,
        datagrams_sent: 3,
        datagrams_received: u32::from(established) * 4,
        bytes_read: 0,
        first_datagram_us: None,
        elapsed_us: 20_000,
        reason: None,
        icmp_from: None,
        handshake: Some(handshake).filter(|_| established),
        certificates: if established { PKI.chain(&see.chain) } else { Vec::new() },
    }
}

fn upgrade_end(outcome: Outcome) -> Option<UpgradeEnd> {
    Some(match outcome {
        Outcome::StartTlsNotOffered => UpgradeEnd::NotOffered,
        Outcome::StartTlsRefused => UpgradeEnd::Refused,
        Outcome::StartTlsClosed => UpgradeEnd::Closed,
        Outcome::StartTlsReset => UpgradeEnd::Reset,
        Outcome::StartTlsTimeout => UpgradeEnd::TimedOut,
        Outcome::StartTlsNotProtocol => UpgradeEnd::NotProtocol,
        _ => return None,
    })
}

fn starttls(end: UpgradeEnd, see: &See) -> StartTlsFacts {
    let words = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let greeting = if end == UpgradeEnd::NotProtocol { "SSH-2.0-OpenSSH_9.2" } else { "220 mail.corp.test ESMTP" };
    StartTlsFacts {
        end,
        greeting: words(greeting),
        capabilities: see.capabilities.split_whitespace().map(str::to_owned).collect(),
        offered: Some(see.capabilities.split_whitespace().any(|line| line == "STARTTLS")),
        reply: words(&see.reply),
        first_byte_us: Some(9_000),
        elapsed_us: 30_000,
        bytes_read: 120,
        surplus_bytes: 0,
    }
}

fn connected(address: SocketAddr, source: SourcePort, ttl: u8) -> TcpFacts {
    let info = TcpInfo { state: 1, bytes_acked: 518, bytes_received: 3_597, segments_in: 5, min_rtt_us: 9_000, ..TcpInfo::default() };
    let port = source.port.unwrap_or_else(|| 40_000 + u16::try_from(source.turn).unwrap());
    TcpFacts {
        remote: address,
        local: Some(SocketAddr::new("198.51.100.7".parse().unwrap(), port)),
        source_port_pinned: source.port.is_some(),
        end: ConnectEnd::Connected,
        connect_us: 10_000,
        hop_limit: None,
        mss_clamp: None,
        icmp_from: None,
        at_connect: Some(info),
        at_end: Some(info),
        ack_ttl: Some(ttl),
    }
}

fn tls_facts(facts: &mut Facts, tcp: &mut TcpFacts, see: &See, outcome: Outcome, refusal: &str, hello_bytes: u32) {
    let mut answer = picked(&see.picked);
    let mut handshake = None;
    let mut certificates = Vec::new();
    let mut bytes_read = 0;
    let end = match outcome {
        Outcome::Ok | Outcome::Http(_) | Outcome::HttpTimeout | Outcome::HttpClosed => {
            bytes_read = see.answer_bytes.unwrap_or(3_597);
            if matches!(see.experiment.as_str(), "legacy-hello" | "wide-hello") {
                TlsEnd::Answered
            } else {
                handshake = Some(HandshakeFacts {
                    version: Some(0x0304),
                    signature_verified: Some(true),
                    elapsed_us: 20_000,
                    alpn: Some(see.alpn.clone()).filter(|protocol| !protocol.is_empty()),
                    ..HandshakeFacts::default()
                });
                certificates = PKI.chain(&see.chain);
                TlsEnd::Established
            }
        }
        Outcome::TlsReset => TlsEnd::Reset,
        Outcome::TlsClosed => TlsEnd::Closed,
        Outcome::TlsTimeout => TlsEnd::TimedOut,
        Outcome::TlsAlert(number) => {
            answer.alerts.push(AlertSeen { level: 2, description: number, encrypted: see.encrypted });
            bytes_read = 7;
            TlsEnd::Alert(number)
        }
        Outcome::TlsNotTls => {
            answer.not_tls = Some(Bytes(b"HTTP/1.1 400 Bad Request\r\n".to_vec()));
            bytes_read = 26;
            TlsEnd::NotTls
        }
        Outcome::TlsUnsupported => TlsEnd::LocalRefusal(match refusal {
            "version" => LocalRefusal::Version,
            "suite" => LocalRefusal::CipherSuite,
            "group" => LocalRefusal::Group,
            "alpn" => LocalRefusal::ApplicationProtocol,
            _ => LocalRefusal::Other,
        }),
        other => panic!("the notation has no {other}"),
    };
    if outcome == Outcome::TlsTimeout {
        let info = tcp.at_end.as_mut().unwrap();
        let sent = if hello_bytes == 0 { 1_440 } else { u64::from(hello_bytes) };
        *info = TcpInfo { state: 1, bytes_acked: sent + 1, segments_in: 2, min_rtt_us: 9_000, ..TcpInfo::default() };
        match see.silence.as_str() {
            "unacked" => (info.unacked, info.bytes_acked, info.total_retransmissions) = (1, 1, 4),
            "gap" => info.out_of_order_in = 1,
            "partial" => {
                bytes_read = see.answer_bytes.unwrap_or(1_200);
                (info.bytes_received, info.data_segments_in) = (bytes_read, bytes_read.div_ceil(1_448) as u32);
            }
            "acked" => {}
            other => panic!("say how the silence looks, not {other:?}"),
        }
    }
    if let (Some(each), Some(info)) = (see.segment_bytes, tcp.at_end.as_mut()) {
        info.data_segments_in = info.bytes_received.div_ceil(each) as u32;
    }
    if let (true, Some(info)) = (see.overtaken, tcp.at_end.as_mut()) {
        info.out_of_order_in = 1;
    }
    let end_us = see.took_ms.map_or(if outcome == Outcome::TlsTimeout { 5_000_000 } else { 20_000 }, |ms| ms * 1_000);
    let hello = HelloSent { server_name: None, bytes: hello_bytes, writes: 1, sha256: Bytes(vec![1; 32]) };
    let first_byte_us = see.first_byte_ms.map(|first| first * 1_000);
    if let (Some(acknowledged_us), Some(info)) = (see.acknowledged_us, tcp.at_end.as_mut()) {
        info.rtt_us = acknowledged_us;
    }
    if let Some(ms) = see.connected_ms {
        tcp.connect_us = u64::from(ms) * 1_000;
        tcp.at_connect = tcp.at_connect.map(|info| TcpInfo { min_rtt_us: ms * 1_000, ..info });
    }
    let heard = |until_ms: u64| TranscriptEntry { direction: Direction::Received, at_us: until_ms * 1_000, bytes: Bytes(vec![0; bytes_read as usize]) };
    let transcript = see.heard_until_ms.map(heard).into_iter().collect();
    facts.tls = Some(TlsFacts { hello, end, end_us, first_byte_us, bytes_read, answer, handshake, certificates, transcript });
}

fn picked(text: &str) -> ServerAnswerFacts {
    let mut answer = ServerAnswerFacts::default();
    for word in text.split_whitespace() {
        let number = |text: &str| u16::from_str_radix(text.trim_start_matches("0x"), 16).ok();
        match word.split_once('=').unwrap_or((word, "")) {
            ("version", value) => answer.version = number(value),
            ("suite", value) => answer.cipher_suite = number(value),
            ("group", value) => answer.group = number(value),
            ("dh", value) => answer.dh_bits = value.parse().ok(),
            ("request", _) => answer.certificate_requested = true,
            ("retries", value) => answer.hello_retry_requests = value.parse().unwrap(),
            other => panic!("what is {other:?}?"),
        }
    }
    answer
}

fn body(text: &str) -> Option<BodyFacts> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [end, bytes, last, elapsed] = words[..] else {
        assert!(text.is_empty(), "what is {text:?}?");
        return None;
    };
    let micros = |seconds: &str| (seconds.parse::<f64>().unwrap() * 1e6) as u64;
    let end = serde_json::from_value(end.into()).unwrap();
    let bytes = bytes.parse().unwrap();
    Some(BodyFacts { end, bytes, promised: None, first_byte_us: Some(9_000), last_byte_us: Some(micros(last)), elapsed_us: micros(elapsed) })
}

fn http(outcome: Outcome, server: Option<String>) -> HttpFacts {
    let (end, status) = match outcome {
        Outcome::Http(status) => (HttpEnd::Answered, Some(status)),
        Outcome::HttpTimeout => (HttpEnd::TimedOut, None),
        Outcome::HttpClosed => (HttpEnd::Closed, None),
        _ => (HttpEnd::Answered, Some(200)),
    };
    HttpFacts { status, server, bytes_read: 120, elapsed_us: 9_000, ..HttpFacts::ended(end) }
}

fn reply_ttl(text: &str, own: IpAddr) -> ReplyTtlFacts {
    let mut facts = ReplyTtlFacts { syn_ack: None, reply: None, reply_ttl: None, passed_when_filtered: None, siblings: Vec::new(), connections: 9 };
    for word in text.split_whitespace() {
        if word == "filtered" {
            facts.passed_when_filtered = Some(true);
            continue;
        }
        let (what, ttl) = word.split_once('=').expect("what=TTL");
        let range = match ttl.split_once("..") {
            Some((least, most)) => TtlRange { least: least.parse().unwrap(), most: most.parse().unwrap() },
            None => TtlRange::exactly(ttl.parse().unwrap()),
        };
        match what.split(':').collect::<Vec<_>>().as_slice() {
            ["syn-ack"] => facts.syn_ack = Some(range),
            ["sibling", port, reply] => facts.siblings.push(Sibling { address: own, port: port.parse().unwrap(), reply: reply_named(reply), ttl: range }),
            [reply] => (facts.reply, facts.reply_ttl) = (Some(reply_named(reply)), Some(range)),
            other => panic!("what is {other:?}?"),
        }
    }
    facts
}

fn reply_named(name: &str) -> Reply {
    match name {
        "syn-ack" => Reply::SynAck,
        "refusal" => Reply::Refusal,
        "reset" => Reply::Reset,
        "close" => Reply::Close,
        "alert" => Reply::Alert,
        "data" => Reply::Data,
        other => panic!("no reply is called {other}"),
    }
}

fn walk(see: &See, experiment: Experiment) -> WalkFacts {
    let payload = match experiment {
        Experiment::SynWalk => WalkPayload::Syn,
        Experiment::ControlWalk => WalkPayload::Hello(Some(CONTROL.to_owned())),
        _ => WalkPayload::Hello(Some(NAME.to_owned())),
    };
    let steps = outcomes(&see.walk).into_iter().zip(1..).map(|(step, hop_limit)| {
        let (what, address) = step.split_once(':').unwrap_or((&step, ""));
        let router = address.parse().ok();
        let end = match what {
            "e" => StepEnd::Expired(router),
            "p" => StepEnd::Prohibited(router),
            "a" => StepEnd::Answered,
            "f" => StepEnd::Refused,
            "r" => StepEnd::Reset,
            "c" => StepEnd::Closed,
            "s" => StepEnd::Silent,
            "n" => StepEnd::NotConnected,
            "l" => StepEnd::Alert(address.parse().unwrap()),
            other => panic!("no step is called {other}"),
        };
        WalkStep { hop_limit, end, elapsed_us: 1_000 }
    });
    WalkFacts { payload, source_port: 41_000, steps: steps.collect() }
}

pub(super) fn lookup_facts(lookup: &Resolve) -> Facts {
    let addresses: Vec<IpAddr> = lookup.gives.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let end = match lookup.gives.as_str() {
        "dns.nxdomain" => LookupEnd::Response(3),
        "dns.servfail" => LookupEnd::Response(2),
        "dns.refused" => LookupEnd::Response(5),
        "dns.timeout" => LookupEnd::TimedOut,
        "dns.failed" => LookupEnd::NoResolver,
        _ => LookupEnd::Response(0),
    };
    let record = |address: &str| DnsRecord { name: NAME.to_owned(), record_type: 1, ttl_seconds: 30, data: address.to_owned() };
    let records = |words: &str| words.split_whitespace().filter(|word| word.parse::<IpAddr>().is_ok()).map(record).collect::<Vec<DnsRecord>>();
    let second_records = records(&lookup.then);
    let answer = DnsAnswer {
        record_type: 1,
        server: None,
        transport: DnsTransport::Udp,
        end,
        records: records(&lookup.gives),
        elapsed_us: 2_000,
        second_answer: !lookup.then.is_empty(),
        second_records,
    };
    let name = lookup.name.clone().unwrap_or_else(|| NAME.to_owned());
    let named: Option<NamedResolver> = lookup.resolver.as_ref().map(|text| text.parse().unwrap());
    let mut again = DnsAnswer { transport: DnsTransport::Tcp, end: LookupEnd::Response(0), records: records(&lookup.by_tcp), ..answer.clone() };
    again.second_answer = false;
    let dns = DnsFacts {
        answers: vec![DnsAnswer { server: named.as_ref().map_or_else(|| Some(RESOLVER.parse().unwrap()), NamedResolver::address), ..answer }],
        addresses,
        again_by_tcp: if lookup.by_tcp.is_empty() { Vec::new() } else { vec![again] },
        certificates: lookup.chain.as_ref().map_or_else(Vec::new, |chain| PKI.chain(chain)),
        ..DnsFacts::empty(name, named.map_or(ResolverKind::System, ResolverKind::Named))
    };
    Facts { dns: Some(dns), ..Facts::default() }
}
