//! Where on the path it is, and whether that may be the owner's edge.

use std::{collections::BTreeSet, net::IpAddr};

use parallax_model::{assignment::Experiment, facts::TtlRange, verdict::Location};

use super::{
    distance::expected_distance,
    walk::{answered_elsewhere, router, router_at, routers, walks},
};
use crate::scene::Scene;

/// Makes a location, with the last router in it that answered.
pub(crate) fn location(scene: &Scene<'_>, seat: usize, place: usize, first_hop: u8, last_hop: u8) -> Location {
    location_after(scene, seat, place, (first_hop, last_hop), last_hop)
}

/// Makes a location for what was heard up to a hop: a router beyond it answered SYNs, and not what is cut off.
pub(crate) fn location_after(scene: &Scene<'_>, seat: usize, place: usize, (first_hop, last_hop): (u8, u8), heard: u8) -> Location {
    let first_hop = first_hop.max(1);
    let last_hop = last_hop.max(first_hop);
    let within = first_hop..=heard.clamp(first_hop, last_hop);
    let own = walks(scene, seat, place, Experiment::SynWalk).find_map(|(_, walk)| within.clone().rev().find_map(|hop| router_at(walk, hop)));
    let router = own.or_else(|| router(scene, seat, place, first_hop)).map(|router| router.to_string());
    Location { first_hop, last_hop, router }
}

/// Tells whether what a seat meets at this hop may be the server's own last router: by another port of the server's address, or by how much farther than a responder it is
/// for those who reach it.
pub(crate) fn may_be_the_edge(scene: &Scene<'_>, seat: usize, place: usize, hop: u8) -> bool {
    expected_distance(scene, seat, place).is_some_and(|server| is_at_the_edge(hop, server))
}

/// Tells whether the device at this hop stands just before the server: the owner's own edge explains it as well.
pub(crate) fn is_at_the_edge(hop: u8, server: u8) -> bool {
    hop + 1 >= server
}

/// Tells whether the way from this hop on may be the owner's: the router there is common. A device at an access network or in transit would stand before the ways meet.
pub(crate) fn is_on_common_ground(scene: &Scene<'_>, seat: usize, place: usize, hop: u8) -> bool {
    let router = walks(scene, seat, place, Experiment::SynWalk).find_map(|(_, walk)| router_at(walk, hop));
    router.is_some_and(|router| is_common(scene, seat, place, router))
}

/// Tells whether a reply from nearer than the server may be the owner's all the same: from one hop before it, or from where the ways of all networks have met.
pub(crate) fn may_be_the_owners(scene: &Scene<'_>, seat: usize, place: usize, reply: TtlRange, server: TtlRange) -> bool {
    let hop = reply.hops() + 1;
    is_at_the_edge(hop, server.hops() + 1) || is_on_common_ground(scene, seat, place, hop)
}

/// Tells whether a router is met by the answered walks of all other outside groups too, of two or more.
pub(crate) fn is_common(scene: &Scene<'_>, seat: usize, place: usize, router: IpAddr) -> bool {
    // Who is answered at the first hop stands on the server's own segment, labelled so or not.
    let from_afar = || answered_elsewhere(scene, seat, place).filter(|(.., hop)| *hop > 1);
    let walked: BTreeSet<usize> = from_afar().map(|(other, ..)| other).collect();
    let meet_it = from_afar().filter(|(_, walk, _)| routers(walk).any(|met| met == router)).map(|(other, ..)| other);
    walked == meet_it.collect() && scene.count_groups(&walked.into_iter().collect::<Vec<usize>>()) > 1
}
