use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme};
use crate::{
    bench::{names, payload},
    cell::{Layer, Silence},
    draft::Draft,
    explain::{COUNT, WHERE, WHO, whereabouts},
    route,
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathStateLoss,
    requires: "connections come about, and then every payload is lost, TLS or not, before the server, while SYNs go on; other groups pass",
    excluded_by: "a payload that arrives; a walk of payloads that reaches the server's last router, or that no router hears: then nothing may have been sent",
    counter: Cause::PathAddressBlock,
    next: "compare the routes both ways: a stateful device that sees only one of them loses the connection",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || suspicion.shape() != Shape::Some || suspicion.silence(seats)? != Silence::Unacknowledged {
        return None;
    }
    let (scene, place) = (suspicion.scene, suspicion.place);
    let other = payload(scene, seat, place, Experiment::NonTls);
    if !names(scene, seat, place).do_not_matter() || !other.never(1) {
        return None;
    }
    let stop = route::payload_stop(scene, seat, place).filter(|stop| !route::is_at_the_edge(stop.hop, stop.server))?;
    let tier = suspicion.tier(seats, false).map(|tier| tier.min(Tier::Likely))?;
    let failures = suspicion.failures(seats);
    let mut draft = Draft::new(Cause::PathStateLoss, tier)
        .blaming(seats)
        .by(Outcome::TlsTimeout, None)
        .because("tcp-info", format!("connections of {WHO} come about, and nothing that is sent on them is ever acknowledged ({COUNT})"), &failures)
        .because("non-tls", format!("bytes from {WHO} that are not TLS are lost as well ({COUNT})"), &other.failed)
        .because("hello-walk", format!("payloads from {WHO} are lost at hop {}, SYNs go on to the server at hop {}", stop.hop, stop.server), &stop.looks);
    draft.location = Some(route::location_after(scene, seat, place, (stop.hop.saturating_sub(1), stop.hop), stop.hop.saturating_sub(1)));
    let gist = format!(
        "a device on the path of {WHO}{} loses established connections to {WHERE}: SYNs pass and nothing after them",
        whereabouts(draft.location.as_ref())
    );
    Some(draft.in_words(gist))
}
