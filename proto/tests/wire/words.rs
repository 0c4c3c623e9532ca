//! Generators of whole words: every value that an agent, an operator or the coordinator may send.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use parallax_model::{
    assignment::{Assignment, Experiment, Task, Work},
    attempt::Attempt,
    bytes::Bytes,
    cadence::{AuditRounds, Cadence, Spread},
    check::{Check, Limits},
    clock::Timestamp,
    id::{AttemptId, CheckId, RoundId},
    profile::Profile,
    resolver::{NamedResolver, Resolver},
    selector::Selector,
    target::Target,
    vantage::{Responder, Standing, Vantage, VantageState},
};
use parallax_proto::convert::ListedVantage;
use proptest::{collection::vec, option, prelude::*, sample::select};
use uuid::Uuid;

use crate::facts::facts;

pub(crate) fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..=most).prop_map(Bytes)
}

pub(crate) fn digest() -> impl Strategy<Value = Bytes> {
    any::<[u8; 32]>().prop_map(|digest| Bytes(digest.to_vec()))
}

pub(crate) fn socket() -> impl Strategy<Value = SocketAddr> {
    let with_scope = |(ip, port, scope): (IpAddr, u16, u32)| match ip {
        IpAddr::V4(ip) => (ip, port).into(),
        IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)),
    };
    (any::<IpAddr>(), any::<u16>(), prop_oneof![3 => Just(0), 1 => any::<u32>()]).prop_map(with_scope)
}

fn name<N: std::str::FromStr<Err: std::fmt::Debug> + std::fmt::Debug>() -> impl Strategy<Value = N> {
    "[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}".prop_map(|text| text.parse().unwrap())
}

fn instant() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_micros)
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<[u8; 16]>().prop_map(Uuid::from_bytes)
}

fn target() -> impl Strategy<Value = Target> {
    let scheme = select(vec!["", "https://", "tls://", "tcp://", "quic://", "smtp+starttls://", "postgres+starttls://"]);
    let host = prop_oneof!["[a-z][a-z0-9-]{0,9}[a-z]\\.test", any::<IpAddr>().prop_map(|ip| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() })];
    let port = option::of(1..=u16::MAX).prop_map(|port| port.map_or_else(String::new, |port| format!(":{port}")));
    let path = select(vec!["", "/", "/status", "/a?b=c"]);
    let pinned = option::of(any::<IpAddr>()).prop_map(|ip| ip.map_or_else(String::new, |ip| format!("@{ip}")));
    (scheme, host, port, path, pinned).prop_map(|(scheme, host, port, path, pinned)| format!("{scheme}{host}{port}{path}{pinned}").parse().unwrap())
}

fn cadence() -> impl Strategy<Value = Cadence> {
    let cron = select(vec!["*/5 * * * *", "0 3 * * 1"]).prop_map(|text| Cadence::Cron(text.parse().unwrap()));
    prop_oneof![Just(Cadence::Once), (1_000..=u64::MAX).prop_map(|every_ms| Cadence::Every { every_ms }), cron]
}

fn limits() -> impl Strategy<Value = Limits> {
    let ranges = (
        1_000..=600_000_u64,
        100..=60_000_u64,
        2..=16_u32,
        1_024..=4_194_304_u64,
        1..=1_000_u32,
        1..=1_000_u32,
        1..=65_536_u32,
        1..=1_000_u32,
        0..=1_048_576_u32,
    );
    ranges.prop_map(|(round_ms, attempt_ms, attempts, read_bytes, connections, connections_per_second, transcript_bytes, audit_connections, body_bytes)| {
        Limits { round_ms, attempt_ms, attempts, read_bytes, connections, connections_per_second, transcript_bytes, audit_connections, body_bytes }
    })
}

fn selector() -> impl Strategy<Value = Selector> {
    select(vec!["all", "fra-1", "site=north + not country in (de, at)", "a, b or role=inside"]).prop_map(|text| text.parse().unwrap())
}

pub(crate) fn check() -> impl Strategy<Value = Check> {
    let builtin: Vec<_> = Profile::all().into_iter().map(|profile| profile.name).collect();
    let spread = select(vec![Spread::Aligned, Spread::Staggered, Spread::Uniform]);
    let who = (uuid(), option::of(name()), any::<u64>(), target(), vec(select(builtin), 1..8), any::<bool>());
    let whence = (selector(), option::of(1..=u32::MAX), vec("[a-z]{1,8}", 0..3));
    let audit = select(vec![AuditRounds::Never, AuditRounds::Daily, AuditRounds::EveryRound]);
    let when = (cadence(), spread, instant(), limits(), any::<bool>(), audit);
    (who, whence, when, vec(bytes(64), 0..3), vec(digest(), 0..3), vec(resolver(), 0..4)).prop_map(|(who, whence, when, trust, expected_keys, resolvers)| {
        Check {
            id: CheckId(who.0),
            name: who.1,
            revision: who.2,
            target: who.3,
            profiles: who.4,
            profiles_named: who.5,
            definitions: vec!["name = \"kiosk\"\nsummary = \"terminals\"\n[hello]\ncipher-suites = [\"0x1301\"]\n".parse().unwrap()],
            from: whence.0,
            limit: whence.1,
            diverse: whence.2,
            cadence: when.0,
            spread: when.1,
            anchor: when.2,
            limits: when.3,
            trust,
            expected_keys,
            paused: when.4,
            audit: when.5,
            resolvers,
        }
    })
}

fn resolver() -> impl Strategy<Value = Resolver> {
    prop_oneof![Just(Resolver::System), named_resolver().prop_map(Resolver::Named)]
}

pub(crate) fn named_resolver() -> impl Strategy<Value = NamedResolver> {
    let all = ["udp://192.0.2.53", "tcp://[2001:db8::53]:5353", "tls://dns.example@192.0.2.53", "tls://dns.example", "https://dns.example:8443/q@192.0.2.53"];
    select(all.to_vec()).prop_map(|text| text.parse().unwrap())
}

pub(crate) fn task() -> impl Strategy<Value = Task> {
    let parts = (name(), select(Experiment::ALL), option::of(socket()), 1..=16_u32, vec(any::<IpAddr>(), 0..3));
    parts.prop_map(|(profile, experiment, address, repeat, sources)| Task { profile, experiment, address, repeat, sources })
}

pub(crate) fn assignment() -> impl Strategy<Value = Assignment> {
    let work = prop_oneof![Just(Work::Row), vec(task(), 0..5).prop_map(Work::FollowUp)];
    (uuid(), check().boxed(), instant(), instant(), any::<bool>(), work).prop_map(|(round, check, start, deadline, live, work)| Assignment {
        round: RoundId(round),
        check,
        start,
        deadline,
        live,
        work,
    })
}

pub(crate) fn attempt() -> impl Strategy<Value = Attempt> {
    let ids = (uuid(), uuid(), uuid());
    let cell = (name(), name(), select(Experiment::ALL), option::of(socket()), any::<u32>());
    let times = (instant(), any::<u64>(), option::of(any::<i64>()));
    (ids, cell, times, facts().boxed()).prop_map(|(ids, cell, times, facts)| Attempt {
        id: AttemptId(ids.0),
        round: RoundId(ids.1),
        check: CheckId(ids.2),
        vantage: cell.0,
        profile: cell.1,
        experiment: cell.2,
        address: cell.3,
        sequence: cell.4,
        started_at: times.0,
        elapsed_us: times.1,
        clock_offset_us: times.2,
        facts,
    })
}

pub(crate) fn responder() -> impl Strategy<Value = Responder> {
    (vec(socket(), 0..3), digest(), option::of(name())).prop_map(|(addresses, key_sha256, vantage)| Responder { addresses, key_sha256, vantage })
}

pub(crate) fn listed_vantage() -> impl Strategy<Value = ListedVantage> {
    let state = select(vec![
        (VantageState::Online, Standing::Active),
        (VantageState::Silent, Standing::Active),
        (VantageState::Cordoned, Standing::Cordoned),
        (VantageState::Draining, Standing::Draining),
        (VantageState::Banned, Standing::Banned),
    ]);
    let seen = option::of((1..=i64::MAX).prop_map(Timestamp::from_micros));
    let labels = proptest::collection::btree_map("[a-z]{1,8}", "[a-z0-9]{1,8}", 0..4);
    let parts = (name(), labels, state, "[0-9.]{5}", instant(), seen, option::of(any::<IpAddr>()), option::of(any::<i64>()), vec("[a-z-]{1,12}", 0..4));
    parts.prop_map(|(name, labels, (state, standing), version, enrolled_at, last_seen, egress, clock_offset_ms, capabilities)| ListedVantage {
        vantage: Vantage { name, labels, standing, version, enrolled_at, last_seen, egress, clock_offset_ms, capabilities },
        state,
    })
}
