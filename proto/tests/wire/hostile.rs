//! Bytes and messages that no honest peer sends: refused with the field's name, never a panic.

use std::iter::repeat_n;

use parallax_model::{
    assignment::{Assignment, Experiment, Task},
    attempt::Attempt,
    bytes::Bytes,
    check::Check,
    facts::{Direction, DnsAnswer, DnsFacts, DnsRecord, DnsTransport, LookupEnd, ResolverKind, TlsEnd, TranscriptEntry, WalkPayload, WalkStep},
    facts::{Facts, HttpEnd, HttpFacts, StepEnd, WalkFacts},
    profile::{Definition, Profile},
    vantage::Responder,
};
use parallax_proto::{
    convert::{ConvertError, ListedVantage, MAX_ENTRIES, MAX_TEXT_BYTES, Reason},
    join::JoinString,
    v1, wire,
};
use proptest::prelude::*;

use crate::{typical::typical_attempt, words};

/// Decodes and converts as a receiver does; only a panic is a failure.
fn receive<M: prost::Message + Default, W: TryFrom<M, Error = ConvertError>>(bytes: &[u8]) -> Result<W, ConvertError> {
    W::try_from(wire::decode::<M>(bytes)?)
}

fn receive_each(bytes: &[u8]) {
    let _ = receive::<v1::Attempt, Attempt>(bytes);
    let _ = receive::<v1::Facts, Facts>(bytes);
    let _ = receive::<v1::Check, Check>(bytes);
    let _ = receive::<v1::Assignment, Assignment>(bytes);
    let _ = receive::<v1::Task, Task>(bytes);
    let _ = receive::<v1::Responder, Responder>(bytes);
    let _ = receive::<v1::VantageEntry, ListedVantage>(bytes);
    let _ = wire::decode::<v1::SessionRequest>(bytes);
    let _ = wire::decode::<v1::SessionResponse>(bytes);
    let _ = wire::decode::<v1::AssignmentSet>(bytes);
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        receive_each(&bytes);
    }

    #[test]
    fn damaged_attempts_are_survived(word in words::attempt(), damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = wire::encode(&v1::Attempt::from(&word));
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        receive_each(&bytes);
    }

    #[test]
    fn damaged_assignments_are_survived(word in words::assignment(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let mut bytes = wire::encode(&v1::Assignment::from(&word));
        let at = at.index(bytes.len());
        bytes[at] = byte;
        receive_each(&bytes);
        receive_each(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn arbitrary_join_strings_are_survived(text in "(plx[0-9]{0,3}\\.)?[\\PC]{0,80}") {
        prop_assert!(text.parse::<JoinString>().is_err());
    }

    #[test]
    fn a_mangled_profile_is_read_or_refused(client in 0..Profile::clients().len(), at in any::<prop::sample::Index>(), cut in 0..20_usize, junk in "\\PC{0,12}") {
        let mut text: Vec<char> = Profile::clients()[client].text().chars().collect();
        let start = at.index(text.len());
        let end = (start + cut).min(text.len());
        text.splice(start..end, junk.chars());
        let text: String = text.into_iter().collect();
        match text.parse::<Definition>() {
            Ok(definition) => prop_assert!(!definition.profile().client.as_ref().unwrap().sample(Some("a.example")).encode().is_empty()),
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }
}

fn refused(change: impl Fn(&mut v1::Attempt)) -> ConvertError {
    let mut message = v1::Attempt::from(&typical_attempt());
    change(&mut message);
    Attempt::try_from(message).unwrap_err()
}

fn facts(message: &mut v1::Attempt) -> &mut v1::Facts {
    message.facts.as_mut().unwrap()
}

fn tls(message: &mut v1::Attempt) -> &mut v1::TlsFacts {
    facts(message).tls.as_mut().unwrap()
}

#[test]
fn an_unknown_value_from_a_newer_peer_names_its_field() {
    let newer = |field: &str, change: fn(&mut v1::Attempt)| {
        let error = refused(change);
        assert_eq!(error, ConvertError { field: field.into(), reason: Reason::Unknown(99) });
        assert!(error.to_string().contains("newer"), "{error}");
    };
    newer("facts.tls.end", |message| tls(message).end = 99);
    newer("facts.tls.transcript[1].direction", |message| tls(message).transcript[1].direction = 99);
    newer("facts.tcp.end", |message| facts(message).tcp.as_mut().unwrap().end = 99);
    newer("facts.http.end", |message| facts(message).http.as_mut().unwrap().end = 99);
    newer("facts.tls.local_refusal", |message| {
        tls(message).end = v1::TlsEnd::LocalRefusal.into();
        tls(message).local_refusal = 99;
    });
    newer("facts.not_completed.reason", |message| facts(message).not_completed = Some(v1::NotCompleted { reason: 99, ..Default::default() }));
    newer("facts.dns.resolver", |message| facts(message).dns = Some(v1::DnsFacts { resolver: 99, ..Default::default() }));
    newer("facts.reply_ttl.reply", |message| facts(message).reply_ttl = Some(v1::ReplyTtlFacts { reply: 99, ..Default::default() }));
    newer("facts.walk.payload", |message| facts(message).walk = Some(v1::WalkFacts { payload: 99, ..Default::default() }));
    let spread = v1::Check { spread: 99, ..(&crate::typical::typical_check()).into() };
    assert_eq!(Check::try_from(spread), Err(ConvertError { field: "spread".into(), reason: Reason::Unknown(99) }));
    assert_eq!(refused(|message| message.experiment = "teleport".into()).to_string(), "experiment: no experiment is called \"teleport\"");
}

#[test]
fn what_is_missing_or_out_of_range_names_its_field() {
    for (field, change) in [
        ("id", (|message| message.id.clear()) as fn(&mut v1::Attempt)),
        ("round_id", |message| message.round_id.push(0)),
        ("vantage", |message| message.vantage.clear()),
        ("facts", |message| message.facts = None),
        ("facts.tls.end", |message| tls(message).end = 0),
        ("facts.tls.hello", |message| tls(message).hello = None),
        ("facts.tls.answer.version", |message| tls(message).answer.as_mut().unwrap().version = Some(65_536)),
        ("facts.tls.answer.extensions[0]", |message| tls(message).answer.as_mut().unwrap().extensions = vec![65_536]),
        ("facts.tcp.remote.ip", |message| facts(message).tcp.as_mut().unwrap().remote.as_mut().unwrap().ip.push(0)),
        ("facts.tcp.hop_limit", |message| facts(message).tcp.as_mut().unwrap().hop_limit = Some(256)),
        ("address.port", |message| message.address.as_mut().unwrap().port = 65_536),
    ] {
        assert_eq!(refused(change).field, field);
    }
}

#[test]
fn a_check_is_refused_by_the_field_in_words() {
    let refused = |change: fn(&mut v1::Check)| {
        let mut message = v1::Check::from(&crate::typical::typical_check());
        change(&mut message);
        Check::try_from(message).unwrap_err().to_string()
    };
    assert!(refused(|check| check.target = "a b".into()).starts_with("target: "));
    assert!(refused(|check| check.from = "(((".into()).starts_with("from: "));
    assert!(refused(|check| check.cadence = Some(v1::Cadence { kind: Some(v1::cadence::Kind::EveryMs(10)) })).starts_with("cadence.every_ms: "));
    assert!(refused(|check| check.cadence = Some(v1::Cadence { kind: Some(v1::cadence::Kind::Cron("often".into())) })).starts_with("cadence.cron: "));
    assert!(refused(|check| check.profiles = vec!["modern".into(), "no-such".into()]).contains("no-such"));
    assert!(refused(|check| check.limits.as_mut().unwrap().read_bytes = u64::MAX).contains("4 MiB"));
    assert!(refused(|check| check.trust = vec![vec![0; 1 << 20]]).starts_with("trust[0]: "));
    assert!(refused(|check| check.expected_keys = vec![vec![0; 31]]).contains("32 bytes"));
    assert!(refused(|check| check.diverse = vec![String::new(); MAX_ENTRIES + 1]).starts_with("diverse: "));
}

#[test]
fn tasks_beyond_the_bounds_are_refused() {
    let task = |repeat| v1::Task { profile: "modern".into(), experiment: "baseline".into(), address: String::new(), repeat, sources: vec![] };
    for repeat in [0, 17, u32::MAX] {
        assert_eq!(Task::try_from(task(repeat)).unwrap_err().field, "repeat");
    }
    let assignment = v1::Assignment { round_id: vec![0; 16], check: Some((&crate::typical::typical_check()).into()), ..Default::default() };
    let with = |tasks| Assignment::try_from(v1::Assignment { tasks, ..assignment.clone() });
    assert_eq!(with(vec![task(1), task(17)]).unwrap_err().field, "tasks[1].repeat");
    assert_eq!(with(vec![task(1); 100_000]).unwrap_err().field, "tasks");
    assert!(with(vec![task(16); 1_000]).is_ok());
}

#[test]
fn the_receiver_refuses_more_than_the_bounds() {
    assert_eq!(refused(|message| tls(message).certificates = vec![Vec::new(); MAX_ENTRIES + 1]).field, "facts.tls.certificates");
    assert_eq!(refused(|message| tls(message).transcript = vec![v1::TranscriptEntry::default(); MAX_ENTRIES + 1]).field, "facts.tls.transcript");
    assert_eq!(refused(|message| tls(message).answer.as_mut().unwrap().not_tls = Some(vec![0; 65])).field, "facts.tls.answer.not_tls");
    assert_eq!(refused(|message| tls(message).hello.as_mut().unwrap().sha256 = vec![0; 33]).field, "facts.tls.hello.sha256");
    assert_eq!(refused(|message| facts(message).http.as_mut().unwrap().server = Some("x".repeat(MAX_TEXT_BYTES + 1))).field, "facts.http.server");
}

#[test]
fn a_profile_that_does_not_read_is_refused_with_its_line() {
    let typical = v1::Check::from(&crate::typical::typical_check());
    let with = |definitions: Vec<String>| Check::try_from(v1::Check { profile_definitions: definitions, ..typical.clone() }).map_err(|error| error.to_string());
    let fine = "name = \"kiosk\"\nsummary = \"s\"\n[hello]\ncipher-suites = [\"0x1301\"]\n".to_owned();
    assert!(with(vec![fine.clone()]).is_ok());
    let refused = with(vec![fine.clone(), fine.replace("0x1301", "TLS_X")]).unwrap_err();
    assert!(refused.contains("profile_definitions[1]") && refused.contains("line 4"), "{refused}");
    let refused = with(vec![fine.clone(); 2]).unwrap_err();
    assert!(refused.contains("kiosk"), "{refused}");
    assert!(with(vec![fine.clone() + &" ".repeat(20_000)]).is_err());
    assert!(with(vec![fine; 65]).unwrap_err().contains("profile_definitions"));
}

/// A server may send as much as it likes; an attempt that saw it must not be refused, or it would stand in the spool's way for ever.
#[test]
fn the_sender_keeps_the_bounds_whatever_a_server_sent() {
    let mut attempt = typical_attempt();
    let long = "ä".repeat(MAX_TEXT_BYTES);
    let record = DnsRecord { name: long.clone(), record_type: 1, ttl_seconds: 1, data: long.clone() };
    let answer = DnsAnswer {
        record_type: 1,
        server: None,
        transport: DnsTransport::Udp,
        end: LookupEnd::Response(0),
        records: vec![record; 300],
        elapsed_us: 1,
        second_answer: false,
        second_records: vec![],
    };
    attempt.experiment = Experiment::HelloWalk;
    attempt.facts.dns = Some(DnsFacts {
        answers: vec![answer],
        addresses: vec![[192, 0, 2, 1].into(); 300],
        certificates: vec![Bytes(vec![0; 5]); 300],
        ..DnsFacts::empty(long.clone(), ResolverKind::System)
    });
    let seen = attempt.facts.tls.as_mut().unwrap();
    seen.end = TlsEnd::OverCap;
    seen.certificates = vec![Bytes(vec![0; 5]); 10_000];
    seen.transcript = repeat_n(TranscriptEntry { direction: Direction::Received, at_us: 1, bytes: Bytes(vec![1]) }, 4_096).collect();
    seen.answer.not_tls = Some(Bytes(vec![7; 4_096]));
    seen.answer.extensions = vec![1; 30_000];
    seen.answer.alpn = Some(long.clone());
    seen.handshake.as_mut().unwrap().echo_sha256 = Some(Bytes(vec![1; 500]));
    attempt.facts.http = Some(HttpFacts { server: Some(long.clone()), ..HttpFacts::ended(HttpEnd::Answered) });
    let steps = vec![WalkStep { hop_limit: 1, end: StepEnd::Silent, elapsed_us: 0 }; 300];
    attempt.facts.walk = Some(WalkFacts { payload: WalkPayload::Hello(Some(long)), source_port: 0, steps });

    let message = v1::Attempt::from(&attempt);
    assert!(wire::encoded_bytes(&message) < wire::MAX_MESSAGE_BYTES - wire::BATCH_BYTES);
    let kept = receive::<v1::Attempt, Attempt>(&wire::encode(&message)).unwrap();
    let (sent, kept) = (attempt.facts.tls.unwrap(), kept.facts.tls.unwrap());
    assert_eq!(kept.certificates, sent.certificates[..MAX_ENTRIES]);
    assert_eq!(kept.transcript, sent.transcript[..MAX_ENTRIES]);
    assert_eq!(kept.answer.not_tls.unwrap().0.len(), 64);
    assert!(kept.answer.alpn.unwrap().len() <= MAX_TEXT_BYTES);
}
