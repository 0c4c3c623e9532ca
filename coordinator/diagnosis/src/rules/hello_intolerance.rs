use parallax_model::{
    assignment::Experiment,
    facts::{AuditAnswer, AuditFacts, Rung},
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme};
use crate::{
    bench::{names, tally},
    cell::{Layer, Look, Silence, State},
    draft::Draft,
    explain::{WHERE, count, fate, groups, row, seats as named},
    route::is_by_somebody_nearer,
    suspicion::Suspicion,
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::ServerHelloIntolerance,
    requires: "one form of the ClientHello fails in every group and a plainer one passes in the same groups, at the same address",
    excluded_by: "a group where that form passes; an answer to it that begins, another name that passes in the same form, or an author nearer than the server",
    counter: Cause::EdgeFilter,
    next: "look from a vantage on the server's own segment (role=inside)",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.layer != Layer::Tls || !suspicion.passing.is_empty() {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    let (_, outcome) = suspicion.class(seats)?;
    // What is answered in part was borne.
    if suspicion.silence(seats) == Some(Silence::Partial) {
        return None;
    }
    let is_about_the_name = |seat: &usize| names(scene, *seat, place).decide();
    if seats.iter().any(|seat| is_about_the_name(seat) || is_by_somebody_nearer(scene, *seat, place)) {
        return None;
    }
    // Clients differ in all that they offer, and an alert says that the hello was read: its form is not to blame.
    let is_client = scene.recipe(suspicion.profile).is_some_and(|profile| profile.client.is_some());
    if is_client && matches!(outcome, Outcome::TlsAlert(_)) {
        return None;
    }
    let others: Vec<usize> = (0..scene.profiles.len()).filter(|profile| *profile != suspicion.profile).collect();
    let passes = |seat: usize| -> Option<(String, Vec<Look<'_>>)> {
        let other = others.iter().find(|profile| scene.state(seat, place, **profile, Layer::Tls) == State::Pass);
        if let Some(other) = other {
            return Some((scene.profiles[*other].to_owned(), scene.cell(seat, place, *other).to_vec()));
        }
        let small = tally(scene, seat, place, Experiment::SmallHello);
        if small.always(1) {
            return Some(("a small ClientHello".to_owned(), small.all()));
        }
        let audits = scene.bench(seat, Experiment::Audit, place).copied();
        let plain: Vec<Look<'_>> = audits.filter(|look| look.attempt.facts.audit.as_deref().is_some_and(answers_plain_hellos)).collect();
        (!plain.is_empty()).then(|| ("the audit's plain ClientHello".to_owned(), plain))
    };
    let plainer: Vec<(String, Vec<Look<'_>>)> = seats.iter().filter_map(|seat| passes(*seat)).collect();
    if plainer.len() < seats.len().min(2) {
        return None;
    }
    let tier = suspicion.server_tier(seats, false).map(|tier| tier.min(Tier::Likely))?;
    let failures = suspicion.failures(seats);
    let mut names: Vec<&str> = plainer.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let looks: Vec<Look<'_>> = plainer.iter().flat_map(|(_, looks)| looks.iter().copied()).collect();
    let profile = scene.profiles[suspicion.profile];
    let judged = suspicion.groups_judged();
    let draft = Draft::new(Cause::ServerHelloIntolerance, tier)
        .blaming(seats)
        .by(outcome, None)
        .because(
            "variant",
            format!(
                "{profile} fails in {} ({}, {}): a connection {}",
                groups(scene.count_groups(seats), judged),
                named(scene, seats),
                count(failures.len(), "attempt"),
                fate(outcome)
            ),
            &failures,
        )
        .because("plainer", format!("{} passes at the same address from the same vantages", row(&names)), &looks)
        .in_words(format!(
            "the server at {WHERE} fails on the ClientHello of {profile}, from everywhere: a connection {}; {} passes",
            fate(outcome),
            row(&names)
        ));
    Some(draft)
}

/// Tells whether an audit's smallest hello was answered.
pub(super) fn answers_plain_hellos(audit: &AuditFacts) -> bool {
    audit.answer_to(Rung::Small) == Some(AuditAnswer::Hello)
}
