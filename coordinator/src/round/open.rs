//! Opening: by the schedule, by an operator, by results of a round that nobody opened, and again after a restart.

use std::{sync::Arc, time::Duration};

use parallax_model::{
    check::Check,
    clock::Timestamp,
    id::{RoundId, VantageName},
    vantage::Vantage,
};
use parallax_store::{RoundRecord, RoundVantage, ShareState, StoreError};
use tracing::warn;

use super::{drive::drive, live::Live};
use crate::{app::App, schedule, telemetry::Counters};

/// Opens the round of a scheduled check that starts at `start`, and sees to its end.
pub(crate) async fn open_scheduled(app: &Arc<App>, check: &Check, start: Timestamp, members: &[Vantage]) -> Result<Arc<Live>, StoreError> {
    let deadline = start + check.round_span(start);
    let live = open(app, record(app, check, check.round_at(start), start, deadline, false, members)).await?;
    if deadline + DRIVABLE > app.clock.now() {
        see_to(app, &live);
    }
    Ok(live)
}

/// Opens a round that an operator asked for. The caller begins to watch it and then lets [`super::share`]s be pushed by `see_to`.
pub(crate) async fn open_adhoc(app: &Arc<App>, check: &Check, members: &[Vantage]) -> Result<Arc<Live>, StoreError> {
    let start = app.clock.now();
    let deadline = start + Duration::from_millis(check.limits.round_ms);
    open(app, record(app, check, RoundId::new(), start, deadline, true, members)).await
}

/// Takes charge of a round until it is judged, unless somebody has.
pub(crate) fn see_to(app: &Arc<App>, live: &Arc<Live>) {
    if live.take_charge() {
        let (stopping, driven) = (app.stopping.clone(), drive(Arc::clone(app), Arc::clone(live)));
        // A round that a stop interrupts stays open in the store and is taken up by the next start.
        app.tasks.spawn(async move { stopping.run_until_cancelled(driven).await });
    }
}

/// Finds the round that an attempt belongs to, from memory, the store or the schedule; none when this vantage has no share of such a round.
pub(super) async fn of_attempt(
    app: &Arc<App>,
    id: RoundId,
    check: parallax_model::id::CheckId,
    vantage: &VantageName,
) -> Result<Option<Arc<Live>>, StoreError> {
    let held = match app.rounds.find(id) {
        Some(live) => Some(live),
        None => app.store.round(id).await?.map(|record| app.rounds.keep(Live::of_record(&record))),
    };
    if let Some(live) = held {
        return Ok(Some(live).filter(|live| live.members.contains(vantage) && live.check.id == check));
    }
    let plan = app.plan.snapshot();
    let Some(planned) = plan.check(check).filter(|planned| planned.vantages.contains(vantage)) else { return Ok(None) };
    let Some(start) = schedule::start_of(&planned.check, id).filter(|start| *start <= app.clock.now() + AHEAD) else { return Ok(None) };
    open_scheduled(app, &planned.check, start, &plan.members(planned)).await.map(Some)
}

/// Takes up the rounds that an earlier run of the coordinator left open, or whose late results it did not come to judge.
pub(crate) async fn resume(app: &Arc<App>) -> Result<(), StoreError> {
    let now = app.clock.now();
    for record in app.store.open_rounds().await? {
        let live = app.rounds.keep(Live::of_record(&record));
        if record.closed_at.is_none() && live.deadline > now && !live.adhoc {
            see_to(app, &live);
        } else {
            app.rounds.touch(live.id);
        }
    }
    Ok(())
}

async fn open(app: &Arc<App>, record: RoundRecord) -> Result<Arc<Live>, StoreError> {
    if let Some(live) = app.rounds.find(record.id) {
        return Ok(live);
    }
    // Ingest and schedule may both come here: the store opens it once, and what is held first is held.
    if app.store.open_round(&record).await? {
        Counters::add(&app.counters.rounds, 1);
        return Ok(app.rounds.keep(Live::of_record(&record)));
    }
    let stored = app.store.round(record.id).await?.unwrap_or_else(|| {
        warn!(round.id = %record.id, "a round vanished from the store while it was opened");
        record
    });
    Ok(app.rounds.keep(Live::of_record(&stored)))
}

fn record(app: &App, check: &Check, id: RoundId, started_at: Timestamp, deadline: Timestamp, adhoc: bool, members: &[Vantage]) -> RoundRecord {
    let member = |vantage: &Vantage| {
        let now = app.fleet.with(&vantage.name, |link| (link.version.clone(), link.clock_offset_us.map(|micros| micros / 1_000), link.egress));
        let (build, clock_offset_ms, egress) = now.unwrap_or_else(|| (vantage.version.clone(), vantage.clock_offset_ms, vantage.egress));
        let group = parallax_model::vantage::Group::of(&vantage.labels, egress);
        RoundVantage { name: vantage.name.clone(), labels: vantage.labels.clone(), group, build, clock_offset_ms, egress, share: ShareState::Assigned }
    };
    RoundRecord { id, check: check.clone(), started_at, deadline, vantages: members.iter().map(member).collect(), adhoc, closed_at: None, unjudged: 0 }
}

/// How far past its deadline a round is still driven; a later one is judged when its results stop coming.
const DRIVABLE: Duration = Duration::from_millis(500);
/// How far ahead of the coordinator's clock a vantage may start a round.
const AHEAD: Duration = Duration::from_secs(60);
