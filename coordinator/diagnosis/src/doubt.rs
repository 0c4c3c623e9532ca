//! Who passes and yet is no contrast: what they reach shows nothing but keys for which nobody vouches.

use std::collections::BTreeSet;

use parallax_model::bytes::Bytes;

use crate::{cell::Look, scene::Scene};

/// Tells of each cell, in their order, whether who passes there is no contrast.
pub(crate) fn of(scene: &Scene<'_>) -> Vec<bool> {
    let is_vouched = |look: &Look<'_>| look.chain.is_some() && look.reach.is_ok() && is_vouched(scene, look);
    let somebody_is_vouched = (0..scene.places.len()).any(|place| scene.looks_at(place).any(is_vouched));
    let cells = (0..scene.seats.len())
        .flat_map(|seat| (0..scene.places.len()).flat_map(move |place| (0..scene.profiles.len()).map(move |profile| (seat, place, profile))));
    cells.map(|(seat, place, profile)| is_doubtful(scene, seat, place, profile, somebody_is_vouched)).collect()
}

/// Tells whether what a seat reaches shows nothing but keys for which no trusted authority vouches, while one vouches for a key that the target shows to others, or no other group
/// and no inside vantage sees it.
fn is_doubtful(scene: &Scene<'_>, seat: usize, place: usize, profile: usize, somebody_is_vouched: bool) -> bool {
    if scene.seats[seat].inside {
        return false;
    }
    let mut cell = scene.cell(seat, place, profile).iter().filter(|look| look.reach.is_ok()).peekable();
    if cell.peek().is_none() || cell.any(|look| is_vouched(scene, look)) {
        return false;
    }
    let own = keys(scene, seat, place);
    let known = own.iter().any(|key| scene.history.known_keys.contains(&key.to_string()) || scene.round.check.expected_keys.contains(*key));
    let group = scene.seats[seat].group;
    let mut others = (0..scene.seats.len()).filter(|other| scene.seats[*other].group != group);
    !known && (somebody_is_vouched || others.all(|other| keys(scene, other, place).is_disjoint(&own)))
}

fn is_vouched(scene: &Scene<'_>, look: &Look<'_>) -> bool {
    look.chain.is_none_or(|at| scene.chains[at].judgement.anchored)
}

fn keys<'s>(scene: &'s Scene<'_>, seat: usize, place: usize) -> BTreeSet<&'s Bytes> {
    scene.looks_of(seat, place).filter(|look| look.reach.is_ok()).filter_map(|look| scene.chains[look.chain?].key()).collect()
}
