//! Which experiments explain a failure, in which order: pure, so that a table can hold it to the methods.

mod lists;
mod settled;
mod symptom;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, net::SocketAddr};

use parallax_model::{
    assignment::{Experiment, Task},
    attempt::Attempt,
    check::Check,
    id::ProfileName,
};

pub use lists::SOURCE_PORTS;
use symptom::Case;

/// What a row has seen so far at one address.
#[derive(Debug, Clone, Copy)]
pub struct RowSoFar<'a> {
    /// The check.
    pub check: &'a Check,
    /// The address at which something may have failed.
    pub address: SocketAddr,
    /// Every attempt of the row so far, other addresses included.
    pub attempts: &'a [Attempt],
    /// The fleet's responders.
    pub responders: &'a [SocketAddr],
    /// Connections to the target that the row may still make.
    pub connections_left: u32,
}

/// One experiment to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp {
    /// What to try; its address is always given, and is a responder's for [`Experiment::NameAtResponder`].
    pub task: Task,
    /// Follow-ups of the same batch may run at the same time; batches run one after the other.
    pub batch: u32,
    /// The time that each attempt may take, milliseconds.
    pub attempt_ms: u64,
    /// The source port, where the experiment is about it.
    pub source_port: Option<u16>,
    /// Other ports and addresses of the same server, for [`Experiment::ReplyTtl`].
    pub siblings: Vec<SocketAddr>,
}

impl FollowUp {
    /// Estimates how many connections to the target this takes; most of a walk's SYNs die before it, and what goes to responders is none.
    pub fn connections(&self) -> u32 {
        let each = match self.task.experiment {
            Experiment::ReplyTtl => 10,
            Experiment::ControlWalk => 6,
            Experiment::HelloWalk => 4,
            Experiment::SynWalk => 2,
            Experiment::NameAtResponder => 0,
            _ => 1,
        };
        each * self.task.repeat
    }
}

/// Returns what a failing vantage runs at once to explain what failed at one address, most telling first; empty when nothing failed or all was run.
///
/// It may be asked again with what came of the first list: what was run is not asked for twice.
pub fn drill_down(row: &RowSoFar<'_>) -> Vec<FollowUp> {
    let Some(case) = Case::of(row).filter(|_| row.connections_left > 0) else { return Vec::new() };
    let mut planned = lists::for_case(&case);
    take_off_what_was_run(row, &mut planned);
    planned.retain(|followup| is_worth_it(row, followup.task.experiment));
    keep_within(&mut planned, row.connections_left.min(MOST_CONNECTIONS));
    number_batches(&mut planned);
    planned
}

/// Tells whether the recipe that is looked into both passes and fails at the address.
pub fn wavers(row: &RowSoFar<'_>) -> bool {
    Case::of(row).is_some_and(|case| case.mixed)
}

/// Tells whether an experiment is still worth its connections, given what the row has seen by now.
///
/// Once somebody before the server is known to answer the wanted name in its place, and controls pass, only where that is remains to be found out. Source ports of which none
/// differs from another decide nothing, however often each is tried.
pub fn is_worth_it(row: &RowSoFar<'_>, experiment: Experiment) -> bool {
    let places_it = matches!(experiment, Experiment::HelloWalk | Experiment::ControlWalk | Experiment::SynWalk);
    let decides_nothing = experiment == Experiment::SourcePort && settled::ports_are_alike(row);
    places_it || (!decides_nothing && !settled::by_an_artefact(row))
}

fn take_off_what_was_run(row: &RowSoFar<'_>, planned: &mut Vec<FollowUp>) {
    let mut done: HashMap<(ProfileName, Experiment, Option<SocketAddr>, Option<u16>), u32> = HashMap::new();
    for attempt in row.attempts.iter().filter(|attempt| attempt.experiment != Experiment::Baseline) {
        let port = attempt.facts.tcp.as_ref().filter(|_| attempt.experiment == Experiment::SourcePort).and_then(|tcp| tcp.local).map(|local| local.port());
        *done.entry((attempt.profile.clone(), attempt.experiment, attempt.address, port)).or_default() += 1;
    }
    for followup in planned.iter_mut() {
        let key = (followup.task.profile.clone(), followup.task.experiment, followup.task.address, followup.source_port);
        if let Some(done) = done.get_mut(&key) {
            let taken = (*done).min(followup.task.repeat);
            *done -= taken;
            followup.task.repeat -= taken;
        }
    }
    planned.retain(|followup| followup.task.repeat > 0);
}

/// Drops what the budget does not reach, but lets a cheaper one behind it through.
fn keep_within(planned: &mut Vec<FollowUp>, mut budget: u32) {
    planned.retain(|followup| {
        let fits = followup.connections() <= budget;
        budget -= if fits { followup.connections() } else { 0 };
        fits
    });
}

fn number_batches(planned: &mut [FollowUp]) {
    let mut batches: Vec<u32> = planned.iter().map(|followup| followup.batch).collect();
    batches.dedup();
    for followup in planned {
        let place = batches.iter().position(|batch| *batch == followup.batch).unwrap_or_default();
        followup.batch = u32::try_from(place).unwrap_or(u32::MAX);
    }
}

/// The most connections that one failing address is worth, over all its lists.
pub const MOST_CONNECTIONS: u32 = 40;
