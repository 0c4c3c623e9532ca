//! Who answers SYNs: the server, or something in its stead.

use std::{collections::BTreeSet, net::IpAddr};

use parallax_model::{assignment::Experiment, facts::TtlRange, verdict::Location};

use super::{
    distance::{acknowledged, expected_distance},
    extent::last_routers_of,
    location::location,
    walk::{answered_at, answered_elsewhere, routers, walks},
};
use crate::{cell::Look, explain::WHO, scene::Scene};

/// Tells how the peer at a place answers from nearer than the server stands: its SYN-ACK against another port of the same address, or a walk that ends before the
/// server's last router. It proves no hand in TLS: another site of the address, a private line, or a box that only ends TCP answer so too.
pub(crate) fn answers_from_nearer<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<(String, Vec<Look<'a>>)> {
    if let Some((peer, server, look)) = farther_port(scene, seat, place) {
        let text = format!(
            "the SYN-ACK reached {WHO} with TTL {}, and an answer of another port of the same address with {}: port {} is answered from nearer",
            peer.most,
            server.least,
            scene.places[place].port()
        );
        return Some((text, vec![look]));
    }
    let (look, hop, farthest) = answered_early(scene, seat, place).filter(|_| !other_ports_answer_alike(scene, seat, place))?;
    let text = format!(
        "the walk of {WHO} is answered at hop {hop}, before it meets the server's last router, which stands {} hops away or more from the others",
        farthest.saturating_sub(1)
    );
    Some((text, vec![look]))
}

/// Returns the TTLs of a place's SYN-ACK and of each other port of its address that was measured beside it.
fn other_ports<'s, 'a>(scene: &'s Scene<'a>, seat: usize, place: usize) -> impl Iterator<Item = (TtlRange, TtlRange, Look<'a>)> + use<'s, 'a> {
    let own = scene.places[place];
    let measured = scene.bench(seat, Experiment::ReplyTtl, place).filter_map(|look| Some((*look, look.attempt.facts.reply_ttl.as_ref()?)));
    measured.filter_map(|(look, facts)| Some((look, facts.syn_ack?, &facts.siblings))).flat_map(move |(look, peer, siblings)| {
        let others = siblings.iter().filter(move |sibling| sibling.address == own.ip() && sibling.port != own.port());
        others.map(move |sibling| (peer, sibling.ttl, look))
    })
}

/// Returns the TTLs of a place's SYN-ACK and of another port of its address that answers a seat from farther away, if one does.
fn farther_port<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<(TtlRange, TtlRange, Look<'a>)> {
    other_ports(scene, seat, place).find(|(peer, other, _)| peer.least > other.most && peer.hops() + 1 < other.hops())
}

/// Returns the TTL that a server's packets reach a seat with where somebody before it takes over this port of its address alone: another port answers from farther away, and
/// the walk to this one ends before it meets the server's last router.
pub(super) fn beyond_the_port(scene: &Scene<'_>, seat: usize, place: usize) -> Option<TtlRange> {
    answered_early(scene, seat, place).and_then(|_| farther_port(scene, seat, place)).map(|(_, server, _)| server)
}

/// Tells whether a seat meets the whole address nearer than it is by the others' walks, other ports of it included: that is another site of the address, another way to it, or
/// whoever takes over all of it.
pub(crate) fn is_at_another_site(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    other_ports_answer_alike(scene, seat, place) && answered_early(scene, seat, place).is_some()
}

/// Tells whether other ports of the address answered, and all from as far away as the peer.
fn other_ports_answer_alike(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let mut others = other_ports(scene, seat, place).peekable();
    others.peek().is_some() && others.all(|(peer, other, _)| peer.gap(other) == 0)
}

/// Returns the walk of a seat that is answered before it meets the server's last router, the hop where it is, and how far the server is from the others.
fn answered_early<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<(Look<'a>, u8, u8)> {
    // A vantage on the server's own segment has no router between, and is near by right.
    if scene.seats[seat].inside {
        return None;
    }
    let group = scene.seats[seat].group;
    let (look, walk, hop) = walks(scene, seat, place, Experiment::SynWalk).find_map(|(look, walk)| Some((look, walk, answered_at(walk)?)))?;
    let farthest = answered_elsewhere(scene, seat, place).map(|(.., hop)| hop).min()?;
    if hop + 1 >= farthest || (routers(walk).next().is_none() && hop != 1) {
        return None;
    }
    let last_routers = last_routers_of(scene, place, |other| scene.seats[other].group != group);
    let passed_last = routers(walk).any(|router| last_routers.contains(&router));
    (!last_routers.is_empty() && !passed_last).then_some((look, hop, farthest))
}

/// Returns where somebody answers a seat's SYNs in the server's name, if its walk says so.
pub(crate) fn answered_in_between(scene: &Scene<'_>, seat: usize, place: usize) -> Option<Location> {
    let (_, hop, _) = answered_early(scene, seat, place)?;
    Some(location(scene, seat, place, hop.saturating_sub(1), hop))
}

/// Who answers a seat's SYNs.
#[derive(Debug, Clone)]
pub(crate) enum Answerer<'a> {
    /// Somebody nearer than the server: a proxy.
    Proxy(String, Vec<Look<'a>>),
    /// Somebody beyond the server's last router.
    Server,
    /// The walks do not tell.
    Unknown,
}

/// Returns who answers a seat's SYNs at a place: what a proxy answers says nothing about the server.
pub(crate) fn answerer<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Answerer<'a> {
    if let Some((text, looks)) = answers_from_nearer(scene, seat, place) {
        return Answerer::Proxy(text, looks);
    }
    let own: BTreeSet<IpAddr> = walks(scene, seat, place, Experiment::SynWalk).flat_map(|(_, walk)| routers(walk)).collect();
    let group = scene.seats[seat].group;
    let met = || !last_routers_of(scene, place, |other| scene.seats[other].group != group).is_disjoint(&own);
    if !own.is_empty() && met() { Answerer::Server } else { Answerer::Unknown }
}

/// Tells whether a seat's SYNs are answered by the server itself, as its walk or the distance of the SYN-ACK shows.
pub(crate) fn is_answered_by_the_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    match answerer(scene, seat, place) {
        Answerer::Proxy(..) => false,
        Answerer::Server => true,
        Answerer::Unknown => {
            let own = scene.looks_of(seat, place).find_map(acknowledged);
            own.is_some_and(|own| expected_distance(scene, seat, place).is_some_and(|server| own + 1 >= server))
        }
    }
}

/// Tells whether what a seat hears on its connections comes from as far away as the server is expected to stand: who answers its SYNs from nearer does no more than that.
pub(crate) fn hears_the_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let heard = scene.looks_of(seat, place).filter_map(acknowledged).min();
    heard.is_some_and(|heard| expected_distance(scene, seat, place).is_some_and(|server| heard >= server))
}

/// Tells whether the box that answers a seat's SYNs from nearer also stands before a responder, and lets the wanted name pass there.
pub(crate) fn proxy_passes_the_name(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let named = behind_the_same_box(scene, seat, place, Experiment::NameAtResponder);
    named.len() > 1 && named.len() == scene.everywhere(seat, Experiment::NameAtResponder).len() && named.iter().all(|look| look.reach.is_ok())
}

/// Returns a seat's attempts at responders whose answers come from as near as those at the place.
pub(crate) fn behind_the_same_box<'a>(scene: &Scene<'a>, seat: usize, place: usize, experiment: Experiment) -> Vec<Look<'a>> {
    let Some(nearest) = scene.looks_of(seat, place).find_map(acknowledged) else { return Vec::new() };
    scene.everywhere(seat, experiment).iter().filter(|look| acknowledged(look) == Some(nearest)).copied().collect()
}
