use std::collections::{BTreeMap, VecDeque};

use parallax_model::{cadence::Cadence, check::Check, clock::Timestamp, incident::Gap, verdict::Verdict};

use super::snapshot::is_silent;

/// Who was not heard, and how long.
#[derive(Debug)]
pub(super) struct Gaps {
    cadence: Cadence,
    anchor: Timestamp,
    last: Option<Timestamp>,
    /// Distances of the last rounds: a check may have had another cadence.
    distances: VecDeque<i64>,
    closed: Vec<Gap>,
    /// Gaps of vantages that go on; the empty name stands for nobody having been heard.
    open: BTreeMap<String, Gap>,
}

const DISTANCES: usize = 5;
const MOST_COUNTED: u32 = 100_000;
const NO_ROUND: &str = "no round was made";
const NOBODY: &str = "no vantage was heard";
const NOT_HEARD: &str = "not heard";

impl Gaps {
    pub(super) fn of(check: &Check) -> Self {
        Self {
            cadence: check.cadence.clone(),
            anchor: check.anchor,
            last: None,
            distances: VecDeque::with_capacity(DISTANCES),
            closed: Vec::new(),
            open: BTreeMap::new(),
        }
    }

    /// Returns the distance between rounds after the last one, microseconds; the greater of what the check says now and what it did then.
    pub(super) fn step_us(&self) -> i64 {
        let said = self.last.and_then(|last| self.cadence.window(self.anchor, last)).map_or(0, |window| i64::try_from(window.as_micros()).unwrap_or(i64::MAX));
        said.max(self.distances.iter().copied().min().unwrap_or(0))
    }

    /// Takes one round in.
    pub(super) fn step(&mut self, verdict: &Verdict) {
        let at = verdict.started_at;
        if let Some(last) = self.last {
            let rounds = self.missing(last, at);
            if rounds > 0 {
                let from = self.cadence.next_after(self.anchor, last).filter(|next| *next < at).unwrap_or(last);
                self.closed.push(Gap { vantage: None, from, until: Some(at), rounds, reason: NO_ROUND.to_owned() });
            }
            if self.distances.len() == DISTANCES {
                self.distances.pop_front();
            }
            self.distances.push_back(at.micros_since(last));
        }
        self.last = Some(at);
        let silent = silent(verdict);
        let ended: Vec<String> = self.open.keys().filter(|name| !silent.contains_key(name.as_str())).cloned().collect();
        for name in ended {
            self.closed.extend(self.open.remove(&name).map(|gap| Gap { until: Some(at), ..gap }));
        }
        for (name, reason) in silent {
            let vantage = (!name.is_empty()).then(|| name.to_owned());
            let gap = self.open.entry(name.to_owned()).or_insert_with(|| Gap { vantage, from: at, until: None, rounds: 0, reason: reason.to_owned() });
            gap.rounds += 1;
        }
    }

    /// Counts the rounds that should lie between two.
    fn missing(&self, last: Timestamp, at: Timestamp) -> u32 {
        let (step, distance) = (self.step_us(), at.micros_since(last));
        // Half a step more is a round by hand, or the schedule's own grain.
        if step <= 0 || distance <= step + step / 2 {
            return 0;
        }
        if matches!(self.cadence, Cadence::Every { .. }) {
            return u32::try_from((distance - step / 2) / step).unwrap_or(MOST_COUNTED);
        }
        let mut next = last;
        let mut count = 0;
        while let Some(due) = self.cadence.next_after(self.anchor, next).filter(|due| *due < at && count < MOST_COUNTED) {
            (next, count) = (due, count + 1);
        }
        count
    }

    /// Returns every gap by its start; with `now` also the one since the last round, when a round is overdue by a whole step.
    pub(super) fn all(&self, now: Option<Timestamp>) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = self.closed.iter().chain(self.open.values()).cloned().collect();
        if let (Some(last), Some(now)) = (self.last, now) {
            let rounds = self.missing(last, now);
            if rounds > 1 {
                let from = self.cadence.next_after(self.anchor, last).unwrap_or(last);
                gaps.push(Gap { vantage: None, from, until: None, rounds, reason: NO_ROUND.to_owned() });
            }
        }
        gaps.sort_by(|a, b| (a.from, &a.vantage).cmp(&(b.from, &b.vantage)));
        gaps
    }
}

/// Returns who says nothing of the target in a round, and why; the empty name alone when nobody does.
fn silent(verdict: &Verdict) -> BTreeMap<&str, &str> {
    let vantages = &verdict.vantages;
    if vantages.reported == 0 {
        return BTreeMap::from([("", NOBODY)]);
    }
    let discarded = vantages.discarded.iter().map(|discarded| (discarded.vantage.as_str(), discarded.cause.as_str()));
    let missing = vantages.missing.iter().map(|name| (name.as_str(), NOT_HEARD));
    missing.chain(discarded.filter(|(_, cause)| is_silent(cause))).collect()
}
