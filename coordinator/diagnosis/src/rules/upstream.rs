use parallax_model::{outcome::Outcome, verdict::Cause};

use super::{Hypothesis, every_scheme};
use crate::{
    cell::{Layer, Look},
    draft::Draft,
    explain::{WHERE, count, fate, seats as named},
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::ServerUpstreamFailure,
    requires: "502, 503, 504 or the like inside TLS; or no answer at all after the handshake in every group",
    excluded_by: "a status below 500 every time",
    counter: Cause::ServerOverloaded,
    next: "repeat the request some minutes later, and read the proxy's error log",
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
    let act = match family {
        Outcome::Http(500..=599) => authentic,
        Outcome::HttpTimeout | Outcome::HttpClosed if suspicion.shape() == Shape::Everywhere => false,
        _ => return None,
    };
    let tier = suspicion.server_tier(seats, act)?;
    let place = scene.places[suspicion.place];
    let draft = Draft::new(Cause::ServerUpstreamFailure, tier)
        .blaming(seats)
        .by(outcome, None)
        .because(
            "status",
            format!("after a finished handshake with {place}, the request {} ({}, {})", fate(outcome), named(scene, seats), count(failures.len(), "attempt")),
            &failures,
        )
        .in_words(format!("the handshake with {WHERE} is fine, and what is behind it fails: the request {}", fate(outcome)));
    let server: Option<&str> = failures.iter().find_map(|look: &Look<'_>| look.attempt.facts.http.as_ref()?.server.as_deref());
    Some(match server {
        Some(server) => draft.because("server-header", format!("the answer names its software: {server}"), &failures),
        None => draft,
    })
}
