//! Results of one session: stored with many batches under way at once, acknowledged in order after the commit.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use parallax_model::id::{BootId, VantageName};
use parallax_proto::v1::{self, SessionResponse, session_response::Message as Down};
use parallax_store::StoreError;
use tokio::sync::mpsc;
use tracing::error;

use crate::{
    app::App,
    fleet::Outbox,
    round::{Expected, admit, share_done, store},
};

/// What must be handled in the order in which it came.
#[derive(Debug)]
pub(super) enum Item {
    /// Attempts.
    Batch(v1::AttemptBatch),
    /// A share is complete, with the batches before it.
    Done(v1::ShareDone),
}

/// What became of an item.
enum Handled {
    Stored(BootId, u64),
    Done(v1::ShareDone),
    Nothing,
    Failed(StoreError),
}

type Pending = FuturesOrdered<Pin<Box<dyn Future<Output = Handled> + Send>>>;

/// Handles items until the session ends, then finishes what is under way.
pub(super) async fn run(app: Arc<App>, vantage: VantageName, mut queue: mpsc::Receiver<Item>, outbox: Outbox) {
    let mut pending = Pending::new();
    let mut expected = Expected::default();
    let mut open = true;
    while open || !pending.is_empty() {
        tokio::select! {
            item = queue.recv(), if open && pending.len() < UNDER_WAY => match item {
                Some(item) => match begin(&app, &vantage, item, &mut expected).await {
                    Ok(begun) => pending.push_back(begun),
                    Err(failure) => return give_up(&vantage, &failure, &outbox).await,
                },
                None => open = false,
            },
            Some(handled) = pending.next() => match handled {
                Handled::Stored(boot, acknowledged_through) => {
                    let ack = v1::BatchAck { boot_id: boot.0.as_bytes().to_vec(), acknowledged_through };
                    let _ = outbox.send(Ok(SessionResponse { message: Some(Down::BatchAck(ack)) })).await;
                }
                Handled::Done(done) => {
                    if let Err(failure) = share_done(&app, &vantage, &done).await {
                        return give_up(&vantage, &failure, &outbox).await;
                    }
                }
                Handled::Nothing => {}
                Handled::Failed(failure) => return give_up(&vantage, &failure, &outbox).await,
            },
        }
    }
}

async fn begin(
    app: &Arc<App>,
    vantage: &VantageName,
    item: Item,
    expected: &mut Expected,
) -> Result<Pin<Box<dyn Future<Output = Handled> + Send>>, StoreError> {
    let batch = match item {
        Item::Done(done) => return Ok(Box::pin(std::future::ready(Handled::Done(done)))),
        Item::Batch(batch) => admit(app, vantage, batch, expected).await?,
    };
    let Some(batch) = batch else { return Ok(Box::pin(std::future::ready(Handled::Nothing))) };
    let (app, vantage) = (Arc::clone(app), vantage.clone());
    Ok(Box::pin(async move {
        match store(&app, &vantage, batch).await {
            Ok((boot, through)) => Handled::Stored(boot, through),
            Err(failure) => Handled::Failed(failure),
        }
    }))
}

/// Ends the session without acknowledging: the agent keeps what it has and sends it again when it has reconnected.
async fn give_up(vantage: &VantageName, failure: &StoreError, outbox: &Outbox) {
    error!(vantage.name = %vantage, error = failure as &dyn std::error::Error, "results could not be stored; their agent keeps them and sends them again");
    tokio::time::sleep(PAUSE).await;
    let _ = outbox.send(Err(tonic::Status::unavailable(failure.to_string()))).await;
}

/// Batches of one session that the store has at a time.
const UNDER_WAY: usize = 32;
/// Keeps a fleet from hammering a store that fails.
const PAUSE: Duration = Duration::from_secs(1);
