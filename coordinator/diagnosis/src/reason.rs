//! Why a finding is made, while it is being put together: what several vantages and addresses show alike becomes one sentence.

use std::{collections::BTreeSet, net::SocketAddr};

use parallax_model::{attempt::Attempt, clock::Timestamp, id::AttemptId, verdict::Evidence};

use crate::{
    cell::Look,
    explain::{COUNT, WHERE, WHO, count, row, seats as named},
    scene::Scene,
};

/// A rule that fired, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reason {
    pub(crate) rule: String,
    clauses: Vec<Clause>,
    /// Attempts that it rests on beside those that it names.
    beside: Vec<AttemptId>,
    /// From when to when its attempts were made.
    span: Option<(Timestamp, Timestamp)>,
}

/// A sentence, and the attempts whose vantages, addresses and number it names in place of [`WHO`], [`WHERE`] and [`COUNT`].
#[derive(Debug, Clone, PartialEq)]
struct Clause {
    text: String,
    seats: BTreeSet<usize>,
    addresses: BTreeSet<SocketAddr>,
    /// In the order in which they were named, some of them more than once.
    attempts: Vec<AttemptId>,
}

impl Reason {
    /// Says something about attempts, and rests on these and on others beside them.
    pub(crate) fn new(rule: &str, text: String, looks: &[Look<'_>], beside: &[Look<'_>]) -> Self {
        let mut reason = Self::of(rule, text, looks.iter().map(|look| look.seat).collect(), looks.iter().map(|look| look.attempt));
        for attempt in beside.iter().map(|look| look.attempt) {
            reason.beside.push(attempt.id);
            reason.span = covering(reason.span, Some(span_of(attempt)));
        }
        reason
    }

    /// Says something that rests on lookups of seats.
    pub(crate) fn of_lookups(rule: &str, text: String, seats: &[usize], lookups: &[&Attempt]) -> Self {
        Self::of(rule, text, seats.iter().copied().collect(), lookups.iter().copied())
    }

    fn of<'a>(rule: &str, text: String, seats: BTreeSet<usize>, all: impl Iterator<Item = &'a Attempt>) -> Self {
        let mut clause = Clause { text, seats, addresses: BTreeSet::new(), attempts: Vec::new() };
        let mut span = None;
        // Attempts come by vantage and address: most are at the same one as the last.
        let mut last: Option<SocketAddr> = None;
        for attempt in all {
            if attempt.address != last {
                clause.addresses.extend(attempt.address);
                last = attempt.address;
            }
            clause.attempts.push(attempt.id);
            span = covering(span, Some(span_of(attempt)));
        }
        Self { rule: rule.to_owned(), clauses: vec![clause], beside: Vec::new(), span }
    }

    /// Returns the attempts that it rests on, all of them, some more than once.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = AttemptId> + '_ {
        self.clauses.iter().flat_map(|clause| &clause.attempts).chain(&self.beside).copied()
    }

    /// Returns from when to when its attempts were made.
    pub(crate) fn span(&self) -> Option<(Timestamp, Timestamp)> {
        self.span
    }

    /// Takes in what the same rule says of further attempts.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.beside.extend(other.beside);
        self.span = covering(self.span, other.span);
        for clause in other.clauses {
            match self.clauses.iter_mut().find(|known| known.text == clause.text) {
                Some(known) => {
                    known.seats.extend(clause.seats);
                    known.addresses.extend(clause.addresses);
                    known.attempts.extend(clause.attempts);
                }
                None => self.clauses.push(clause),
            }
        }
    }

    /// Writes it out.
    pub(crate) fn written(&self, scene: &Scene<'_>) -> Evidence {
        let mut text = String::new();
        for clause in self.clauses.iter().map(|clause| clause.written(scene)) {
            if text.is_empty() {
                text = clause;
            } else if !text.contains(&clause) && text.len() + clause.len() < MAX_TEXT {
                text = format!("{text}; {clause}");
            }
        }
        let mut attempts = distinct(self.attempts());
        attempts.truncate(MAX_ATTEMPTS);
        Evidence { rule: self.rule.clone(), text, attempts }
    }
}

impl Clause {
    fn written(&self, scene: &Scene<'_>) -> String {
        let seats: Vec<usize> = self.seats.iter().copied().collect();
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        let text = self.text.replace(WHO, &named(scene, &seats)).replace(WHERE, &row(&addresses));
        if !text.contains(COUNT) {
            return text;
        }
        text.replace(COUNT, &count(distinct(self.attempts.iter().copied()).len(), "attempt"))
    }
}

fn span_of(attempt: &Attempt) -> (Timestamp, Timestamp) {
    (attempt.started_at, attempt.ended_at())
}

/// Returns the span that covers both.
pub(crate) fn covering(one: Option<(Timestamp, Timestamp)>, other: Option<(Timestamp, Timestamp)>) -> Option<(Timestamp, Timestamp)> {
    match (one, other) {
        (Some(one), Some(other)) => Some((one.0.min(other.0), one.1.max(other.1))),
        (one, other) => one.or(other),
    }
}

/// Returns each attempt once, in order.
pub(crate) fn distinct(attempts: impl Iterator<Item = AttemptId>) -> Vec<AttemptId> {
    let mut attempts: Vec<AttemptId> = attempts.collect();
    // The order of the ids' bytes, compared as one number.
    attempts.sort_unstable_by_key(|attempt| attempt.0.as_u128());
    attempts.dedup();
    attempts
}

/// Attempts that one piece of evidence names at most; counts in its text cover all.
const MAX_ATTEMPTS: usize = 32;
/// Evidence of several addresses is joined up to this length.
const MAX_TEXT: usize = 600;
