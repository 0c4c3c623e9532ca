use parallax_model::{
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, edge_filter::before, every_scheme};
use crate::{
    cell::{Layer, Look},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, fate, groups_outside},
    route,
    suspicion::Suspicion,
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::EdgeBlocked,
    requires: "two outside groups or more are cut off alike, whatever the name, size and version",
    excluded_by: "an outside group that passes; an artefact nearer to the vantages, or SYNs lost well before the server; a SYN that gets through with any profile; an answer to the STARTTLS command",
    counter: Cause::PolicySourceBlocked,
    next: "look from an outside source that the owner's policy certainly allows",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.layer == Layer::Http || !suspicion.is_before_the_server(seats) {
        return None;
    }
    let scene = suspicion.scene;
    // What cuts each group off on its own way is nobody's edge.
    if seats.iter().any(|seat| route::falls_far_short(scene, *seat, suspicion.place)) {
        return None;
    }
    if suspicion.layer == Layer::Tcp && suspicion.connects(seats) {
        return None;
    }
    let (_, outcome) = suspicion.class(seats)?;
    if matches!(outcome, Outcome::StartTlsNotOffered | Outcome::StartTlsRefused) {
        return None;
    }
    let failures = suspicion.failures(seats);
    let inside: Vec<Look<'_>> = suspicion.passing.iter().flat_map(|seat| suspicion.looks(*seat)).copied().collect();
    let draft = Draft::new(Cause::EdgeBlocked, Tier::Likely)
        .blaming(seats)
        .by(outcome, None)
        .because(
            "groups",
            format!("a connection to {WHERE} {} in {} ({WHO}, {COUNT})", fate(outcome), groups_outside(scene.count_groups(seats), suspicion.groups_outside())),
            &failures,
        )
        .because("before-the-server", before(scene, suspicion), &inside)
        .in_words(format!("the owner's own edge cuts {WHERE} off from outside: a connection {}", fate(outcome)));
    Some(draft)
}
