use parallax_model::{assignment::Experiment, facts::Reply, outcome::Outcome, verdict::Cause};

use super::{Hypothesis, every_scheme};
use crate::{
    bench::{Names, Tally, names, payload},
    cell::{Layer, Look},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, fate, seats as named, whereabouts},
    gates::{Contact, contacts},
    route::{self, Author},
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathTlsBlock,
    requires: "TCP connects and no ClientHello gets through, whatever its name; bytes that are not TLS arrive; and other groups pass and it is so at the responders too, or the hello ends short or is answered from nearer than the server",
    excluded_by: "bytes that are not TLS and fail as well; a version or name that passes; an end at the server's own distance, or where the ways of all networks have met",
    counter: Cause::PathAddressBlock,
    next: "try a responder on the same port as the target",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    let (scene, place) = (suspicion.scene, suspicion.place);
    if suspicion.layer != Layer::Tls || (suspicion.shape() != Shape::Some && !route::falls_far_short(scene, seat, place)) {
        return None;
    }
    let (family, outcome) = suspicion.class(seats)?;
    let possible = matches!(family, Outcome::TlsReset | Outcome::TlsTimeout | Outcome::TlsUnreachable | Outcome::TlsAlert(_));
    let other = payload(scene, seat, place, Experiment::NonTls);
    if !possible || !other.always(1) {
        return None;
    }
    let names = names(scene, seat, place);
    let responders: Vec<(Contact, Look<'_>)> = contacts(scene, seat).map(|(_, contact, look)| (contact, *look)).collect();
    let blocked = !responders.is_empty() && responders.iter().all(|(contact, _)| *contact == Contact::TcpOnly);
    let any_passes = scene.looks_of(seat, place).any(|look| look.passes(Layer::Tls));
    if any_passes || payload(scene, seat, place, Experiment::LargeNonTls).never(1) || names.control.always(1) {
        return None;
    }
    if !blocked {
        return at_this_server(suspicion, seat, &names, &other);
    }
    let tier = suspicion.tier(seats, false)?;
    let at_responders: Vec<Look<'_>> = responders.into_iter().map(|(_, look)| look).collect();
    let gist = format!("no ClientHello gets through from {WHO}, to any server and with any name: a connection {}", fate(outcome));
    let draft = Draft::new(Cause::PathTlsBlock, tier)
        .blaming(seats)
        .by(outcome, None)
        .because("responder", format!("TCP from {WHO} to the fleet's responders connects, and TLS fails there too ({COUNT})"), &at_responders)
        .because("non-tls", format!("bytes that are not TLS arrived at the target in {COUNT} from {WHO}"), &other.passed)
        .because("other-groups", format!("{} pass the same address", named(scene, &suspicion.passing)), &suspicion.failures(seats))
        .in_words(gist);
    Some(draft)
}

/// Where the responders' handshakes pass, the device minds the server's network or port as well: a hello that ends short, or an answer from nearer, places it on the way.
fn at_this_server(suspicion: &Suspicion<'_, '_>, seat: usize, names: &Names<'_>, other: &Tally<'_>) -> Option<Draft> {
    let (scene, place) = (suspicion.scene, suspicion.place);
    let (_, outcome) = suspicion.class(&[seat])?;
    // A control that ends otherwise has a cause of its own, and one alone may be lost by chance.
    let fails_alike = |look: &&Look<'_>| suspicion.looks(seat).iter().any(|wanted| wanted.reach == look.reach);
    if suspicion.server_ends_others(seat) || !names.do_not_matter() || names.control.failed.iter().filter(fails_alike).count() < LEAST_CONTROLS {
        return None;
    }
    let (rule, text, looks, hop, server, heard) = match route::author(scene, seat, place, &[Reply::Reset, Reply::Alert]) {
        Some(Author::Nearer { reply, server, look }) => {
            let text = format!(
                "the answer reached {WHO} with TTL {}, and {} with {}: it was sent from nearer",
                reply.most,
                route::what_bears(server, &look),
                server.least
            );
            ("reply-ttl", text, vec![look], reply.hops() + 1, server.hops() + 1, reply.hops() + 1)
        }
        Some(_) => return None,
        None => {
            let lost = route::payload_stop(scene, seat, place).map(|stop| ("lost", stop));
            let (how, stop) = lost.or_else(|| Some(("ended", route::ended_early(scene, seat, place)?)))?;
            let text = format!("ClientHellos from {WHO} are {how} at hop {}, SYNs go on to the server at hop {}", stop.hop, stop.server);
            ("hello-walk", text, stop.looks, stop.hop, stop.server, stop.hop.saturating_sub(1))
        }
    };
    if route::is_at_the_edge(hop, server) || route::is_on_common_ground(scene, seat, place, heard) {
        return None;
    }
    let tier = suspicion.tier(&[seat], true)?;
    let mut draft = Draft::new(Cause::PathTlsBlock, tier)
        .blaming(&[seat])
        .by(outcome, None)
        .because(rule, text, &looks)
        .because("non-tls", format!("bytes that are not TLS arrived in {COUNT} from {WHO}"), &other.passed)
        .because("control-name", format!("other names fail alike ({COUNT} from {WHO})"), &names.control.failed);
    if !suspicion.passing.is_empty() {
        draft.add("other-groups", format!("{} pass the same address", named(scene, &suspicion.passing)), &suspicion.failures(&[seat]));
    }
    draft.location = Some(route::location_after(scene, seat, place, (hop.saturating_sub(1), hop), heard));
    let gist = format!(
        "no ClientHello gets through from {WHO} to {WHERE}, whatever its name, and other bytes do{}: a connection {}",
        whereabouts(draft.location.as_ref()),
        fate(outcome)
    );
    Some(draft.in_words(gist))
}

/// Other names must fail alike so often.
const LEAST_CONTROLS: usize = 2;
