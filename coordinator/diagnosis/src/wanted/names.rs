use parallax_model::{
    assignment::Experiment,
    outcome::CertificateFault,
    verdict::{Cause, Tier},
};

use super::Asks;
use crate::{cell::Layer, draft::Draft};

/// A certificate for other names: what an unknown name and no name get tells whose it is.
pub(super) fn mismatches(asks: &mut Asks<'_, '_>) {
    let scene = asks.scene;
    let Some(base) = asks.base() else { return };
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        let wrong = |seat: usize| {
            scene.looks_of(seat, place).any(|look| look.chain.is_some_and(|at| scene.chains[at].judgement.faults.contains(&CertificateFault::NameMismatch)))
        };
        let seats: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && wrong(*seat)).collect();
        for seat in asks.one_of_each(&seats, 2) {
            asks.once(seat, Experiment::ControlName, base, place, 2, "the certificate is for other names");
            asks.once(seat, Experiment::NoName, base, place, 1, "the certificate is for other names");
        }
    }
}

/// Another key at one group: how near its holder stands, and whether it makes certificates up.
pub(super) fn other_keys(asks: &mut Asks<'_, '_>, drafts: &[Draft]) {
    const WHY: &str = "one group sees another key than the others";
    let scene = asks.scene;
    let Some(base) = asks.base() else { return };
    let settled = |seat: usize, place: usize| {
        drafts.iter().any(|draft| {
            draft.tier == Tier::Confirmed && draft.cause == Cause::PathInterception && draft.seats.contains(&seat) && draft.places.contains(&place)
        })
    };
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        let keys = |seat: usize| {
            scene
                .looks_of(seat, place)
                .filter(|look| look.passes(Layer::Tls))
                .filter_map(|look| scene.chains[look.chain?].key())
                .collect::<std::collections::BTreeSet<_>>()
        };
        let keyed: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && !keys(*seat).is_empty()).collect();
        let all: Vec<_> = keyed.iter().map(|seat| keys(*seat)).collect();
        if all.windows(2).all(|pair| pair[0] == pair[1]) {
            continue;
        }
        for seat in keyed.iter().copied() {
            let group = scene.seats[seat].group;
            let others: Vec<usize> = keyed.iter().copied().filter(|other| scene.seats[*other].group != group).collect();
            let alone = !others.is_empty() && others.iter().all(|other| keys(*other).is_disjoint(&keys(seat)));
            let vouched = scene.looks_of(seat, place).any(|look| scene.is_authentic(look));
            if !alone || settled(seat, place) || (vouched && scene.count_groups(&others) < 2) {
                continue;
            }
            asks.once(seat, Experiment::ReplyTtl, base, place, 1, WHY);
            asks.once(seat, Experiment::SynWalk, base, place, 1, WHY);
            asks.once(seat, Experiment::ControlName, base, place, 2, WHY);
            let outside: Vec<usize> = others.into_iter().filter(|other| !scene.seats[*other].inside).collect();
            for other in asks.one_of_each(&outside, 1) {
                asks.once(other, Experiment::SynWalk, base, place, 1, WHY);
                asks.once(other, Experiment::ReplyTtl, base, place, 1, WHY);
            }
        }
    }
}
