use parallax_model::verdict::{Cause, Tier};

use super::{Hypothesis, every_scheme, mtu};
use crate::{
    cell::Layer,
    draft::Draft,
    explain::{WHERE, WHO, groups_outside, seats as named},
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::EdgeMtuBlackhole,
    requires: "two outside groups or more lose large packets, a small MSS cures it, and the inside vantage (if there is one) passes",
    excluded_by: "an outside group that passes at full size; an inside vantage that fails as well",
    counter: Cause::PathMtuBlackhole,
    next: "look from a vantage on the server's own segment (role=inside), and from one more network outside",
    concerns: every_scheme,
    test,
};

const NEXT_BESIDE_INSIDE: &str = "look from one more network outside";

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let inside_fails = seats.iter().any(|seat| suspicion.scene.seats[*seat].inside);
    if suspicion.layer != Layer::Tls || !matches!(suspicion.shape(), Shape::Outside | Shape::Everywhere) || inside_fails {
        return None;
    }
    let holes: Vec<(usize, mtu::Hole<'_>)> = seats.iter().filter_map(|seat| Some((*seat, mtu::hole(suspicion, *seat)?))).collect();
    let with_hole: Vec<usize> = holes.iter().map(|(seat, _)| *seat).collect();
    let of_seats: Vec<&mtu::Hole<'_>> = holes.iter().map(|(_, hole)| hole).collect();
    let first = of_seats.first()?;
    let enough = suspicion.scene.count_groups(&with_hole) >= 2;
    let inside_passes = suspicion.shape() == Shape::Outside;
    if !enough && !inside_passes {
        return None;
    }
    let scene = suspicion.scene;
    // A cure shows a hole, and not where: each network may have a narrow line of its own.
    let gist = format!(
        "packets over some size are lost, {}, on the server's own link at {WHERE}: every outside vantage fails and small packets pass",
        first.direction
    );
    let mut draft = mtu::draft(suspicion, seats, &of_seats, Cause::EdgeMtuBlackhole, Tier::Likely).in_words(gist);
    let text = format!("{} fail alike ({WHO})", groups_outside(scene.count_groups(seats), suspicion.groups_outside()));
    draft.add("groups", text, &suspicion.failures(seats));
    if inside_passes {
        draft = draft.unless(HYPOTHESIS.counter, NEXT_BESIDE_INSIDE);
        let inside: Vec<_> = suspicion.passing.iter().flat_map(|seat| suspicion.looks(*seat)).copied().collect();
        draft.add("inside", format!("the inside vantage {} passes at full size", named(scene, &suspicion.passing)), &inside);
    }
    Some(draft)
}
