use parallax_model::{
    outcome::Outcome,
    profile::Delivery,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme, got_to_the_server, is_settled};
use crate::{
    cell::{Layer, State},
    draft::Draft,
    explain::{WHO, count, fate, seats as named},
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathHelloSplit,
    requires: "a ClientHello in two segments fails from some groups and passes from others; the same hello in one segment passes",
    excluded_by: "the same failure in every group; a ClientHello that gets to the server: acknowledged whole, or ended from as far away",
    counter: Cause::ServerHelloIntolerance,
    next: "try the split hello from two more networks",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || suspicion.shape() != Shape::Some || !is_settled(suspicion, seat) {
        return None;
    }
    if got_to_the_server(suspicion, seat) {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    let delivery = |profile: usize| scene.recipe(profile).map(|profile| profile.delivery);
    let is_split = |profile: usize| matches!(delivery(profile), Some(Delivery::SplitInName | Delivery::SplitRecords));
    let split_fails = (0..scene.profiles.len()).any(|profile| is_split(profile) && scene.state(seat, place, profile, Layer::Tls) == State::Fail);
    let (_, outcome) = suspicion.class(seats)?;
    if !split_fails || matches!(outcome, Outcome::TlsUnsupported) {
        return None;
    }
    let tier = suspicion.tier(seats, false).map(|tier| tier.min(Tier::Likely))?;
    let who = named(scene, seats);
    let failures = suspicion.failures(seats);
    let name = scene.profiles[suspicion.profile];
    let draft = Draft::new(Cause::PathHelloSplit, tier)
        .blaming(seats)
        .by(outcome, Some("split"))
        .because(
            "split",
            format!("a ClientHello in several segments ({name}) fails in all {} from {who}; in one segment it passes there", count(failures.len(), "attempt")),
            &failures,
        )
        .because("other-groups", format!("{name} passes at {} from {}", scene.places[place], named(scene, &suspicion.passing)), &failures)
        .in_words(format!("something on the path of {WHO} fails on a ClientHello in several segments: a connection {}", fate(outcome)));
    Some(draft)
}
