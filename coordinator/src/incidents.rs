//! Incidents of the checks: derived from the verdicts in the store, held in memory only to say once what happened to them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use parallax_diagnosis::time::{Fold, difference as differing, news};
use parallax_model::{
    check::Check,
    clock::Timestamp,
    id::CheckId,
    incident::{Difference, Incident, IncidentNews, Timeline},
    verdict::Verdict,
};
use parallax_store::StoreError;
use tracing::warn;

use crate::app::App;

/// The time line of every check that had a verdict since the start.
#[derive(Debug, Default)]
pub(crate) struct Incidents(Mutex<HashMap<CheckId, Arc<tokio::sync::Mutex<Option<Fold>>>>>);

/// Rounds before the newest that are read at first; more where those begin amid an incident.
const LOOKBACK: u32 = 200;
/// How often the time that is read is quadrupled to find the beginning of an incident.
const WIDENINGS: u32 = 4;
/// Rounds that are in memory at once while a time line is read.
const CHUNK: u32 = 500;

impl Incidents {
    fn of(&self, check: CheckId) -> Arc<tokio::sync::Mutex<Option<Fold>>> {
        Arc::clone(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(check).or_default())
    }

    /// Forgets a check that is deleted.
    pub(crate) fn forget(&self, check: CheckId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&check);
    }

    /// Returns the open incidents of all checks, the oldest first; those of a check that is being judged are left out.
    pub(crate) fn open(&self) -> Vec<Incident> {
        let folds: Vec<_> = self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let open = |fold: &Arc<tokio::sync::Mutex<Option<Fold>>>| fold.try_lock().ok()?.as_ref().map(Fold::incidents);
        let mut all: Vec<Incident> = folds.iter().filter_map(open).flatten().filter(Incident::is_open).collect();
        all.sort_by_key(|incident| (incident.started_at, incident.id));
        all
    }
}

/// Takes a verdict in that was just stored, and says what it did to the incidents of its check; a round that is not the newest, or judged again, is folded in at its place.
pub(crate) async fn take(app: &App, check: &Check, verdict: &Verdict) -> Result<Vec<IncidentNews>, StoreError> {
    let held = app.incidents.of(check.id);
    let mut held = held.lock().await;
    let is_next = |fold: &Fold| fold.last_round().is_none_or(|last| last < verdict.started_at);
    let (before, fold) = match held.take() {
        Some(mut fold) if is_next(&fold) => {
            let before = fold.incidents();
            fold.push(verdict);
            (before, fold)
        }
        Some(fold) => {
            let newest = fold.last_round().unwrap_or(verdict.started_at);
            (fold.incidents(), read_back(app, check, newest + Duration::from_micros(1)).await?)
        }
        None => {
            let mut fold = read_back(app, check, verdict.started_at).await?;
            let before = fold.incidents();
            fold.push(verdict);
            (before, fold)
        }
    };
    let found = news(&before, &fold.incidents());
    *held = Some(fold);
    for IncidentNews { transition, incident } in &found {
        app.counters.count_incident(*transition);
        warn!(
            incident.id = %incident.id, incident.transition = %transition, incident.cause = %incident.cause, incident.tier = %incident.tier,
            check.name = incident.check, incident.started_at = %incident.started_at, "{}", incident.headline
        );
    }
    Ok(found)
}

/// Returns the incidents that touch a window, with their true beginning where it is kept, and the gaps in it.
pub(crate) async fn timeline(app: &App, check: &Check, since: Timestamp, until: Timestamp) -> Result<Timeline, StoreError> {
    let span = u64::try_from(until.micros_since(since)).map_or(Duration::ZERO, Duration::from_micros);
    let fold = reaching_back(app, check, since, until, span.max(step(check, until) * LOOKBACK)).await?;
    // A round that is still open is not missing.
    let due = app.now() - Duration::from_millis(check.limits.round_ms);
    let now = (!check.paused).then_some(due.min(until));
    let mut found = fold.timeline(now);
    found.incidents.retain(|incident| incident.ended_at.is_none_or(|end| end > since));
    found.gaps.retain(|gap| gap.until.is_none_or(|end| end > since));
    Ok(found)
}

/// Says what differs between two windows.
pub(crate) async fn difference(app: &App, check: &Check, earlier: (Timestamp, Timestamp), later: (Timestamp, Timestamp)) -> Result<Difference, StoreError> {
    let (before, after) = (verdicts(app, check, earlier).await?, verdicts(app, check, later).await?);
    Ok(differing(check, &before, &after))
}

async fn verdicts(app: &App, check: &Check, (since, until): (Timestamp, Timestamp)) -> Result<Vec<Verdict>, StoreError> {
    let mut found = app.store.verdicts_of_check(check.id, Some(since), Some(until), MOST).await?;
    found.reverse();
    Ok(found)
}

async fn read_back(app: &App, check: &Check, until: Timestamp) -> Result<Fold, StoreError> {
    let span = step(check, until) * LOOKBACK;
    reaching_back(app, check, until - span, until, span).await
}

/// Folds a window, and as much before it as the incidents at its beginning need.
async fn reaching_back(app: &App, check: &Check, since: Timestamp, until: Timestamp, mut span: Duration) -> Result<Fold, StoreError> {
    let mut from = since;
    let mut fold = read(app, check, from, until).await?;
    for _ in 0..WIDENINGS {
        if !fold.incidents().iter().any(|incident| incident.began_before) {
            break;
        }
        let older = app.store.verdicts_of_check(check.id, None, Some(from), 1).await?;
        let Some(newest_before) = older.first() else { break };
        from = newest_before.started_at - span;
        span *= 4;
        fold = read(app, check, from, until).await?;
    }
    Ok(fold)
}

async fn read(app: &App, check: &Check, since: Timestamp, until: Timestamp) -> Result<Fold, StoreError> {
    let mut fold = Fold::new(check);
    let chunk = step(check, until) * CHUNK;
    let mut at = since;
    while at < until {
        let next = (at + chunk).min(until);
        verdicts(app, check, (at, next)).await?.iter().for_each(|verdict| fold.push(verdict));
        at = next;
    }
    Ok(fold)
}

/// Returns the distance of rounds, a minute where the check has none.
fn step(check: &Check, at: Timestamp) -> Duration {
    check.cadence.window(check.anchor, at.max(check.anchor)).filter(|step| !step.is_zero()).unwrap_or(Duration::from_secs(60))
}

const MOST: usize = 20_000;
