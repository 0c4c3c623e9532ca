//! Which round starts when: computed from the checks and the coordinator's time alone, so that it also works while the coordinator is away.

mod sealed;

use std::time::Duration;

use parallax_model::{
    assignment::{Assignment, Work},
    cadence::Spread,
    check::Check,
    clock::Timestamp,
    id::VantageName,
};
pub(crate) use sealed::{Sealed, open_set};

/// A check and this vantage's place in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scheduled {
    /// The check.
    pub(crate) check: Check,
    /// Place of this vantage among those of the check, from 0.
    pub(crate) rank: u32,
    /// How many vantages the check has.
    pub(crate) vantages: u32,
}

/// A share that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    /// What to do.
    pub(crate) assignment: Assignment,
    /// Whether its window has passed, so that it is recorded and not run.
    pub(crate) is_late: bool,
}

/// All checks of this vantage and when each is due next.
#[derive(Debug)]
pub(crate) struct Schedule {
    vantage: VantageName,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    scheduled: Scheduled,
    /// Start of the next round, by the coordinator's clock; none when there is none.
    next: Option<Timestamp>,
}

impl Schedule {
    /// Starts without checks.
    pub(crate) fn new(vantage: VantageName) -> Self {
        Self { vantage, entries: Vec::new() }
    }

    /// Replaces the set of checks; those that did not change keep their place in time.
    pub(crate) fn replace(&mut self, checks: Vec<Scheduled>, now: Timestamp) {
        let old = std::mem::take(&mut self.entries);
        let entry = |scheduled: Scheduled| match old.iter().find(|entry| entry.scheduled == scheduled) {
            Some(entry) => Entry { scheduled, next: entry.next },
            None => Entry { next: first_begin_after(&scheduled, &self.vantage, now), scheduled },
        };
        self.entries = checks.into_iter().filter(|scheduled| !scheduled.check.paused).map(entry).collect();
    }

    /// Starts anew from `now`, after the clock was found to be wrong: what lies between was not missed.
    pub(crate) fn rebase(&mut self, now: Timestamp) {
        for entry in &mut self.entries {
            entry.next = first_begin_after(&entry.scheduled, &self.vantage, now);
        }
    }

    /// Returns when the next share begins.
    pub(crate) fn next_begin(&self) -> Option<Timestamp> {
        self.entries.iter().filter_map(|entry| Some(entry.next? + offset(&entry.scheduled, &self.vantage, entry.next?))).min()
    }

    /// Takes the shares whose beginning has come; of one check at most one is not late.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        for entry in &mut self.entries {
            let Scheduled { check, .. } = &entry.scheduled;
            let mut taken = 0;
            while let Some(start) = entry.next {
                if start + offset(&entry.scheduled, &self.vantage, start) > now {
                    break;
                }
                let next = check.cadence.next_after(check.anchor, start);
                let span = check.round_span(start);
                let is_late = now >= start + span || next.is_some_and(|next| now >= next);
                due.push(Due { assignment: assignment(check, start, span), is_late });
                taken += 1;
                entry.next = if taken < MOST_LATE { next } else { first_begin_after(&entry.scheduled, &self.vantage, now) };
            }
        }
        due
    }

    /// Returns how many checks are scheduled.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

fn assignment(check: &Check, start: Timestamp, span: Duration) -> Assignment {
    Assignment { round: check.round_at(start), check: check.clone(), start, deadline: start + span, live: false, work: Work::Row }
}

/// Returns the first round whose share begins after `now`; one that has begun may have run before a restart and is not run again.
fn first_begin_after(scheduled: &Scheduled, vantage: &VantageName, now: Timestamp) -> Option<Timestamp> {
    let check = &scheduled.check;
    let mut start = check.cadence.next_after(check.anchor, now - Duration::from_millis(check.limits.round_ms))?;
    while start + offset(scheduled, vantage, start) <= now {
        start = check.cadence.next_after(check.anchor, start)?;
    }
    Some(start)
}

/// Returns how long after the round's start this vantage's share begins.
fn offset(scheduled: &Scheduled, vantage: &VantageName, start: Timestamp) -> Duration {
    let check = &scheduled.check;
    let span = check.round_span(start);
    match check.spread {
        Spread::Aligned => Duration::ZERO,
        Spread::Staggered => span.mul_f64(f64::from(scheduled.rank.min(scheduled.vantages)) / f64::from(scheduled.vantages.max(1))),
        // The last quarter is left for the share itself.
        Spread::Uniform => span.mul_f64(0.75 * fraction(check, vantage)),
    }
}

/// Returns a number from 0 to 1 that is always the same for a check and a vantage (FNV-1a).
fn fraction(check: &Check, vantage: &VantageName) -> f64 {
    let bytes = check.id.0.as_bytes().iter().chain(vantage.as_str().as_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    // The low bits mix best; fold the high ones in.
    hash ^= hash >> 32;
    f64::from(u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(0)) / f64::from(u32::MAX)
}

/// Late rounds of one check that are recorded at a time; a host that stood still for a day does not report a day of them.
const MOST_LATE: u32 = 60;

#[cfg(test)]
mod tests {
    use parallax_model::{
        cadence::Cadence,
        clock::{Clock as _, ManualClock},
    };

    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn scheduled(every_s: u64, spread: Spread, rank: u32) -> Scheduled {
        let mut check = Check::once("api.example.test".parse().unwrap(), at(0));
        check.cadence = Cadence::every(Duration::from_secs(every_s)).unwrap();
        check.spread = spread;
        Scheduled { check, rank, vantages: 4 }
    }

    fn vantage() -> VantageName {
        "fra-1".parse().unwrap()
    }

    /// Runs for `seconds`, waking as the agent does, and returns when each share began after its round's start.
    fn run(schedule: &mut Schedule, clock: &ManualClock, seconds: i64) -> Vec<(i64, i64, bool)> {
        let end = clock.now() + Duration::from_secs(seconds.unsigned_abs());
        let mut seen = Vec::new();
        while let Some(next) = schedule.next_begin().filter(|next| *next <= end) {
            clock.advance(Duration::from_micros(u64::try_from(next.micros_since(clock.now())).unwrap_or(0)));
            let now = clock.now();
            seen.extend(schedule.due(now).into_iter().map(|due| {
                let start = due.assignment.start;
                (start.as_micros() / 1_000_000, now.micros_since(start) / 1_000_000, due.is_late)
            }));
        }
        seen
    }

    #[test]
    fn a_day_without_the_coordinator_keeps_every_round() {
        let clock = ManualClock::at(at(1_000_030));
        let mut schedule = Schedule::new(vantage());
        schedule.replace(vec![scheduled(60, Spread::Aligned, 0)], clock.now());
        let seen = run(&mut schedule, &clock, 86_400);
        assert_eq!(seen.len(), 1_440);
        assert_eq!(seen[0], (1_000_080, 0, false));
        assert!(seen.windows(2).all(|pair| pair[1].0 - pair[0].0 == 60 && !pair[1].2));
    }

    #[test]
    fn vantages_are_spread_over_the_round() {
        let begins = |spread, rank| {
            let clock = ManualClock::at(at(30));
            let mut schedule = Schedule::new(vantage());
            schedule.replace(vec![scheduled(60, spread, rank)], clock.now());
            run(&mut schedule, &clock, 200).into_iter().map(|(_, begin, _)| begin).collect::<Vec<_>>()
        };
        assert_eq!(begins(Spread::Staggered, 1)[0], 15);
        assert_eq!(begins(Spread::Staggered, 3), [45; 4]);
        let uniform = begins(Spread::Uniform, 0);
        assert!(uniform.iter().all(|begin| *begin == uniform[0] && *begin <= 45), "the same in every round: {uniform:?}");
    }

    #[test]
    fn a_round_that_has_begun_is_not_run_after_a_restart() {
        let mut schedule = Schedule::new(vantage());
        schedule.replace(vec![scheduled(60, Spread::Aligned, 0)], at(60));
        assert_eq!(schedule.next_begin(), Some(at(120)));
        schedule.replace(vec![scheduled(60, Spread::Staggered, 2)], at(80));
        assert_eq!(schedule.next_begin(), Some(at(90)), "its own share of the round at 60 has not begun");
    }

    #[test]
    fn late_rounds_are_recorded_and_never_bunched() {
        let mut schedule = Schedule::new(vantage());
        schedule.replace(vec![scheduled(10, Spread::Aligned, 0)], at(5));
        let due = schedule.due(at(42));
        let seen: Vec<(i64, bool)> = due.iter().map(|due| (due.assignment.start.as_micros() / 1_000_000, due.is_late)).collect();
        assert_eq!(seen, [(10, true), (20, true), (30, true), (40, false)]);
        assert!(schedule.due(at(42)).is_empty());
        let after_a_day = schedule.due(at(86_442));
        assert_eq!(after_a_day.len(), 60);
        assert!(after_a_day.iter().all(|due| due.is_late));
        assert_eq!(schedule.next_begin(), Some(at(86_450)));
    }

    #[test]
    fn a_corrected_clock_starts_anew() {
        let mut schedule = Schedule::new(vantage());
        schedule.replace(vec![scheduled(60, Spread::Aligned, 0)], at(1_000_000));
        schedule.rebase(at(100));
        assert_eq!(schedule.next_begin(), Some(at(120)));
    }

    #[test]
    fn unchanged_checks_keep_their_place_and_paused_ones_have_none() {
        let mut schedule = Schedule::new(vantage());
        let first = scheduled(60, Spread::Aligned, 0);
        schedule.replace(vec![first.clone()], at(30));
        schedule.replace(vec![first.clone(), scheduled(600, Spread::Aligned, 0)], at(61));
        assert_eq!((schedule.next_begin(), schedule.len()), (Some(at(60)), 2), "the round that is due was not lost");
        let mut paused = first;
        paused.check.paused = true;
        schedule.replace(vec![paused], at(61));
        assert_eq!(schedule.len(), 0);
    }
}
