//! Whether one explanation holds an artefact, so that no further experiment can change it.

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    facts::{Reply, ReplyTtlFacts},
    outcome::Outcome,
};

use super::{RowSoFar, SOURCE_PORTS};

/// Tells whether the wanted name is answered from before the server, every time, and a control never is.
pub(super) fn by_an_artefact(row: &RowSoFar<'_>) -> bool {
    let here = |attempt: &&Attempt| attempt.address == Some(row.address);
    let of = |wanted: fn(Experiment) -> bool| row.attempts.iter().filter(here).filter(move |attempt| wanted(attempt.experiment));
    let forged = of(|experiment| experiment == Experiment::ReplyTtl).filter_map(|attempt| attempt.facts.reply_ttl.as_ref()).any(is_forged);
    let controls: Vec<Outcome> = of(|experiment| matches!(experiment, Experiment::ControlName | Experiment::ControlAfter)).map(Outcome::of).collect();
    let wanted: Vec<Outcome> =
        of(|experiment| experiment == Experiment::Baseline).filter(|attempt| row.check.requires(&attempt.profile)).map(Outcome::of).collect();
    let contrast = controls.len() >= LEAST_CONTROLS && wanted.len() >= LEAST_WANTED;
    forged && contrast && controls.into_iter().all(|outcome| !outcome.is_failure()) && wanted.into_iter().all(Outcome::is_failure)
}

/// Tells whether every source port of the list was tried, and all ended alike: each passed, or each failed.
pub(super) fn ports_are_alike(row: &RowSoFar<'_>) -> bool {
    let pinned = row.attempts.iter().filter(|attempt| attempt.address == Some(row.address) && attempt.experiment == Experiment::SourcePort);
    let outcomes: Vec<Outcome> = pinned.map(Outcome::of).collect();
    outcomes.len() >= SOURCE_PORTS.len() && (outcomes.iter().all(|outcome| outcome.is_ok()) || outcomes.iter().all(|outcome| outcome.is_failure()))
}

/// Tells whether a reply after the hello came from nearer than the SYN-ACK, or did not survive a threshold that the server's own answer passed.
fn is_forged(facts: &ReplyTtlFacts) -> bool {
    let after_hello = matches!(facts.reply, Some(Reply::Reset | Reply::Close | Reply::Alert));
    let nearer = facts.reply_ttl.zip(facts.syn_ack).is_some_and(|(reply, server)| reply.is_nearer_than(server));
    after_hello && (nearer || facts.passed_when_filtered == Some(true))
}

/// Beside an artefact, these rule out that one connection happened to pass or fail.
const LEAST_CONTROLS: usize = 2;
const LEAST_WANTED: usize = 3;
