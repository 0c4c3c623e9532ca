//! Why a finding is made, while it is being put together: what several vantages and addresses show alike becomes one sentence.

use std::{collections::BTreeSet, net::SocketAddr};

use parallax_model::{
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
        let ids = |looks: &[Look<'_>]| looks.iter().map(|look| look.attempt.id).collect::<BTreeSet<AttemptId>>();
        let clause = Clause {
            text,
            vantages: looks.iter().map(|look| look.attempt.vantage.clone()).collect(),
            addresses: looks.iter().filter_map(|look| look.attempt.address).collect(),
            attempts: ids(looks),
        };
        let mut attempts = ids(beside);
        attempts.extend(&clause.attempts);
        Self { rule: rule.to_owned(), clauses: vec![clause], attempts }
    }

    /// Says something that rests on lookups.
    pub(crate) fn of_lookups(rule: &str, text: String, attempts: impl IntoIterator<Item = AttemptId>) -> Self {
        Self { attempts: attempts.into_iter().collect(), ..Self::new(rule, text, &[], &[]) }
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
