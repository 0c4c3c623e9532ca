//! The experiments that are still worth running in a round.

mod ask;
mod audit;
mod failures;
mod names;
mod spread;
mod witnesses;

use ask::Asks;
use parallax_model::{assignment::Task, clock::Timestamp, id::VantageName};

use crate::{
    gates, rules,
    scene::Scene,
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
///
/// Never asks for what was attempted already, completed or not, and only asks vantages whose share has arrived: asked again after the answers, it comes to an end.
pub fn wanted(round: &RoundView, history: &History, trust: &Trust, now: Timestamp) -> Vec<Wanted> {
    let mut scene = Scene::new(round, history, trust, now);
    let _ = gates::run(&mut scene);
    let drafts = rules::explain(&mut scene);
    let mut asks = Asks::new(&scene);
    spread::union_of_addresses(&mut asks);
    spread::mixtures(&mut asks, &drafts);
    spread::two_certificates(&mut asks);
    failures::failing(&mut asks, &drafts);
    failures::comparison(&mut asks);
    failures::routers(&mut asks, &drafts);
    failures::unplaced(&mut asks, &drafts);
    witnesses::testify(&mut asks, &drafts);
    names::mismatches(&mut asks);
    names::other_keys(&mut asks, &drafts);
    audit::audits(&mut asks);
    asks.finish()
}
