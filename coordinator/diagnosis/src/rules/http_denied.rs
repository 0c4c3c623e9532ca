use parallax_model::{
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, every_scheme};
use crate::{
    cell::Layer,
    draft::Draft,
    explain::{WHERE, WHO, count, fate, seats as named},
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PolicyHttpDenied,
    requires: "403 to some vantages and not to others, or 451, inside TLS",
    excluded_by: "403 to everybody, which denies nobody in particular",
    counter: Cause::PathInterception,
    next: "compare the certificate's key with that of the groups that pass",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.layer != Layer::Http {
        return None;
    }
    let scene = suspicion.scene;
    let (family, outcome) = suspicion.class(seats)?;
    let failures = suspicion.failures(seats);
    let authentic = failures.iter().all(|look| scene.is_authentic(look));
    let cause = match family {
        Outcome::Http(403) if suspicion.shape() == Shape::Some || (authentic && suspicion.shape() == Shape::OnlyInsidePasses) => Cause::PolicyHttpDenied,
        Outcome::Http(451) => Cause::PolicyHttpDenied,
        Outcome::Http(429) => Cause::PolicyRateLimited,
        _ => return None,
    };
    let tier = if authentic { Some(Tier::Confirmed) } else { suspicion.tier(seats, false) }?;
    let place = scene.places[suspicion.place];
    let who = named(scene, seats);
    let draft = Draft::new(cause, tier)
        .blaming(seats)
        .by(outcome, None)
        .because(
            "status",
            format!("inside TLS with the server's own key, the request of {who} at {place} {} ({})", fate(outcome), count(failures.len(), "attempt")),
            &failures,
        )
        .in_words(format!("the server at {WHERE} denies {WHO}: the request {}", fate(outcome)));
    Some(draft)
}
