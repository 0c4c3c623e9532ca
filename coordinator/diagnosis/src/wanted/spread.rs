use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use parallax_model::{
    assignment::Experiment,
    bytes::Bytes,
    outcome::Outcome,
    verdict::{Locus, Tier},
};

use super::Asks;
use crate::{
    cell::{Layer, State},
    draft::Draft,
    gates::Ipv6,
    rules::trickles,
    scene::Scene,
};

/// Every vantage tries every address that any vantage resolved (M19).
pub(super) fn union_of_addresses(asks: &mut Asks<'_, '_>) {
    let scene = asks.scene;
    let target = &scene.round.check.target;
    let Some(base) = asks.base().filter(|_| target.literal_address().is_none()) else { return };
    let union: BTreeSet<IpAddr> = scene.seats.iter().flat_map(|seat| seat.resolved.iter().copied()).collect();
    for seat in 0..scene.seats.len() {
        if scene.seats[seat].attempts == 0 {
            continue;
        }
        for address in union.iter().take(MAX_ADDRESSES) {
            let family_works = !address.is_ipv6() || scene.health[seat].ipv6 != Ipv6::Broken;
            let at = SocketAddr::new(*address, target.port);
            let untried = scene.profiles.iter().all(|profile| asks.tried(seat, Experiment::Baseline, profile, at) == 0);
            if family_works && untried {
                asks.until(seat, base, at, 2, "other vantages resolved further addresses");
            }
        }
    }
}

/// A mixture is tried until the test separates it, at the vantages that show it and at two more for comparison; pauses and fixed source ports show what it follows.
///
/// Where something on the way is confirmed, an optional recipe that it hits now and then (a name that falls into the first or the second segment) is no further question.
pub(super) fn mixtures(asks: &mut Asks<'_, '_>, drafts: &[Draft]) {
    let scene = asks.scene;
    let settled = |seat: usize, place: usize| {
        let confirmed = |draft: &&Draft| draft.tier == Tier::Confirmed && matches!(draft.cause.locus(), Locus::Path | Locus::Edge | Locus::Policy);
        drafts.iter().filter(confirmed).any(|draft| draft.seats.contains(&seat) && draft.places.contains(&place))
    };
    for place in 0..scene.places.len() {
        for profile in scene.profiles_by_need() {
            let base = if scene.is_required(profile) { profile } else { asks.base().unwrap_or(profile) };
            let scored: Vec<usize> =
                (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && !scene.cell(*seat, place, profile).is_empty()).collect();
            let state = |seat: usize| [Layer::Tcp, Layer::Tls, Layer::Http].map(|layer| scene.state(seat, place, profile, layer));
            let wavers = |seat: usize| state(seat).contains(&State::Mixed) && !scene.is_cut_now_and_then(seat, place, profile) && !trickles(scene, seat, place);
            let open = |seat: usize| scene.is_required(profile) || !settled(seat, place);
            let mixed: Vec<usize> = scored.iter().copied().filter(|seat| wavers(*seat) && open(*seat)).collect();
            if mixed.is_empty() {
                continue;
            }
            let others: Vec<usize> = scored.iter().copied().filter(|seat| !mixed.contains(seat)).collect();
            let why = "success and failure mix";
            let failing = others.iter().copied().filter(|seat| state(*seat).iter().any(|state| matches!(state, State::Fail | State::Thin)));
            let compared: BTreeSet<usize> = asks.one_of_each(&others, 2).into_iter().chain(failing).take(MAX_COMPARED).collect();
            for seat in mixed.iter().copied().chain(compared) {
                asks.until(seat, profile, scene.places[place], DECIDED_AFTER, why);
            }
            for seat in asks.one_of_each(&mixed, MAX_COMPARED) {
                if state(seat)[1] == State::Mixed {
                    asks.up_to(seat, Experiment::ControlName, base, place, DECIDED_AFTER, why);
                }
                asks.up_to(seat, Experiment::Slow, base, place, 6, why);
                asks.once(seat, Experiment::SourcePort, base, place, 16, why);
                asks.once(seat, Experiment::ReplyTtl, base, place, 1, why);
            }
            // What one profile shows of a mixture, the others share.
            break;
        }
    }
}

/// A second certificate, or a bad one among good ones, is counted: eleven more attempts from each of three groups show a share of one in four with 95 %.
pub(super) fn two_certificates(asks: &mut Asks<'_, '_>) {
    let scene = asks.scene;
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        for profile in 0..scene.profiles.len() {
            let scored: Vec<usize> =
                (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && !scene.cell(*seat, place, profile).is_empty()).collect();
            let looks = scored.iter().flat_map(|seat| scene.cell(*seat, place, profile)).filter(|look| look.reach.is_ok());
            let kinds: BTreeSet<(Option<usize>, Outcome)> = looks.filter(|look| look.chain.is_some()).map(|look| (look.chain, look.outcome)).collect();
            let keys: BTreeSet<_> = kinds.iter().filter_map(|(chain, _)| scene.chains[(*chain)?].key()).collect();
            let outcomes: BTreeSet<Outcome> = kinds.iter().map(|(_, outcome)| *outcome).collect();
            let is_base = Some(profile) == asks.base();
            if !is_base || (keys.len() < 2 && outcomes.len() < 2 && !alternates_with_profiles(scene, place)) {
                continue;
            }
            // An even number of vantages that keep time may each meet always the same one of two that a balancer gives by turns.
            for seat in asks.one_of_each(&scored, 3) {
                asks.until(seat, profile, scene.places[place], 2 + 11, "two certificates are in use at one address");
            }
        }
    }
}

/// Attempts after which a mixture counts as such (methods 3.3).
const DECIDED_AFTER: u32 = 8;
const MAX_ADDRESSES: usize = 16;
const MAX_COMPARED: usize = 4;

/// Tells whether two keys of one kind were seen at a place, whatever the profile: a balancer that takes turns may give each profile always the same one.
fn alternates_with_profiles(scene: &Scene<'_>, place: usize) -> bool {
    let leaves = scene.looks_at(place).filter(|look| look.reach.is_ok()).filter_map(|look| scene.chains[look.chain?].judgement.leaf.as_ref());
    let seen: BTreeSet<(String, &Bytes)> = leaves.map(|leaf| (leaf.shown_key(), &leaf.key_sha256)).collect();
    let kinds: BTreeSet<&String> = seen.iter().map(|(kind, _)| kind).collect();
    seen.len() > kinds.len()
}
