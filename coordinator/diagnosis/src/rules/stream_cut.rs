use parallax_model::{
    facts::{BodyEnd, BodyFacts},
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme};
use crate::{
    cell::{Layer, Look},
    draft::Draft,
    explain::{WHERE, WHO, count, seats as named},
    suspicion::{Shape, Suspicion},
    testimony,
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathStateLoss,
    requires: "a body under way falls silent in every attempt of one group, and comes whole to two other groups",
    excluded_by: "an end that somebody announces (a reset, a close); a second vantage of the group that gets the whole body; bytes that trickle on",
    counter: Cause::PolicyRateLimited,
    next: "read the same body from a second address of the same network, or ask a witness on the server's host who ended the stream",
    concerns: every_scheme,
    test,
};

/// What is cut only after some volume, inside TLS that both ends hold to be fine: a device that counts bytes, or loses what it knew of the connection.
fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    let (scene, place) = (suspicion.scene, suspicion.place);
    if suspicion.layer != Layer::Http || suspicion.shape() != Shape::Some || scene.seats[seat].inside || suspicion.neighbour_passes(seat).is_some() {
        return None;
    }
    let failures = suspicion.failures(seats);
    let bodies: Vec<&BodyFacts> = failures.iter().filter_map(body).filter(|body| body.was_cut()).collect();
    let most = bodies.iter().map(|body| body.bytes).max().filter(|most| *most > 0)?;
    let least = bodies.iter().map(|body| body.bytes).min()?;
    if bodies.len() < failures.len() || testimony::of(scene, seat, place).is_some_and(|testimony| testimony.fate.is_the_servers_will()) {
        return None;
    }
    let whole = |look: &&Look<'_>| body(look).is_some_and(|body| matches!(body.end, BodyEnd::Whole | BodyEnd::Capped) && body.bytes > most);
    let others: Vec<usize> = suspicion.passing.iter().copied().filter(|other| suspicion.looks(*other).iter().any(|look| whole(&look))).collect();
    let own_group = scene.seats[seat].group;
    if scene.groups(&others).keys().filter(|group| **group != own_group).count() < 2 {
        return None;
    }
    let tier = suspicion.tier(seats, false).map(|tier| tier.min(Tier::Likely))?;
    let (_, outcome) = suspicion.class(seats)?;
    // A backend that dies ends the stream just as well: who ends it says nothing of himself.
    if outcome != Outcome::HttpTimeout {
        return None;
    }
    let who = named(scene, seats);
    let seen = format!(
        "from {who} the body fell silent after {} bytes in {}, without a word of the server's",
        if least == most { most.to_string() } else { format!("{least} to {most}") },
        count(bodies.len(), "attempt")
    );
    let passed: Vec<Look<'_>> = others.iter().flat_map(|other| suspicion.looks(*other)).filter(whole).copied().collect();
    let draft = Draft::new(Cause::PathStateLoss, tier).blaming(seats).by(outcome, None).because("body", seen, &failures).because(
        "other-groups",
        format!("more than that came to {} ({})", named(scene, &others), count(passed.len(), "attempt")),
        &passed,
    );
    Some(
        draft.in_words(format!(
            "something on the path of {WHO} to {WHERE} loses connections after about {most} bytes: the handshake is fine, and the body is cut"
        )),
    )
}

fn body<'a>(look: &Look<'a>) -> Option<&'a BodyFacts> {
    look.attempt.facts.http.as_ref()?.body.as_ref()
}
