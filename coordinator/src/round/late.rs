//! Results that come after the verdict, or for rounds that nobody drives: judged when they stop coming.

use std::{sync::Arc, time::Duration};

use tracing::error;

use super::{close::close, live::Live};
use crate::app::App;

/// Judges rounds that got late results, until the coordinator stops.
pub(crate) async fn sweep(app: Arc<App>) {
    while !app.pause(EVERY).await {
        for id in app.rounds.settled(QUIET, PATIENCE) {
            let live = match app.rounds.find(id) {
                Some(live) => Ok(Some(live)),
                None => app.store.round(id).await.map(|record| record.map(|record| app.rounds.keep(Live::of_record(&record)))),
            };
            let judged = match live {
                // Whoever drives it judges it; what came since is in the store by then.
                Ok(Some(live)) if live.is_driven() => Ok(()),
                Ok(Some(live)) => close(&app, &live).await.map(|()| live.release(true)),
                Ok(None) => Ok(()),
                Err(failure) => Err(failure),
            };
            if let Err(failure) = judged {
                error!(round.id = %id, error = &failure as &dyn std::error::Error, "a round could not be judged; it is tried again");
                app.rounds.touch(id);
            }
        }
    }
}

const EVERY: Duration = Duration::from_millis(250);
/// Long enough for the next batch of the same spool.
const QUIET: Duration = Duration::from_secs(2);
/// A vantage that never stops reporting does not keep a verdict back.
const PATIENCE: Duration = Duration::from_secs(15);
