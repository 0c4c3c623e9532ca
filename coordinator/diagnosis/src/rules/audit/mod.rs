//! What an audit shows of a server: each claim is a pure function of its facts, and counts when every group's audit of the address says the same.

mod across_names;
mod client_renegotiation;
mod early_data;
mod fallback;
mod field;
mod finite_field;
mod groups;
mod hello_limits;
mod http2;
mod key_types;
mod missing_tls13;
mod name_needed;
mod nodes;
mod obsolete_features;
mod old_versions;
mod outdated_stack;
mod renegotiation;
mod request_size;
mod resumption;
mod suite_order;
mod ticket_lifetime;
mod tls13_suites;
mod tolerance;
mod weak_suites;

use std::collections::BTreeSet;

use parallax_model::{
    assignment::Experiment,
    facts::{AuditAnswer, AuditFacts, VersionFacts},
    verdict::{Cause, Tier},
};

use super::Board;
use crate::{
    cell::Look,
    draft::Draft,
    explain::{WHERE, count, groups as of_groups, seats as named},
    scene::Scene,
};

/// What one audit shows, in the same words wherever it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    cause: Cause,
    /// Says of the server what is so: `still speaks TLS 1.0`.
    what: String,
    counter: Cause,
    next: &'static str,
}

const CLAIMS: [fn(&AuditFacts) -> Option<Claim>; 21] = [
    tolerance::claim,
    hello_limits::claim,
    http2::claim,
    old_versions::claim,
    outdated_stack::claim,
    weak_suites::claim,
    finite_field::claim,
    renegotiation::claim,
    client_renegotiation::claim,
    fallback::claim,
    obsolete_features::claim,
    early_data::claim,
    ticket_lifetime::claim,
    missing_tls13::claim,
    tls13_suites::claim,
    groups::claim,
    suite_order::claim,
    resumption::claim,
    across_names::claim,
    name_needed::claim,
    request_size::claim,
];

/// Makes a finding of each claim on which two groups or more agree and none disagrees; audits that were cut short say nothing.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        let seats: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && !board.is_intercepted(*seat, place)).collect();
        let audits: Vec<(usize, Look<'_>, &AuditFacts)> = seats
            .iter()
            .copied()
            .flat_map(|seat| scene.bench(seat, Experiment::Audit, place).filter_map(move |look| Some((seat, *look, look.attempt.facts.audit.as_deref()?))))
            .filter(|(_, _, facts)| facts.stopped.is_none())
            .collect();
        board.drafts.extend(CLAIMS.iter().filter_map(|claim| agreed(scene, place, &audits, claim)));
        nodes::run(board, place, &audits);
        key_types::run(board, place, &seats);
    }
}

fn agreed(scene: &Scene<'_>, place: usize, audits: &[(usize, Look<'_>, &AuditFacts)], claim: &impl Fn(&AuditFacts) -> Option<Claim>) -> Option<Draft> {
    let first = claim(audits.first()?.2)?;
    let seats: Vec<usize> = audits.iter().map(|(seat, _, _)| *seat).collect::<BTreeSet<usize>>().into_iter().collect();
    let seen_by = scene.count_groups(&seats);
    if seen_by < 2 || audits.iter().any(|(_, _, facts)| claim(facts).as_ref() != Some(&first)) {
        return None;
    }
    let looks: Vec<Look<'_>> = audits.iter().map(|(_, look, _)| *look).collect();
    let text = format!(
        "the server at {} {}: the audits of {} agree ({}, {})",
        scene.places[place],
        first.what,
        of_groups(seen_by, seen_by),
        named(scene, &seats),
        count(audits.len(), "audit")
    );
    let draft = Draft::new(first.cause, Tier::Likely).blaming(&seats).at(place).because("audit", text, &looks).unless(first.counter, first.next);
    Some(draft.in_words(format!("the server at {WHERE} {}", first.what)))
}

/// Returns what was found out about a version that the server speaks.
fn spoken(facts: &AuditFacts, version: u16) -> Option<&VersionFacts> {
    facts.versions.iter().find(|known| known.version == version && known.answer == AuditAnswer::Hello)
}

/// Tells whether the server speaks TLS 1.2 or newer, so that what it speaks beside it is a choice.
fn is_modern(facts: &AuditFacts) -> bool {
    [TLS12, TLS13].into_iter().any(|version| spoken(facts, version).is_some())
}

const TLS12: u16 = 0x0303;
const TLS13: u16 = 0x0304;
