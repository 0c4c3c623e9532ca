use parallax_model::verdict::{Cause, Tier};

use super::{Hypothesis, every_scheme};
use crate::{
    bench::names,
    cell::{Layer, Look, State},
    draft::Draft,
    explain::{WHERE, WHO, fate, groups_outside, seats as named},
    scene::Scene,
    suspicion::Suspicion,
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::EdgeFilter,
    requires: "one name, size, split or version fails from two outside groups or more, others pass there, and the inside vantage passes",
    excluded_by: "an outside group that passes; an inside vantage that fails as well",
    counter: Cause::PathSniFilter,
    next: "walk with the wanted name and with the control from two networks (--deep): the walks end at the same last hop when the edge does it",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.layer != Layer::Tls || !suspicion.is_before_the_server(seats) {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    let (_, outcome) = suspicion.class(seats)?;
    let variant = seats.iter().all(|seat| another_profile_passes(scene, *seat, place, suspicion.profile));
    let by_name: Vec<usize> = seats.iter().copied().filter(|seat| names(scene, *seat, place).decide()).collect();
    let host = scene.round.check.target.host.to_string();
    let what = if variant {
        format!("the ClientHello of {}", scene.profiles[suspicion.profile])
    } else if !by_name.is_empty() && seats.iter().all(|seat| !names(scene, *seat, place).do_not_matter()) {
        format!("the name {host}")
    } else {
        return None;
    };
    let failures = suspicion.failures(seats);
    let mut draft = Draft::new(Cause::EdgeFilter, Tier::Likely).blaming(seats).by(outcome, if variant { None } else { Some("sni") });
    draft.add("groups", format!("{what} fails in {} ({WHO})", groups_outside(scene.count_groups(seats), suspicion.groups_outside())), &failures);
    if !variant {
        let controls: Vec<Look<'_>> = by_name.iter().flat_map(|seat| names(scene, *seat, place).control.all()).collect();
        draft.add("control-name", format!("another name, or none, passes at the same address from {WHO}"), &controls);
    }
    let inside: Vec<Look<'_>> = suspicion.passing.iter().flat_map(|seat| suspicion.looks(*seat)).copied().collect();
    draft.add("before-the-server", before(scene, suspicion), &inside);
    let gist = format!("the owner's own edge before {WHERE} fails on {what}: a connection from outside {}", fate(outcome));
    Some(draft.in_words(gist))
}

/// Says what shows that it happens before the server.
pub(super) fn before(scene: &Scene<'_>, suspicion: &Suspicion<'_, '_>) -> String {
    match suspicion.passing.as_slice() {
        [] => "what ends the attempts comes from nearer than the server, in two groups or more (arrival TTL)".to_owned(),
        inside => format!("the inside vantage {} passes", named(scene, inside)),
    }
}

fn another_profile_passes(scene: &Scene<'_>, seat: usize, place: usize, profile: usize) -> bool {
    // What is cut after the handshake passes no further than what is cut within.
    let passes = |other: usize| scene.state(seat, place, other, Layer::Tls) == State::Pass && scene.state(seat, place, other, Layer::Http) != State::Fail;
    (0..scene.profiles.len()).any(|other| other != profile && passes(other))
}
