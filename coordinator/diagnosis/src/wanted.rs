//! The experiments that are still worth running in a round.

use parallax_model::{assignment::Task, clock::Timestamp, id::VantageName};

use crate::{
    trust::Trust,
    view::{History, RoundView},
};

/// Experiments that one vantage should still run in this round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who.
    pub vantage: VantageName,
    /// What.
    pub tasks: Vec<Task>,
    /// Why, in one sentence.
    pub why: String,
}

/// Computes the experiments that are still worth running; empty when the round is settled.
pub fn wanted(_round: &RoundView, _history: &History, _trust: &Trust, _now: Timestamp) -> Vec<Wanted> {
    Vec::new()
}
