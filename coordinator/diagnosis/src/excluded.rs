//! The hypotheses that were tried for what is blamed and did not hold: the other half of a verdict's reasons.

use std::collections::BTreeSet;

use parallax_model::{
    assignment::Experiment,
    clock::Timestamp,
    proof::Excluded,
    verdict::{Cause, Locus},
};

use crate::{
    bench::{Tally, payload, tally},
    draft::Draft,
    gates,
    rules::{self, Trial},
    scene::Scene,
    trust::Trust,
    view::{History, RoundView},
};

/// Computes which hypotheses were tried for each finding and did not make it, in the order in which they were tried.
///
/// Findings that no such hypothesis can make (certificates, names, gates, advice) rest on what was seen itself and have none.
pub fn excluded(round: &RoundView, history: &History, trust: &Trust, now: Timestamp) -> Vec<Excluded> {
    let mut scene = Scene::new(round, history, trust, now);
    let _ = gates::run(&mut scene);
    let (drafts, trials) = rules::explain_noting(&mut scene);
    let drafts = rules::join(&scene, drafts);
    let testable: BTreeSet<Cause> = rules::requirements().into_iter().map(|requirement| requirement.cause).collect();
    let is_open = |draft: &&Draft| testable.contains(&draft.cause) || draft.cause.locus() == Locus::Undetermined;
    drafts.iter().filter(is_open).flat_map(|draft| of_finding(&scene, draft, &drafts, &trials)).collect()
}

fn of_finding(scene: &Scene<'_>, draft: &Draft, all: &[Draft], trials: &[Trial]) -> Vec<Excluded> {
    let concerns = |trial: &&Trial| {
        draft.places.contains(&trial.place) && draft.profiles.contains(&trial.profile) && trial.seats.iter().any(|seat| draft.seats.contains(seat))
    };
    let stands = |trial: &&Trial| all.iter().any(|other| other.cause == trial.cause && trial.seats.iter().any(|seat| other.seats.contains(seat)));
    let mut found: Vec<(Excluded, BTreeSet<usize>, BTreeSet<usize>)> = Vec::new();
    for trial in trials.iter().filter(concerns).filter(|trial| !stands(trial) && is_of_the_stage(trial.cause, draft.mechanism.as_deref())) {
        let seats: BTreeSet<usize> = trial.seats.iter().copied().filter(|seat| draft.seats.contains(seat)).collect();
        match found.iter_mut().find(|(known, ..)| known.cause == trial.cause && known.requires == trial.requires) {
            Some((known, at, places)) => {
                known.held = known.held.max(trial.held);
                // What was not seen of all is not said of all.
                if known.excluded_by != unplaced(scene, draft, trial).excluded_by {
                    known.excluded_by = trial.excluded_by.to_owned();
                }
                at.extend(seats);
                places.insert(trial.place);
            }
            None => found.push((unplaced(scene, draft, trial), seats, BTreeSet::from([trial.place]))),
        }
    }
    let named = |(excluded, seats, places): (Excluded, BTreeSet<usize>, BTreeSet<usize>)| Excluded {
        vantages: seats.into_iter().map(|seat| scene.seats[seat].name.to_owned()).collect(),
        addresses: places.into_iter().map(|place| scene.places[place].to_string()).collect(),
        ..excluded
    };
    found.into_iter().map(named).collect()
}

/// Tells whether a hypothesis can be about failures that end like these: one of another stage tells nobody anything.
fn is_of_the_stage(cause: Cause, mechanism: Option<&str>) -> bool {
    let ends: &[&str] = match cause {
        Cause::ServerUnreachable => &["tcp.timeout", "tcp.unreachable"],
        Cause::ServerRefused => &["tcp.refused", "tcp.reset", "tls.reset"],
        Cause::ServerNotTls => &["tls.not-tls", "tls.malformed", "tls.over-cap", "starttls.not-protocol"],
        Cause::ServerSlowHandshake => &[SILENCE],
        Cause::ServerClosesHandshake => &["tls.reset", "tls.closed", "tls.alert"],
        Cause::ServerSniRejected | Cause::ServerProtocolVersion => &["tls.alert", "tls.reset", "tls.closed", "tls.unsupported"],
        Cause::ServerClientCertificateRequired => &["tls.alert", "http"],
        Cause::ServerAlpn | Cause::ServerCipherSuites | Cause::ServerKeyExchangeGroups => &["tls.alert", "tls.unsupported"],
        Cause::PathSniFilter
        | Cause::PathTlsBlock
        | Cause::EdgeFilter
        | Cause::ServerHelloIntolerance
        | Cause::PathHelloSize
        | Cause::PathHelloSplit
        | Cause::PathVersionFilter => &["tls", "quic"],
        cause if needs_silence(cause) => &["tls"],
        _ => return true,
    };
    mechanism.is_none_or(|mechanism| ends.iter().any(|end| mechanism.starts_with(end)))
}

/// Tells whether a hypothesis is about answers that never come whole.
fn needs_silence(cause: Cause) -> bool {
    matches!(cause, Cause::PathMtuBlackhole | Cause::EdgeMtuBlackhole | Cause::PathReturnLoss | Cause::PathStateLoss)
}

/// Says what was seen that drops a hypothesis, where an experiment asked just that.
fn seen(scene: &Scene<'_>, trial: &Trial, mechanism: Option<&str>) -> Option<String> {
    if let Some(other) = mechanism.filter(|mechanism| needs_silence(trial.cause) && !mechanism.starts_with(SILENCE)) {
        return Some(format!("no silence but {other}"));
    }
    let at = |experiment: Experiment| trial.seats.iter().map(move |seat| tally(scene, *seat, trial.place, experiment)).collect::<Vec<Tally<'_>>>();
    let failed = |tallies: &[Tally<'_>]| tallies.iter().map(|tally| tally.failed.len()).sum::<usize>();
    let passed = |tallies: &[Tally<'_>]| tallies.iter().map(|tally| tally.passed.len()).sum::<usize>();
    let only = |n: usize, other: usize, what: &str| (n > 0 && other == 0).then(|| what.to_owned());
    match trial.cause {
        Cause::PathMtuBlackhole | Cause::EdgeMtuBlackhole => {
            let small = at(Experiment::SmallMss);
            only(failed(&small), passed(&small), "a small MSS fails as well")
        }
        Cause::PathReturnLoss | Cause::ServerSlowHandshake => {
            let small = at(Experiment::SmallMss);
            only(passed(&small), failed(&small), "a small MSS cures it")
        }
        Cause::PathSniFilter | Cause::ServerSniRejected | Cause::EdgeFilter => {
            let control = at(Experiment::ControlName);
            only(failed(&control), passed(&control), "another name fails as well")
        }
        Cause::PathAddressBlock | Cause::ServerClosesHandshake | Cause::EdgeBlocked => {
            let control = at(Experiment::ControlName);
            only(passed(&control), failed(&control), "another name passes")
        }
        Cause::PathTlsBlock | Cause::PathStateLoss => {
            let bytes: Vec<Tally<'_>> = trial.seats.iter().map(|seat| payload(scene, *seat, trial.place, Experiment::NonTls)).collect();
            if trial.cause == Cause::PathTlsBlock {
                only(failed(&bytes), passed(&bytes), "bytes that are not TLS are lost as well")
            } else {
                only(passed(&bytes), failed(&bytes), "bytes that are not TLS arrive")
            }
        }
        _ => None,
    }
}

fn unplaced(scene: &Scene<'_>, draft: &Draft, trial: &Trial) -> Excluded {
    let counter = draft.counter.as_ref().filter(|counter| counter.cause == trial.cause && trial.held.is_none());
    let excluded_by = match (counter, seen(scene, trial, draft.mechanism.as_deref()).filter(|_| trial.held.is_none())) {
        (Some(counter), None) => format!("nothing yet: as the finding's own counter it stays open ({})", counter.next),
        (_, Some(seen)) => format!("{seen}, seen in this round; in general: {}", trial.excluded_by),
        (None, None) => trial.excluded_by.to_owned(),
    };
    Excluded {
        finding: draft.cause,
        vantages: Vec::new(),
        addresses: Vec::new(),
        cause: trial.cause,
        requires: trial.requires.to_owned(),
        excluded_by,
        counter: trial.counter,
        next: trial.next.to_owned(),
        held: trial.held,
    }
}

const SILENCE: &str = "tls.timeout";
