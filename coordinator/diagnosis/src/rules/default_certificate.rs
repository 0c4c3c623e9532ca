use parallax_model::{assignment::Experiment, outcome::CertificateFault, target::Host, verdict::Cause};

use crate::{cell::Look, scene::Scene};

/// Tells whether a certificate for other names is another virtual host's (`server.default-certificate`) or the wanted name's own, wrong one
/// (`server.certificate-name-mismatch`).
///
/// An unknown name or no name that gets the same certificate shows the first, as does the right one for a client that sends the name, or at another address; another certificate there, or names that
/// miss narrowly, show the second.
pub(super) fn cause<'a>(scene: &Scene<'a>, place: usize, chain: usize) -> (Cause, Option<(String, Vec<Look<'a>>)>) {
    let judged = &scene.chains[chain];
    let key = judged.key();
    let controls = || {
        let seats = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place));
        seats.flat_map(|seat| [Experiment::ControlName, Experiment::NoName].into_iter().flat_map(move |experiment| scene.bench(seat, experiment, place)))
    };
    let same: Vec<Look<'a>> = controls().filter(|look| look.chain.is_some_and(|at| scene.chains[at].key() == key)).copied().collect();
    let other: Vec<Look<'a>> = controls().filter(|look| look.chain.is_some_and(|at| scene.chains[at].key() != key)).copied().collect();
    let right_elsewhere = (0..scene.places.len()).find(|elsewhere| {
        let right = |look: &Look<'_>| look.chain.is_some_and(|at| !scene.chains[at].judgement.faults.contains(&CertificateFault::NameMismatch));
        *elsewhere != place && !scene.ignored.contains(elsewhere) && scene.looks_at(*elsewhere).any(right)
    });
    let near = match &scene.round.check.target.host {
        Host::Name(name) => judged.judgement.leaf.as_ref().is_some_and(|leaf| leaf.nearly_covers(name)),
        Host::Address(_) => true,
    };
    if let Some(looks) = right_with_name(scene, place, chain) {
        return (
            Cause::ServerDefaultCertificate,
            Some(("a client that sends the name gets a certificate that covers it, one that sends none gets this".to_owned(), looks)),
        );
    }
    if let Some(elsewhere) = right_elsewhere {
        let looks = scene.looks_at(elsewhere).filter(|look| look.chain.is_some()).copied().collect();
        return (Cause::ServerDefaultCertificate, Some((format!("at {} the same name gets a certificate that covers it", scene.places[elsewhere]), looks)));
    }
    if !other.is_empty() {
        return (
            Cause::ServerCertificateNameMismatch,
            Some(("an unknown name, or none, gets another certificate at the same address: the wanted name has one of its own".to_owned(), other)),
        );
    }
    if !same.is_empty() && !near {
        return (Cause::ServerDefaultCertificate, Some(("an unknown name, or none, gets the very same certificate".to_owned(), same)));
    }
    (Cause::ServerCertificateNameMismatch, None)
}

/// Returns what shows that the certificate comes only where no name is sent: at the same address the name gets one that covers it.
fn right_with_name<'a>(scene: &Scene<'a>, place: usize, chain: usize) -> Option<Vec<Look<'a>>> {
    let named = |look: &Look<'_>| look.attempt.facts.tls.as_ref().is_some_and(|tls| tls.hello.server_name.is_some());
    let covers = |at: usize| !scene.chains[at].judgement.faults.contains(&CertificateFault::NameMismatch);
    let only_without = scene.looks_at(place).filter(|look| look.chain == Some(chain)).all(|look| !named(look));
    let right: Vec<Look<'a>> = scene.looks_at(place).filter(|look| named(look) && look.chain.is_some_and(covers)).copied().collect();
    (only_without && !right.is_empty()).then_some(right)
}
