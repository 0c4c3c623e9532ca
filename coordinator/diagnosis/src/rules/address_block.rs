use std::net::IpAddr;

use parallax_model::{
    assignment::Experiment,
    facts::Reply,
    outcome::Outcome,
    verdict::{Cause, Location},
};

use super::{Hypothesis, every_scheme};
use crate::{
    bench::{names, payload},
    cell::{Layer, Look},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, count, fate, seats as named, whereabouts},
    route::{self, Author, Extent},
    scene::Scene,
    suspicion::Suspicion,
    testimony,
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathAddressBlock,
    requires: "every name fails to the address from some groups, an artefact places the author before the server (a walk that ends short, a refusal from nearer, a router's own word), and others pass, or the author speaks from more than two hops before it",
    excluded_by: "a refusal from as far away as the server; a walk that reaches the server's last router; a router that speaks where the ways of all networks have met",
    counter: Cause::PolicySourceBlocked,
    next: "look with a second address behind the same path: a path's block hits both, a server's list only one",
    concerns: every_scheme,
    test,
};

type Artefact<'a> = (&'static str, String, Vec<Look<'a>>, Option<Location>);

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    let (scene, place) = (suspicion.scene, suspicion.place);
    // Whom somebody else answers for is no proof that the address lives, unless who cuts it off speaks from well before it.
    let speaks_far_before = || route::is_by_somebody_nearer(scene, seat, place) && route::falls_far_short(scene, seat, place);
    if suspicion.passes_after_a_pause(seat) || says_so_itself(scene, seat, place) || !(suspicion.passes_outside() || speaks_far_before()) {
        return None;
    }
    let (family, outcome) = suspicion.class(seats)?;
    let (rule, text, looks, location) = match (suspicion.layer, family) {
        (Layer::Tcp, Outcome::TcpRefused | Outcome::TlsReset) => match route::author(scene, seat, place, &[Reply::Refusal, Reply::Reset]) {
            Some(Author::Witnessed { by_server: false, .. }) | None => stopped_short(scene, seat, place)?,
            Some(_) => refused_nearer(scene, seat, place)?,
        },
        (Layer::Tcp, Outcome::TcpTimeout) => ends_short(scene, seat, place)?,
        (Layer::Tcp, Outcome::TcpUnreachable) if said_by_last_router(scene, seat, place) => return None,
        (Layer::Tcp, Outcome::TcpUnreachable) => {
            said_by_router(scene, seat, place).or_else(|| stopped_short(scene, seat, place)).or_else(|| ends_short(scene, seat, place))?
        }
        (Layer::Tls, _) => any_payload(suspicion, seat)?,
        _ => return None,
    };
    let tier = suspicion.tier(seats, true)?;
    let gist = format!("something on the path of {WHO}{} cuts off {WHERE}, whatever the name: a connection {}", whereabouts(location.as_ref()), fate(outcome));
    let mut draft = Draft::new(Cause::PathAddressBlock, tier).blaming(seats).by(outcome, None).because(rule, text, &looks).in_words(gist);
    match testimony::of(scene, seat, place) {
        Some(testimony) if testimony.fate.is_the_servers() => return None,
        Some(testimony) => draft.add(testimony.rule, testimony.text, &testimony.looks),
        None => {}
    }
    draft.location = location;
    if suspicion.passing.is_empty() {
        draft.add("failures", format!("connections from {WHO} to {WHERE} fail ({COUNT})"), &suspicion.failures(seats));
        return Some(draft);
    }
    let elsewhere = format!(
        "connections from {WHO} to {WHERE} fail, those from {} ({}) pass",
        named(scene, &suspicion.passing),
        count(suspicion.other_groups_passing(), "other group")
    );
    draft.add("other-groups", elsewhere, &suspicion.failures(seats));
    Some(draft)
}

/// Tells whether ICMP about a seat's attempts comes from the address itself, or from the seat's own host: then nothing between them speaks, whatever the other attempts met.
fn says_so_itself(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let facts = || scene.looks_of(seat, place).filter_map(|look| look.attempt.facts.tcp.as_ref());
    let ends: Vec<IpAddr> = facts().filter_map(|tcp| Some(tcp.local?.ip())).chain([scene.places[place].ip()]).collect();
    facts().filter_map(|tcp| tcp.icmp_from).any(|speaker| ends.contains(&speaker))
}

/// Tells whether a seat's connections to a responder at the same port fail alike, and those at another port do not: then it is not about the address, and the seat's own host
/// may do that as well as the first router.
fn is_about_the_port(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let ends_alike = |look: &Look<'_>| scene.looks_of(seat, place).any(|other| other.reach == look.reach);
    let at = |same: bool| {
        let is_there = move |look: &&Look<'_>| look.attempt.address.is_some_and(|address| (address.port() == scene.places[place].port()) == same);
        scene.everywhere(seat, Experiment::Responder).iter().filter(is_there)
    };
    at(true).next().is_some() && at(true).all(ends_alike) && at(false).any(|look| look.passes(Layer::Tcp))
}

fn refused_nearer<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Artefact<'a>> {
    let Author::Nearer { reply, server, look } = route::author(scene, seat, place, &[Reply::Refusal, Reply::Reset])? else { return None };
    let hop = reply.hops() + 1;
    if (hop == 1 && is_about_the_port(scene, seat, place)) || route::may_be_the_owners(scene, seat, place, reply, server) {
        return None;
    }
    let text = format!(
        "the refusal reached {WHO} with TTL {}, and the server's own packets with {}: it was sent from {} hops nearer",
        reply.most,
        server.least,
        server.hops() - reply.hops()
    );
    Some(("reply-ttl", text, vec![look], Some(route::location(scene, seat, place, hop.saturating_sub(1), hop))))
}

fn stopped_short<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Artefact<'a>> {
    let stopped = route::stopped(scene, seat, place)
        .filter(|stopped| !stopped.past_last_router && stopped.is_on_the_way && stopped.speaker != Some(scene.places[place].ip()))?;
    if route::may_be_the_edge(scene, seat, place, stopped.hop) {
        return None;
    }
    let text = format!("SYNs from {WHO} that live for {} hops are stopped already, before the server's last router", stopped.hop);
    Some(("syn-walk", text, vec![stopped.look], Some(route::location(scene, seat, place, stopped.hop.saturating_sub(1), stopped.hop))))
}

fn ends_short<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Artefact<'a>> {
    let Extent::Short { heard, router, look } = route::extent(scene, seat, place)? else { return None };
    if route::may_be_the_edge(scene, seat, place, heard + 1) {
        return None;
    }
    let last = router.map_or_else(String::new, |router| format!(", {router}"));
    let text = format!("SYNs from {WHO} are heard up to hop {heard}{last}, and lost after it, while other walks reach the server's last router");
    Some(("syn-walk", text, vec![look], Some(route::location(scene, seat, place, heard, heard + 1))))
}

fn said_by_last_router(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let speakers = scene.looks_of(seat, place).filter_map(|look| look.attempt.facts.tcp.as_ref()?.icmp_from);
    speakers.into_iter().any(|router| route::is_last_router(scene, place, router))
}

fn said_by_router<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Artefact<'a>> {
    let own = scene.places[place].ip();
    let sayer = |look: &&Look<'a>| look.attempt.facts.tcp.as_ref().is_some_and(|tcp| tcp.icmp_from.is_some_and(|router| router != own));
    let look = scene.looks_of(seat, place).find(sayer)?;
    let router = look.attempt.facts.tcp.as_ref()?.icmp_from?;
    if route::is_last_router(scene, place, router) || route::is_common(scene, seat, place, router) {
        return None;
    }
    let hop = (1..=u8::MAX).take(MAX_HOPS).find(|hop| route::router(scene, seat, place, *hop) == Some(router));
    let location = hop.map(|hop| Location { first_hop: hop, last_hop: hop, router: Some(router.to_string()) });
    Some(("icmp", format!("the router {router} on the path of {WHO} says that the address is unreachable or prohibited"), vec![*look], location))
}

/// On a connection that came about, every payload fails, and the author stands before the server.
fn any_payload<'a>(suspicion: &Suspicion<'_, 'a>, seat: usize) -> Option<Artefact<'a>> {
    let (scene, place) = (suspicion.scene, suspicion.place);
    let names = names(scene, seat, place);
    let other = payload(scene, seat, place, Experiment::NonTls);
    let large_arrives = payload(scene, seat, place, Experiment::LargeNonTls).always(1);
    let any_passes = scene.looks_of(seat, place).any(|look| look.passes(Layer::Tls));
    if suspicion.server_ends_others(seat) || names.control.always(1) || !names.do_not_matter() || !other.never(1) || large_arrives || any_passes {
        return None;
    }
    match route::author(scene, seat, place, &[Reply::Refusal, Reply::Reset, Reply::Close]) {
        Some(Author::AsFarAsServer { .. }) => return None,
        Some(_) => {
            if let Some(artefact) = refused_nearer(scene, seat, place) {
                return Some(artefact);
            }
        }
        None => {}
    }
    let walk = route::ending(scene, seat, place).filter(|walk| !route::is_at_the_edge(walk.hop, walk.server))?;
    let text = format!("ClientHellos from {WHO} get no farther than hop {}, and the server is {} hops away", walk.hop, walk.server);
    let location = walk.location(scene, seat, place);
    Some(("hello-walk", text, walk.looks, Some(location)))
}

const MAX_HOPS: usize = 40;
