//! What single walks met, and whether a seat's walks say anything.

use std::net::{IpAddr, SocketAddr};

use parallax_model::{
    assignment::Experiment,
    facts::{StepEnd, WalkFacts, WalkPayload},
};

use super::distance::{acknowledged, distance};
use crate::{cell::Look, scene::Scene};

pub(super) fn walks<'s, 'a>(
    scene: &'s Scene<'a>,
    seat: usize,
    place: usize,
    experiment: Experiment,
) -> impl Iterator<Item = (Look<'a>, &'a WalkFacts)> + use<'s, 'a> {
    let told = scene.bench(seat, experiment, place).filter(move |_| !scene.walks_mislead(seat));
    told.filter_map(|look| Some((*look, look.attempt.facts.walk.as_ref()?)))
}

/// Tells whether a seat's walks say nothing: one was answered at a hop from where the answer cannot have come, by its TTL. A device that sets the hop limit of what leaves
/// anew lets short-lived packets go on; a server that starts with a small hop limit of its own looks as far too far from everywhere.
pub(crate) fn walks_mislead(scene: &Scene<'_>, seat: usize) -> bool {
    let others = || (0..scene.seats.len()).filter(|other| scene.seats[*other].group != scene.seats[seat].group);
    let is_the_servers = |own: &AnsweredWalk| {
        let alike = |other: &AnsweredWalk| other.address == own.address && other.excess > 1 && other.excess.abs_diff(own.excess) <= 1;
        others().flat_map(|other| answered_walks(scene, other)).any(|other| alike(&other))
    };
    answered_walks(scene, seat).iter().any(|own| own.excess > 1 && !own.goes_far && !is_the_servers(own))
}

/// A walk that an address answered.
pub(super) struct AnsweredWalk {
    address: SocketAddr,
    /// How many hops farther than it was walked the address is by the TTL of what it sends.
    pub(super) excess: u8,
    goes_far: bool,
}

/// Returns the walks of a seat that were answered.
pub(super) fn answered_walks(scene: &Scene<'_>, seat: usize) -> Vec<AnsweredWalk> {
    let told = scene.everywhere(seat, Experiment::SynWalk).iter().filter_map(|look| Some((look.attempt.address?, look.attempt.facts.walk.as_ref()?)));
    let responders = || scene.everywhere(seat, Experiment::Responder).iter();
    let farthest = |address| {
        let places = (0..scene.places.len()).filter(move |place| scene.places[*place] == address);
        let looks = places.flat_map(|place| scene.looks_of(seat, place));
        looks.chain(responders().filter(move |look| look.attempt.address == Some(address))).filter_map(acknowledged).max()
    };
    told.filter_map(|(address, walk)| {
        let hop = answered_at(walk)?;
        Some(AnsweredWalk { address, excess: farthest(address)?.saturating_sub(hop), goes_far: goes_far(walk) })
    })
    .collect()
}

/// Tells whether a walk met one router after the other up to the answer, and more of them than stand near a vantage, where hop limits are set anew: then the way back is longer
/// than the way there, or the answer starts with a smaller TTL than others do.
fn goes_far(walk: &WalkFacts) -> bool {
    let heard = walk.steps.iter().take_while(|step| matches!(step.end, StepEnd::Expired(Some(_)))).count();
    heard >= NEAR_ROUTERS && walk.steps.get(heard).is_some_and(|step| step.end == StepEnd::Answered)
}

/// An access network has hardly more routers.
const NEAR_ROUTERS: usize = 6;

pub(super) fn answered_at(walk: &WalkFacts) -> Option<u8> {
    // A control name may be answered with an alert: the server's word all the same.
    let is_control = matches!(walk.payload, WalkPayload::Hello(_));
    let answered = |end: StepEnd| end == StepEnd::Answered || (is_control && matches!(end, StepEnd::Alert(_)));
    walk.steps.iter().find(|step| answered(step.end)).map(|step| step.hop_limit)
}

pub(super) fn last_heard(walk: &WalkFacts) -> u8 {
    walk.steps.iter().filter(|step| matches!(step.end, StepEnd::Expired(_))).map(|step| step.hop_limit).max().unwrap_or(0)
}

pub(super) fn routers(walk: &WalkFacts) -> impl Iterator<Item = IpAddr> + '_ {
    walk.steps.iter().filter_map(|step| match step.end {
        StepEnd::Expired(router) => router,
        _ => None,
    })
}

pub(super) fn forbidding(walk: &WalkFacts) -> impl Iterator<Item = IpAddr> + '_ {
    walk.steps.iter().filter_map(|step| match step.end {
        StepEnd::Prohibited(router) => router,
        _ => None,
    })
}

/// Returns the walks of the outside seats of other groups that a place answered: the seat, its walk, and the hop of the answer.
pub(super) fn answered_elsewhere<'s, 'a>(scene: &'s Scene<'a>, seat: usize, place: usize) -> impl Iterator<Item = (usize, &'a WalkFacts, u8)> + use<'s, 'a> {
    let group = scene.seats[seat].group;
    let others = (0..scene.seats.len()).filter(move |other| !scene.seats[*other].inside && scene.seats[*other].group != group);
    others.flat_map(move |other| walks(scene, other, place, Experiment::SynWalk).filter_map(move |(_, walk)| Some((other, walk, answered_at(walk)?))))
}

/// Returns the routers that a seat's SYN walks met, wherever they went.
pub(crate) fn met<'s, 'a>(scene: &'s Scene<'a>, seat: usize) -> impl Iterator<Item = (IpAddr, Look<'a>)> + use<'s, 'a> {
    let walks = scene.everywhere(seat, Experiment::SynWalk).iter().filter_map(|look| Some((*look, look.attempt.facts.walk.as_ref()?)));
    walks.flat_map(|(look, walk)| routers(walk).map(move |router| (router, look)))
}

pub(super) fn router_at(walk: &WalkFacts, hop: u8) -> Option<IpAddr> {
    walk.steps.iter().find(|step| step.hop_limit == hop).and_then(|step| match step.end {
        StepEnd::Expired(router) => router,
        _ => None,
    })
}

/// Returns the router that a seat's SYN walk towards a place met at a hop; or the walk of a neighbour as far from the server, behind the same path.
pub(crate) fn router(scene: &Scene<'_>, seat: usize, place: usize, hop: u8) -> Option<IpAddr> {
    let neighbours = (0..scene.seats.len()).filter(|other| *other != seat && scene.seats[*other].group == scene.seats[seat].group);
    let mut as_far = neighbours.filter(|other| distance(scene, *other, place).is_some_and(|far| Some(far) == distance(scene, seat, place)));
    own_router(scene, seat, place, hop).or_else(|| as_far.find_map(|other| own_router(scene, other, place, hop)))
}

fn own_router(scene: &Scene<'_>, seat: usize, place: usize, hop: u8) -> Option<IpAddr> {
    let here = walks(scene, seat, place, Experiment::SynWalk).find_map(|(_, walk)| router_at(walk, hop));
    let same_family = |other: &usize| scene.places[*other].is_ipv4() == scene.places[place].is_ipv4();
    here.or_else(|| {
        (0..scene.places.len()).filter(same_family).flat_map(|other| walks(scene, seat, other, Experiment::SynWalk)).find_map(|(_, walk)| router_at(walk, hop))
    })
}

/// Tells whether a walk's hellos took a full segment: that of a profile whose own hello takes more.
pub(super) fn fills_segment(scene: &Scene<'_>, look: &Look<'_>) -> bool {
    scene.recipe_of(look).is_some_and(|profile| profile.hello.exceeds_one_segment())
}
