use std::{collections::VecDeque, sync::Arc};

use parallax_model::{clock::Timestamp, incident::CellState};

use super::snapshot::Snapshot;
use crate::cell::{State, of_counts};

/// What one round says of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Pass,
    Fail,
    Mixed,
}

/// A cell over the rounds.
#[derive(Debug)]
pub(super) struct Cell {
    state: CellState,
    since: Timestamp,
    /// When the failure that is under way began.
    failing_since: Timestamp,
    /// When the successes that are under way began.
    passing_since: Timestamp,
    /// Successes since the last failure.
    passed: u32,
    /// Sample, failures and attempts of the last rounds.
    recent: VecDeque<(Sample, u32, u32)>,
    /// The last round in which it passed.
    pub(super) good: Option<Arc<Snapshot>>,
    /// The number of the last round that heard it.
    pub(super) heard_in: u32,
}

/// Successes in a row that decide that a cell passes (methods 3.3).
pub(super) const SUCCESSES: u32 = 3;
/// Rounds over which a rate is taken, and within which something that comes back is the same.
pub(super) const WINDOW: usize = 12;
/// Changes of direction within the window that make a cell flap: it broke and healed twice.
const FLIPS: usize = 4;
/// Rounds alike that end flapping.
const CALM: usize = 6;

impl Sample {
    /// Reads the attempts of one round by the sequential test; none when nothing was completed. One failure and nothing else is a failure that waits for a second round.
    pub(super) fn of(attempts: u32, failures: u32) -> Option<Self> {
        match of_counts(attempts.saturating_sub(failures), failures) {
            State::Empty => None,
            State::Pass => Some(Self::Pass),
            State::Fail | State::Thin => Some(Self::Fail),
            State::Mixed => Some(Self::Mixed),
        }
    }
}

impl Cell {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            state: CellState::Unknown,
            since: at,
            failing_since: at,
            passing_since: at,
            passed: 0,
            recent: VecDeque::with_capacity(WINDOW),
            good: None,
            heard_in: 0,
        }
    }

    pub(super) fn state(&self) -> CellState {
        self.state
    }

    pub(super) fn since(&self) -> Timestamp {
        self.since
    }

    /// Returns the share of attempts that failed in the last rounds.
    pub(super) fn rate(&self) -> f64 {
        let (failures, attempts) = self.recent.iter().fold((0, 0), |sum, (_, failures, attempts)| (sum.0 + failures, sum.1 + attempts));
        if attempts == 0 { 0.0 } else { f64::from(failures) / f64::from(attempts) }
    }

    /// Takes one round in; `proven` says that an artefact settles its failure.
    pub(super) fn step(&mut self, at: Timestamp, sample: Sample, passed: u32, attempts: u32, proven: bool) {
        let failed_before = self.recent.back().is_some_and(|(last, ..)| *last != Sample::Pass);
        if self.recent.len() == WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back((sample, attempts.saturating_sub(passed), attempts));
        let next = if sample == Sample::Pass {
            if failed_before || self.state == CellState::Unknown {
                (self.passing_since, self.passed) = (at, 0);
            }
            self.passed = self.passed.saturating_add(passed);
            self.after_pass()
        } else {
            if !failed_before && !matches!(self.state, CellState::Failing | CellState::Recovering) {
                self.failing_since = at;
            }
            self.passed = 0;
            self.after_failure(failed_before || proven)
        };
        let next = self.overlaid(next);
        if next != self.state {
            self.since = self.beginning(next, at);
            self.state = next;
        }
    }

    fn after_pass(&self) -> CellState {
        match self.state {
            CellState::Failing | CellState::Recovering | CellState::Flapping if self.passed < SUCCESSES => CellState::Recovering,
            _ => CellState::Passing,
        }
    }

    fn after_failure(&self, certain: bool) -> CellState {
        match self.state {
            CellState::Failing | CellState::Recovering => CellState::Failing,
            _ if certain => CellState::Failing,
            _ => CellState::Suspect,
        }
    }

    /// Lays flapping over what the last round alone says.
    fn overlaid(&self, next: CellState) -> CellState {
        let flips = self.recent.iter().zip(self.recent.iter().skip(1)).filter(|((a, ..), (b, ..))| a != b).count();
        let mixed = self.recent.iter().filter(|(sample, ..)| *sample == Sample::Mixed).count();
        let calm =
            self.recent.len() >= CALM && self.recent.iter().rev().take(CALM).all(|(sample, ..)| Some(sample) == self.recent.back().map(|(last, ..)| last));
        let flaps = flips >= FLIPS || mixed >= 2;
        if (flaps || self.state == CellState::Flapping) && !calm { CellState::Flapping } else { next }
    }

    fn beginning(&self, next: CellState, at: Timestamp) -> Timestamp {
        match next {
            CellState::Failing | CellState::Suspect => self.failing_since,
            CellState::Passing => self.passing_since,
            CellState::Unknown | CellState::Recovering | CellState::Flapping => at,
        }
    }
}
