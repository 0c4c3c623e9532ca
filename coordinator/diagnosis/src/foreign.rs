//! Where a seat cannot go and none of its clients is sent: a cache of another network, a translated or an inside address.

use crate::{cell::Layer, scene::Scene};

/// Tells of each seat and place, in their order, whether the seat fails to connect to an address that its own resolver does not give, and that serves everybody to whom it
/// is given.
pub(crate) fn of(scene: &Scene<'_>) -> Vec<bool> {
    let served: Vec<bool> = (0..scene.places.len()).map(|place| serves_its_own(scene, place)).collect();
    let all = (0..scene.seats.len()).flat_map(|seat| (0..scene.places.len()).map(move |place| (seat, place)));
    all.map(|(seat, place)| served[place] && is_sent_elsewhere(scene, seat, place) && never_connects(scene, seat, place)).collect()
}

fn is_given(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    scene.seats[seat].resolved.contains(&scene.places[place].ip())
}

fn is_sent_elsewhere(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    !scene.seats[seat].resolved.is_empty() && !is_given(scene, seat, place)
}

fn never_connects(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let mut looks = scene.looks_of(seat, place).peekable();
    looks.peek().is_some() && looks.all(|look| look.fails(Layer::Tcp))
}

/// Tells whether everybody who is given the address gets through there with what the check requires.
fn serves_its_own(scene: &Scene<'_>, place: usize) -> bool {
    let gets_through = |seat: usize| {
        let mut looks = scene.looks_of(seat, place).filter(|look| look.profile.is_some_and(|profile| scene.is_required(profile))).peekable();
        looks.peek().is_some() && looks.all(|look| look.reach.is_ok())
    };
    let mut owners = (0..scene.seats.len()).filter(|seat| is_given(scene, *seat, place) && scene.looks_of(*seat, place).next().is_some()).peekable();
    owners.peek().is_some() && owners.all(gets_through)
}
