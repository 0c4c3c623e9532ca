//! Results that come after the verdict, or for rounds that nobody drives: judged when they stop coming.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use parallax_model::id::RoundId;
use parallax_store::StoreError;
use tracing::error;

use super::{close::close, live::Live};
use crate::app::App;

/// Judges rounds that got late results, until the coordinator stops.
pub(crate) async fn sweep(app: Arc<App>) {
    while !app.pause(EVERY).await {
        let ripe = app.rounds.settled(QUIET, PATIENCE).into_iter().map(|id| judge(Arc::clone(&app), id));
        let judged = stream::iter(ripe.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect::<()>();
        if app.stopping.run_until_cancelled(judged).await.is_none() {
            return;
        }
    }
}

async fn judge(app: Arc<App>, id: RoundId) {
    if let Err(failure) = try_judge(&app, id).await {
        error!(round.id = %id, error = &failure as &dyn std::error::Error, "a round could not be judged; it is tried again");
        app.rounds.touch(id);
    }
}

async fn try_judge(app: &Arc<App>, id: RoundId) -> Result<(), StoreError> {
    let live = match app.rounds.find(id) {
        Some(live) => live,
        None => match app.store.round(id).await? {
            Some(record) => app.rounds.keep(Live::of_record(&record)),
            None => return Ok(()),
        },
    };
    // Whoever drives it judges it.
    if !live.is_driven() {
        close(app, &live).await?;
        live.release(true);
    }
    Ok(())
}

/// Rounds that are judged together; an agent that was away for a day brings thousands.
const AT_ONCE: usize = 8;
const EVERY: Duration = Duration::from_millis(250);
/// Long enough for the next batch of the same spool.
const QUIET: Duration = Duration::from_secs(2);
/// A vantage that never stops reporting does not keep a verdict back.
const PATIENCE: Duration = Duration::from_secs(15);
