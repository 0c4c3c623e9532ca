use parallax_model::{assignment::Experiment, outcome::Outcome, verdict::Cause};

use super::Hypothesis;
use crate::{
    bench::{names, payload},
    cell::{Layer, Look},
    draft::Draft,
    explain::{WHO, count, fate, seats as named},
    gates::{Contact, contacts},
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathTlsBlock,
    requires: "TCP connects and no ClientHello gets through, whatever its name, at the target and at the responders; bytes that are not TLS arrive; other groups pass",
    excluded_by: "a handshake that comes about at a responder; bytes that are not TLS and fail as well",
    counter: Cause::PathAddressBlock,
    next: "try a responder on the same port as the target",
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || suspicion.shape() != Shape::Some {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    let (family, outcome) = suspicion.class(seats)?;
    let names = names(scene, seat, place);
    let other = payload(scene, seat, place, Experiment::NonTls);
    let responders: Vec<(Contact, Look<'_>)> = contacts(scene, seat).map(|(_, contact, look)| (contact, *look)).collect();
    let blocked = !responders.is_empty() && responders.iter().all(|(contact, _)| *contact == Contact::TcpOnly);
    let possible = matches!(family, Outcome::TlsReset | Outcome::TlsTimeout | Outcome::TlsUnreachable | Outcome::TlsAlert(_));
    if !possible || !blocked || !other.always(1) || names.control.always(1) {
        return None;
    }
    let tier = suspicion.tier(seats, false)?;
    let who = named(scene, seats);
    let at_responders: Vec<Look<'_>> = responders.into_iter().map(|(_, look)| look).collect();
    let gist = format!("no ClientHello gets through from {WHO}, to any server and with any name: a connection {}", fate(outcome));
    let draft = Draft::new(Cause::PathTlsBlock, tier)
        .blaming(seats)
        .by(outcome, None)
        .because(
            "responder",
            format!("{who} connects to the fleet's responders by TCP, and TLS fails there too ({})", count(at_responders.len(), "attempt")),
            &at_responders,
        )
        .because("non-tls", format!("bytes that are not TLS arrived at the target in {} from {who}", count(other.passed.len(), "attempt")), &other.all())
        .because("other-groups", format!("{} pass the same address", named(scene, &suspicion.passing)), &suspicion.failures(seats))
        .in_words(gist);
    Some(draft)
}
