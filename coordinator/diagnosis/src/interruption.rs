//! Whether failures are of a moment: a server that is being started again ends everybody's connections at the same time, and nobody's before or after.

use std::fmt;

use parallax_model::{assignment::Experiment, clock::Timestamp, outcome::Outcome};

use crate::{
    cell::{Look, family},
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

/// Returns the one stretch of time in which nobody gets through and all failures of a family at a place lie: two groups or more are hit, and either they come through as often
/// and as fast later on, or nobody does any more.
pub(crate) fn interruption(scene: &Scene<'_>, place: usize, outcome: Outcome) -> Option<Interruption> {
    let class = family(outcome);
    let is_hit = |look: &&Look<'_>| look.reach.is_failure() && family(look.reach) == class;
    let scored = |look: &&Look<'_>| scene.is_scored(look.seat, place);
    let hit: Vec<Look<'_>> = scene.looks_at(place).filter(scored).filter(is_hit).copied().collect();
    let seats: Vec<usize> = hit.iter().map(|look| look.seat).collect();
    // What is cut off on its way began before the moment, and what waits in vain ends long after it.
    let waits = matches!(class, Outcome::TcpTimeout | Outcome::TlsTimeout);
    let cut_at = |look: &Look<'_>| if waits { look.attempt.started_at } else { look.attempt.ended_at() };
    let from = hit.iter().map(cut_at).min().filter(|_| scene.count_groups(&seats) > 1)?;
    let until = hit.iter().map(|look| look.attempt.started_at).max()?.max(from);
    let paced = |seat: usize| scene.bench(seat, Experiment::Slow, place);
    let passed = || {
        let all = scene.looks_at(place).chain((0..scene.seats.len()).flat_map(paced));
        all.filter(|look| look.reach.is_ok()).map(|look| look.attempt.started_at)
    };
    let unpaced_afterwards = scene.looks_at(place).filter(|look| look.reach.is_ok() && look.attempt.started_at > until && seats.contains(&look.seat)).count();
    let is_for_good = hit.len() >= ENOUGH && passed().any(|at| at < from) && !passed().any(|at| at > until);
    let is_over = unpaced_afterwards >= hit.len().min(ENOUGH);
    let is_one = !passed().any(|at| from <= at && at <= until);
    (is_one && (is_over || is_for_good)).then_some(Interruption { from, until, is_for_good })
}

/// Successes one after the other that a limit on rate would not have let through, and failures that are no chance.
const ENOUGH: usize = 4;
