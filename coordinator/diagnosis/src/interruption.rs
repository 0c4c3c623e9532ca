//! Whether failures are of a moment: a server that is being started (again) ends everybody's connections at the same time, and nobody's before or after.

use std::fmt;

use parallax_model::{assignment::Experiment, clock::Timestamp, outcome::Outcome};

use crate::{
    cell::{Look, family},
    contrast::row_by_chance,
    scene::Scene,
};

/// A stretch of time in which nobody gets through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interruption {
    from: Timestamp,
    until: Timestamp,
    /// Nobody gets through afterwards either.
    is_for_good: bool,
}

impl fmt::Display for Interruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_for_good {
            return write!(f, "from {} on nobody gets through any more: the server is gone, or something that all pass", self.from);
        }
        let seconds = self.until.micros_since(self.from) as f64 / 1e6;
        write!(f, "all of that within {seconds:.1} s in which nobody got through, and everybody later on: a restart, or an outage that is over")
    }
}

/// Returns the stretch of time in which nobody gets through and failures of a family at a place lie, of two groups or more: all of them, and they come through as often and as
/// fast later on; or so many at the end that the earlier ones make them no chance.
pub(crate) fn interruption(scene: &Scene<'_>, place: usize, outcome: Outcome) -> Option<Interruption> {
    let class = family(outcome);
    let is_hit = |look: &&Look<'_>| look.reach.is_failure() && family(look.reach) == class;
    let scored = |look: &&Look<'_>| scene.is_scored(look.seat, place);
    let paced = |seat: usize| scene.bench(seat, Experiment::Slow, place);
    let all = || scene.looks_at(place).chain((0..scene.seats.len()).flat_map(paced)).filter(scored);
    let hit: Vec<Look<'_>> = all().filter(is_hit).copied().collect();
    let passed: Vec<Timestamp> = all().filter(|look| look.reach.is_ok()).map(|look| look.attempt.started_at).collect();
    one_that_is_over(scene, place, &hit, &passed).or_else(|| one_for_good(scene, &hit, &passed))
}

/// Tells whether all failures came before the first success: a server that is being started, and neither a load nor a limit.
pub(crate) fn came_up(mut failed: impl Iterator<Item = Timestamp>, passed: impl Iterator<Item = Timestamp>) -> bool {
    passed.min().is_some_and(|first_success| failed.all(|failure| failure < first_success))
}

fn one_that_is_over(scene: &Scene<'_>, place: usize, hit: &[Look<'_>], passed: &[Timestamp]) -> Option<Interruption> {
    let seats = seats_of(scene, hit)?;
    // What is cut off on its way began before the moment, and what waits in vain ends long after it.
    let cut_at = |look: &Look<'_>| if waits(look) { look.attempt.started_at } else { look.attempt.ended_at() };
    let from = hit.iter().map(cut_at).min()?;
    let until = hit.iter().map(|look| look.attempt.started_at).max()?.max(from);
    let unpaced = scene.looks_at(place).filter(|look| look.reach.is_ok() && look.attempt.started_at > until && seats.contains(&look.seat)).count();
    let nobody_passes = !passed.iter().any(|at| from <= *at && *at <= until);
    (nobody_passes && unpaced >= hit.len().min(ENOUGH)).then_some(Interruption { from, until, is_for_good: false })
}

fn one_for_good(scene: &Scene<'_>, hit: &[Look<'_>], passed: &[Timestamp]) -> Option<Interruption> {
    // A full queue is silent for long as well.
    let last_success = *passed.iter().max().filter(|_| !hit.iter().any(waits))?;
    let (after, before): (Vec<Look<'_>>, Vec<Look<'_>>) = hit.iter().partition(|look| look.attempt.started_at > last_success);
    // Several are cut off again and again: what hits each but once at the end may be a load as well.
    let mut times = vec![0; scene.seats.len()];
    after.iter().for_each(|look| times[look.seat] += 1);
    let again: Vec<Look<'_>> = after.iter().filter(|look| times[look.seat] >= ENOUGH).copied().collect();
    seats_of(scene, &again)?;
    let share_before = (before.len() + 1) as f64 / (before.len() + 1 + passed.len()) as f64;
    let starts = || after.iter().map(|look| look.attempt.started_at);
    let (from, until) = starts().min().zip(starts().max())?;
    (row_by_chance(share_before, after.len()) <= LUCK).then_some(Interruption { from, until, is_for_good: true })
}

/// Returns whose failures these are, if two groups are among them.
fn seats_of(scene: &Scene<'_>, hit: &[Look<'_>]) -> Option<Vec<usize>> {
    let seats: Vec<usize> = hit.iter().map(|look| look.seat).collect();
    (scene.count_groups(&seats) > 1).then_some(seats)
}

fn waits(look: &Look<'_>) -> bool {
    matches!(look.reach, Outcome::TcpTimeout | Outcome::TlsTimeout)
}

/// Successes one after the other that a limit on rate would not have let through, and failures that are no chance.
const ENOUGH: usize = 4;
/// How likely a row of failures by chance may be to end everything.
const LUCK: f64 = 0.001;
