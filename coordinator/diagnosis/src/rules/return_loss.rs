use parallax_model::{assignment::Experiment, outcome::Outcome, verdict::Cause};

use super::{Hypothesis, every_scheme};
use crate::{
    bench::tally,
    cell::{Layer, Look, Silence},
    draft::Draft,
    explain::{COUNT, WHERE, WHO},
    suspicion::{Shape, Suspicion},
    testimony::{self, Fate},
};

pub(super) const HYPOTHESIS: Hypothesis = Hypothesis {
    cause: Cause::PathReturnLoss,
    requires: "the ClientHello is acknowledged and later data arrives without the earlier, or a witness sees the answer leave, so the server answered; a small MSS changes nothing; other groups pass",
    excluded_by: "a small MSS that cures it",
    counter: Cause::PathMtuBlackhole,
    next: "try a small MSS several times at the same address",
    concerns: every_scheme,
    test,
};

fn test(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.layer != Layer::Tls || suspicion.shape() != Shape::Some || suspicion.class(seats)?.0 != Outcome::TlsTimeout {
        return None;
    }
    let witnessed = testimony::of(suspicion.scene, seat, suspicion.place).filter(|testimony| testimony.fate == Fate::AnswerLost);
    let small = tally(suspicion.scene, seat, suspicion.place, Experiment::SmallMss);
    // An answer in one segment leaves no gap; cut small, its later segments may arrive without the first.
    let small_gap = !small.failed.is_empty() && small.failed.iter().all(|look| look.silence() == Some(Silence::Gap));
    let gap = suspicion.silence(seats) == Some(Silence::Gap) || small_gap;
    if !gap && witnessed.is_none() {
        return None;
    }
    let arrived = suspicion.scene.looks_of(seat, suspicion.place).any(|look| look.attempt.facts.tls.as_ref().is_some_and(|tls| tls.bytes_read > 0));
    if !small.never(1) || arrived {
        return None;
    }
    let tier = suspicion.tier(seats, witnessed.is_some())?;
    let mut draft = Draft::new(Cause::PathReturnLoss, tier).blaming(seats).by(Outcome::TlsTimeout, None);
    if gap {
        let beyond: Vec<Look<'_>> =
            suspicion.failures(seats).into_iter().chain(small.failed.iter().copied()).filter(|look| look.silence() == Some(Silence::Gap)).collect();
        let text = format!("data beyond a gap reached {WHO} in {COUNT}: {WHERE} answered, and a part of the answer was lost on the way back");
        draft.add("tcp-info", text, &beyond);
    }
    if let Some(testimony) = witnessed {
        draft.add(testimony.rule, testimony.text, &testimony.looks);
    }
    draft.add("small-mss", format!("small segments to {WHO} were lost as well ({COUNT})"), &small.failed);
    let draft = draft.in_words(format!("the answers of {WHERE} are lost on the way back to {WHO}"));
    Some(draft)
}
