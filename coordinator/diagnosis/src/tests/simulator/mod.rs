//! Rounds of worlds whose faults are known: whatever the fleet's shape and whatever is lost on the way, no verdict may blame the wrong one.

mod dice;
mod faults;
mod wire;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use dice::Dice;
use faults::{FAULTS, Truth};
use parallax_model::{
    assignment::{Experiment, Task},
    check::Check,
    clock::Timestamp,
    facts::{Facts, NotCompleted},
    id::RoundId,
    vantage::{Group, Labels, Responder},
    verdict::{Finding, Locus, Tier, Verdict},
};
use wire::Try;
use world::World;

use super::{
    expand::{self, NOW, RESPONDER},
    pki::PKI,
};
use crate::{History, RoundView, VantageView, judge, wanted};

/// A round under way.
struct Play {
    world: World,
    dice: Dice,
    round: RoundView,
    truths: Vec<Truth>,
    /// The share of the wanted experiments that limits do not let through.
    missing: f64,
    turn: usize,
    /// The vantage whose agent is stopped in the middle of its row.
    restarts: Option<usize>,
}

impl Play {
    fn new(mut world: World, mut dice: Dice, truths: Vec<Truth>) -> Self {
        let start: Timestamp = "2026-11-23T08:00:00Z".parse().unwrap();
        let check = Check::once("www.example.test".parse().unwrap(), start);
        let views = world.viewers.iter().map(|viewer| view(viewer, &mut dice)).collect();
        let responders = vec![Responder { addresses: vec![RESPONDER.parse().unwrap()], key_sha256: PKI.responder_key.clone(), vantage: None }];
        let round = RoundView { round: RoundId::new(), check, started_at: start, vantages: views, attempts: Vec::new(), responders };
        let missing = dice.pick(&[0.0, 0.0, 0.2, 0.5]);
        world.lookups.sort();
        Self { world, dice, round, truths, missing, turn: 0, restarts: None }
    }

    /// Every vantage's row: the lookup, the responder, and each profile twice at each address; four times where the required one fails.
    fn rows(&mut self) {
        for seat in (0..self.world.viewers.len()).filter(|seat| self.world.viewers[*seat].reports).collect::<Vec<_>>() {
            let name = self.world.viewers[seat].name.clone();
            let all: Vec<String> = self.world.places.iter().map(|place| place.ip().to_string()).collect();
            let said = self.world.lookups.iter().find(|(by, _)| *by == seat).map(|(_, said)| said.clone());
            let gives = if self.world.offline.contains(&seat) { "dns.timeout".to_owned() } else { said.unwrap_or_else(|| all.join(" ")) };
            let lookup = toml::from_str(&format!("from = \"{name}\"\ngives = \"{gives}\"")).unwrap();
            expand::push(&mut self.round, &name, "modern", Experiment::Resolve, None, 0.0, expand::lookup_facts(&lookup));
            self.attempt(seat, "modern", Experiment::Responder, RESPONDER.parse().unwrap());
            let profiles: Vec<String> = self.round.check.profiles.iter().map(ToString::to_string).collect();
            for place in self.world.places.clone() {
                for profile in &profiles {
                    for _ in 0..2 {
                        self.attempt(seat, profile, Experiment::Baseline, place);
                    }
                }
            }
        }
    }

    fn attempt(&mut self, seat: usize, profile: &str, experiment: Experiment, address: std::net::SocketAddr) {
        self.turn += 1;
        if self.restarts == Some(seat) && self.round.attempts.iter().filter(|attempt| attempt.vantage.as_str() == self.world.viewers[seat].name).count() > 5 {
            self.round.vantages[seat].reported = false;
            return;
        }
        let one = Try { seat, address, profile, experiment, turn: self.turn };
        let Some(facts) = wire::attempt(&self.world, &self.round, &mut self.dice, one) else { return };
        let name = self.world.viewers[seat].name.clone();
        expand::push(&mut self.round, &name, profile, experiment, Some(address), self.turn as f64 * 0.01, facts);
    }

    fn run(&mut self, name: &str, task: &Task) {
        let seat = self.world.viewers.iter().position(|viewer| viewer.name == name).unwrap();
        let address = task.address.unwrap();
        let given_up = self.dice.chance(self.missing) && task.experiment != Experiment::Baseline;
        for _ in 0..task.repeat {
            if given_up {
                let facts = Facts { not_completed: Some(NotCompleted::Cancelled), ..Facts::default() };
                expand::push(&mut self.round, name, task.profile.as_str(), task.experiment, Some(address), self.turn as f64 * 0.01, facts);
            } else {
                self.attempt(seat, task.profile.as_str(), task.experiment, address);
            }
        }
    }

    /// Plays the round: rows, then three waves of what is wanted; returns every verdict on the way.
    fn verdicts(&mut self) -> Vec<Verdict> {
        self.rows();
        let now: Timestamp = NOW.parse().unwrap();
        let mut all = vec![judge(&self.round, &History::default(), &PKI.trust(), now)];
        for _ in 0..3 {
            let tasks = wanted(&self.round, &History::default(), &PKI.trust(), now);
            if tasks.is_empty() {
                break;
            }
            for one in tasks {
                one.tasks.iter().for_each(|task| self.run(one.vantage.as_str(), task));
            }
            all.push(judge(&self.round, &History::default(), &PKI.trust(), now));
        }
        all
    }

    /// Tells whether what is said is true of this world.
    fn is_true(&self, finding: &Finding) -> bool {
        let cause = finding.cause.as_str();
        let of_cause: Vec<&Truth> = self.truths.iter().filter(|truth| truth.causes.contains(&cause) || truth.also.contains(&cause)).collect();
        let together = |truths: &[&Truth]| Truth {
            fault: "",
            causes: truths.iter().flat_map(|truth| truth.causes.iter().copied()).collect(),
            also: truths.iter().flat_map(|truth| truth.also.iter().copied()).collect(),
            seats: truths.iter().flat_map(|truth| truth.seats.iter().copied()).collect(),
            places: truths.iter().flat_map(|truth| truth.places.iter().copied()).collect(),
        };
        let all: Vec<&Truth> = self.truths.iter().collect();
        self.says(finding, &together(&of_cause)) || self.is_as_far_as_facts_go(finding, &together(&all))
    }

    fn says(&self, finding: &Finding, truth: &Truth) -> bool {
        let cause = finding.cause.as_str();
        let known = truth.causes.contains(&cause) || truth.also.contains(&cause);
        let seats = finding.scope.vantages.iter().all(|name| truth.seats.iter().any(|seat| self.world.viewers[*seat].name == *name));
        let places = finding.scope.addresses.iter().all(|address| truth.places.iter().any(|place| self.world.places[*place].to_string() == *address));
        known && (seats || matches!(finding.locus, Locus::Server | Locus::Edge)) && places
    }

    /// What hits every vantage that took part is laid to the server (or, with one inside, to its edge) by the contract, as long as the other is named beside it.
    fn is_as_far_as_facts_go(&self, finding: &Finding, truth: &Truth) -> bool {
        let took_part = |seat: &usize| self.world.viewers[*seat].reports && !self.world.offline.contains(seat) && !self.world.portals.contains(seat);
        let outside: BTreeSet<usize> = self.world.outside().into_iter().filter(took_part).collect();
        let inside = (0..self.world.viewers.len()).any(|seat| self.world.viewers[seat].inside && took_part(&seat));
        let all = finding.scope.addresses.iter().all(|address| {
            let place = self.world.places.iter().position(|place| place.to_string() == *address).unwrap();
            let tried = outside.iter().filter(|seat| !self.world.places[place].is_ipv6() || self.world.viewers[**seat].ipv6);
            truth.places.contains(&place) && tried.into_iter().all(|seat| truth.seats.contains(seat))
        });
        let hedged = finding.tier <= Tier::Likely && finding.counter.as_ref().is_some_and(|counter| counter.cause.as_str().starts_with("edge."));
        all && match finding.locus {
            Locus::Server => !inside && hedged,
            Locus::Edge => finding.tier <= Tier::Likely,
            _ => false,
        }
    }

    fn wrong(&self, verdict: &Verdict) -> Vec<String> {
        let weighty = verdict.findings.iter().filter(|finding| finding.locus != Locus::Undetermined && !finding.cause.is_informational());
        let false_ones = weighty.filter(|finding| !self.is_true(finding));
        false_ones
            .map(|finding| {
                let evidence: Vec<String> = finding.evidence.iter().map(|evidence| format!("{}: {}", evidence.rule, evidence.text)).collect();
                format!("{} {} {:?} {:?} {:?}", finding.cause, finding.tier, finding.scope, finding.counter, evidence)
            })
            .collect()
    }
}

impl Play {
    fn is_right(&self, verdict: &Verdict) -> bool {
        let told = |truth: &Truth| verdict.findings.iter().any(|finding| self.says(finding, truth) && truth.causes.contains(&finding.cause.as_str()));
        self.truths.iter().filter(|truth| !truth.fault.is_empty()).all(told)
    }
}

fn view(viewer: &world::Viewer, dice: &mut Dice) -> VantageView {
    let mut labels = Labels::from([("site".to_owned(), format!("s{}", viewer.group))]);
    if viewer.inside {
        labels.insert("role".to_owned(), "inside".to_owned());
    } else {
        labels.insert("upstream".to_owned(), (64_500 + viewer.upstream).to_string());
    }
    VantageView {
        name: viewer.name.parse().unwrap(),
        group: Group::of(&labels, None),
        labels,
        build: dice.pick(&["0.1.0", "0.1.1"]).to_owned(),
        clock_offset_ms: Some(viewer.clock_ms),
        egress: None,
        reported: viewer.reports,
        witness: false,
    }
}

/// Plays one round with the faults of these names; none where the shape of the fleet has no room for one.
fn play(seed: u64, faults: &[usize]) -> Option<Play> {
    let mut dice = Dice::of(seed);
    let (groups, addresses) = (dice.between(2, 8), dice.between(1, 4));
    let mut world = World::healthy(&mut dice, groups, addresses);
    let mut truths = Vec::new();
    for fault in faults {
        let (name, spoil) = FAULTS[*fault];
        truths.push(Truth { fault: name, ..spoil(&mut world, &mut dice)? });
    }
    let without: BTreeSet<usize> = (0..world.viewers.len()).filter(|seat| !world.viewers[*seat].ipv6).collect();
    if world.places.iter().any(std::net::SocketAddr::is_ipv6) {
        let places = (0..world.places.len()).collect();
        truths.push(Truth { fault: "", causes: vec!["vantage.ipv6"], also: vec![], seats: without, places });
    }
    Some(Play::new(world, dice, truths))
}

/// Few enough for every build; a hunt for wrong verdicts sets more.
fn rounds() -> u64 {
    std::env::var("PARALLAX_SIMULATED_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// What came of many rounds.
#[derive(Default)]
struct Score {
    played: usize,
    right: usize,
    wrong: usize,
    complaints: Vec<String>,
}

/// Plays a round and notes what its verdicts were worth.
fn score(score: &mut Score, name: &str, seed: u64, faults: &[usize]) {
    let Some(mut play) = play(seed, faults) else { return };
    let verdicts = play.verdicts();
    score.played += 1;
    score.right += usize::from(verdicts.last().is_some_and(|last| play.is_right(last)));
    for (wave, verdict) in verdicts.iter().enumerate() {
        let said = play.wrong(verdict);
        if !said.is_empty() {
            score.wrong += 1;
            let world = format!("{:?}\n    {:?}", play.world.devices, play.world.serves);
            let fleet: Vec<String> = play.world.viewers.iter().map(|viewer| format!("{}{}", viewer.name, if viewer.reports { "" } else { "(gone)" })).collect();
            score.complaints.push(format!("{name}, seed {seed}, wave {wave}, missing {}: {}\n    {world}\n    {fleet:?}", play.missing, said.join("\n      ")));
            break;
        }
    }
}

fn settle(scores: &BTreeMap<&str, Score>, least_share: f64) {
    let mut sum = [0, 0, 0];
    for (name, score) in scores {
        eprintln!("{name:28} {:5} rounds {:5} right {:5} wrong", score.played, score.right, score.wrong);
        sum = [sum[0] + score.played, sum[1] + score.right, sum[2] + score.wrong];
    }
    eprintln!("{:28} {:5} rounds {:5} right {:5} wrong", "all", sum[0], sum[1], sum[2]);
    let complaints: Vec<&str> = scores.values().flat_map(|score| &score.complaints).map(String::as_str).take(SHOWN).collect();
    assert!(complaints.is_empty(), "{} wrong:\n{}", sum[2], complaints.join("\n"));
    assert!(sum[1] as f64 >= sum[0] as f64 * least_share, "{} of {} rounds are told right", sum[1], sum[0]);
}

#[test]
fn no_single_fault_is_laid_to_another_door() {
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for (fault, (name, _)) in FAULTS.iter().enumerate() {
        for seed in 0..rounds() {
            score(scores.entry(name).or_default(), name, seed * 1_000 + fault as u64, &[fault]);
        }
    }
    settle(&scores, 0.6);
}

#[test]
fn two_faults_at_once_are_not_laid_to_a_third() {
    let mut dice = Dice::of(7);
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    for seed in 0..rounds() * 10 {
        let pair = [dice.between(0, FAULTS.len() - 1), dice.between(0, FAULTS.len() - 1)];
        let name = format!("{} and {}", FAULTS[pair[0]].0, FAULTS[pair[1]].0);
        score(scores.entry("two at once").or_default(), &name, 1_000_000 + seed, &pair);
    }
    settle(&scores, 0.15);
}

#[test]
fn a_healthy_fleet_stays_healthy_with_one_packet_of_a_hundred_lost() {
    let now: Timestamp = NOW.parse().unwrap();
    for round in 0..HEALTHY_ROUNDS {
        let mut dice = Dice::of(2_000_000 + round);
        let mut world = World::healthy(&mut dice, 8, 1 + usize::try_from(round % 20).unwrap() / 10);
        // Twenty targets by turns; one agent restarts in each round: its share is cut short.
        world.viewers.iter_mut().for_each(|viewer| (viewer.reports, viewer.ipv6) = (true, true));
        let restarts = dice.between(0, world.viewers.len() - 1);
        let mut play = Play::new(world, dice, Vec::new());
        play.restarts = Some(restarts);
        for verdict in play.verdicts() {
            let said: Vec<&str> = verdict.findings.iter().filter(|finding| !finding.cause.is_informational()).map(|finding| finding.cause.as_str()).collect();
            assert!(
                said.iter().all(|cause| matches!(*cause, "undetermined.flaky" | "undetermined.insufficient")),
                "round {round}: {said:?} {}",
                verdict.headline
            );
        }
        let last = judge(&play.round, &History::default(), &PKI.trust(), now);
        assert!(
            last.findings.iter().all(|finding| finding.cause.is_informational() || finding.cause.as_str() == "undetermined.flaky"),
            "round {round}: {}",
            last.headline
        );
    }
}

const SHOWN: usize = 400;
/// Rounds of a healthy fleet in which nothing may be found.
const HEALTHY_ROUNDS: u64 = 2_000;
