use std::{collections::BTreeSet, net::IpAddr};

use parallax_model::verdict::Cause;

use super::Asks;
use crate::draft::Draft;

/// Where something fails, or somebody seems to stand between, the witnesses on the server's host are asked what arrived there of everybody's connections.
pub(super) fn testify(asks: &mut Asks<'_, '_>, drafts: &[Draft]) {
    let scene = asks.scene;
    let witnesses: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.seats[*seat].view.witness).collect();
    let Some(base) = asks.base().filter(|_| !witnesses.is_empty()) else { return };
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        let intercepted = drafts.iter().any(|draft| draft.cause == Cause::PathInterception && draft.places.contains(&place));
        if !intercepted && !scene.looks_at(place).any(|look| look.reach.is_failure()) {
            continue;
        }
        for witness in witnesses.iter().copied() {
            let sources = sources(asks, witness, place);
            asks.witness(witness, base, place, sources, "what arrived at the server's host is not known yet");
        }
    }
}

/// Returns the addresses that the other vantages' connections come from, as they know them and as the coordinator sees them.
fn sources(asks: &Asks<'_, '_>, witness: usize, place: usize) -> Vec<IpAddr> {
    let scene = asks.scene;
    let others = || (0..scene.seats.len()).filter(|seat| *seat != witness);
    let own = others().flat_map(|seat| scene.looks_of(seat, place)).filter_map(|look| Some(look.attempt.facts.tcp.as_ref()?.local?.ip()));
    let seen = others().filter_map(|seat| scene.seats[seat].view.egress);
    let family = |address: &IpAddr| address.is_ipv4() == scene.places[place].is_ipv4();
    let all: BTreeSet<IpAddr> = own.chain(seen).map(|address| address.to_canonical()).filter(family).collect();
    all.into_iter().take(MAX_SOURCES).collect()
}

/// A list on the wire holds no more.
const MAX_SOURCES: usize = 256;
