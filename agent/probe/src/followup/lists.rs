//! The list for each symptom; `methods.md` gives the reasons by number.

use std::{net::SocketAddr, ops::Range};

use parallax_model::{
    assignment::{Experiment, Task},
    id::ProfileName,
    profile::REQUIRED_PROFILE,
};

use super::{
    FollowUp,
    symptom::{Case, Symptom},
};

/// Lists the follow-ups of a case, most telling first.
pub(super) fn for_case(case: &Case<'_>) -> Vec<FollowUp> {
    let mut list = List::new(case);
    match case.symptom {
        _ if case.mixed => mixed(&mut list),
        Symptom::Refused => {
            list.one(Experiment::ReplyTtl).next();
            list.baselines().next();
            list.one(Experiment::SynWalk).next();
            list.one(Experiment::Slow);
        }
        Symptom::NoAnswer => {
            list.baselines().one(Experiment::SynWalk).next();
            list.one(Experiment::ReplyTtl).next();
            list.one(Experiment::Slow);
        }
        Symptom::Alert if case.others_pass && case.lead.client.is_some() => {
            // The other clients are the contrast; what is left to ask is what the server would have chosen, and whether another make of server can read the hello.
            list.one(Experiment::LegacyHello).at_responders();
        }
        Symptom::Alert if case.others_pass => alert_to_some(&mut list),
        Symptom::Cut | Symptom::Silence if case.others_pass => variant(&mut list),
        Symptom::Cut | Symptom::Alert => cut(&mut list),
        Symptom::Silence => silence(&mut list),
        Symptom::LocalRefusal => {
            list.baselines().one(Experiment::LegacyHello).one(Experiment::Tls13Only);
        }
        Symptom::BeforeTls => {
            list.baselines().one(Experiment::SynWalk);
        }
        Symptom::Authenticated => {
            list.baselines();
        }
    }
    for (profile, symptom) in &case.odd_ones {
        list.next();
        odd_one(&mut list, profile, *symptom);
    }
    list.planned
}

/// Asks the first questions about a profile that fails in another way than the one that is looked into.
fn odd_one(list: &mut List<'_>, profile: &ProfileName, symptom: Symptom) {
    let experiments: &[Experiment] = match symptom {
        Symptom::Alert | Symptom::LocalRefusal => &[Experiment::LegacyHello, Experiment::Tls13Only],
        Symptom::Silence => &[Experiment::SmallMss, Experiment::SmallMss, Experiment::SmallMss],
        Symptom::Cut => &[Experiment::ReplyTtl],
        Symptom::NoAnswer | Symptom::Refused | Symptom::BeforeTls | Symptom::Authenticated => &[],
    };
    for experiment in experiments {
        list.push(profile.clone(), *experiment, list.case.row.address, 1);
    }
}

/// An alert to some recipes only: a question of versions and suites, or a device that minds one of them.
fn alert_to_some(list: &mut List<'_>) {
    if list.case.required {
        list.one(Experiment::ReplyTtl).next();
    }
    list.baselines().next();
    list.one(Experiment::LegacyHello).one(Experiment::Tls13Only).one(Experiment::NoAlpn).at_responders().next();
    list.named(Experiment::ControlName, 2).with_required(Experiment::LargeHello).one(Experiment::SmallHello).next();
    if !list.case.lead.hello.exceeds_one_segment() {
        list.walks();
    }
}

/// Something answers the hello with an end: who, on what, and where (M11, M1, then M9 and M10, then M3–M5, M2, M20, M7).
fn cut(list: &mut List<'_>) {
    list.one(Experiment::ReplyTtl).next();
    contrast_by_turns(list);
    list.one(Experiment::HelloWalk).named(Experiment::ControlWalk, 1).one(Experiment::SynWalk).next();
    // An alert may be the server's own opinion of the hello: room for what it would have chosen.
    let is_alert = list.case.symptom == Symptom::Alert;
    let times = if is_alert { 1 } else { 2 };
    list.named(Experiment::NoName, times).named(Experiment::SplitName, 2).at_responders().next();
    list.named(Experiment::SplitRecords, 1).times(Experiment::NonTls, times).named(Experiment::NameCase, 1);
    if is_alert {
        list.one(Experiment::LegacyHello).one(Experiment::Tls13Only).one(Experiment::NoAlpn);
    }
    list.next();
    list.one(Experiment::Slow).named(Experiment::NamePrefixed, 1).named(Experiment::NameDotted, 1);
}

/// Wanted and control name by turns (ABBA), so that a drift in time does not look like a difference of names.
fn contrast_by_turns(list: &mut List<'_>) {
    list.named(Experiment::ControlName, 1).next();
    list.baselines().next();
    list.named(Experiment::ControlAfter, 1).next();
    list.named(Experiment::ControlName, 2).next();
}

/// Each silent attempt costs its whole time, so they run several at once; what passes is quick anyway.
fn silence(list: &mut List<'_>) {
    list.named(Experiment::ControlName, 1).named(Experiment::ControlName, 1).one(Experiment::SmallMss).one(Experiment::NonTls).next();
    list.baselines().one(Experiment::SmallMss).one(Experiment::SmallMss).next();
    list.named(Experiment::ControlAfter, 1).named(Experiment::ControlName, 1).named(Experiment::ControlName, 1);
    list.one(Experiment::SmallHello).named(Experiment::NoName, 1).one(Experiment::LargeNonTls).next();
    list.named(Experiment::SplitName, 1).named(Experiment::SplitName, 1).at_responders().one(Experiment::LargeHello).next();
    list.one(Experiment::SynWalk).one(Experiment::HelloWalk).named(Experiment::ControlWalk, 1);
}

/// Only some recipes fail: size, split or version, rather than the name.
fn variant(list: &mut List<'_>) {
    let is_answered = list.case.symptom != Symptom::Silence;
    // Where somebody answers a hello that must pass, the name is the first suspect, and two controls can spare the rest.
    let controls_first = is_answered && list.case.required;
    if is_answered {
        list.one(Experiment::ReplyTtl).next();
    }
    if controls_first {
        list.named(Experiment::ControlName, 2).baselines().next();
        list.one(Experiment::SmallMss).one(Experiment::LargeNonTls).next();
    } else {
        list.one(Experiment::SmallMss).baselines().one(Experiment::LargeNonTls).next();
    }
    list.one(Experiment::SmallMss).one(Experiment::SmallMss).one(Experiment::LargeNonTls).named(Experiment::ControlName, u32::from(!controls_first)).next();
    list.with_required(Experiment::LargeHello).with_required(Experiment::LargeHello).with_required(Experiment::SplitName);
    list.with_required(Experiment::SplitRecords).next();
    list.with_required(Experiment::SplitName).named(Experiment::ControlName, 1).named(Experiment::ControlName, 1).at_responders().next();
    list.walks();
}

/// Passes and fails: a leg chosen by source port (M14), a limit on rate, a filter that misses some names, or chance.
fn mixed(list: &mut List<'_>) {
    if matches!(list.case.symptom, Symptom::Cut | Symptom::Alert | Symptom::Refused) {
        list.one(Experiment::ReplyTtl).next();
    }
    list.up_to(MIXED_BASELINES).next();
    let hello_is_read = matches!(list.case.symptom, Symptom::Cut | Symptom::Alert | Symptom::Silence);
    for turn in 0..PORT_TURNS {
        for (at, port) in SOURCE_PORTS.enumerate() {
            // Among the ports' first turn, controls meet the same moments.
            if turn == 0 && hello_is_read && at.is_multiple_of(PORTS_A_CONTROL) {
                list.named(Experiment::ControlName, 1);
            }
            list.pinned(port);
        }
        list.next();
        // Where nothing answers, each of these costs seconds: the ports' second turn comes first.
        let after = if list.case.symptom == Symptom::NoAnswer { PORT_TURNS - 1 } else { 0 };
        if turn == after {
            list.times(Experiment::Slow, 2).next();
        }
    }
}

/// A list under way.
struct List<'a> {
    case: &'a Case<'a>,
    planned: Vec<FollowUp>,
    batch: u32,
}

impl<'a> List<'a> {
    fn new(case: &'a Case<'a>) -> Self {
        Self { case, planned: Vec::new(), batch: 0 }
    }

    /// Begins the next batch.
    fn next(&mut self) -> &mut Self {
        self.batch += 1;
        self
    }

    fn one(&mut self, experiment: Experiment) -> &mut Self {
        self.times(experiment, 1)
    }

    fn times(&mut self, experiment: Experiment, repeat: u32) -> &mut Self {
        let profile = self.case.lead.name.clone();
        self.push(profile, experiment, self.case.row.address, repeat)
    }

    /// Adds an experiment that makes sense only for a hello with a name.
    fn named(&mut self, experiment: Experiment, repeat: u32) -> &mut Self {
        if self.case.named && repeat > 0 { self.times(experiment, repeat) } else { self }
    }

    /// Adds the walks of a required recipe; what an optional one meets is the server's own choice unless groups differ, which only the coordinator sees, and each step holds
    /// a serial server for a while.
    fn walks(&mut self) -> &mut Self {
        if self.case.required { self.one(Experiment::HelloWalk).named(Experiment::ControlWalk, 1) } else { self }
    }

    /// Adds an experiment on the plain recipe instead of the failing one.
    fn with_required(&mut self, experiment: Experiment) -> &mut Self {
        let profile = REQUIRED_PROFILE.parse().expect("a built-in name is a name");
        self.push(profile, experiment, self.case.row.address, 1)
    }

    /// Adds the wanted name at two responders, or twice at the only one.
    fn at_responders(&mut self) -> &mut Self {
        let responders = self.case.responders();
        for responder in responders.iter().cycle().take(2.min(responders.len() * 2)) {
            if self.case.named {
                self.push(self.case.lead.name.clone(), Experiment::NameAtResponder, *responder, 1);
            }
        }
        self
    }

    /// Adds what each failing profile lacks to the number of attempts that rules out chance.
    fn baselines(&mut self) -> &mut Self {
        for (name, done) in &self.case.failing {
            for _ in *done..self.case.wanted_baselines(name) {
                self.push(name.clone(), Experiment::Baseline, self.case.row.address, 1);
            }
        }
        self
    }

    fn up_to(&mut self, wanted: u32) -> &mut Self {
        let done = self.case.failing.iter().find(|(name, _)| *name == self.case.lead.name).map_or(0, |row| row.1);
        let missing = wanted.saturating_sub(done);
        // A SYN without an answer costs its whole time, so they run side by side.
        let (tasks, repeat) = if self.case.symptom == Symptom::NoAnswer { (missing, 1) } else { (1, missing) };
        for _ in 0..tasks.min(missing) {
            self.times(Experiment::Baseline, repeat);
        }
        self
    }

    fn pinned(&mut self, port: u16) -> &mut Self {
        self.one(Experiment::SourcePort);
        if let Some(last) = self.planned.last_mut() {
            last.source_port = Some(port);
        }
        self
    }

    fn push(&mut self, profile: ProfileName, experiment: Experiment, address: SocketAddr, repeat: u32) -> &mut Self {
        let siblings = if experiment == Experiment::ReplyTtl { self.case.siblings() } else { Vec::new() };
        self.planned.push(FollowUp {
            task: Task { profile, experiment, address: Some(address), repeat, sources: Vec::new() },
            batch: self.batch,
            attempt_ms: self.attempt_ms(),
            source_port: None,
            siblings,
        });
        self
    }

    /// Long enough for four round trips and a retransmission, and for an end that comes as late as one did before; no longer.
    fn attempt_ms(&self) -> u64 {
        let round_trips = self.case.round_trip_us * 4 / 1_000 + RETRANSMISSION_MS;
        let late_end = self.case.latest_end_us * 3 / 2_000;
        round_trips.max(late_end).max(SHORTEST_MS).min(self.case.row.check.limits.attempt_ms)
    }
}

const RETRANSMISSION_MS: u64 = 1_000;
const SHORTEST_MS: u64 = 1_500;
const MIXED_BASELINES: u32 = 8;
const PORT_TURNS: u32 = 2;
const PORTS_A_CONTROL: usize = 3;
/// The source ports of [`Experiment::SourcePort`]: fixed, so that a later round meets the same legs again, and vantages that pass are compared on the same ones.
pub const SOURCE_PORTS: Range<u16> = 42_301..42_311;
