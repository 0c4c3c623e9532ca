//! What vantages report: admitted attempt by attempt, stored idempotently, acknowledged after the commit.

use std::{
    collections::BTreeMap,
    ops::{Range, RangeInclusive},
    sync::Arc,
};

use parallax_model::{
    attempt::Attempt,
    id::{BootId, RoundId, VantageName},
};
use parallax_proto::{
    convert::{attempt_from, boot_id, round_id},
    v1,
};
use parallax_store::{ShareState, StoreError};
use tracing::{debug, warn};

use super::{
    live::{Event, Live},
    open::of_attempt,
};
use crate::{app::App, telemetry::Counters};

/// A batch in which every attempt belongs to a share of its vantage.
#[derive(Debug)]
pub(crate) struct Batch {
    boot: BootId,
    attempts: Vec<(u64, Attempt)>,
    refused: Vec<RangeInclusive<u64>>,
    rounds: Vec<Arc<Live>>,
}

/// The sequence numbers that come next in one session, by boot.
#[derive(Debug, Default)]
pub(crate) struct Expected(BTreeMap<BootId, u64>);

impl Expected {
    /// Returns the numbers before `coming` that never come: an agent sends its spool in order, so that a gap is what a full spool dropped.
    async fn skipped(&mut self, app: &App, vantage: &VantageName, boot: BootId, coming: Range<u64>) -> Result<Option<RangeInclusive<u64>>, StoreError> {
        let expected = match self.0.get(&boot) {
            Some(expected) => *expected,
            None => app.store.watermark(vantage, boot).await? + 1,
        };
        self.0.insert(boot, coming.end.max(expected));
        Ok((expected < coming.start).then(|| expected..=coming.start - 1))
    }
}

/// Sorts out a batch: what is no attempt, or belongs to no share of this vantage, is counted and dropped, but its sequence number is settled, so that the agent can forget it.
pub(crate) async fn admit(app: &Arc<App>, vantage: &VantageName, batch: v1::AttemptBatch, expected: &mut Expected) -> Result<Option<Batch>, StoreError> {
    let Ok(boot) = boot_id(&batch.boot_id, "boot_id") else { return Ok(None) };
    let first = batch.first_sequence.max(1);
    if first > LARGEST_SEQUENCE {
        return Ok(None);
    }
    let skipped = expected.skipped(app, vantage, boot, first..first + u64::try_from(batch.attempts.len()).unwrap_or(0)).await?;
    let mut rounds: BTreeMap<RoundId, Option<Arc<Live>>> = BTreeMap::new();
    let mut admitted = Batch { boot, attempts: Vec::with_capacity(batch.attempts.len()), refused: Vec::new(), rounds: Vec::new() };
    for (sequence, message) in (first..).zip(batch.attempts) {
        let attempt = match attempt_from(message, vantage) {
            Ok(attempt) => attempt,
            Err(error) => {
                debug!(vantage.name = %vantage, %error, "an attempt was refused");
                refuse(&mut admitted.refused, sequence);
                continue;
            }
        };
        if let std::collections::btree_map::Entry::Vacant(place) = rounds.entry(attempt.round) {
            place.insert(of_attempt(app, attempt.round, attempt.check, vantage).await?);
        }
        let live = rounds.get(&attempt.round).and_then(Option::as_ref);
        if live.is_some_and(|live| live.check.id == attempt.check) {
            admitted.attempts.push((sequence, attempt));
        } else {
            refuse(&mut admitted.refused, sequence);
        }
    }
    let count = admitted.refused.iter().map(|range| usize::try_from(range.end() - range.start() + 1).unwrap_or(0)).sum();
    if count > 0 {
        Counters::add(&app.counters.attempts_refused, count);
        warn!(vantage.name = %vantage, attempts = count, "attempts were dropped: they belong to no share of this vantage");
    }
    admitted.refused.extend(skipped);
    admitted.rounds = rounds.into_values().flatten().collect();
    Ok(Some(admitted))
}

/// Stores a batch; returns its boot and the sequence number up to which everything of it is durable.
pub(crate) async fn store(app: &App, vantage: &VantageName, batch: Batch) -> Result<(BootId, u64), StoreError> {
    let mut acknowledged = 0;
    for range in batch.refused {
        acknowledged = app.store.settle(vantage, batch.boot, range).await?;
    }
    if !batch.attempts.is_empty() {
        let result = app.store.ingest(vantage, batch.boot, batch.attempts).await?;
        Counters::add(&app.counters.attempts, result.new);
        acknowledged = result.acknowledged_through;
        batch.rounds.iter().filter(|live| !live.result_stored()).for_each(|live| app.rounds.touch(live.id));
    }
    Ok((batch.boot, acknowledged))
}

/// Records that a share is complete; every attempt of it was stored before.
pub(crate) async fn share_done(app: &Arc<App>, vantage: &VantageName, done: &v1::ShareDone) -> Result<(), StoreError> {
    let Ok(id) = round_id(&done.round_id, "round_id") else { return Ok(()) };
    let Some(live) = find(app, id, vantage).await? else { return Ok(()) };
    if done.follow_up {
        live.follow_up_done(vantage);
    } else {
        app.store.set_share(id, vantage, share_state(&done.not_completed)).await?;
        live.row_done(vantage);
    }
    live.tell(Event::Done { vantage: vantage.clone(), follow_up: done.follow_up });
    if !live.result_stored() {
        app.rounds.touch(id);
    }
    Ok(())
}

async fn find(app: &Arc<App>, id: RoundId, vantage: &VantageName) -> Result<Option<Arc<Live>>, StoreError> {
    let held = match app.rounds.find(id) {
        Some(live) => Some(live),
        None => app.store.round(id).await?.map(|record| app.rounds.keep(Live::of_record(&record))),
    };
    Ok(held.filter(|live| live.members.contains(vantage)))
}

fn share_state(not_completed: &str) -> ShareState {
    match not_completed {
        "skipped-late" => ShareState::SkippedLate,
        "interrupted" | "cancelled" => ShareState::Interrupted,
        "unsupported" => ShareState::Unsupported,
        _ => ShareState::Reported,
    }
}

/// No honest agent counts so far; keeps sums of numbers within their type.
const LARGEST_SEQUENCE: u64 = 1 << 60;

fn refuse(refused: &mut Vec<RangeInclusive<u64>>, sequence: u64) {
    match refused.last_mut() {
        Some(last) if last.end() + 1 == sequence => *last = *last.start()..=sequence,
        _ => refused.push(sequence..=sequence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_numbers_are_settled_in_runs() {
        let mut refused = Vec::new();
        [1, 2, 3, 7, 9, 10].into_iter().for_each(|sequence| refuse(&mut refused, sequence));
        assert_eq!(refused, [1..=3, 7..=7, 9..=10]);
    }

    #[test]
    fn a_share_that_was_not_run_says_why() {
        assert_eq!(share_state(""), ShareState::Reported);
        assert_eq!(share_state("policy-denied"), ShareState::Reported);
        assert_eq!(share_state("skipped-late"), ShareState::SkippedLate);
    }
}
