use parallax_model::{
    target::Host,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme};
use crate::{
    cell::{Layer, Look},
    draft::Draft,
    explain::{WHERE, count, fate, seats as named},
    scene::Scene,
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::ServerIpv6Unserved,
    requires: "no IPv6 address of the target connects from any vantage whose IPv6 works, in two groups or more, and an IPv4 address does",
    excluded_by: "a vantage that connects over IPv6",
    counter: Cause::EdgeBlocked,
    next: "look over IPv6 from a vantage on the server's own segment (role=inside)",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let (scene, place) = (suspicion.scene, suspicion.place);
    if suspicion.layer != Layer::Tcp
        || suspicion.shape() != Shape::Everywhere
        || !is_ipv6(scene, place)
        || matches!(scene.round.check.target.host, Host::Address(_))
    {
        return None;
    }
    let scored = |place: usize| (0..scene.seats.len()).filter(move |seat| scene.is_scored(*seat, place));
    let connects = |place: &usize| scored(*place).any(|seat| scene.looks_of(seat, *place).any(|look| look.passes(Layer::Tcp)));
    let (ipv6, ipv4): (Vec<usize>, Vec<usize>) =
        (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)).partition(|place| is_ipv6(scene, *place));
    if ipv6.iter().any(connects) || !ipv4.iter().any(connects) {
        return None;
    }
    let tier = suspicion.server_tier(seats, false).map(|tier| tier.min(Tier::Likely))?;
    let (_, outcome) = suspicion.class(seats)?;
    let failures = suspicion.failures(seats);
    let works: Vec<Look<'_>> = ipv4.iter().flat_map(|place| scene.looks_at(*place)).filter(|look| look.passes(Layer::Tcp)).copied().collect();
    let draft = Draft::new(Cause::ServerIpv6Unserved, tier)
        .blaming(seats)
        .by(outcome, None)
        .because(
            "ipv6",
            format!(
                "over IPv6 a connection to {} {} from every vantage whose IPv6 works ({}, {})",
                scene.places[place],
                fate(outcome),
                named(scene, seats),
                count(failures.len(), "attempt")
            ),
            &failures,
        )
        .because("ipv4", format!("over IPv4 {} connected", count(works.len(), "attempt")), &works)
        .in_words(format!("the AAAA record is published and nothing serves {WHERE}: a connection {}; IPv4 is fine", fate(outcome)));
    Some(draft)
}

fn is_ipv6(scene: &Scene<'_>, place: usize) -> bool {
    scene.places[place].ip().to_canonical().is_ipv6()
}
