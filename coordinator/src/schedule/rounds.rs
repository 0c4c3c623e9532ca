//! Opens the rounds of scheduled checks as their moment comes.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use parallax_model::clock::Timestamp;
use tracing::error;

use super::{
    cadence::{due_starts, next_start},
    planner::Plan,
};
use crate::{app::App, round::open_scheduled};

/// Opens rounds until the coordinator stops.
pub(crate) async fn keep_opening(app: Arc<App>) {
    let mut until = app.clock.now();
    loop {
        let plan = app.plan.snapshot();
        let now = app.clock.now();
        let mut due = Vec::new();
        for (at, planned) in plan.checks.iter().enumerate().filter(|(_, planned)| !planned.vantages.is_empty()) {
            due.extend(due_starts(&planned.check, until, now).into_iter().map(|start| open(Arc::clone(&app), Arc::clone(&plan), at, start)));
        }
        futures_util::stream::iter(due).buffer_unordered(AT_ONCE).collect::<()>().await;
        until = now;
        let next = plan.checks.iter().filter_map(|planned| next_start(&planned.check, now)).min();
        let left = next.map_or(LONGEST, |next| Duration::from_micros(u64::try_from(next.micros_since(app.clock.now())).unwrap_or(0)));
        if app.pause(left.clamp(SHORTEST, LONGEST)).await {
            return;
        }
    }
}

async fn open(app: Arc<App>, plan: Arc<Plan>, at: usize, start: Timestamp) {
    let Some(planned) = plan.checks.get(at) else { return };
    if let Err(failure) = open_scheduled(&app, &planned.check, start, &plan.members(planned)).await {
        error!(check.id = %planned.check.id, error = &failure as &dyn std::error::Error, "a round could not be opened; it is opened when its results come");
    }
}

/// Rounds that the store opens in one commit.
const AT_ONCE: usize = 64;
/// Keeps a plan that changed meanwhile, and a wall clock that was set, from being noticed late.
const LONGEST: Duration = Duration::from_millis(250);
const SHORTEST: Duration = Duration::from_millis(1);
