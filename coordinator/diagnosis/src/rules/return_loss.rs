use parallax_model::{assignment::Experiment, outcome::Outcome, verdict::Cause};

use super::Hypothesis;
use crate::{
    bench::tally,
    cell::{Layer, Silence},
    draft::Draft,
    explain::{WHERE, WHO, count, seats as named},
    suspicion::{Shape, Suspicion},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathReturnLoss,
    requires: "the ClientHello is acknowledged and later data arrives without the earlier, so the server answered; a small MSS changes nothing; other groups pass",
    excluded_by: "a small MSS that cures it",
    counter: Cause::PathMtuBlackhole,
    next: "try a small MSS several times at the same address",
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || suspicion.shape() != Shape::Some || suspicion.silence(seats)? != Silence::Gap {
        return None;
    }
    let small = tally(suspicion.scene, seat, suspicion.place, Experiment::SmallMss);
    let arrived = suspicion.scene.looks_of(seat, suspicion.place).any(|look| look.attempt.facts.tls.as_ref().is_some_and(|tls| tls.bytes_read > 0));
    if !small.never(1) || arrived {
        return None;
    }
    let tier = suspicion.tier(seats, false)?;
    let who = named(suspicion.scene, seats);
    let failures = suspicion.failures(seats);
    let draft = Draft::new(Cause::PathReturnLoss, tier)
        .blaming(seats)
        .by(Outcome::TlsTimeout, None)
        .because(
            "tcp-info",
            format!(
                "data beyond a gap reached {who}: the server answered, and a part of the answer was lost on the way back in all {}",
                count(failures.len(), "attempt")
            ),
            &failures,
        )
        .because("small-mss", format!("small segments were lost as well ({})", count(small.failed.len(), "attempt")), &small.all())
        .in_words(format!("the answers of {WHERE} are lost on the way back to {WHO}"));
    Some(draft)
}
