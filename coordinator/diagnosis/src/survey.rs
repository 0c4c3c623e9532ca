//! Who can connect: the clients of a round side by side.

use std::collections::BTreeMap;

use parallax_model::{
    outcome::Outcome,
    profile::{Refusal, Shown},
};

use crate::{
    cell::{Layer, Look, commonest},
    explain::{fate, row},
    scene::Scene,
};

/// Says how many of the recorded clients can connect, and why the others cannot; none when fewer than two were tried.
///
/// It tells what was seen and blames nobody: that is what findings are for.
pub(crate) fn sentence(scene: &Scene<'_>) -> Option<String> {
    let clients: Vec<Reception<'_>> = (0..scene.profiles.len()).filter_map(|profile| Reception::of(scene, profile)).collect();
    if clients.len() < 2 {
        return None;
    }
    let able = clients.iter().filter(|client| client.failures.is_empty() && client.refusal.is_none()).count();
    if able == clients.len() {
        return Some(format!("all {able} clients can connect"));
    }
    let mut parts = vec![format!("{able} of {} clients can connect", clients.len())];
    let mut shut_out: BTreeMap<Outcome, Vec<&str>> = BTreeMap::new();
    for client in clients.iter().filter(|client| !client.passes && !client.failures.is_empty()) {
        shut_out.entry(client.end()).or_default().push(client.name);
    }
    parts.extend(shut_out.iter().map(|(end, names)| format!("{} cannot (the connection {})", row(names), fate(*end))));
    let mut unwilling: BTreeMap<Refusal, Vec<&str>> = BTreeMap::new();
    for client in &clients {
        if let Some(refusal) = client.refusal.filter(|_| client.failures.is_empty()) {
            unwilling.entry(refusal).or_default().push(client.name);
        }
    }
    parts.extend(unwilling.iter().map(|(refusal, names)| format!("{} would go no further ({refusal})", row(names))));
    let wavering: Vec<&str> = clients.iter().filter(|client| client.passes && !client.failures.is_empty()).map(|client| client.name).collect();
    if !wavering.is_empty() {
        parts.push(format!("{} not every time or not from everywhere", row(&wavering)));
    }
    Some(parts.join("; "))
}

/// How one client is received at the addresses and by the vantages that are scored.
struct Reception<'a> {
    name: &'a str,
    passes: bool,
    failures: Vec<Outcome>,
    refusal: Option<Refusal>,
}

/// Returns why a client would go no further after an attempt that passed, by the limits that its hello does not show.
pub(crate) fn refusal(scene: &Scene<'_>, profile: usize, look: &Look<'_>) -> Option<Refusal> {
    let limits = &scene.recipe(profile)?.client.as_ref()?.limits;
    let answer = &look.attempt.facts.tls.as_ref().filter(|_| look.reach.is_ok())?.answer;
    let leaf = look.chain.and_then(|at| scene.chains[at].judgement.leaf.as_ref());
    let rsa_bits = leaf.filter(|leaf| leaf.key_type == "RSA" && leaf.key_bits > 0).and_then(|leaf| u16::try_from(leaf.key_bits).ok());
    let sha1 = leaf.is_some_and(|leaf| SHA1_SIGNATURES.contains(&leaf.signature_algorithm.as_str()));
    limits.refusal(&Shown { version: answer.version, dh_bits: answer.dh_bits, rsa_bits, sha1 })
}

/// sha1WithRSAEncryption and ecdsa-with-SHA1 (RFC 3279 section 2.2).
const SHA1_SIGNATURES: [&str; 2] = ["1.2.840.113549.1.1.5", "1.2.840.10045.4.1"];

impl<'a> Reception<'a> {
    /// Collects what a client saw; none for another kind of profile, and for one that nobody tried.
    fn of(scene: &Scene<'a>, profile: usize) -> Option<Self> {
        scene.recipe(profile)?.client.as_ref()?;
        let seats = 0..scene.seats.len();
        let scored = seats.flat_map(|seat| (0..scene.places.len()).map(move |place| (seat, place))).filter(|(seat, place)| scene.is_scored(*seat, *place));
        let looks: Vec<&Look<'_>> = scored.flat_map(|(seat, place)| scene.cell(seat, place, profile)).collect();
        let failures = looks.iter().map(|look| look.reach).filter(|outcome| outcome.is_failure()).collect();
        let refusal = looks.iter().rev().find_map(|look| refusal(scene, profile, look));
        (!looks.is_empty()).then(|| Self { name: scene.profiles[profile], passes: looks.iter().any(|look| look.passes(Layer::Tls)), failures, refusal })
    }

    fn end(&self) -> Outcome {
        commonest(self.failures.iter().copied())
    }
}
