//! The hypotheses that were tried for what is blamed and did not hold: the other half of a verdict's reasons.

use std::collections::BTreeSet;

use parallax_model::{
    clock::Timestamp,
    proof::Excluded,
    verdict::{Cause, Locus},
};

use crate::{
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
    for trial in trials.iter().filter(concerns).filter(|trial| !stands(trial)) {
        let seats: BTreeSet<usize> = trial.seats.iter().copied().filter(|seat| draft.seats.contains(seat)).collect();
        match found.iter_mut().find(|(known, ..)| known.cause == trial.cause && known.requires == trial.requires) {
            Some((known, at, places)) => {
                known.held = known.held.max(trial.held);
                at.extend(seats);
                places.insert(trial.place);
            }
            None => found.push((unplaced(draft.cause, trial), seats, BTreeSet::from([trial.place]))),
        }
    }
    let named = |(excluded, seats, places): (Excluded, BTreeSet<usize>, BTreeSet<usize>)| Excluded {
        vantages: seats.into_iter().map(|seat| scene.seats[seat].name.to_owned()).collect(),
        addresses: places.into_iter().map(|place| scene.places[place].to_string()).collect(),
        ..excluded
    };
    found.into_iter().map(named).collect()
}

fn unplaced(finding: Cause, trial: &Trial) -> Excluded {
    Excluded {
        finding,
        vantages: Vec::new(),
        addresses: Vec::new(),
        cause: trial.cause,
        requires: trial.requires.to_owned(),
        excluded_by: trial.excluded_by.to_owned(),
        counter: trial.counter,
        next: trial.next.to_owned(),
        held: trial.held,
    }
}
