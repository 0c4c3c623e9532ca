use std::collections::BTreeSet;

use parallax_model::{
    assignment::Experiment,
    outcome::CertificateFault,
    verdict::{Cause, Tier},
};

use crate::{
    arrival::Audited,
    cell::Look,
    draft::Draft,
    explain::{WHERE, groups, seats as named},
    rules::{
        Board,
        certificates::{cause_of, describe},
    },
    scene::Scene,
};

/// `server.certificate-*`, `server.chain-*`: what is wrong with the chain for one type of key, which clients that can use another type are never shown.
///
/// The handshake of an audit is not finished, so that the key is not proven: two groups must be shown the same.
pub(super) fn run(board: &mut Board<'_, '_>, place: usize, seats: &[usize]) {
    let scene = board.scene;
    let address = scene.places[place];
    let shown: Vec<&Audited<'_>> = scene.audited.iter().filter(|shown| shown.attempt.address == Some(address) && seats.contains(&shown.seat)).collect();
    let mut told: Vec<(usize, CertificateFault)> = Vec::new();
    for &Audited { chain, key_type, .. } in &shown {
        for fault in scene.chains[*chain].judgement.faults.iter().copied().filter(|fault| is_the_chains_own(*fault)) {
            if told.contains(&(*chain, fault)) || is_seen_by_clients(scene, place, *chain) {
                continue;
            }
            told.push((*chain, fault));
            let seeing: Vec<&Audited<'_>> = shown.iter().copied().filter(|other| other.chain == *chain).collect();
            board.drafts.extend(finding(scene, place, fault, key_type, &seeing));
        }
    }
}

/// Pins and staples are matters of what clients get; the other faults lie in the chain itself.
fn is_the_chains_own(fault: CertificateFault) -> bool {
    !matches!(fault, CertificateFault::KeyUnexpected | CertificateFault::StapleMissing | CertificateFault::StapleInvalid | CertificateFault::KeyType)
}

/// Tells whether whole handshakes brought a chain of the same key, which is judged by what they show.
fn is_seen_by_clients(scene: &Scene<'_>, place: usize, chain: usize) -> bool {
    scene.looks_at(place).filter_map(|look| look.chain).any(|seen| scene.chains[seen].key() == scene.chains[chain].key())
}

fn finding(scene: &Scene<'_>, place: usize, fault: CertificateFault, key_type: &str, seeing: &[&Audited<'_>]) -> Option<Draft> {
    let seats: Vec<usize> = seeing.iter().map(|shown| shown.seat).collect::<BTreeSet<usize>>().into_iter().collect();
    let seen_by = scene.groups(&seats).len();
    if seen_by < 2 {
        return None;
    }
    let is_shown = |look: &Look<'_>| seeing.iter().any(|shown| shown.attempt.id == look.attempt.id);
    let looks: Vec<Look<'_>> = seats.iter().flat_map(|seat| scene.bench(*seat, Experiment::Audit, place).copied()).filter(is_shown).collect();
    let what = describe(scene, fault, seeing[0].chain);
    let at = scene.places[place];
    let text = format!("{what}; shown at {at} to audits that can use {key_type} keys alone, by {} in {}", named(scene, &seats), groups(seen_by, seen_by));
    let next = format!("connect with suites for {key_type} keys alone, as clients without the other type do");
    let draft = Draft::new(cause_of(fault), Tier::Likely).blaming(&seats).at(place).because("audit", text, &looks);
    Some(draft.unless(Cause::PathInterception, &next).in_words(format!("{what} at {WHERE}, shown to clients that can use {key_type} keys alone")))
}
