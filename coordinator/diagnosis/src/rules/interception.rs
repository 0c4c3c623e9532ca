use std::collections::BTreeSet;

use parallax_model::{
    assignment::Experiment,
    bytes::Bytes,
    verdict::{Cause, Tier},
};

use super::Board;
use crate::{
    cell::{Layer, Look},
    contrast::{BEYOND_CHANCE, fisher},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, count, row, seats as named, whereabouts},
    gates::{Contact, contact, contacts},
    route::{self, Answerer},
    scene::Scene,
    testimony,
};

/// `path.interception`: a group sees another key than the others at the same address, from an issuer that nobody trusts, or with an artefact.
///
/// Excluded by a key that two groups see, by a neighbour in the group that sees the server's own key, by a key that authenticated before, and by an address that is nearer as a whole. Counter:
/// `server.certificate-rollout`; more attempts from two groups separate the two.
pub(super) fn run(board: &mut Board<'_, '_>) {
    for place in 0..board.scene.places.len() {
        if board.scene.ignored.contains(&place) {
            continue;
        }
        if board.scene.keys_at(place).len() < 2 {
            continue;
        }
        let sightings = Sightings::at(board.scene, place);
        if sightings.all_alike() {
            continue;
        }
        for seat in 0..board.scene.seats.len() {
            if let Some(draft) = test(board.scene, seat, place, &sightings) {
                board.mark_all(seat, place);
                board.drafts.push(draft);
            }
        }
    }
}

/// The keys that each scored seat saw at a place.
struct Sightings<'a, 'k> {
    looks: Vec<Vec<Look<'a>>>,
    keys: Vec<BTreeSet<&'k Bytes>>,
}

impl<'a, 'k> Sightings<'a, 'k> {
    fn at(scene: &'k Scene<'a>, place: usize) -> Self {
        let looks: Vec<Vec<Look<'a>>> =
            (0..scene.seats.len()).map(|seat| if scene.is_scored(seat, place) { keyed(scene, seat, place) } else { Vec::new() }).collect();
        let keys = looks.iter().map(|looks| keys_of(scene, looks)).collect();
        Self { looks, keys }
    }

    fn all_alike(&self) -> bool {
        let mut seen = self.keys.iter().filter(|keys| !keys.is_empty());
        seen.next().is_none_or(|first| seen.all(|keys| keys == first))
    }
}

fn test(scene: &Scene<'_>, seat: usize, place: usize, sightings: &Sightings<'_, '_>) -> Option<Draft> {
    let own = &sightings.looks[seat];
    let keys = &sightings.keys[seat];
    // Nothing stands between the inside vantage and the server.
    let first = own.iter().find_map(|look| look.chain).filter(|_| !scene.seats[seat].inside)?;
    let group = scene.seats[seat].group;
    let seen = (0..scene.seats.len()).filter(|other| *other != seat && !sightings.looks[*other].is_empty());
    let (neighbours, others): (Vec<usize>, Vec<usize>) = seen.partition(|other| scene.seats[*other].group == group);
    let others_keys: BTreeSet<&Bytes> = others.iter().flat_map(|other| sightings.keys[*other].iter().copied()).collect();
    let known = |key: &&Bytes| scene.history.known_keys.contains(&key.to_string()) || scene.round.check.expected_keys.contains(*key);
    if others_keys.is_empty() || !keys.is_disjoint(&others_keys) || keys.iter().any(known) {
        return None;
    }
    let anchored = |looks: &[Look<'_>]| looks.iter().any(|look| scene.is_authentic(look));
    // Another site behind the same maker of proxies is no witness of the server.
    let vouched: Vec<usize> = others.iter().copied().filter(|other| anchored(&sightings.looks[*other])).collect();
    let is_inside = |other: &usize| scene.seats[*other].inside;
    // Whose whole outside is shown what nobody vouches for may have his own edge ending TLS.
    let may_compare = !anchored(own) && !vouched.is_empty();
    if may_compare && vouched.iter().all(is_inside) && !others.iter().all(is_inside) {
        return None;
    }
    let others = if may_compare { vouched } else { others };
    let others_looks: Vec<Look<'_>> = others.iter().flat_map(|other| sightings.looks[*other].iter().copied()).collect();
    let issuer = |at: usize| scene.chains[at].judgement.leaf.as_ref().map(|leaf| leaf.issuer.clone()).unwrap_or_default();
    let others_issuers: BTreeSet<String> = others_looks.iter().filter_map(|look| look.chain).map(issuer).collect();
    let own_issuer = issuer(first);
    let mut draft = Draft::new(Cause::PathInterception, Tier::Suspected).blaming(&[seat]).at(place);
    let artefacts = artefacts(scene, seat, place, &own_issuer, &mut draft);
    let neighbour_sees_server = neighbours.iter().any(|other| !sightings.keys[*other].is_disjoint(&others_keys));
    let unanchored = !anchored(own) && anchored(&others_looks) && !others_issuers.contains(&own_issuer);
    let other_groups = scene.count_groups(&others);
    let p = fisher(own.len(), 0, 0, others_looks.len());
    let tier = match (artefacts, other_groups) {
        (true, _) if !others_issuers.contains(&own_issuer) => Tier::Confirmed,
        (false, _) if !unanchored || neighbour_sees_server || p > BEYOND_CHANCE => return None,
        (false, _) if reaches_the_server(scene, seat, place) || route::is_at_another_site(scene, seat, place) => return None,
        (_, 1) => Tier::Suspected,
        (false, _) => Tier::Likely,
        (true, _) => return None,
    };
    draft.tier = tier;
    draft.add_profiles_of(own);
    draft.mechanism = Some(
        if anchored(own) {
            "tls.mitm.trusted"
        } else if scene.chains[first].sent.len() == 1 && scene.chains[first].judgement.leaf.as_ref().is_some_and(|leaf| leaf.names_itself) {
            "tls.mitm.self_signed"
        } else {
            "tls.mitm.ca_signed"
        }
        .to_owned(),
    );
    draft.add_beside(
        "other-key",
        format!(
            "{WHO} got a key by {own_issuer} at {WHERE} in all {COUNT}, and {} ({}) got another, by {}",
            named(scene, &others),
            count(other_groups, "other group"),
            others_issuers.iter().cloned().collect::<Vec<_>>().join(" and ")
        ),
        own,
        &others_looks[..others_looks.len().min(16)],
    );
    if unanchored {
        draft.add("unknown-issuer", format!("no trusted authority vouches for the key that {WHO} got; one does for the others'"), own);
    }
    draft.location = route::answered_in_between(scene, seat, place);
    let there = whereabouts(draft.location.as_ref());
    let draft = draft.unless(Cause::ServerCertificateRollout, "make eleven more attempts from two groups: a second server's key shows up in every group");
    Some(draft.in_words(format!("TLS to {WHERE} is terminated on the path of {WHO}{there} by somebody who signs as {own_issuer}")))
}

/// Plain attempts that brought a key.
fn keyed<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Vec<Look<'a>> {
    scene.looks_of(seat, place).filter(|look| look.chain.is_some() && look.passes(Layer::Tls)).copied().collect()
}

fn keys_of<'s>(scene: &'s Scene<'_>, looks: &[Look<'_>]) -> BTreeSet<&'s Bytes> {
    looks.iter().filter_map(|look| scene.chains[look.chain?].key()).collect()
}

/// Adds what shows that somebody on the path terminates TLS, and tells whether it does so by itself: a nearer site of the same address answers from nearer too.
fn artefacts(scene: &Scene<'_>, seat: usize, place: usize, own_issuer: &str, draft: &mut Draft) -> bool {
    let before = draft.evidence.len();
    let signed_alike = |look: &&Look<'_>| look.chain.and_then(|at| scene.chains[at].judgement.leaf.as_ref()).is_some_and(|leaf| leaf.issuer == own_issuer);
    let made_up: Vec<Look<'_>> = scene
        .bench(seat, Experiment::ControlName, place)
        .filter(|look| {
            let name = look.attempt.facts.tls.as_ref().and_then(|tls| tls.hello.server_name.as_deref());
            let leaf = look.chain.and_then(|at| scene.chains[at].judgement.leaf.as_ref());
            leaf.is_some_and(|leaf| leaf.issuer == own_issuer && name.is_some_and(|name| leaf.covers(name)))
        })
        .copied()
        .collect();
    if !made_up.is_empty() {
        let names: BTreeSet<&str> = made_up.iter().filter_map(|look| look.attempt.facts.tls.as_ref()?.hello.server_name.as_deref()).collect();
        let asked = row(&names.into_iter().take(2).collect::<Vec<&str>>());
        let text = format!("asked for a made-up name ({asked}), {WHO} got a certificate by {own_issuer} too: it is made on the spot");
        draft.add("made-up-certificate", text, &made_up);
    }
    let replaced: Vec<Look<'_>> = contacts(scene, seat)
        .filter(|(_, contact, look)| matches!(contact, Contact::Stranger(Some(_))) && signed_alike(look))
        .map(|(_, _, look)| *look)
        .collect();
    if !replaced.is_empty() {
        draft.add("responder-key", format!("the fleet's responder, whose key is known, shows {WHO} another key by the same issuer"), &replaced);
    }
    let differing = |look: &&Look<'_>| {
        let tls = look.attempt.facts.tls.as_ref();
        let echo = tls.and_then(|tls| tls.handshake.as_ref()).and_then(|handshake| handshake.echo_sha256.as_ref());
        echo.is_some_and(|echo| tls.is_some_and(|tls| !tls.hello.sha256.0.is_empty() && tls.hello.sha256 != *echo))
    };
    let echoes: Vec<Look<'_>> = [Experiment::Responder, Experiment::NameAtResponder]
        .into_iter()
        .flat_map(|experiment| scene.everywhere(seat, experiment))
        .filter(differing)
        .copied()
        .collect();
    if !echoes.is_empty() {
        draft.add("echo", format!("the fleet's responder received another ClientHello than {WHO} sent"), &echoes);
    }
    if let Some(testimony) = testimony::of_successes(scene, seat, place) {
        draft.add(testimony.rule, testimony.text, &testimony.looks);
    }
    // Beyond the server's last router the server's own host may make certificates on demand.
    let is_the_servers = draft.evidence[before..].iter().all(|evidence| evidence.rule == "made-up-certificate") && reaches_the_server(scene, seat, place);
    let by_itself = draft.evidence.len() > before && !is_the_servers;
    if let Some((text, looks)) = route::answers_from_nearer(scene, seat, place) {
        draft.add("nearer-answer", text, &looks);
    }
    by_itself
}

/// Tells whether a seat's connections get to the server itself, whatever its certificate: a balancer there may choose by source.
fn reaches_the_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let untouched = || route::behind_the_same_box(scene, seat, place, Experiment::Responder);
    match route::answerer(scene, seat, place) {
        Answerer::Server => true,
        // A box that only ends TCP leaves a responder's key as it is.
        Answerer::Proxy(..) => untouched().iter().any(|look| contact(scene, look) == Contact::Good),
        // So may it where SYNs alone are answered early, or go on against their hop limit.
        Answerer::Unknown => scene.walks_mislead(seat) && route::hears_the_server(scene, seat, place),
    }
}
