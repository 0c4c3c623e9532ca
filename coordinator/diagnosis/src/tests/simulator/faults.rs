//! Faults to put into a world, each with what a verdict may say of it.

use std::collections::BTreeSet;

use super::{
    dice::Dice,
    world::{Device, Does, Minds, Serves, Stands, World},
};

/// What is wrong in a world.
#[derive(Debug, Clone)]
pub(super) struct Truth {
    pub(super) fault: &'static str,
    /// Causes that say so.
    pub(super) causes: Vec<&'static str>,
    /// Causes that are true as well, or no nearer to the mark than the facts allow.
    pub(super) also: Vec<&'static str>,
    pub(super) seats: BTreeSet<usize>,
    pub(super) places: BTreeSet<usize>,
}

type Fault = fn(&mut World, &mut Dice) -> Option<Truth>;

/// Every fault, by name.
pub(super) const FAULTS: &[(&str, Fault)] = &[
    ("server-unreachable", |world, dice| server(world, dice, Serves::Nothing, &["server.unreachable"], &["server.ipv6-unserved"])),
    ("server-refused", |world, dice| server(world, dice, Serves::Refuses, &["server.refused"], &["server.ipv6-unserved"])),
    ("server-not-tls", |world, dice| server(world, dice, Serves::Ends("tls.not-tls", false), &["server.not-tls"], &[])),
    ("server-closes", |world, dice| {
        let how = dice.pick(&["tls.reset", "tls.closed"]);
        server(world, dice, Serves::Ends(how, false), &["server.closes-handshake"], &[])
    }),
    ("server-mute", |world, dice| server(world, dice, Serves::Ends("tls.timeout", false), &["server.slow-handshake"], &[])),
    ("server-version", |world, dice| server(world, dice, Serves::Ends("tls.alert.70", false), &["server.protocol-version"], &[])),
    ("server-suites", |world, dice| {
        server(world, dice, Serves::Ends("tls.alert.40", false), &["server.cipher-suites", "server.key-exchange-groups"], &["server.closes-handshake"])
    }),
    ("server-name", |world, dice| {
        let how = dice.pick(&["tls.alert.112", "tls.reset", "tls.closed", "tls.alert.40"]);
        server(world, dice, Serves::EndsForName(how), &["server.sni-rejected"], &["server.cipher-suites", "server.closes-handshake"])
    }),
    ("server-client-certificate", |world, dice| server(world, dice, Serves::Ends("tls.alert.116", true), &["server.client-certificate-required"], &[])),
    ("server-splits", |world, dice| {
        let how = dice.pick(&["tls.reset", "tls.timeout", "tls.closed"]);
        server(world, dice, Serves::EndsForSplit(how), &["server.hello-intolerance"], &[])
    }),
    ("server-version13", |world, dice| {
        let how = dice.pick(&["tls.reset", "tls.timeout", "tls.alert.70"]);
        let also = ["server.protocol-version", "server.closes-handshake", "server.slow-handshake"];
        server(world, dice, Serves::EndsForVersion13(how), &["server.hello-intolerance"], &also)
    }),
    ("server-certificate", |world, dice| {
        let (chain, cause) = dice.pick(&[
            ("expired", "server.certificate-expired"),
            ("incomplete", "server.chain-incomplete"),
            ("untrusted", "server.certificate-untrusted"),
            ("self-signed", "server.certificate-self-signed"),
        ]);
        let every = dice.pick(&[1, 1, 2, 3]);
        let also = if every > 1 { &["server.certificate-rollout"][..] } else { &[] };
        server(world, dice, Serves::Chain(chain, every), &[cause], also)
    }),
    ("server-default-certificate", |world, dice| {
        server(world, dice, Serves::Chain("default", 1), &["server.default-certificate", "server.certificate-name-mismatch"], &[])
    }),
    ("server-status", |world, dice| server(world, dice, Serves::Http("http.502"), &["server.upstream-failure"], &[])),
    ("server-now-and-then", |world, dice| {
        let (how, share) = (dice.pick(&["tls.reset", "tls.closed", "tls.timeout", "tls.alert.80"]), dice.pick(&[0.25, 0.5, 0.7]));
        server(world, dice, Serves::Now(how, share), &["server.overloaded"], &["server.closes-handshake", "server.slow-handshake", "server.hello-intolerance"])
    }),
    ("edge-hole", |world, dice| edge(world, dice, Minds::PacketsBack(1_300), Does::Drop, &["edge.mtu-blackhole"])),
    ("edge-name", |world, dice| {
        let (minds, does) = (dice.pick(&[Minds::Name, Minds::NameReassembled]), dice.pick(&HARM));
        edge(world, dice, minds, does, &["edge.filter"])
    }),
    ("edge-blocked", |world, dice| {
        let (minds, does) = (dice.pick(&[Minds::Syn, Minds::AnyHello, Minds::AnyPayload]), dice.pick(&[Does::Drop, Does::Reset { swallows: true }]));
        edge(world, dice, minds, does, &["edge.blocked"])
    }),
    ("edge-size", |world, dice| edge(world, dice, Minds::LargeHello(1_200), Does::Drop, &["edge.filter"])),
    ("path-name", |world, dice| {
        let (minds, does) = (dice.pick(&[Minds::Name, Minds::NameReassembled]), dice.pick(&HARM));
        path(world, dice, minds, does, &["path.sni-filter"], &[])
    }),
    ("path-address", |world, dice| {
        let does = dice.pick(&[Does::Drop, Does::Reset { swallows: true }, Does::Prohibit]);
        path(world, dice, Minds::Syn, does, &["path.address-block"], &[])
    }),
    ("path-payload", |world, dice| {
        let does = dice.pick(&[Does::Drop, Does::Reset { swallows: true }]);
        path(world, dice, Minds::AnyPayload, does, &["path.address-block", "path.state-loss"], &[])
    }),
    ("path-tls", |world, dice| {
        let does = dice.pick(&[Does::Drop, Does::Reset { swallows: true }]);
        let truth = path(world, dice, Minds::AnyHello, does, &["path.tls-block"], &["path.address-block"]);
        world.devices.iter_mut().next_back().into_iter().for_each(|device| device.everywhere = true);
        truth
    }),
    ("path-hole-back", |world, dice| path(world, dice, Minds::PacketsBack(1_300), Does::Drop, &["path.mtu-blackhole"], &[])),
    ("path-hole-out", |world, dice| path(world, dice, Minds::PacketsOut(1_300), Does::Drop, &["path.mtu-blackhole"], &["path.hello-size"])),
    ("path-size", |world, dice| {
        let does = dice.pick(&HARM);
        path(world, dice, Minds::LargeHello(1_200), does, &["path.hello-size"], &["path.mtu-blackhole"])
    }),
    ("path-split", |world, dice| {
        let does = dice.pick(&[Does::Drop, Does::Reset { swallows: true }]);
        path(world, dice, Minds::Split, does, &["path.hello-split"], &["path.hello-size"])
    }),
    ("path-version", |world, dice| {
        let does = dice.pick(&HARM);
        path(world, dice, Minds::Version, does, &["path.version-filter"], &["path.address-block"])
    }),
    ("path-answers", |world, dice| path(world, dice, Minds::Answers, Does::Drop, &["path.return-loss"], &[])),
    ("path-leg", |world, dice| {
        let does = dice.pick(&[Does::Drop, Does::Reset { swallows: true }]);
        path(world, dice, Minds::OddPorts, does, &["path.multipath-leg"], &["path.version-filter", "path.hello-split", "path.hello-size"])
    }),
    ("path-rate", |world, dice| path(world, dice, Minds::Rate, Does::Reset { swallows: true }, &["path.rate-limited"], &["path.address-block"])),
    ("path-interception", |world, dice| {
        let seats = some_groups(world, dice)?;
        let (chain, all) = (dice.pick(&["inspected", "untrusted", "self-signed"]), dice.chance(0.5));
        world.interceptors.push((seats.clone(), 1, chain, all && chain == "inspected"));
        let places = (0..world.places.len()).collect();
        Some(Truth { fault: "", causes: vec!["path.interception"], also: vec![], seats, places })
    }),
    ("policy-refuses", |world, dice| policy(world, dice, Does::Reset { swallows: true })),
    ("policy-drops", |world, dice| policy(world, dice, Does::Drop)),
    ("policy-rate", |world, dice| {
        let mut truth = path(world, dice, Minds::Rate, Does::Reset { swallows: true }, &["policy.rate-limited"], &["policy.source-blocked", "policy.banned"])?;
        world.devices.iter_mut().next_back().into_iter().for_each(|device| device.stands = Stands::AtServer);
        truth.places = (0..world.places.len()).collect();
        Some(truth)
    }),
    ("policy-status", |world, dice| {
        let seats = some_groups(world, dice)?;
        world.denied = seats.iter().map(|seat| world.viewers[*seat].group).collect();
        Some(Truth { fault: "", causes: vec!["policy.http-denied"], also: vec![], seats, places: (0..world.places.len()).collect() })
    }),
    ("dns-nothing", |world, dice| {
        let seats = some_groups(world, dice)?;
        let how = dice.pick(&["dns.nxdomain", "dns.servfail", "dns.timeout"]);
        world.lookups.extend(seats.iter().map(|seat| (*seat, how.to_owned())));
        let causes = if how == "dns.timeout" { vec!["vantage.resolver"] } else { vec!["dns.blocked"] };
        Some(Truth { fault: "", causes, also: vec![], seats, places: BTreeSet::new() })
    }),
    ("vantage-offline", |world, dice| {
        let seat = dice.pick(&world.outside());
        world.offline.insert(seat);
        Some(own(world, seat, "vantage.network-down"))
    }),
    ("vantage-portal", |world, dice| {
        let seat = dice.pick(&world.outside());
        world.portals.insert(seat);
        Some(own(world, seat, "vantage.captive-portal"))
    }),
    ("vantage-clock", |world, dice| {
        let seat = dice.pick(&world.outside());
        world.viewers[seat].clock_ms = dice.pick(&[-86_400_000, 7_200_000]);
        Some(own(world, seat, "vantage.clock"))
    }),
];

const HARM: [Does; 6] =
    [Does::Drop, Does::Reset { swallows: true }, Does::Reset { swallows: true }, Does::Reset { swallows: false }, Does::Close, Does::Alert(40)];

fn own(world: &World, seat: usize, cause: &'static str) -> Truth {
    Truth { fault: "", causes: vec![cause], also: vec![], seats: BTreeSet::from([seat]), places: (0..world.places.len()).collect() }
}

/// All addresses of the target, or one.
fn places(world: &World, dice: &mut Dice) -> BTreeSet<usize> {
    let count = world.places.len();
    if dice.chance(0.5) { (0..count).collect() } else { BTreeSet::from([dice.between(0, count - 1)]) }
}

/// Vantages of some outside groups, never of all.
fn some_groups(world: &World, dice: &mut Dice) -> Option<BTreeSet<usize>> {
    let groups: BTreeSet<usize> = world.outside().into_iter().map(|seat| world.viewers[seat].group).collect();
    let most = groups.len().checked_sub(1).filter(|most| *most > 0)?;
    let wanted = dice.between(1, most.min(2));
    let mut picked = BTreeSet::new();
    while picked.len() < wanted {
        picked.insert(dice.between(0, groups.len() - 1));
    }
    Some(world.of_groups(&picked))
}

fn server(world: &mut World, dice: &mut Dice, serves: Serves, causes: &[&'static str], also: &[&'static str]) -> Option<Truth> {
    let places = places(world, dice);
    places.iter().for_each(|place| world.serves[*place] = serves.clone());
    Some(Truth { fault: "", causes: causes.to_vec(), also: also.to_vec(), seats: (0..world.viewers.len()).collect(), places })
}

fn device(world: &World, dice: &mut Dice, minds: Minds, does: Does, seats: BTreeSet<usize>, stands: Stands) -> Device {
    // Nobody copies the TTL of a SYN-ACK that was never sent.
    let (mimics, early, initial_ttl) = (dice.chance(0.15) && !matches!(minds, Minds::Syn | Minds::Rate), dice.chance(0.5), dice.pick(&[64, 64, 128, 255]));
    Device { minds, does, seats, places: places(world, dice), stands, mimics, initial_ttl, early, everywhere: false }
}

fn edge(world: &mut World, dice: &mut Dice, minds: Minds, does: Does, causes: &[&'static str]) -> Option<Truth> {
    let seats: BTreeSet<usize> = world.outside().into_iter().collect();
    let made = Device { initial_ttl: 64, ..device(world, dice, minds, does, seats.clone(), Stands::FromServer(0)) };
    let truth = Truth { fault: "", causes: causes.to_vec(), also: vec!["edge.blocked", "edge.filter"], seats, places: made.places.clone() };
    world.devices.push(made);
    Some(truth)
}

fn path(world: &mut World, dice: &mut Dice, minds: Minds, does: Does, causes: &[&'static str], also: &[&'static str]) -> Option<Truth> {
    let seats = some_groups(world, dice)?;
    let nearest = seats.iter().map(|seat| world.viewers[*seat].access).min()?;
    let stands = Stands::FromVantage(dice.between(1, nearest + 1));
    let mut made = device(world, dice, minds, does, seats.clone(), stands);
    made.everywhere = matches!(minds, Minds::Name | Minds::NameReassembled) && dice.chance(0.7);
    let truth = Truth { fault: "", causes: causes.to_vec(), also: also.to_vec(), seats, places: made.places.clone() };
    world.devices.push(made);
    Some(truth)
}

/// The server's own list of sources: a group's, or one vantage's.
fn policy(world: &mut World, dice: &mut Dice, does: Does) -> Option<Truth> {
    let mut seats = some_groups(world, dice)?;
    if dice.chance(0.5) {
        seats.pop_last().filter(|_| seats.is_empty()).map(|seat| seats.insert(seat));
    }
    let minds = if does == Does::Drop { Minds::Syn } else { dice.pick(&[Minds::Syn, Minds::Syn, Minds::AnyPayload]) };
    let made = device(world, dice, minds, does, seats.clone(), Stands::AtServer);
    let truth = Truth { fault: "", causes: vec!["policy.source-blocked"], also: vec![], seats, places: made.places.clone() };
    world.devices.push(made);
    Some(truth)
}
