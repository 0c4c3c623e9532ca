//! What one attempt comes to in a world, as facts.
//!
//! What loss does is fitted to the lab's own: `lab healthy` watched 105 rounds (eight vantages, twenty targets, one packet of a hundred lost in each direction, an agent
//! killed every few seconds, 2026-11-24). Of 14,830 connections 1.9 % took a second longer (the model: 2 %) and none two SYNs longer, since 0.02 % were given up before
//! (the model: 0.04 %); of 14,827 handshakes 2.4 % took 200 ms longer or more (the model: 2.4 %), none stayed silent (the model: 0.0008 %), and one request got no answer
//! (the model: 0.01 %). An agent that is killed cuts its row short.

use std::net::{IpAddr, SocketAddr};

use parallax_model::{assignment::Experiment, facts::Facts};

use super::{
    dice::Dice,
    world::{Device, Does, Minds, Serves, World},
};
use crate::{
    RoundView,
    tests::{
        case::See,
        expand::{self, SourcePort},
    },
};

/// What is sent.
#[derive(Debug, Clone, Copy)]
struct Payload {
    wanted: bool,
    bytes: u32,
    segments: u32,
    cut_in_name: bool,
    version13: bool,
    tls: bool,
    small_mss: bool,
}

/// How a connection ends.
#[derive(Debug, Clone)]
struct Ended<'w> {
    outcome: String,
    silence: &'static str,
    chain: &'static str,
    encrypted: bool,
    /// Who ended it; none for the server, or for nobody.
    by: Option<&'w Device>,
    /// Who terminates TLS instead of the server, at this router.
    intercepted: Option<usize>,
}

/// One attempt to make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try<'t> {
    pub(super) seat: usize,
    pub(super) address: SocketAddr,
    pub(super) profile: &'t str,
    pub(super) experiment: Experiment,
    pub(super) turn: usize,
}

/// Makes an attempt; none where the vantage cannot.
pub(super) fn attempt(world: &World, round: &RoundView, dice: &mut Dice, one: Try<'_>) -> Option<Facts> {
    use Experiment::{ControlWalk, HelloWalk, ReplyTtl, SynWalk};
    let place = world.places.iter().position(|place| *place == one.address);
    let mut see = blank();
    one.experiment.as_str().clone_into(&mut see.experiment);
    match one.experiment {
        SynWalk => see.walk = syn_walk(world, dice, one.seat, place),
        HelloWalk | ControlWalk => see.walk = hello_walk(world, dice, one, place),
        _ => {}
    }
    if one.experiment == ReplyTtl && !world.viewers[one.seat].reads_ttl {
        return None;
    }
    // The tenth of the pinned ports is followed by the first again.
    let port = (one.experiment == Experiment::SourcePort).then(|| 42_301 + u16::try_from(one.turn % 8).unwrap());
    let local = port.unwrap_or_else(|| 40_000 + u16::try_from(dice.between(0, 9_999)).unwrap());
    let ended = connect(world, dice, one, place, local);
    see.outcome.clone_from(&ended.outcome);
    ended.chain.clone_into(&mut see.chain);
    ended.silence.clone_into(&mut see.silence);
    see.encrypted = ended.encrypted;
    see.errno = (ended.outcome == "tcp.unreachable").then_some(if ended.by.is_some() { 113 } else { 101 });
    if let Some(device) = ended.by.filter(|_| ended.outcome == "tcp.unreachable") {
        see.icmp_from = Some(router(world, device, one.seat).to_string());
    }
    if one.experiment == ReplyTtl {
        see.ttl = reply_ttl(world, dice, one.seat, &ended);
    }
    let payload = payload(one.profile, one.experiment);
    see.hello_bytes = Some(payload.bytes).filter(|_| payload.tls);
    let source = SourcePort { port, turn: usize::from(local - 40_000) };
    let mut facts = expand::facts(round, &see, one.seat, one.address, one.profile, one.experiment, &ended.outcome, source);
    let ttl = arrival(world, one.seat, place, ended.intercepted);
    if let Some(tcp) = &mut facts.tcp {
        tcp.ack_ttl = tcp.ack_ttl.map(|_| ttl);
        // A lost SYN is sent again after a second, anything else after 200 ms.
        tcp.connect_us = if dice.chance(2.0 * world.loss) { 1_010_000 } else { 10_000 };
    }
    if let Some(tls) = facts.tls.as_mut().filter(|tls| tls.handshake.is_some() && dice.chance(2.4 * world.loss)) {
        tls.end_us += 210_000;
    }
    Some(facts)
}

fn blank() -> See {
    toml::from_str("from = \"\"").unwrap()
}

fn payload(profile: &str, experiment: Experiment) -> Payload {
    use Experiment::{
        ControlAfter, ControlName, ControlWalk, LargeHello, LargeNonTls, LegacyHello, NoName, NonTls, Responder, SmallHello, SmallMss, SplitName, SplitRecords,
    };
    let mut sent = Payload { wanted: true, bytes: 517, segments: 1, cut_in_name: false, version13: true, tls: true, small_mss: false };
    match profile {
        "modern-pq" => (sent.bytes, sent.segments) = (1_752, 2),
        "tls12" => (sent.bytes, sent.version13) = (300, false),
        "split" => (sent.segments, sent.cut_in_name) = (2, true),
        _ => {}
    }
    match experiment {
        ControlName | ControlAfter | NoName | Responder | ControlWalk => sent.wanted = false,
        SplitName => (sent.segments, sent.cut_in_name) = (2, true),
        SplitRecords => sent.cut_in_name = true,
        SmallHello => (sent.bytes, sent.segments) = (200, 1),
        LargeHello => (sent.bytes, sent.segments) = (1_752, 2),
        SmallMss => (sent.small_mss, sent.segments) = (true, sent.segments.max(sent.bytes.div_ceil(524))),
        LegacyHello => sent.version13 = false,
        NonTls => (sent.tls, sent.wanted, sent.bytes, sent.segments) = (false, false, 2, 1),
        LargeNonTls => (sent.tls, sent.wanted, sent.bytes, sent.segments) = (false, false, 1_440, 1),
        _ => {}
    }
    sent
}

fn is_minded(minds: Minds, sent: Payload, port: u16) -> bool {
    let largest = if sent.small_mss { sent.bytes.min(576) } else { sent.bytes.min(1_460) + 40 };
    match minds {
        Minds::Syn | Minds::Rate | Minds::PacketsBack(_) | Minds::Answers => false,
        Minds::Name => sent.wanted && !sent.cut_in_name,
        Minds::NameReassembled => sent.wanted,
        Minds::AnyHello => sent.tls,
        Minds::AnyPayload => true,
        Minds::PacketsOut(size) => largest > size,
        Minds::LargeHello(size) => sent.tls && sent.bytes > size,
        Minds::Split => sent.tls && sent.segments > 1,
        Minds::Version => sent.tls && sent.version13,
        Minds::OddPorts => port % 2 == 1,
    }
}

fn connect<'w>(world: &'w World, dice: &mut Dice, one: Try<'_>, place: Option<usize>, port: u16) -> Ended<'w> {
    let slow = one.experiment == Experiment::Slow;
    let end =
        |outcome: &str, by: Option<&'w Device>| Ended { outcome: outcome.to_owned(), silence: "acked", chain: "good", encrypted: false, by, intercepted: None };
    let viewer = &world.viewers[one.seat];
    // The shortest attempt leaves time for one more SYN and for two more ClientHellos, each of which is lost, or its answer.
    if dice.chance((2.0 * world.loss).powi(2)) {
        return end("tcp.timeout", None);
    }
    if dice.chance((2.0 * world.loss).powi(3)) {
        return Ended { silence: "unacked", ..end("tls.timeout", None) };
    }
    if world.offline.contains(&one.seat) {
        return end("tcp.timeout", None);
    }
    if one.address.is_ipv6() && !viewer.ipv6 {
        return end("tcp.unreachable", None);
    }
    let devices = world.on_the_way(one.seat, place);
    let syn = |device: &&&Device| device.minds == Minds::Syn || (device.minds == Minds::Rate && !slow);
    if let Some(device) = devices.iter().find(syn).filter(|device| device.minds == Minds::Syn || dice.chance(0.7)) {
        return match device.does {
            Does::Drop => end("tcp.timeout", Some(device)),
            Does::Prohibit => end("tcp.unreachable", Some(device)),
            Does::Reset { .. } | Does::Close | Does::Alert(_) => end("tcp.refused", Some(device)),
        };
    }
    if world.portals.contains(&one.seat) {
        return Ended { chain: "portal", ..end("ok", None) };
    }
    let sent = payload(one.profile, one.experiment);
    let intercepted = world.interceptors.iter().find(|(seats, .., all)| seats.contains(&one.seat) && (place.is_some() || *all));
    if let Some((_, hop, chain, _)) = intercepted {
        let chain = match (*chain, one.experiment) {
            ("inspected", Experiment::Responder) => "inspected-responder",
            ("inspected", _) if !sent.wanted => "inspected-control",
            (chain, _) => chain,
        };
        let outcome = if sent.tls { "ok" } else { "tls.timeout" };
        return Ended { chain, intercepted: Some(*hop), ..end(outcome, None) };
    }
    let serves = place.map_or(&Serves::Well, |place| &world.serves[place]);
    match serves {
        Serves::Nothing => return end("tcp.timeout", None),
        Serves::Refuses => return end("tcp.refused", None),
        _ => {}
    }
    if let Some(device) = devices.iter().find(|device| is_minded(device.minds, sent, port)) {
        return match device.does {
            Does::Drop | Does::Prohibit => Ended { silence: "unacked", ..end("tls.timeout", Some(device)) },
            Does::Reset { .. } => end("tls.reset", Some(device)),
            Does::Close => end("tls.closed", Some(device)),
            Does::Alert(number) => end(&format!("tls.alert.{number}"), Some(device)),
        };
    }
    let mut answered = answer(world, dice, one, place, sent, serves);
    if place.is_some() && answered.outcome == "ok" && dice.chance(world.loss / 100.0) {
        "http.timeout".clone_into(&mut answered.outcome);
    }
    let long = matches!(answered.outcome.as_str(), "ok") || answered.outcome.starts_with("http");
    let lost = devices.iter().find(|device| match device.minds {
        Minds::PacketsBack(size) => long && !sent.small_mss && size < 1_500,
        Minds::Answers => long || answered.outcome.starts_with("tls.alert"),
        _ => false,
    });
    if let Some(device) = lost {
        answered = Ended { silence: dice.pick(&["gap", "gap", "acked"]), ..end("tls.timeout", Some(device)) };
    }
    answered
}

fn answer<'w>(world: &World, dice: &mut Dice, one: Try<'_>, place: Option<usize>, sent: Payload, serves: &Serves) -> Ended<'w> {
    let end =
        |outcome: &str, chain: &'static str| Ended { outcome: outcome.to_owned(), silence: "acked", chain, encrypted: false, by: None, intercepted: None };
    if place.is_none() {
        return end("ok", "responder");
    }
    match serves {
        Serves::Ends(outcome, encrypted) if sent.tls || matches!(*outcome, "tls.reset" | "tls.closed" | "tls.not-tls") => {
            Ended { encrypted: *encrypted, ..end(outcome, "good") }
        }
        Serves::Now(outcome, share) if sent.tls && dice.chance(*share) => end(outcome, "good"),
        _ if !sent.tls => end("tls.timeout", "good"),
        Serves::EndsForSplit(outcome) if sent.segments > 1 => end(outcome, "good"),
        Serves::EndsForVersion13(outcome) if sent.version13 => end(outcome, "good"),
        Serves::EndsForName(outcome) if sent.wanted => end(outcome, "good"),
        Serves::EndsForName(_) => end("ok", "default"),
        Serves::Chain("default", _) => end("ok", "default"),
        Serves::Chain(chain, every) if sent.wanted => end("ok", if dice.between(1, *every) == 1 { chain } else { "good" }),
        Serves::Http(outcome) if sent.wanted => end(outcome, "good"),
        _ if !sent.wanted => end(world.control, "default"),
        _ if world.denied.contains(&world.viewers[one.seat].group) => end("http.403", "good"),
        _ => end("ok", "good"),
    }
}

fn router(world: &World, device: &Device, seat: usize) -> IpAddr {
    let routers = world.routers(seat);
    routers.get(world.hop(device, seat) - 1).copied().unwrap_or_else(|| "192.0.2.11".parse().unwrap())
}

fn arrival(world: &World, seat: usize, place: Option<usize>, intercepted: Option<usize>) -> u8 {
    let number = |hops: usize| u8::try_from(hops).unwrap();
    match (intercepted, place) {
        (Some(hop), _) => 64 - number(hop - 1),
        (None, Some(_)) => world.server_ttl - number(world.routers(seat).len()),
        (None, None) => 64 - number(world.viewers[seat].access + 1),
    }
}

fn reply_ttl(world: &World, dice: &mut Dice, seat: usize, ended: &Ended<'_>) -> String {
    let server = arrival(world, seat, Some(0), ended.intercepted);
    let from = |device: &Device| {
        let hop = world.hop(device, seat);
        let exact = device.initial_ttl - u8::try_from(hop - 1).unwrap();
        if device.mimics || hop > world.routers(seat).len() { server } else { exact }
    };
    let shown = |dice: &mut Dice, ttl: u8| if dice.chance(2.0 * world.loss) { format!("{}..{ttl}", ttl - 3) } else { ttl.to_string() };
    let reply = ended.by.map_or(server, from);
    let kind = match ended.outcome.as_str() {
        "tcp.refused" => {
            let sibling = if dice.chance(0.5) { format!(" sibling:80:syn-ack={server}") } else { format!(" sibling:80:refusal={reply}") };
            return format!("refusal={}{sibling}", shown(dice, reply));
        }
        "tls.reset" => "reset",
        "tls.closed" => "close",
        alert if alert.starts_with("tls.alert") => "alert",
        "ok" => "data",
        "tls.timeout" => return format!("syn-ack={}", shown(dice, server)),
        _ => return String::new(),
    };
    let filtered = ended.by.is_some_and(|device| device.does == Does::Reset { swallows: false }) && reply < server;
    format!("syn-ack={} {kind}={}{}", shown(dice, server), shown(dice, reply), if filtered { " filtered" } else { "" })
}

fn syn_walk(world: &World, dice: &mut Dice, seat: usize, place: Option<usize>) -> String {
    let mut routers = world.routers(seat);
    if place.is_none() {
        routers.truncate(world.viewers[seat].access + 1);
    }
    let devices = world.on_the_way(seat, place);
    let blocks = devices.iter().find(|device| device.minds == Minds::Syn);
    let proxy = world.interceptors.iter().find(|(seats, .., all)| seats.contains(&seat) && (place.is_some() || *all)).map(|(_, hop, ..)| *hop);
    let mut steps = Vec::new();
    for hop in 1..=routers.len() + 4 {
        let blocked = blocks.filter(|device| hop >= world.hop(device, seat) + usize::from(!device.early));
        let step = match blocked.map(|device| (device, device.does)) {
            _ if world.offline.contains(&seat) || dice.chance(2.0 * world.loss) => "s".to_owned(),
            Some((_, Does::Drop)) => "s".to_owned(),
            Some((device, Does::Prohibit)) => format!("p:{}", router(world, device, seat)),
            Some(_) => "f".to_owned(),
            None if proxy.is_some_and(|proxy| hop >= proxy) => "a".to_owned(),
            None if hop <= routers.len() => format!("e:{}", routers[hop - 1]),
            None => match place.map(|place| &world.serves[place]) {
                Some(Serves::Nothing) => "s".to_owned(),
                Some(Serves::Refuses) => "f".to_owned(),
                _ => "a".to_owned(),
            },
        };
        let ends = !step.starts_with(['s', 'e']);
        steps.push(step);
        if ends {
            break;
        }
    }
    steps.join(" ")
}

fn hello_walk(world: &World, dice: &mut Dice, one: Try<'_>, place: Option<usize>) -> String {
    let routers = world.routers(one.seat);
    let experiment = if one.experiment == Experiment::ControlWalk { Experiment::ControlName } else { Experiment::Baseline };
    let ended = connect(world, dice, Try { experiment, ..one }, place, 40_000);
    let mut steps = Vec::new();
    for hop in 1..=routers.len() + 4 {
        let onward = |device: &&Device| !matches!(device.minds, Minds::PacketsBack(_) | Minds::Answers);
        let acts = ended.by.filter(onward).is_some_and(|device| hop >= world.hop(device, one.seat) + usize::from(!device.early));
        let arrived = ended.intercepted.map_or(hop > routers.len(), |proxy| hop >= proxy);
        let step = match ended.outcome.as_str() {
            outcome if outcome.starts_with("tcp") => "n".to_owned(),
            _ if dice.chance(2.0 * world.loss) => "s".to_owned(),
            outcome if acts || arrived => match outcome {
                "tls.reset" => "r".to_owned(),
                "tls.closed" => "c".to_owned(),
                "tls.timeout" => "s".to_owned(),
                alert if alert.starts_with("tls.alert.") => format!("l:{}", &alert[10..]),
                _ => "a".to_owned(),
            },
            _ => "e".to_owned(),
        };
        let ends = !step.starts_with(['s', 'e']);
        steps.push(step);
        if ends {
            break;
        }
    }
    steps.join(" ")
}
