//! How far away the server is.

use parallax_model::{
    assignment::Experiment,
    facts::{Reply, ReplyTtlFacts, Sibling, TtlRange},
};

use super::{
    extent::stopped,
    walk::{answered_at, answered_walks, walks},
};
use crate::{cell::Look, scene::Scene};

/// Returns the hop at which the seat's walk to another address of the target was answered.
pub(super) fn own_distance(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let same_family = |other: &usize| *other != place && scene.places[*other].is_ipv4() == scene.places[place].is_ipv4();
    (0..scene.places.len()).filter(same_family).flat_map(|other| walks(scene, seat, other, Experiment::SynWalk)).find_map(|(_, walk)| answered_at(walk))
}

/// Returns the hop at which a seat's walk was answered, or refused beyond the server's last router.
pub(super) fn walked_to_the_server(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    // What sets hop limits anew does so on every way.
    let is_believed = || !scene.walks_mislead(seat) || answered_walks(scene, seat).iter().any(|walk| walk.excess <= 1);
    let walked = [Experiment::SynWalk, Experiment::ControlWalk].into_iter().flat_map(|experiment| scene.bench(seat, experiment, place));
    let answered = walked.filter_map(|look| answered_at(look.attempt.facts.walk.as_ref()?)).next().filter(|_| is_believed());
    answered.or_else(|| stopped(scene, seat, place).filter(|stopped| stopped.past_last_router).map(|stopped| stopped.hop))
}

/// Returns how many hops away the server answers a seat's SYN: by the walk, or by the arrival TTL of its packets.
pub(super) fn distance(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let walked =
        walks(scene, seat, place, Experiment::SynWalk).chain(walks(scene, seat, place, Experiment::ControlWalk)).find_map(|(_, walk)| answered_at(walk));
    walked.or_else(|| {
        let measured = scene.bench(seat, Experiment::ReplyTtl, place).find_map(|look| look.attempt.facts.reply_ttl.as_ref()?.syn_ack);
        let acknowledged = || scene.looks_of(seat, place).find_map(|look| look.attempt.facts.tcp.as_ref()?.ack_ttl).map(TtlRange::exactly);
        measured.or_else(acknowledged).map(|ttl| ttl.hops() + 1)
    })
}

/// Returns at how many hops, at least, a server that does not answer a seat may be expected.
pub(super) fn expected_distance(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let responders = |seat: usize| scene.everywhere(seat, Experiment::Responder).iter().filter_map(|look| Some((look.attempt.address?, acknowledged(look)?)));
    let from_responders = responders(seat).flat_map(|(responder, near)| {
        let others = (0..scene.seats.len()).filter(move |other| *other != seat && !scene.seats[*other].inside && scene.is_scored(*other, place));
        others.filter_map(move |other| {
            let target = scene.looks_of(other, place).find_map(acknowledged)?;
            let (_, same) = responders(other).find(|(address, _)| *address == responder)?;
            (near + target).checked_sub(same)
        })
    });
    sibling_distance(scene, seat, place).into_iter().chain(from_responders).min()
}

/// Returns how many hops away other ports of a place's address answer a seat; who refuses one may refuse the others too, so that only what is farther away than the refusal counts.
pub(super) fn sibling_distance(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let own = scene.places[place].ip();
    let tells = |facts: &ReplyTtlFacts, sibling: &Sibling| {
        sibling.address == own && (sibling.reply == Reply::SynAck || facts.reply_ttl.is_none_or(|refusal| refusal.gap(sibling.ttl) > 0))
    };
    let replies = scene.bench(seat, Experiment::ReplyTtl, place).filter_map(|look| look.attempt.facts.reply_ttl.as_ref());
    replies.flat_map(|facts| facts.siblings.iter().filter(move |sibling| tells(facts, sibling))).map(|sibling| sibling.ttl.hops() + 1).min()
}

/// Returns how many hops away the peer is whose TTL the kernel kept.
pub(super) fn acknowledged(look: &Look<'_>) -> Option<u8> {
    look.attempt.facts.tcp.as_ref()?.ack_ttl.map(|ttl| TtlRange::exactly(ttl).hops() + 1)
}
