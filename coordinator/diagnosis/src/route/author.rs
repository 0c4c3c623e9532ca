//! Who sent what ended an attempt: arrival TTLs, and the word of a witness.

use std::net::IpAddr;

use parallax_model::{
    assignment::Experiment,
    facts::{Reply, ReplyTtlFacts, StepEnd, TtlRange},
    outcome::Outcome,
};

use super::{
    answerer::beyond_the_port,
    distance::{expected_distance, walked_to_the_server},
    ending::{ended_early, ending},
    walk::walks,
};
use crate::{
    cell::Look,
    scene::Scene,
    testimony::{self, Testimony},
};

/// Who sent the packet that ended an attempt.
#[derive(Debug, Clone)]
pub(crate) enum Author<'a> {
    /// Somebody nearer than the server.
    Nearer { reply: TtlRange, server: TtlRange, look: Look<'a> },
    /// Not the server, since the handshake went on without that packet.
    Injector { look: Look<'a> },
    /// As far away as the server.
    AsFarAsServer { ttl: TtlRange, look: Look<'a> },
    /// The server's host, or somebody else, by the word of a witness there.
    Witnessed { by_server: bool, testimony: Testimony<'a> },
}

/// Returns who sent the replies that ended a seat's attempts at a place, when a witness or their TTL tells.
///
/// A TTL can be copied: what it says is void where a record of what was sent, or a ClientHello that never got as far as the server, speaks against it.
pub(crate) fn author<'a>(scene: &Scene<'a>, seat: usize, place: usize, replies: &[Reply]) -> Option<Author<'a>> {
    let is_copy = |ttl: TtlRange| {
        let speaks_early = ending(scene, seat, place).is_some_and(|ending| ending.speaks_early()) || ended_early(scene, seat, place).is_some();
        speaks_early || ends_short_lived_syns(scene, seat, place, ttl)
    };
    told_author(scene, seat, place, replies).filter(|author| !matches!(author, Author::AsFarAsServer { ttl, .. } if is_copy(*ttl)))
}

/// Tells whether SYNs are refused that do not live long enough to get to where that TTL says that the refusal comes from.
fn ends_short_lived_syns(scene: &Scene<'_>, seat: usize, place: usize, ttl: TtlRange) -> bool {
    let steps = walks(scene, seat, place, Experiment::SynWalk).flat_map(|(_, walk)| &walk.steps);
    steps.into_iter().any(|step| matches!(step.end, StepEnd::Refused | StepEnd::Reset) && step.hop_limit < ttl.hops())
}

fn told_author<'a>(scene: &Scene<'a>, seat: usize, place: usize, replies: &[Reply]) -> Option<Author<'a>> {
    let testimony = testimony::of(scene, seat, place);
    if let Some(testimony) = testimony.filter(|testimony| testimony.fate.clears_the_server() || testimony.fate.is_the_servers_will()) {
        return Some(Author::Witnessed { by_server: !testimony.fate.clears_the_server(), testimony });
    }
    let measured = scene.bench(seat, Experiment::ReplyTtl, place).filter_map(|look| Some((look, look.attempt.facts.reply_ttl.as_ref()?)));
    // Who resets before the ClientHello is sent outruns the threshold that measures a TTL.
    let outruns = scene.looks_of(seat, place).any(|look| look.reach == Outcome::TcpReset);
    let is_measurable = |reply: Reply| replies.contains(&reply) && !(outruns && reply == Reply::Reset);
    let ended = measured.filter(|(_, facts)| facts.reply.is_some_and(is_measurable));
    let mut authors: Vec<Author<'a>> = ended.filter_map(|(look, facts)| read(scene, seat, place, look, facts)).collect();
    authors.sort_by_key(|author| match author {
        Author::Injector { .. } => 0,
        Author::Nearer { .. } => 1,
        Author::AsFarAsServer { .. } | Author::Witnessed { .. } => 2,
    });
    let conflicting = authors.iter().any(|author| matches!(author, Author::AsFarAsServer { .. })) && authors.len() > 1;
    let first = authors.into_iter().next();
    first.filter(|author| !conflicting || matches!(author, Author::AsFarAsServer { .. }))
}

fn read<'a>(scene: &Scene<'a>, seat: usize, place: usize, look: &Look<'a>, facts: &ReplyTtlFacts) -> Option<Author<'a>> {
    if facts.passed_when_filtered == Some(true) {
        return Some(Author::Injector { look: *look });
    }
    let reply = facts.reply_ttl?;
    if let Some(server) = beyond_the_port(scene, seat, place).filter(|server| reply.is_nearer_than(*server)) {
        return Some(Author::Nearer { reply, server, look: *look });
    }
    let server = facts.syn_ack.or_else(|| server_ttl(scene, seat, place, facts)).or_else(|| farther_refusal(scene, place, facts, reply))?;
    if reply.is_nearer_than(server) {
        // A host may start its own packets and its firewall's with different hop limits: where the walk says that the server is no farther than the reply came from,
        // the two TTLs do not tell.
        let contradicted = walked_to_the_server(scene, seat, place).is_some_and(|distance| reply.hops() + 1 >= distance);
        return (!contradicted).then_some(Author::Nearer { reply, server, look: *look });
    }
    let tight = |range: TtlRange| range.most - range.least <= 1;
    // A SYN proxy answers SYNs in the server's stead; what comes from farther away, and as far as the server, is no word of the proxy's.
    let passes_the_proxy = reply.hops() > server.hops() + 1 && expected_distance(scene, seat, place).is_some_and(|distance| reply.hops() + 1 >= distance);
    if passes_the_proxy && tight(reply) {
        return Some(Author::AsFarAsServer { ttl: reply, look: *look });
    }
    (reply.gap(server) == 0 && tight(reply) && tight(server)).then_some(Author::AsFarAsServer { ttl: reply, look: *look })
}

/// Returns what it was that a measured TTL of the server's came with, in words.
pub(crate) fn what_bears(server: TtlRange, look: &Look<'_>) -> &'static str {
    let syn_ack = look.attempt.facts.reply_ttl.as_ref().and_then(|facts| facts.syn_ack);
    if syn_ack.is_none_or(|syn_ack| syn_ack == server) { "the server's SYN-ACK" } else { "what answers at another port of the address" }
}

/// Returns the TTL that the server's own packets arrive with, where no SYN-ACK came: from another port of the address, from an attempt that got through, from
/// another address of the target in the same network, or from a neighbour behind the same path.
///
/// Only a SYN-ACK is the server's own word: whoever refuses one port may refuse the others too.
fn server_ttl(scene: &Scene<'_>, seat: usize, place: usize, facts: &ReplyTtlFacts) -> Option<TtlRange> {
    let own = scene.places[place].ip();
    // An address of another network may stand anywhere.
    let is_beside = |address: IpAddr| same_network(address, own);
    let acknowledged = |seat: usize, place: usize| {
        let passed = scene.looks_of(seat, place).filter(|look| look.reach.is_ok());
        passed.filter_map(|look| look.attempt.facts.tcp.as_ref()?.ack_ttl).map(TtlRange::exactly).next()
    };
    // Where a resolver lies, the stranger's distance is not the server's.
    let is_ignored = |place: usize| scene.ignored.contains(&place);
    let of_target = |address: IpAddr| (0..scene.places.len()).any(|place| scene.places[place].ip() == address && !is_ignored(place));
    let is_responder = |address: IpAddr| scene.round.responders.iter().flat_map(|responder| &responder.addresses).any(|known| known.ip() == address);
    let accepting = || facts.siblings.iter().filter(|sibling| sibling.reply == Reply::SynAck);
    let same_address = accepting().find(|sibling| sibling.address == own && sibling.port != scene.places[place].port()).map(|sibling| sibling.ttl);
    let neighbours = || (0..scene.seats.len()).filter(|other| *other != seat && scene.seats[*other].view.group == scene.seats[seat].view.group);
    same_address
        .or_else(|| acknowledged(seat, place))
        .or_else(|| {
            let is_other = |address: IpAddr| address != own && is_beside(address) && of_target(address) && !is_responder(address);
            accepting().find(|sibling| is_other(sibling.address)).map(|sibling| sibling.ttl)
        })
        .or_else(|| {
            let places = (0..scene.places.len()).filter(|other| *other != place && is_beside(scene.places[*other].ip()) && !is_ignored(*other));
            places.into_iter().find_map(|other| acknowledged(seat, other))
        })
        .or_else(|| neighbours().find_map(|other| acknowledged(other, place)))
}

/// Tells whether two addresses are of one network of the usual size: 24 bits of IPv4, 64 of IPv6.
pub(crate) fn same_network(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..3] == other.octets()[..3],
        (IpAddr::V6(one), IpAddr::V6(other)) => one.segments()[..4] == other.segments()[..4],
        _ => false,
    }
}

/// Returns the TTL of a refusal by another port of the same address that was sent from farther away: whoever refuses this port then stands before that one.
fn farther_refusal(scene: &Scene<'_>, place: usize, facts: &ReplyTtlFacts, reply: TtlRange) -> Option<TtlRange> {
    let own = scene.places[place].ip();
    let refused = facts.siblings.iter().filter(|sibling| sibling.address == own && sibling.reply == Reply::Refusal);
    refused.map(|sibling| sibling.ttl).find(|ttl| reply.is_nearer_than(*ttl))
}

/// Returns the TTL of what somebody who is not the server sent to end a seat's attempts at a place.
pub(super) fn somebodys_ttl(scene: &Scene<'_>, seat: usize, place: usize) -> Option<TtlRange> {
    match told_author(scene, seat, place, &[Reply::Reset, Reply::Close, Reply::Alert])? {
        Author::Nearer { reply, .. } => Some(reply),
        Author::Injector { look } => look.attempt.facts.reply_ttl.as_ref()?.reply_ttl,
        Author::AsFarAsServer { .. } | Author::Witnessed { .. } => None,
    }
}

/// Tells whether what ended a seat's attempts came from nearer than the server.
pub(crate) fn is_by_somebody_nearer(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let told = matches!(
        author(scene, seat, place, &[Reply::Refusal, Reply::Reset, Reply::Close, Reply::Alert]),
        Some(Author::Nearer { .. } | Author::Injector { .. } | Author::Witnessed { by_server: false, .. })
    );
    told || ended_early(scene, seat, place).is_some()
}
