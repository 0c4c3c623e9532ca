use std::{
    net::IpAddr,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use parallax_model::facts::{ConnectEnd, Reply, ReplyTtlFacts, StepEnd, TcpInfo, TtlRange, WalkFacts, WalkPayload};

use super::*;
use crate::{
    net::{
        Dial, Icmp, IcmpKind,
        scripted::{Peer, Scripted, Step},
    },
    run,
};

fn holds_name(sent: &[u8]) -> bool {
    sent.windows(14).any(|window| window == b"shop.corp.test")
}

/// A ServerHello of TLS 1.2 and the end of its flight.
fn server_flight(ttl: u8) -> Step {
    let hello = parallax_tls::ServerHello { cipher_suite: parallax_tls::registry::CipherSuite(0xc02f), ..Default::default() };
    let mut flight = hello.encode();
    flight.extend_from_slice(&[14, 0, 0, 0]);
    let version = parallax_tls::registry::ProtocolVersion::TLS12;
    Step::Bytes(parallax_tls::record::encode_records(parallax_tls::registry::ContentType::HANDSHAKE, version, &flight, 16_384), ttl)
}

async fn reply_ttl(plan: Plan, rule: impl Fn(&Dial) -> Peer + Send + Sync + 'static) -> ReplyTtlFacts {
    run(&plan, &Scripted::new(rule)).await.reply_ttl.unwrap()
}

fn exactly(ttl: u8) -> Option<TtlRange> {
    Some(TtlRange::exactly(ttl))
}

#[tokio::test(start_paused = true)]
async fn a_nearer_reset_is_found_out() {
    for (what, reply) in [(Step::Reset(63), Reply::Reset), (Step::Close(63), Reply::Close), (Step::Bytes(vec![21, 3, 3, 0, 2, 2, 40], 63), Reply::Alert)] {
        let found = reply_ttl(plan(Experiment::ReplyTtl, "modern"), move |_| {
            let what = what.clone();
            Peer::accepting(move |sent, _| if holds_name(sent) { vec![Step::Wait(millis(4)), what.clone()] } else { vec![server_flight(61)] })
        })
        .await;
        assert_eq!((found.syn_ack, found.reply, found.reply_ttl, found.passed_when_filtered), (exactly(61), Some(reply), exactly(63), None));
        assert!(found.connections <= 18, "{}", found.connections);
    }
}

#[tokio::test(start_paused = true)]
async fn the_ttl_of_an_acknowledgement_spares_connections() {
    let told = |what: Step| {
        move |_: &Dial| {
            let what = what.clone();
            let peer = Peer::accepting(move |sent, _| if holds_name(sent) { vec![Step::Wait(millis(4)), what.clone()] } else { vec![server_flight(61)] });
            Peer { ack_ttl: Some(61), ..peer }
        }
    };
    let mut taken = Vec::new();
    for ttl in [61, 62, 63, 64, 125, 126, 127, 128, 252, 253, 254, 255] {
        let alert = Step::Bytes(vec![21, 3, 3, 0, 2, 2, 40], ttl);
        for (what, reply) in [(Step::Reset(ttl), Reply::Reset), (Step::Close(ttl), Reply::Close), (alert, Reply::Alert)] {
            let found = reply_ttl(plan(Experiment::ReplyTtl, "modern"), told(what)).await;
            assert_eq!((found.syn_ack, found.reply, found.reply_ttl, found.passed_when_filtered), (exactly(61), Some(reply), exactly(ttl), None));
            taken.push((ttl, found.connections));
        }
    }
    assert!(taken.iter().all(|(ttl, connections)| *connections <= if *ttl == 61 { 7 } else { 13 }), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_from_elsewhere_than_the_syn_ack_misleads_nobody() {
    for ack_ttl in [58, 63, 255] {
        let found =
            reply_ttl(plan(Experiment::ReplyTtl, "modern"), move |_| Peer { ack_ttl: Some(ack_ttl), ..Peer::accepting(|_, _| vec![Step::Close(61)]) }).await;
        assert_eq!((found.syn_ack, found.reply, found.reply_ttl), (exactly(61), Some(Reply::Close), exactly(61)), "{ack_ttl}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_lost_packet_leaves_the_reply_where_it_is() {
    for lost in 2..14 {
        let dials = AtomicUsize::new(0);
        let found = reply_ttl(plan(Experiment::ReplyTtl, "modern"), move |_| {
            let is_lost = dials.fetch_add(1, Relaxed) + 1 == lost;
            let peer = Peer::accepting(move |sent, _| match (is_lost, holds_name(sent)) {
                (true, _) => vec![],
                (false, true) => vec![Step::Reset(63)],
                (false, false) => vec![server_flight(61)],
            });
            Peer { ack_ttl: Some(61), ttl: if is_lost { 0 } else { 61 }, ..peer }
        })
        .await;
        let (reply, server) = (found.reply_ttl.unwrap(), found.syn_ack.unwrap());
        assert_eq!(reply, TtlRange::exactly(63), "{lost}: {found:?}");
        assert_eq!(server, TtlRange::exactly(61), "{lost}");
    }
}

/// Measures where the hello with the name is reset with this TTL on some connections, told by their number and dial, and answered on the others.
async fn reset_on_some(ttl: u8, is_reset: impl Fn(usize, &Dial) -> bool + Send + Sync + 'static) -> ReplyTtlFacts {
    let dials = AtomicUsize::new(0);
    let found = reply_ttl(plan(Experiment::ReplyTtl, "modern"), move |dial| {
        let fails = is_reset(dials.fetch_add(1, Relaxed), dial);
        let peer = Peer::accepting(move |sent, _| if fails && holds_name(sent) { vec![Step::Reset(ttl)] } else { vec![server_flight(61)] });
        Peer { ack_ttl: Some(61), ..peer }
    })
    .await;
    assert_eq!((found.reply, found.syn_ack), (Some(Reply::Reset), exactly(61)));
    found
}

#[tokio::test(start_paused = true)]
async fn what_one_of_two_legs_resets_is_not_laid_to_the_server() {
    for failing in 0..2 {
        let found = reset_on_some(63, move |dial, _| dial < 2 || dial % 2 == failing).await;
        assert!(found.reply_ttl.is_none_or(|ttl| ttl.least > 61), "{failing}: {found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_leg_of_the_first_look_is_asked_again() {
    const FIRST: u16 = 40_000;
    let found = reset_on_some(63, |dial, taken| dial < 2 || taken.source_port == Some(FIRST)).await;
    assert!(found.reply_ttl.is_some_and(|ttl| ttl.least > 61), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_one_of_two_backends_resets_is_no_injection() {
    let found = reset_on_some(61, |dial, _| dial.is_multiple_of(8)).await;
    assert_eq!((found.reply_ttl, found.passed_when_filtered), (None, None), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_comes_no_more_has_no_ttl() {
    let dials = AtomicUsize::new(0);
    let found = reply_ttl(plan(Experiment::ReplyTtl, "modern"), move |_| match dials.fetch_add(1, Relaxed) {
        0 => Peer::ending(ConnectEnd::Refused),
        _ => Peer::accepting(|_, _| vec![server_flight(61)]),
    })
    .await;
    assert_eq!((found.syn_ack, found.reply, found.reply_ttl), (None, Some(Reply::Refusal), None));
}

#[tokio::test(start_paused = true)]
async fn an_injected_reset_from_farther_away_does_not_survive_the_filter() {
    let found = reply_ttl(plan(Experiment::ReplyTtl, "modern"), |_| {
        Peer::accepting(|sent, _| if holds_name(sent) { vec![Step::Reset(44), server_flight(61)] } else { vec![server_flight(61)] })
    })
    .await;
    assert_eq!((found.syn_ack, found.reply, found.reply_ttl, found.passed_when_filtered), (exactly(61), Some(Reply::Reset), exactly(44), Some(true)));
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_answer_has_the_servers_ttl() {
    let found = reply_ttl(plan(Experiment::ReplyTtl, "modern"), |_| Peer::accepting(|_, _| vec![Step::Reset(61)])).await;
    assert_eq!((found.syn_ack, found.reply, found.reply_ttl), (exactly(61), Some(Reply::Reset), exactly(61)));
    let silent = reply_ttl(plan(Experiment::ReplyTtl, "modern"), |_| Peer::accepting(|_, _| vec![])).await;
    assert_eq!((silent.syn_ack, silent.reply, silent.reply_ttl), (exactly(61), None, None));
}

#[tokio::test(start_paused = true)]
async fn a_reset_that_came_before_the_threshold_tells_nothing() {
    let found = reply_ttl(plan(Experiment::ReplyTtl, "modern"), |_| {
        let peer = Peer::accepting(|_, _| vec![Step::Reset(u8::MAX)]);
        Peer { info: TcpInfo { state: CLOSE, ..peer.info }, ..peer }
    })
    .await;
    assert_eq!((found.syn_ack, found.reply, found.reply_ttl, found.passed_when_filtered), (exactly(61), Some(Reply::Reset), None, None));
    assert!(found.connections <= 40, "{}", found.connections);
}

/// `tcpi_state` of a connection that was reset.
const CLOSE: u8 = 7;

#[tokio::test(start_paused = true)]
async fn a_refusal_is_compared_with_other_doors_of_the_server() {
    let mut plan = plan(Experiment::ReplyTtl, "modern");
    plan.siblings = vec!["192.0.2.7:80".parse().unwrap(), "192.0.2.7:81".parse().unwrap(), "192.0.2.8:8443".parse().unwrap()];
    let found = reply_ttl(plan, |dial| match dial.remote.port() {
        80 => Peer::accepting(|_, _| vec![]),
        81 => Peer::ending(ConnectEnd::Refused),
        _ if dial.remote.ip() == IpAddr::from([192, 0, 2, 8]) => Peer::ending(ConnectEnd::TimedOut),
        _ => Peer { ttl: 63, ..Peer::ending(ConnectEnd::Refused) },
    })
    .await;
    assert_eq!((found.syn_ack, found.reply, found.reply_ttl), (None, Some(Reply::Refusal), exactly(63)));
    let siblings: Vec<_> = found.siblings.iter().map(|sibling| (sibling.port, sibling.reply, sibling.ttl)).collect();
    assert_eq!(siblings, [(80, Reply::SynAck, TtlRange::exactly(61)), (81, Reply::Refusal, TtlRange::exactly(61))]);
    let by_icmp = reply_ttl(super::plan(Experiment::ReplyTtl, "modern"), |_| Peer {
        icmp: Some(Icmp { from: None, kind: IcmpKind::PortUnreachable }),
        ..Peer::ending(ConnectEnd::Refused)
    })
    .await;
    assert_eq!((by_icmp.reply, by_icmp.reply_ttl, by_icmp.connections), (Some(Reply::Refusal), None, 1), "the threshold does not look at ICMP");
}

#[tokio::test(start_paused = true)]
async fn an_end_from_as_far_as_the_acceptance_is_compared_with_other_ports_of_the_address() {
    let measured = async |reset_ttl: u8| {
        let mut plan = plan(Experiment::ReplyTtl, "modern");
        plan.siblings = vec!["192.0.2.8:443".parse().unwrap(), "192.0.2.7:80".parse().unwrap()];
        let found = reply_ttl(plan, move |dial| match dial.remote.port() {
            80 => Peer { ttl: 58, ..Peer::ending(ConnectEnd::Refused) },
            _ => Peer::accepting(move |_, _| vec![Step::Reset(reset_ttl)]),
        })
        .await;
        found.siblings.iter().map(|sibling| (sibling.address, sibling.port, sibling.reply, sibling.ttl)).collect::<Vec<_>>()
    };
    assert_eq!(measured(61).await, [(IpAddr::from([192, 0, 2, 7]), 80, Reply::Refusal, TtlRange::exactly(58))]);
    assert_eq!(measured(63).await, [], "who is nearer than the server is known by that alone");
}

fn router(hop: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, hop])
}

/// Four routers, then the server; SYNs are dropped behind `blocked_after`.
fn path(dial: &Dial, blocked_after: u8) -> Peer {
    match dial.hop_limit {
        Some(limit) if limit <= 4.min(blocked_after) => {
            Peer { icmp: Some(Icmp { from: Some(router(limit)), kind: IcmpKind::Expired }), ..Peer::ending(ConnectEnd::Unreachable(libc::EHOSTUNREACH)) }
        }
        _ if blocked_after < 5 => Peer::ending(ConnectEnd::TimedOut),
        _ => Peer::accepting(|_, _| vec![]),
    }
}

async fn walk(experiment: Experiment, rule: impl Fn(&Dial) -> Peer + Send + Sync + 'static) -> (WalkFacts, Vec<Dial>) {
    let network = Scripted::new(rule);
    let facts = run(&plan(experiment, "modern"), &network).await;
    (facts.walk.unwrap(), network.dialled())
}

fn ends(walk: &WalkFacts) -> Vec<StepEnd> {
    walk.steps.iter().map(|step| step.end).collect()
}

#[tokio::test(start_paused = true)]
async fn a_syn_walk_names_the_routers_and_stops_at_the_answer() {
    let (facts, dials) = walk(Experiment::SynWalk, |dial| path(dial, 9)).await;
    let routers: Vec<StepEnd> = (1..=4).map(|hop| StepEnd::Expired(Some(router(hop)))).chain([StepEnd::Answered]).collect();
    assert_eq!((ends(&facts), facts.payload), (routers, WalkPayload::Syn));
    assert!(dials.iter().all(|dial| dial.source_port == Some(facts.source_port)), "one flow, one path");
}

#[tokio::test(start_paused = true)]
async fn a_syn_walk_into_silence_ends() {
    let started = tokio::time::Instant::now();
    let (facts, dials) = walk(Experiment::SynWalk, |dial| path(dial, 2)).await;
    assert_eq!(facts.steps.iter().rposition(|step| matches!(step.end, StepEnd::Expired(_))), Some(1));
    assert!(facts.steps[2..].iter().all(|step| step.end == StepEnd::Silent));
    let whole_ways = dials.iter().filter(|dial| dial.hop_limit.is_none()).count();
    assert!((dials.len(), whole_ways) == (21, 1) && started.elapsed() < millis(3_500), "{} in {:?}", dials.len(), started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_syn_walk_waits_for_routers_behind_a_slow_link() {
    let behind_a_satellite = |dial: &Dial| {
        let slow = dial.hop_limit.is_none_or(|limit| limit > 2);
        Peer { after: if slow { millis(560) } else { millis(5) }, ..path(dial, 9) }
    };
    let (facts, _) = walk(Experiment::SynWalk, behind_a_satellite).await;
    let routers: Vec<StepEnd> = (1..=4).map(|hop| StepEnd::Expired(Some(router(hop)))).chain([StepEnd::Answered]).collect();
    assert_eq!(ends(&facts), routers);
}

/// Expires before hop 5; a device behind hop 2 answers hellos with the name.
fn on_the_way(device: fn() -> Vec<Step>) -> impl Fn(&Dial) -> Peer + Send + Sync {
    move |_| {
        Peer::accepting(move |sent, limit| match limit {
            Some(limit) if limit > 2 && holds_name(sent) => device(),
            Some(limit) if limit < 5 => vec![Step::Wait(millis(20)), Step::Error(libc::EHOSTUNREACH)],
            _ => vec![server_flight(61)],
        })
    }
}

#[tokio::test(start_paused = true)]
async fn hello_walks_show_where_the_wanted_name_stops() {
    let expired = StepEnd::Expired(None);
    let (reset, _) = walk(Experiment::HelloWalk, on_the_way(|| vec![Step::Reset(63)])).await;
    assert_eq!(ends(&reset), [expired, expired, StepEnd::Reset, StepEnd::Reset]);
    let (dropped, _) = walk(Experiment::HelloWalk, on_the_way(Vec::new)).await;
    assert_eq!(ends(&dropped)[..4], [expired, expired, StepEnd::Silent, StepEnd::Silent]);
    assert_eq!(dropped.steps.len(), 7);
    let (forged, _) = walk(Experiment::HelloWalk, on_the_way(|| vec![Step::Bytes(vec![21, 3, 3, 0, 2, 2, 47], 63)])).await;
    assert_eq!(ends(&forged), [expired, expired, StepEnd::Alert(47)]);
    let (control, dials) = walk(Experiment::ControlWalk, on_the_way(|| vec![Step::Reset(63)])).await;
    assert_eq!(ends(&control), [expired, expired, expired, expired, StepEnd::Answered]);
    assert!(control.steps[0].elapsed_us < 40_000, "an error is heard at once");
    assert!(dials.iter().all(|dial| dial.source_port == Some(control.source_port) && dial.hop_limit.is_none()));
}

#[tokio::test(start_paused = true)]
async fn an_injectors_word_counts_although_the_routers_comes_first() {
    let late = |word: Step, after: u64| {
        move |_: &Dial| {
            let word = word.clone();
            Peer::accepting(move |sent, limit| match limit {
                Some(limit) if limit >= 2 && holds_name(sent) => vec![Step::Error(libc::EHOSTUNREACH), Step::Wait(millis(after)), word.clone()],
                Some(limit) if limit < 5 => vec![Step::Wait(millis(2)), Step::Error(libc::EHOSTUNREACH)],
                _ => vec![server_flight(61)],
            })
        }
    };
    let expired = StepEnd::Expired(None);
    let alert = Step::Bytes(vec![21, 3, 3, 0, 2, 2, 47], 63);
    for (word, end) in [(Step::Close(63), StepEnd::Closed), (Step::Reset(63), StepEnd::Reset), (alert, StepEnd::Alert(47))] {
        let (walked, _) = walk(Experiment::HelloWalk, late(word, 30)).await;
        assert_eq!(ends(&walked)[..2], [expired, end]);
        assert!(walked.steps[1].elapsed_us >= 30_000, "the word is timed, not the router's");
    }
    let (too_late, _) = walk(Experiment::HelloWalk, late(Step::Close(63), 200)).await;
    assert_eq!(ends(&too_late)[..2], [expired, expired]);
}

#[tokio::test(start_paused = true)]
async fn a_walk_that_cannot_connect_says_so_and_stops() {
    let (facts, dials) = walk(Experiment::HelloWalk, |_| Peer::ending(ConnectEnd::Refused)).await;
    assert_eq!((ends(&facts), dials.len()), (vec![StepEnd::NotConnected; 2], 2));
}
