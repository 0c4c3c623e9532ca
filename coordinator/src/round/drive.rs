//! Sees a round from its opening to its verdict: rows, then the experiments that the diagnosis wants, then the judgement.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use futures_util::future::join_all;
use parallax_model::{
    assignment::{Experiment, Task, Work},
    clock::Timestamp,
    id::VantageName,
};
use tracing::error;

use super::{
    close::{close, judgement_base},
    live::{Event, Live},
    share,
};
use crate::{app::App, schedule::followup};

/// Runs one round; the caller has taken charge of it.
pub(super) async fn drive(app: Arc<App>, live: Arc<Live>) {
    let times = Times::of(&live);
    rows(&app, &live, &times).await;
    if let Err(failure) = follow_ups(&app, &live, &times).await {
        error!(round.id = %live.id, error = &failure as &dyn std::error::Error, "the follow-ups of a round could not be planned");
    }
    let seen = live.results();
    let closed = close(&app, &live).await;
    live.release(closed.is_ok());
    if live.results() != seen {
        // Something came while it was judged.
        app.rounds.touch(live.id);
    }
    if let Err(failure) = closed {
        error!(round.id = %live.id, error = &failure as &dyn std::error::Error, "a round could not be judged; it is tried again");
        live.tell(Event::Failed(failure.to_string()));
        app.rounds.touch(live.id);
    }
}

/// The moments until which each part of a round may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    /// Rows that the coordinator pushes are due.
    row_due: Timestamp,
    /// Rows are no longer waited for.
    rows_end: Timestamp,
    /// Follow-ups are due.
    follow_ups_due: Timestamp,
    /// Follow-ups are no longer waited for.
    follow_ups_end: Timestamp,
}

impl Times {
    fn of(live: &Live) -> Self {
        let span = Duration::from_micros(u64::try_from(live.deadline.micros_since(live.start)).unwrap_or(0));
        let margin = (span / 10).clamp(Duration::from_millis(200), Duration::from_secs(2));
        let follow_ups_end = live.deadline - margin;
        let follow_ups_due = follow_ups_end - margin / 4;
        if live.adhoc {
            // What a follow-up costs is at most about half of a row: silence is waited out in both.
            let row_due = live.start + span.saturating_sub(margin).mul_f64(0.6);
            return Self { row_due, rows_end: row_due + REPORTING, follow_ups_due, follow_ups_end };
        }
        Self { row_due: live.deadline, rows_end: live.deadline + REPORTING, follow_ups_due, follow_ups_end }
    }
}

async fn rows(app: &App, live: &Live, times: &Times) {
    let all = join_all(live.members.iter().map(|vantage| async move {
        if live.adhoc {
            share::push(app, live, vantage, Work::Row, times.row_due).await;
        } else {
            share::await_done(app, live, vantage, false).await;
        }
    }));
    until(app, times.rows_end, all).await;
}

async fn follow_ups(app: &Arc<App>, live: &Arc<Live>, times: &Times) -> Result<(), parallax_store::StoreError> {
    let mut ordered: BTreeSet<(VantageName, Experiment, String)> = BTreeSet::new();
    while !live.cancelled.is_cancelled() && app.clock.now() + WORTH_IT < times.follow_ups_due {
        let base = Arc::new(judgement_base(app, live).await?);
        let (trust, now, asked) = (app.trust.clone(), app.clock.now(), Arc::clone(&base));
        let wanted =
            tokio::task::spawn_blocking(move || parallax_diagnosis::wanted(&asked.view, &asked.history, &asked.trust(&trust), now)).await.unwrap_or_default();
        let orders = followup::orders(&wanted, &mut ordered, |vantage| app.fleet.with(vantage, |link| link.capabilities.clone()));
        if orders.is_empty() {
            return Ok(());
        }
        orders.iter().for_each(|order| live.tell(Event::Note(order.sentence())));
        let all = join_all(orders.into_iter().map(|order| {
            let tasks: Vec<Task> = order.tasks;
            async move { share::push(app, live, &order.vantage, Work::FollowUp(tasks), times.follow_ups_due).await }
        }));
        until(app, times.follow_ups_end, all).await;
    }
    Ok(())
}

/// Waits for `work` until the moment `end` of the coordinator's clock.
async fn until(app: &App, end: Timestamp, work: impl Future) {
    let left = Duration::from_micros(u64::try_from(end.micros_since(app.clock.now())).unwrap_or(0));
    let _ = tokio::time::timeout(left, work).await;
}

/// How long after a deadline a report may take to arrive.
const REPORTING: Duration = Duration::from_millis(800);
/// A follow-up that could not last for this long is not ordered.
const WORTH_IT: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use parallax_model::{cadence::Cadence, check::Check, id::RoundId};
    use parallax_store::RoundRecord;

    use super::*;

    fn times(round_ms: u64, every_ms: Option<u64>) -> (Live, Times) {
        let start = Timestamp::from_micros(1_790_000_000_000_000);
        let mut check = Check::once("x.test".parse().unwrap(), start);
        check.limits.round_ms = round_ms;
        if let Some(every_ms) = every_ms {
            check.cadence = Cadence::Every { every_ms };
        }
        let deadline = start + check.round_span(start);
        let live = Live::of_record(&RoundRecord {
            id: RoundId::new(),
            check,
            started_at: start,
            deadline,
            vantages: Vec::new(),
            adhoc: every_ms.is_none(),
            closed_at: None,
            unjudged: 0,
        });
        let times = Times::of(&live);
        (live, times)
    }

    #[test]
    fn a_probe_ends_before_its_time_limit_with_time_left_for_follow_ups() {
        for round_ms in [5_000, 20_000, 60_000] {
            let (live, times) = times(round_ms, None);
            assert!(times.rows_end < times.follow_ups_end, "{round_ms}");
            assert!(times.follow_ups_end + Duration::from_millis(200) < live.deadline, "{round_ms}");
        }
    }

    #[test]
    fn follow_ups_of_a_scheduled_round_stay_within_its_window() {
        let (live, times) = times(60_000, Some(2_000));
        assert_eq!(live.deadline, live.start + Duration::from_secs(2));
        assert!(times.follow_ups_end < live.deadline && times.row_due == live.deadline);
    }
}
