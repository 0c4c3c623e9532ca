use parallax_model::{assignment::Experiment, outcome::Outcome, verdict::Cause};

use super::{Hypothesis, every_scheme, got_to_the_server, is_settled};
use crate::{
    bench::{payload, tally, tally_of},
    cell::Layer,
    draft::Draft,
    explain::{WHO, count, fate, seats as named, whereabouts},
    route,
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathHelloSize,
    requires: "a large ClientHello fails from some groups and passes from others, a small one passes; and 1,440 bytes that are not TLS pass, or it is reset, or a small MSS does not help",
    excluded_by: "1,440 bytes that are not TLS and are lost too; a large ClientHello without the post-quantum share that passes; a full one that gets to the server, or is heard at its last router",
    counter: Cause::PathMtuBlackhole,
    next: "send 1,440 bytes that are not TLS in one segment: lost in a hole, acknowledged by a size filter (--deep)",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || suspicion.shape() != Shape::Some || !is_settled(suspicion, seat) {
        return None;
    }
    if got_to_the_server(suspicion, seat) || route::full_hello_reaches_server(suspicion.scene, seat, suspicion.place) {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    let (family, outcome) = suspicion.class(seats)?;
    let bytes = suspicion.looks(seat).iter().filter_map(|look| look.attempt.facts.tls.as_ref()).map(|tls| tls.hello.bytes).max()?;
    let large = payload(scene, seat, place, Experiment::LargeNonTls);
    let small_mss = tally_of(scene, seat, place, Experiment::SmallMss, suspicion.profile);
    if bytes < LARGE || large.never(1) || tally(scene, seat, place, Experiment::LargeHello).always(1) {
        return None;
    }
    let silent = family == Outcome::TlsTimeout;
    if silent && !large.always(1) && !small_mss.never(1) {
        return None;
    }
    let ending = route::size_ending(scene, seat, place).filter(|ending| !route::is_at_the_edge(ending.hop, ending.server));
    let located = ending.is_some() && large.always(2);
    let tier = suspicion.tier(seats, located)?;
    let who = named(scene, seats);
    let failures = suspicion.failures(seats);
    let name = scene.profiles[suspicion.profile];
    let mut draft = Draft::new(Cause::PathHelloSize, tier).blaming(seats).by(outcome, Some("size")).because(
        "hello-size",
        format!("a ClientHello of {bytes} bytes ({name}) fails in all {} from {who}; a small one passes there", count(failures.len(), "attempt")),
        &failures,
    );
    if large.always(1) {
        draft.add(
            "large-non-tls",
            format!("1,440 bytes that are not TLS, in one segment, were acknowledged from {who}: packets of that size pass"),
            &large.all(),
        );
    }
    if let Some(ending) = ending {
        draft.located_by_full_segments(scene, seat, place, ending);
    }
    draft.add("other-groups", format!("{name} passes at {} from {}", scene.places[place], named(scene, &suspicion.passing)), &failures);
    let there = whereabouts(draft.location.as_ref());
    Some(draft.in_words(format!("something on the path of {WHO}{there} fails on a large ClientHello: a connection {}", fate(outcome))))
}

/// Bytes of a hello that does not fit one segment, or hardly.
const LARGE: u32 = 1_200;
