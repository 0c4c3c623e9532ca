use parallax_model::{facts::ConnectEnd, outcome::Outcome, target::Scheme, verdict::Cause};

use super::Hypothesis;
use crate::{
    cell::{Layer, Look},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, fate, seats as named},
    suspicion::{Shape, Suspicion},
};

fn is_quic(scheme: Scheme) -> bool {
    scheme == Scheme::Quic
}

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathQuicBlocked,
    requires: "QUIC gets no answer, or ICMP, from some groups and comes about in others, and TCP to the same address connects from the failing ones",
    excluded_by: "TCP that fails as well; a neighbour of the same group whose QUIC passes",
    counter: Cause::PolicySourceBlocked,
    next: "capture UDP on the server while a failing vantage tries: whether its Initial arrives tells the way there from the way back and from the server's own filter",
    concerns: is_quic,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || suspicion.shape() != Shape::Some || suspicion.neighbour_passes(seat).is_some() {
        return None;
    }
    let (family, outcome) = suspicion.class(seats)?;
    if !matches!(family, Outcome::QuicTimeout | Outcome::QuicRefused | Outcome::QuicUnreachable) {
        return None;
    }
    let failures = suspicion.failures(seats);
    let by_tcp: Vec<Look<'_>> = failures.iter().filter(|look| connects(look)).copied().collect();
    if by_tcp.is_empty() || by_tcp.len() < failures.len() {
        return None;
    }
    let tier = suspicion.tier(seats, false)?;
    let scene = suspicion.scene;
    let place = scene.places[suspicion.place];
    let draft = Draft::new(Cause::PathQuicBlocked, tier)
        .blaming(seats)
        .by(outcome, None)
        .because("quic", format!("from {WHO} a connection to {WHERE} {} ({COUNT})", fate(outcome)), &failures)
        .because("tcp", format!("TCP to {WHERE} connects from {WHO} right afterwards ({COUNT})"), &by_tcp)
        .because("other-groups", format!("QUIC to {place} comes about from {}", named(scene, &suspicion.passing)), &[])
        .in_words(format!("UDP to {WHERE} is blocked on the path of {WHO}: TCP connects, and a connection {}", fate(outcome)));
    Some(draft)
}

fn connects(look: &Look<'_>) -> bool {
    look.attempt.facts.tcp.as_ref().is_some_and(|tcp| tcp.end == ConnectEnd::Connected)
}
