//! Why a finding is made, while it is being put together: what several vantages and addresses show alike becomes one sentence.

use std::{collections::BTreeSet, net::SocketAddr};

use parallax_model::{
    attempt::Attempt,
    id::{AttemptId, VantageName},
    verdict::Evidence,
};

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
    /// The attempts that it rests on, all of them.
    attempts: BTreeSet<AttemptId>,
}

/// A sentence, and the attempts whose vantages, addresses and number it names in place of [`WHO`], [`WHERE`] and [`COUNT`].
#[derive(Debug, Clone, PartialEq)]
struct Clause {
    text: String,
    vantages: BTreeSet<VantageName>,
    addresses: BTreeSet<SocketAddr>,
    attempts: BTreeSet<AttemptId>,
}

impl Reason {
    /// Says something about attempts, and rests on these and on others beside them.
    pub(crate) fn new(rule: &str, text: String, looks: &[Look<'_>], beside: &[Look<'_>]) -> Self {
        let mut reason = Self::of(rule, text, looks.iter().map(|look| look.attempt));
        reason.attempts.extend(beside.iter().map(|look| look.attempt.id));
        reason
    }

    /// Says something that rests on lookups.
    pub(crate) fn of_lookups(rule: &str, text: String, lookups: &[&Attempt]) -> Self {
        Self::of(rule, text, lookups.iter().copied())
    }

    fn of<'a>(rule: &str, text: String, all: impl Iterator<Item = &'a Attempt>) -> Self {
        let mut clause = Clause { text, vantages: BTreeSet::new(), addresses: BTreeSet::new(), attempts: BTreeSet::new() };
        for attempt in all {
            if !clause.vantages.contains(&attempt.vantage) {
                clause.vantages.insert(attempt.vantage.clone());
            }
            clause.addresses.extend(attempt.address);
            clause.attempts.insert(attempt.id);
        }
        Self { rule: rule.to_owned(), attempts: clause.attempts.clone(), clauses: vec![clause] }
    }

    /// Returns the attempts that it rests on, all of them.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = AttemptId> + '_ {
        self.attempts.iter().copied()
    }

    /// Takes in what the same rule says of further attempts.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.attempts.extend(other.attempts);
        for clause in other.clauses {
            match self.clauses.iter_mut().find(|known| known.text == clause.text) {
                Some(known) => {
                    known.vantages.extend(clause.vantages);
                    known.addresses.extend(clause.addresses);
                    known.attempts.extend(clause.attempts);
                }
                None => self.clauses.push(clause),
            }
        }
    }

    /// Writes it out.
    pub(crate) fn into_evidence(self, scene: &Scene<'_>) -> Evidence {
        let mut text = String::new();
        for clause in self.clauses.iter().map(|clause| clause.written(scene)) {
            if text.is_empty() {
                text = clause;
            } else if !text.contains(&clause) && text.len() + clause.len() < MAX_TEXT {
                text = format!("{text}; {clause}");
            }
        }
        Evidence { rule: self.rule, text, attempts: self.attempts.into_iter().take(MAX_ATTEMPTS).collect() }
    }
}

impl Clause {
    fn written(&self, scene: &Scene<'_>) -> String {
        let seats: Vec<usize> = (0..scene.seats.len()).filter(|seat| self.vantages.contains(&scene.seats[*seat].view.name)).collect();
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        self.text.replace(WHO, &named(scene, &seats)).replace(WHERE, &row(&addresses)).replace(COUNT, &count(self.attempts.len(), "attempt"))
    }
}

/// Attempts that one piece of evidence names at most; counts in its text cover all.
const MAX_ATTEMPTS: usize = 32;
/// Evidence of several addresses is joined up to this length.
const MAX_TEXT: usize = 600;
