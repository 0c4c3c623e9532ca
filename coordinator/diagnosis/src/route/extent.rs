//! How far SYNs get towards a place.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use parallax_model::{
    assignment::Experiment,
    facts::{Reply, StepEnd, WalkFacts},
};

use super::{
    author::{Author, author},
    distance::{expected_distance, own_distance, sibling_distance},
    ending::ended_early,
    walk::{answered_at, forbidding, last_heard, router_at, routers, walks},
};
use crate::{cell::Look, scene::Scene};

/// Tells whether what cuts a seat off stands well before the server's edge: its answer comes from more than two hops nearer than the server, or its SYNs are lost more than
/// two hops before an address that answers at another port, and the next router is known to answer.
pub(crate) fn falls_far_short(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    if let Some(Author::Nearer { reply, server, .. }) = author(scene, seat, place, &[Reply::Refusal, Reply::Reset, Reply::Close, Reply::Alert]) {
        return reply.hops() + 2 < server.hops();
    }
    if let Some(stop) = ended_early(scene, seat, place) {
        return stop.hop + 2 < stop.server;
    }
    lost_early(scene, seat, place).is_some_and(|heard| own_walks_hear_more(scene, seat, place, heard))
}

/// Returns the last hop that a seat's SYNs were heard from, where they are lost more than two hops before an address that answers at another port.
pub(crate) fn lost_early(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let walks: Vec<&WalkFacts> = walks(scene, seat, place, Experiment::SynWalk).map(|(_, walk)| walk).collect();
    let heard = walks.iter().map(|walk| last_heard(walk)).max().filter(|_| !walks.iter().any(|walk| answered_at(walk).is_some()))?;
    expected_distance(scene, seat, place).is_some_and(|server| heard + 2 < server).then_some(heard)
}

/// How far a seat's SYNs get towards a place.
#[derive(Debug, Clone)]
pub(crate) enum Extent<'a> {
    /// They are answered.
    Answered,
    /// They reach the last router before the server, and no answer comes.
    LastRouter { router: Option<IpAddr>, look: Look<'a> },
    /// They are lost before it, while other walks go on.
    Short { heard: u8, router: Option<IpAddr>, look: Look<'a> },
    /// One walk alone ends before it: a router's answer that was lost, or was one too many, looks the same.
    ShortOnce,
}

/// Returns how far a seat's SYNs get; none when the walk or its comparison is missing.
pub(crate) fn extent<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Extent<'a>> {
    let (look, walk) = walks(scene, seat, place, Experiment::SynWalk).max_by_key(|(_, walk)| last_heard(walk))?;
    if answered_at(walk).is_some() {
        return Some(Extent::Answered);
    }
    let heard = last_heard(walk);
    let router = router_at(walk, heard);
    let last_routers = last_routers(scene, place);
    if ends_at_one_of(walk, &last_routers) || forbidding(walk).any(|router| last_routers.contains(&router)) {
        return Some(Extent::LastRouter { router, look });
    }
    let once = walks(scene, seat, place, Experiment::SynWalk).nth(1).is_none();
    // Two answers in a row are hardly lost.
    if once && !own_walks_hear_more(scene, seat, place, heard + 1) {
        return Some(Extent::ShortOnce);
    }
    // Silence shows a loss only where this seat is known to hear routers farther away: what keeps their word from it keeps it from every walk.
    // A SYN of which not even the first router was heard may never have left the host.
    let short = || (heard > 0 && is_passed_elsewhere(scene, seat, place, heard, router)).then_some(Extent::Short { heard, router, look });
    if !last_routers.is_empty() {
        return short();
    }
    match own_distance(scene, seat, place) {
        Some(distance) if heard + 1 >= distance => Some(Extent::LastRouter { router, look }),
        Some(_) => short(),
        None => None,
    }
}

/// Returns the routers just before the server, as walks that were answered saw them (of the same family).
fn last_routers(scene: &Scene<'_>, place: usize) -> BTreeSet<IpAddr> {
    last_routers_of(scene, place, |_| true)
}

pub(super) fn last_routers_of(scene: &Scene<'_>, place: usize, from: impl Fn(usize) -> bool) -> BTreeSet<IpAddr> {
    let is_alike = |address: &SocketAddr| address.is_ipv4() == scene.places[place].is_ipv4() && scene.places.contains(address);
    let outside = (0..scene.seats.len()).filter(|seat| !scene.seats[*seat].inside && from(*seat) && !scene.walks_mislead(*seat));
    let walked = outside.flat_map(|seat| scene.everywhere(seat, Experiment::SynWalk)).map(|look| look.attempt);
    let walks = walked.filter(|attempt| attempt.address.as_ref().is_some_and(is_alike)).filter_map(|attempt| attempt.facts.walk.as_ref());
    walks.filter_map(|walk| router_at(walk, answered_at(walk)?.checked_sub(1)?)).collect()
}

/// Tells whether the seat's walks to other addresses, responders included, heard a router beyond this hop.
fn own_walks_hear_more(scene: &Scene<'_>, seat: usize, place: usize, heard: u8) -> bool {
    let others = scene.everywhere(seat, Experiment::SynWalk).iter().filter(|look| look.attempt.address != Some(scene.places[place]));
    others.filter_map(|look| look.attempt.facts.walk.as_ref()).any(|walk| last_heard(walk) > heard)
}

/// Tells whether the last router that a walk heard, or one that it met again and again (a loop), is one of these: a router of the same private address may stand elsewhere too.
fn ends_at_one_of(walk: &WalkFacts, last_routers: &BTreeSet<IpAddr>) -> bool {
    let last = router_at(walk, last_heard(walk));
    let again = |router: &IpAddr| routers(walk).filter(|other| other == router).count() > 1;
    last.into_iter().chain(routers(walk).filter(again)).any(|router| last_routers.contains(&router))
}

/// Tells whether some walk goes on beyond the router that a seat's walk to a place ended at: the seat's own to another address, or another seat's.
///
/// A router names itself by the interface that a packet came in by: the server's own last one has another name on another uplink, and silence behind it may be the server's.
fn is_passed_elsewhere(scene: &Scene<'_>, seat: usize, place: usize, heard: u8, router: Option<IpAddr>) -> bool {
    let is_far_from_the_server = sibling_distance(scene, seat, place).is_some_and(|server| heard + 2 < server);
    let Some(router) = router.filter(|_| !is_far_from_the_server) else { return own_walks_hear_more(scene, seat, place, heard) };
    let goes_on = |walk: &WalkFacts| (1..last_heard(walk)).any(|hop| router_at(walk, hop) == Some(router));
    let elsewhere = |other: usize, look: &Look<'_>| other != seat || look.attempt.address != Some(scene.places[place]);
    let seats = (0..scene.seats.len()).filter(|other| !scene.walks_mislead(*other));
    let walks = seats.flat_map(|other| scene.everywhere(other, Experiment::SynWalk).iter().filter(move |look| elsewhere(other, look)));
    walks.filter_map(|look| look.attempt.facts.walk.as_ref()).any(goes_on)
}

/// Tells whether a router stands just before the server, as answered walks saw it.
pub(crate) fn is_last_router(scene: &Scene<'_>, place: usize, router: IpAddr) -> bool {
    last_routers(scene, place).contains(&router)
}

/// Where a walk of SYNs was ended by somebody's word: a refusal, or ICMP that forbids.
#[derive(Debug, Clone)]
pub(crate) struct Stopped<'a> {
    /// The hop limit at which the word came.
    pub(crate) hop: u8,
    /// Who spoke, where ICMP tells.
    pub(crate) speaker: Option<IpAddr>,
    /// Whether the walk had met the server's last router by then.
    pub(crate) past_last_router: bool,
    /// Whether others pass the last router that was heard before, so that it is not the server's own by another name.
    pub(crate) is_on_the_way: bool,
    pub(crate) look: Look<'a>,
}

/// Returns where a seat's SYN walk to a place was refused or forbidden; none when other walks do not tell how far the server is.
pub(crate) fn stopped<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Stopped<'a>> {
    let last_routers = last_routers(scene, place);
    if last_routers.is_empty() {
        return None;
    }
    walks(scene, seat, place, Experiment::SynWalk).find_map(|(look, walk)| {
        let step = walk.steps.iter().find(|step| matches!(step.end, StepEnd::Refused | StepEnd::Reset | StepEnd::Prohibited(_)))?;
        let speaker = if let StepEnd::Prohibited(speaker) = step.end { speaker } else { None };
        let heard = step.hop_limit.saturating_sub(1);
        let met = router_at(walk, heard).is_some_and(|router| last_routers.contains(&router)) || speaker.is_some_and(|speaker| last_routers.contains(&speaker));
        let heard_any = routers(walk).next().is_some() || step.hop_limit == 1 || speaker.is_some();
        // The router of a silent step just before may be the last one.
        let lost = walk.steps.iter().any(|before| before.hop_limit + 1 == step.hop_limit && before.end == StepEnd::Silent);
        let is_on_the_way = is_passed_elsewhere(scene, seat, place, heard, router_at(walk, heard));
        (heard_any && !lost).then_some(Stopped { hop: step.hop_limit, speaker, past_last_router: met, is_on_the_way, look })
    })
}
