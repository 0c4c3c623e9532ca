//! Whether failures are of a moment: a server that is being started again ends everybody's connections at the same time, and nobody's before and after.

use parallax_model::{assignment::Experiment, outcome::Outcome};

use crate::{
    cell::{Look, family},
    scene::Scene,
};

/// Tells whether all failures of a family at a place lie within one stretch of time in which nobody gets through: two groups or more are hit, and either they come through
/// as often and as fast later on, or nobody does any more.
pub(crate) fn is_of_a_moment(scene: &Scene<'_>, place: usize, outcome: Outcome) -> bool {
    let class = family(outcome);
    let is_hit = |look: &&Look<'_>| look.reach.is_failure() && family(look.reach) == class;
    let scored = |look: &&Look<'_>| scene.is_scored(look.seat, place);
    let hit: Vec<Look<'_>> = scene.looks_at(place).filter(scored).filter(is_hit).copied().collect();
    let seats: Vec<usize> = hit.iter().map(|look| look.seat).collect();
    let starts = || hit.iter().map(|look| look.attempt.started_at);
    let Some((from, until)) = starts().min().zip(starts().max()).filter(|_| scene.count_groups(&seats) > 1) else { return false };
    let paced = |seat: usize| scene.bench(seat, Experiment::Slow, place);
    let passed = || {
        let all = scene.looks_at(place).chain((0..scene.seats.len()).flat_map(paced));
        all.filter(|look| look.reach.is_ok()).map(|look| look.attempt.started_at)
    };
    let unpaced_afterwards = scene.looks_at(place).filter(|look| look.reach.is_ok() && look.attempt.started_at > until && seats.contains(&look.seat)).count();
    let is_for_good = !passed().any(|at| at > until);
    !passed().any(|at| from <= at && at <= until) && (is_for_good || unpaced_afterwards >= hit.len().min(ENOUGH))
}

/// Successes one after the other that a limit on rate would not have let through.
const ENOUGH: usize = 4;
