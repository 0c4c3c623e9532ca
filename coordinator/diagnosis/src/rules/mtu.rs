use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme, throttling::trickles};
use crate::{
    bench::{Tally, payload, tally, tally_of},
    cell::{Layer, Look, Silence},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, whereabouts},
    route,
    scene::Scene,
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathMtuBlackhole,
    requires: "silence after the ClientHello, with the answer begun or lost, or with a large ClientHello unacknowledged; a small MSS cures it; others pass at full size",
    excluded_by: "a failure under the small MSS; full segments that every router on the way heard; 1,440 bytes that are not TLS and are acknowledged, when the large ClientHello is what is lost",
    counter: Cause::PathHelloSize,
    next: "send 1,440 bytes that are not TLS in one segment: lost in a hole, acknowledged by a size filter (--deep)",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || !matches!(suspicion.shape(), Shape::Some) {
        return None;
    }
    // A cure shows a hole, and only a group that passes beside it shows that it is not the server's own link.
    if suspicion.other_groups_passing() == 0 || !suspicion.passes_outside() {
        return None;
    }
    let hole = hole(suspicion, seat)?;
    // A hole on the way would have eaten the full segments that every router on it heard.
    if hole.direction == OUTWARD && route::full_hello_reaches_server(suspicion.scene, seat, suspicion.place) {
        return None;
    }
    let artefact = hole.small.passed.len() >= 3 && suspicion.failures(seats).len() >= 3;
    let tier = suspicion.tier(seats, artefact)?;
    let mut draft = draft(suspicion, seats, &[&hole], Cause::PathMtuBlackhole, tier);
    if let Some(ending) = route::size_ending(suspicion.scene, seat, suspicion.place).filter(|_| hole.direction == OUTWARD) {
        draft.located_by_full_segments(suspicion.scene, seat, suspicion.place, ending);
    }
    let there = whereabouts(draft.location.as_ref());
    Some(draft.in_words(format!("packets over some size are lost, {}, on the path of {WHO}{there} to {WHERE}", hole.direction)))
}

/// What shows that large packets are lost.
pub(super) struct Hole<'a> {
    pub(super) direction: &'static str,
    pub(super) small: Tally<'a>,
}

/// Looks for a hole at one seat.
pub(super) fn hole<'a>(suspicion: &Suspicion<'_, 'a>, seat: usize) -> Option<Hole<'a>> {
    let (scene, place) = (suspicion.scene, suspicion.place);
    if suspicion.class(&[seat])?.0 != Outcome::TlsTimeout || trickles(scene, seat, place) {
        return None;
    }
    let of_profile = tally_of(scene, seat, place, Experiment::SmallMss, suspicion.profile);
    let small = if of_profile.all().is_empty() { tally(scene, seat, place, Experiment::SmallMss) } else { of_profile };
    if !small.always(1) {
        return None;
    }
    let silences: Vec<Silence> = suspicion.failures(&[seat]).iter().filter_map(Look::silence).collect();
    let (unheard, of_all) = (silences.iter().filter(|silence| **silence == Silence::Unacknowledged).count(), silences.len());
    // What is left of an answer differs from attempt to attempt; that the ClientHello arrived does not.
    let silence = if unheard * 5 <= of_all { Silence::Acknowledged } else { suspicion.silence(&[seat])? };
    let direction = match silence {
        Silence::Gap | Silence::Partial | Silence::Acknowledged if !can_be_lost_by_size(scene, seat, place, &small) => return None,
        Silence::Gap | Silence::Partial | Silence::Acknowledged => "server to client",
        // One small segment fits any link: what cures that is the cut through the name.
        Silence::Unacknowledged if hello_bytes(suspicion, seat) < FULL_SEGMENT => return None,
        Silence::Unacknowledged => {
            let large = payload(scene, seat, place, Experiment::LargeNonTls);
            if !large.never(1) {
                return None;
            }
            OUTWARD
        }
    };
    Some(Hole { direction, small })
}

/// Tells whether what got through at full size was shorter than the answers that only a small MSS lets through: a shorter answer may fit the hole.
fn can_be_lost_by_size(scene: &Scene<'_>, seat: usize, place: usize, small: &Tally<'_>) -> bool {
    let cured = small.passed.iter().map(answer_bytes).min().unwrap_or(0);
    let mut passed = scene.looks_of(seat, place).filter(|look| look.reach.is_ok()).map(answer_bytes).peekable();
    passed.peek().is_none() || (small.passed.len() >= 3 && passed.all(|bytes| bytes * 10 < cured * 9))
}

fn answer_bytes(look: &Look<'_>) -> u64 {
    look.attempt.facts.tls.as_ref().map_or(0, |tls| tls.bytes_read)
}

/// Writes the finding; the first hole tells the direction.
pub(super) fn draft<'a>(suspicion: &Suspicion<'_, 'a>, seats: &[usize], holes: &[&Hole<'a>], cause: Cause, tier: Tier) -> Draft {
    let outward = holes.iter().any(|hole| hole.direction == OUTWARD);
    let cured: Vec<Look<'a>> = holes.iter().flat_map(|hole| hole.small.all()).collect();
    let unheard = |look: &Look<'_>| look.silence() == Some(Silence::Unacknowledged);
    let failures: Vec<Look<'a>> = suspicion.failures(seats).into_iter().filter(|look| unheard(look) == outward).collect();
    let seen = if outward { "the large ClientHello was never acknowledged" } else { "the ClientHello was acknowledged and the answer did not arrive whole" };
    let mut draft = Draft::new(cause, tier)
        .blaming(seats)
        .by(Outcome::TlsTimeout, Some("size"))
        .because("small-mss", format!("with an MSS of 536, {COUNT} from {WHO} to {WHERE} passed and none failed"), &cured)
        .because("tcp-info", format!("at full size, {COUNT} from {WHO} to {WHERE} failed: {seen} (TCP_INFO)"), &failures);
    if outward {
        let large: Vec<_> = seats.iter().flat_map(|seat| payload(suspicion.scene, *seat, suspicion.place, Experiment::LargeNonTls).all()).collect();
        draft.add("large-non-tls", format!("1,440 bytes that are not TLS, in one segment, were lost in {COUNT} from {WHO} too"), &large);
    }
    draft
}

/// Tells whether a small MSS cures what never was cut by it: then what is lost is the answer, and for its size.
pub(super) fn is_about_the_answers_size(suspicion: &Suspicion<'_, '_>, seat: usize) -> bool {
    let small = tally_of(suspicion.scene, seat, suspicion.place, Experiment::SmallMss, suspicion.profile);
    small.always(2) && hello_bytes(suspicion, seat) < SMALL_SEGMENT
}

fn hello_bytes(suspicion: &Suspicion<'_, '_>, seat: usize) -> u32 {
    suspicion.looks(seat).iter().filter_map(|look| look.attempt.facts.tls.as_ref()).map(|tls| tls.hello.bytes).max().unwrap_or(0)
}

/// A hello below this fits one segment on every link that carries IPv6 (RFC 8200 section 5).
const FULL_SEGMENT: u32 = 1_160;
/// What an MSS of 536 leaves for a segment's data beside timestamps (RFC 7323).
const SMALL_SEGMENT: u32 = 524;
const OUTWARD: &str = "client to server";
