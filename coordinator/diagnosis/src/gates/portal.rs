use parallax_model::{
    bytes::Bytes,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Contact, Report, contacts};
use crate::{cell::Look, draft::Draft, scene::Scene};

/// G1: one and the same answer for every name and address is a portal; a certificate made for each name is interception, which the rules find.
pub(super) fn run(scene: &mut Scene<'_>, report: &mut Report) {
    for seat in 0..scene.seats.len() {
        let strange: Vec<(Option<Bytes>, Look<'_>)> = contacts(scene, seat)
            .filter_map(|(_, contact, look)| match contact {
                Contact::Stranger(key) => Some((key, *look)),
                Contact::Good | Contact::TcpOnly | Contact::NoTcp { .. } => None,
            })
            .collect();
        let mut same: Vec<Look<'_>> = Vec::new();
        for place in 0..scene.places.len() {
            same.extend(scene.looks_of(seat, place).filter(|look| strange.iter().any(|(key, _)| answers_alike(scene, look, key.as_ref()))));
        }
        if same.is_empty() {
            continue;
        }
        let responder = strange.iter().map(|(_, look)| *look);
        let rests_on: Vec<Look<'_>> = responder.chain(same.iter().copied()).collect();
        let what = if same.iter().any(|look| look.chain.is_some()) { "certificate" } else { "answer that is not TLS" };
        let text = format!(
            "{} got one and the same {what} for the target and for the fleet's responders, whose key is known and was not shown",
            scene.seats[seat].name
        );
        report.findings.push(Draft::of_vantage(Cause::VantageCaptivePortal, Tier::Confirmed, seat).because("responder-key", text, &rests_on));
        scene.health[seat].discarded = Some(Cause::VantageCaptivePortal.to_string());
    }
}

fn answers_alike(scene: &Scene<'_>, look: &Look<'_>, stranger: Option<&Bytes>) -> bool {
    let key = look.chain.and_then(|at| scene.chains[at].key());
    match stranger {
        Some(stranger) => key == Some(stranger),
        None => matches!(look.reach, Outcome::TlsNotTls | Outcome::TlsMalformed),
    }
}
