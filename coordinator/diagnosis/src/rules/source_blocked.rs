use parallax_model::{
    facts::Reply,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme};
use crate::{
    cell::{Layer, Look},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, fate, seats as named},
    route::{self, Answerer, Author, Extent},
    suspicion::{Shape, Suspicion},
    testimony::{self, Fate},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PolicySourceBlocked,
    requires: "some sources fail and others pass; and the refusal comes from as far away as the server, or the walk reaches the server's last router while a neighbour of the same group passes",
    excluded_by: "a refusal from nearer than the server; a walk that ends short",
    counter: Cause::PathAddressBlock,
    next: "ask the server's owner for the rule, or run a witness beside the server that records what arrives",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.shape() != Shape::Some || suspicion.layer == Layer::Http {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    let neighbour = suspicion.neighbour_passes(seat);
    // Neither does a list of sources mind what is offered, nor how fast one comes; where the server's host tells what it did, it may mind anything.
    let told = neighbour.is_some() || testimony::of(scene, seat, place).is_some_and(|testimony| testimony.fate.is_the_servers());
    if suspicion.passes_after_a_pause(seat) || (!told && scene.looks_of(seat, place).any(|look| look.reach.is_ok())) {
        return None;
    }
    let (family, outcome) = suspicion.class(seats)?;
    let mut draft = Draft::new(Cause::PolicySourceBlocked, Tier::Suspected).blaming(seats).by(outcome, None);
    let mut witnessed = false;
    let act = match family {
        Outcome::TcpRefused | Outcome::TlsReset | Outcome::TlsAlert(_) => {
            match route::author(scene, seat, place, &[Reply::Refusal, Reply::Reset, Reply::Close, Reply::Alert]) {
                None => {
                    let stopped = route::stopped(scene, seat, place).filter(|stopped| stopped.past_last_router && suspicion.layer == Layer::Tcp)?;
                    let text = format!("SYNs from {WHO} pass the server's last router, and are refused at hop {}, where the server stands", stopped.hop);
                    draft.add("syn-walk", text, &[stopped.look]);
                    true
                }
                // A proxy's SYN-ACK and its reset come from equally far away.
                Some(Author::AsFarAsServer { .. }) if suspicion.layer == Layer::Tls && !matches!(route::answerer(scene, seat, place), Answerer::Server) => {
                    return None;
                }
                // Whoever has seen a SYN-ACK can copy its TTL. Only a neighbour that passes, or a record of what was sent, tells.
                Some(Author::AsFarAsServer { .. }) if suspicion.layer == Layer::Tls && neighbour.is_none() => return None,
                Some(Author::AsFarAsServer { ttl, look }) => {
                    draft.add("reply-ttl", format!("the refusal reached {WHO} with TTL {}, the one that the server's own packets have", ttl.most), &[look]);
                    true
                }
                Some(Author::Witnessed { by_server: true, testimony }) => {
                    draft.add(testimony.rule, testimony.text, &testimony.looks);
                    witnessed = true;
                    true
                }
                Some(Author::Nearer { .. } | Author::Injector { .. } | Author::Witnessed { .. }) => return None,
            }
        }
        Outcome::TcpUnreachable => {
            let own = scene.places[place].ip();
            let said: Vec<Look<'_>> =
                suspicion.failures(seats).into_iter().filter(|look| look.attempt.facts.tcp.as_ref().is_some_and(|tcp| tcp.icmp_from == Some(own))).collect();
            if !said.is_empty() {
                draft.add("icmp", format!("the server itself tells {WHO} that it is unreachable or prohibited"), &said);
            }
            !said.is_empty()
        }
        Outcome::TcpTimeout if testimony::of(scene, seat, place).is_some_and(|testimony| testimony.fate == Fate::Unanswered) => {
            if let Some(testimony) = testimony::of(scene, seat, place) {
                draft.add(testimony.rule, testimony.text, &testimony.looks);
            }
            witnessed = true;
            true
        }
        Outcome::TcpTimeout => {
            let Extent::LastRouter { router, look } = route::extent(scene, seat, place)? else { return None };
            let last = router.map_or_else(String::new, |router| format!(" ({router})"));
            draft.add("syn-walk", format!("SYNs from {WHO} reach the last router before the server{last} and are not answered"), &[look]);
            false
        }
        _ => return None,
    };
    if let Some(neighbour) = neighbour {
        let passes: Vec<Look<'_>> = suspicion.looks(neighbour).iter().filter(|look| look.passes(suspicion.layer)).copied().collect();
        draft.add("neighbour", format!("{} of the same group, behind the same path, passes", scene.seats[neighbour].name), &passes);
    } else if !act {
        return None;
    }
    let contrast = suspicion.tier(seats, false);
    draft.tier = if act && (witnessed || (neighbour.is_some() && contrast.is_some())) { Tier::Confirmed } else { contrast? };
    let gist = format!("the server's side refuses the source {WHO} at {WHERE}: a connection {}", fate(outcome));
    draft.add(
        "other-groups",
        format!("connections from {WHO} to {WHERE} fail ({COUNT}), those from {} pass", named(scene, &suspicion.passing)),
        &suspicion.failures(seats),
    );
    Some(draft.in_words(gist))
}
