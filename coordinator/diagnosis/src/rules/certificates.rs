use std::collections::BTreeSet;

use parallax_model::{
    outcome::{CertificateFault, Outcome},
    verdict::{Cause, Tier},
};

use super::{Board, default_certificate};
use crate::{
    cell::{Layer, Look},
    certificate::End,
    contrast::{BEYOND_CHANCE, fisher},
    draft::Draft,
    explain::{WHERE, count, groups, seats as named},
    scene::Scene,
};

/// `server.certificate-*`, `server.chain-*`, `server.staple-*`, `server.default-certificate`: what is wrong with a chain that the server proved to hold.
///
/// A chain for whose leaf a trusted authority vouches is the server's, whoever sees it; any other must be seen alike by two groups, one of them inside to be confirmed. Excluded at seats whose TLS is
/// intercepted.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        let seats: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && !board.is_intercepted(*seat, place)).collect();
        let shown = || seats.iter().flat_map(|seat| scene.looks_of(*seat, place)).filter(|look| look.passes(Layer::Tls) && look.chain.is_some());
        if !shown().any(|look| matches!(look.outcome, Outcome::Certificate(_))) {
            continue;
        }
        let looks: Vec<(usize, Look<'_>)> = shown().map(|look| (look.seat, *look)).collect();
        let mut by_fault: Vec<(CertificateFault, usize)> = Vec::new();
        for (_, look) in &looks {
            let Some(chain) = look.chain.filter(|_| matches!(look.outcome, Outcome::Certificate(_))) else { continue };
            for fault in &scene.chains[chain].judgement.faults {
                if !by_fault.contains(&(*fault, chain)) {
                    by_fault.push((*fault, chain));
                }
            }
        }
        for (fault, chain) in by_fault {
            if let Some(draft) = finding(scene, place, fault, chain, &looks) {
                board.drafts.push(draft);
            }
        }
    }
}

fn finding(scene: &Scene<'_>, place: usize, fault: CertificateFault, chain: usize, looks: &[(usize, Look<'_>)]) -> Option<Draft> {
    let judgement = &scene.chains[chain].judgement;
    let (cause, why) = if judgement.faults.contains(&CertificateFault::NameMismatch) {
        let (cause, why) = default_certificate::cause(scene, place, chain);
        match (cause, fault) {
            (_, CertificateFault::NameMismatch) => (cause, why),
            // Whatever else is wrong with another virtual host's certificate is not this name's trouble.
            (Cause::ServerDefaultCertificate, _) => return None,
            _ => (cause_of(fault), None),
        }
    } else {
        (cause_of(fault), None)
    };
    let same_key = |look: &Look<'_>| {
        look.chain.is_some_and(|at| scene.chains[at].key() == scene.chains[chain].key() && scene.chains[at].judgement.faults.contains(&fault))
    };
    let bad: Vec<(usize, Look<'_>)> = looks.iter().filter(|(_, look)| same_key(look)).copied().collect();
    let seeing: BTreeSet<usize> = bad.iter().map(|(seat, _)| *seat).collect();
    let seeing: Vec<usize> = seeing.into_iter().collect();
    let trying: BTreeSet<usize> = looks.iter().map(|(seat, _)| *seat).collect();
    let trying: Vec<usize> = trying.into_iter().collect();
    let seen_by = scene.count_groups(&seeing);
    let proven = bad.iter().any(|(_, look)| look.authenticated);
    let vouched = judgement.anchored && fault != CertificateFault::NameMismatch && fault != CertificateFault::KeyUnexpected;
    let tier = match (seen_by, vouched && proven) {
        (_, true) => Tier::Confirmed,
        // Somebody may stand on the way of several groups: where each vantage sees but one of two keys, nothing tells him from one of several servers.
        (2.., false) if !judgement.anchored && follows_the_vantage(scene, place, chain, looks, &seeing) => return None,
        // Who holds the key of a certificate for which nobody vouches is the server for sure only on the server's own segment.
        (2.., false) if proven && (judgement.anchored || seeing.iter().any(|seat| scene.seats[*seat].inside)) => Tier::Confirmed,
        (2.., false) => Tier::Likely,
        _ => return None,
    };
    let bad_looks: Vec<Look<'_>> = bad.iter().map(|(_, look)| *look).collect();
    let whole = bad.len() == looks.len();
    // Certificates differ by what a profile can take: the share counts only profiles with which the bad one was seen.
    let profiles: BTreeSet<usize> = bad_looks.iter().filter_map(|look| look.profile).collect();
    let comparable: Vec<&(usize, Look<'_>)> = looks.iter().filter(|(_, look)| look.profile.is_some_and(|profile| profiles.contains(&profile))).collect();
    // A balancer that chooses by source shows some vantages nothing else, and the others never.
    let theirs = comparable.iter().filter(|(seat, _)| seeing.contains(seat)).count();
    let by_source = theirs == bad.len() && fisher(bad.len(), 0, 0, comparable.len() - theirs) <= BEYOND_CHANCE;
    let (blamed, comparable) = if by_source { (&seeing, theirs) } else { (&trying, comparable.len()) };
    let share = if whole { 1.0 } else { bad.len() as f64 / comparable.max(1) as f64 };
    let at = scene.places[place];
    let what = describe(scene, fault, chain);
    let of = if share < 1.0 { format!("{} of {} attempts", bad.len(), comparable) } else { count(bad.len(), "attempt") };
    let mut draft = Draft::new(cause, tier).blaming(blamed).at(place).by(Outcome::Certificate(fault), None);
    draft.share = share;
    draft.add_profiles_of(&bad_looks);
    let vouches = if judgement.anchored { "; a trusted authority vouches for its key" } else { "" };
    let proves = if proven { ", and the server proved that it holds the key" } else { "" };
    draft.add(
        "certificate",
        format!("{what}; seen at {at} in {of} by {} in {}{proves}{vouches}", named(scene, &seeing), groups(seen_by, scene.count_groups(&trying))),
        &bad_looks,
    );
    if let Some((text, looks)) = why {
        draft.add("control-name", text, &looks);
    }
    let (counter, next) = match cause {
        Cause::ServerDefaultCertificate => (Cause::ServerCertificateNameMismatch, "ask for an unknown name and for none at the same address"),
        Cause::ServerCertificateNameMismatch => (Cause::ServerDefaultCertificate, "ask for an unknown name and for none at the same address"),
        Cause::ServerChainIncomplete => (Cause::ServerCertificateUntrusted, "fetch the issuer's certificate that the leaf names and try the chain with it"),
        Cause::ServerCertificateUntrusted if matches!(judgement.end, End::Missing { .. }) => {
            (Cause::ServerChainIncomplete, "fetch the issuer's certificate that the leaf names and try the chain with it")
        }
        _ if judgement.anchored => {
            (Cause::ServerCertificateRollout, "make eleven more attempts: another certificate shows up when one of several backends is at fault")
        }
        _ => (Cause::PathInterception, "compare the key with the one on the server's disk"),
    };
    let some = match (by_source, share < 1.0) {
        (true, _) => " (for these vantages alone: what is chosen by source, or another host behind the address)".to_owned(),
        (false, true) => format!(" (in {:.0} % of the attempts: one backend of several)", share * 100.0),
        (false, false) => String::new(),
    };
    Some(draft.unless(counter, next).in_words(format!("{what} at {WHERE}{some}")))
}

/// Tells whether none of the outside seats that see the chain sees another key too and others see nothing else, or as many groups reach nobody there.
fn follows_the_vantage(scene: &Scene<'_>, place: usize, chain: usize, looks: &[(usize, Look<'_>)], seeing: &[usize]) -> bool {
    let key = scene.chains[chain].key();
    let has_another = |look: &Look<'_>| look.chain.is_some_and(|at| scene.chains[at].key() != key);
    let others: BTreeSet<usize> = looks.iter().filter(|(_, look)| has_another(look)).map(|(seat, _)| *seat).collect();
    let inside_sees = seeing.iter().any(|seat| scene.seats[*seat].inside);
    if inside_sees {
        return false;
    }
    // A proxy answers even where the server does not.
    let failing: Vec<usize> = (0..scene.seats.len())
        .filter(|seat| scene.is_scored(*seat, place) && !seeing.contains(seat))
        .filter(|seat| scene.looks_of(*seat, place).next().is_some() && scene.looks_of(*seat, place).all(|look| look.reach.is_failure()))
        .collect();
    let splits = !others.is_empty() && seeing.iter().all(|seat| !others.contains(seat));
    splits || scene.count_groups(&failing) >= scene.count_groups(seeing)
}

pub(super) fn cause_of(fault: CertificateFault) -> Cause {
    match fault {
        CertificateFault::Expired => Cause::ServerCertificateExpired,
        CertificateFault::NotYetValid => Cause::ServerCertificateNotYetValid,
        CertificateFault::NameMismatch => Cause::ServerCertificateNameMismatch,
        CertificateFault::SelfSigned => Cause::ServerCertificateSelfSigned,
        CertificateFault::Untrusted | CertificateFault::KeyUnexpected | CertificateFault::Unreadable => Cause::ServerCertificateUntrusted,
        CertificateFault::WeakKey => Cause::ServerCertificateWeakKey,
        CertificateFault::WeakSignature => Cause::ServerCertificateWeakSignature,
        CertificateFault::Revoked => Cause::ServerCertificateRevoked,
        CertificateFault::ChainIncomplete => Cause::ServerChainIncomplete,
        CertificateFault::ChainMisordered => Cause::ServerChainMisordered,
        CertificateFault::ChainExpired => Cause::ServerChainExpired,
        CertificateFault::StapleMissing => Cause::ServerStapleMissing,
        CertificateFault::StapleInvalid => Cause::ServerStapleInvalid,
        CertificateFault::KeyType => Cause::ServerCertificateKeyType,
        CertificateFault::Purpose => Cause::ServerCertificatePurpose,
        CertificateFault::NameConstraints => Cause::ServerCertificateNameConstraints,
    }
}

/// Says what is wrong with a chain, without who saw it.
pub(super) fn describe(scene: &Scene<'_>, fault: CertificateFault, chain: usize) -> String {
    let Some(leaf) = &scene.chains[chain].judgement.leaf else { return "the certificate cannot be read".to_owned() };
    let host = &scene.round.check.target.host;
    let names = leaf.shown_names();
    let sent = count(scene.chains[chain].sent.len(), "certificate");
    match fault {
        CertificateFault::Expired => format!("the certificate for {names} expired on {}", leaf.not_after),
        CertificateFault::NotYetValid => format!("the certificate for {names} is not valid before {}", leaf.not_before),
        CertificateFault::NameMismatch => format!("the certificate is for {names} and not for {host}"),
        CertificateFault::SelfSigned => format!("the certificate for {names} is signed by itself"),
        CertificateFault::Untrusted => format!("the chain of {names} ends at an authority that is not trusted ({})", leaf.issuer),
        CertificateFault::WeakKey => format!("the certificate for {names} has a key of only {} bits ({})", leaf.key_bits, leaf.key_type),
        CertificateFault::WeakSignature => format!("the chain of {names} carries an MD5 or SHA-1 signature"),
        CertificateFault::Revoked => format!("the certificate for {names} is revoked by its authority"),
        CertificateFault::ChainIncomplete => {
            format!("the server sends {sent} and not the issuer of the last ({}): an intermediate certificate is missing", leaf.issuer)
        }
        CertificateFault::ChainMisordered => format!("the server sends the {sent} of its chain in the wrong order"),
        CertificateFault::ChainExpired => {
            let until = scene.chains[chain].judgement.issuer_not_after.map_or_else(String::new, |until| format!(" on {until}"));
            format!("an intermediate certificate that the server sends expired{until}")
        }
        CertificateFault::StapleMissing => format!("the certificate for {names} demands a stapled OCSP response and none comes"),
        CertificateFault::StapleInvalid => format!("the OCSP response that is stapled to the certificate for {names} is stale or not good"),
        CertificateFault::KeyType => format!("the certificate for {names} has a kind of key that common clients do not accept ({})", leaf.shown_key()),
        CertificateFault::Purpose if leaf.is_authority => format!("the certificate for {names} is that of an authority"),
        CertificateFault::Purpose => format!("the certificate for {names} is not meant for servers"),
        CertificateFault::NameConstraints => format!("an authority in the chain of {names} may not issue for it, by its name constraints"),
        CertificateFault::KeyUnexpected => format!("the certificate for {names} has a key that the check does not expect ({})", leaf.key_sha256),
        CertificateFault::Unreadable => "the certificate cannot be read".to_owned(),
    }
}
