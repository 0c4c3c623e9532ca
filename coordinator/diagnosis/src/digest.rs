//! What the round saw of the target, in short.

use std::collections::{BTreeMap, BTreeSet};

use parallax_model::{
    bytes::Bytes,
    digest::{AddressDigest, Digest, LeafDigest},
};

use crate::{arrival::Chain, certificate::sha256, scene::Scene};

/// Writes the digest of a round.
pub(crate) fn of(scene: &Scene<'_>) -> Digest {
    let heard = scene.seats.iter().filter(|seat| seat.attempts > 0 && !seat.view.build.is_empty());
    Digest {
        builds: heard.map(|seat| (seat.name.to_owned(), seat.view.build.clone())).collect(),
        addresses: (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)).map(|place| address(scene, place)).collect(),
    }
}

fn address(scene: &Scene<'_>, place: usize) -> AddressDigest {
    let mut leaves: BTreeMap<usize, (u32, BTreeSet<&str>)> = BTreeMap::new();
    let mut alpn: Vec<&str> = Vec::new();
    let mut ttl = BTreeMap::new();
    for seat in (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place)) {
        let mut arrived = None;
        for profile in 0..scene.profiles.len() {
            for look in scene.cell(seat, place, profile) {
                if let Some(chain) = look.chain.filter(|_| look.reach.is_ok()) {
                    let leaf = leaves.entry(chain).or_default();
                    leaf.0 += 1;
                    leaf.1.insert(scene.profiles[profile]);
                }
                if let Some(chosen) = look.alpn.filter(|chosen| !alpn.contains(chosen)) {
                    alpn.push(chosen);
                }
                arrived = look.attempt.facts.tcp.as_ref().and_then(|tcp| tcp.ack_ttl).filter(|_| look.reach.is_ok()).or(arrived);
            }
        }
        ttl.extend(arrived.map(|arrived| (scene.seats[seat].name.to_owned(), arrived)));
    }
    alpn.sort_unstable();
    AddressDigest {
        address: scene.places[place].to_string(),
        leaves: leaves.into_iter().filter_map(|(chain, (attempts, profiles))| leaf(&scene.chains[chain], attempts, &profiles)).collect(),
        alpn: alpn.into_iter().map(str::to_owned).collect(),
        ttl,
    }
}

fn leaf(chain: &Chain<'_>, attempts: u32, profiles: &BTreeSet<&str>) -> Option<LeafDigest> {
    let facts = chain.judgement.leaf.as_ref()?;
    let mut whole = sha256(&chain.sent.iter().flat_map(|certificate| certificate.0.iter().copied()).collect::<Vec<u8>>()).to_string();
    whole.truncate(CHAIN_DIGITS);
    Some(LeafDigest {
        key: Bytes::to_string(&facts.key_sha256),
        chain: whole,
        not_after: facts.not_after,
        valid: chain.judgement.faults.is_empty(),
        profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
        attempts,
    })
}

const CHAIN_DIGITS: usize = 16;
