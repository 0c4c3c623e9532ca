//! From the spool to the stream: batches in their order, a few of them ahead of their acknowledgement.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use parallax_model::id::BootId;
use parallax_proto::{
    v1::{self, session_request::Message},
    wire,
};
use tokio::sync::{Semaphore, mpsc};
use tracing::warn;

use crate::spool::{Piece, Spool};

/// What one session has sent of the spool.
#[derive(Debug)]
pub(super) struct Pump {
    window: Semaphore,
    in_flight: Mutex<VecDeque<Flying>>,
    sent_before: AtomicU64,
}

#[derive(Debug)]
struct Flying {
    boot: BootId,
    last_sequence: u64,
    begins_at: u64,
}

impl Pump {
    /// Starts from the oldest record of the spool.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { window: Semaphore::new(WINDOW), in_flight: Mutex::default(), sent_before: AtomicU64::new(0) })
    }

    /// Returns the mark before which everything was sent.
    pub(super) fn sent_before(&self) -> u64 {
        self.sent_before.load(Ordering::SeqCst)
    }

    /// Takes an acknowledgement in, and returns the mark before which the coordinator has seen everything.
    pub(super) fn acknowledged(&self, boot: BootId, through: u64) -> Option<u64> {
        let mut in_flight = self.in_flight.lock().expect("no code panics while it holds this lock");
        let mut seen = None;
        while in_flight.front().is_some_and(|batch| batch.boot == boot && batch.last_sequence <= through) {
            seen = in_flight.pop_front().map(|batch| batch.begins_at);
            self.window.add_permits(1);
        }
        seen
    }

    /// Sends what is in the spool, and what is added to it, until the stream is closed.
    pub(super) async fn run(&self, spool: &Spool, requests: &mpsc::Sender<v1::SessionRequest>) {
        let mut at = 0;
        loop {
            let Some(piece) = spool.read(at).await else {
                spool.grown().await;
                continue;
            };
            let begins_at = at;
            at = piece.next();
            let message = match piece {
                Piece::Attempts { boot, first_sequence, attempts, .. } => {
                    let Ok(permit) = self.window.acquire().await else { return };
                    permit.forget();
                    let last_sequence = first_sequence + attempts.len() as u64 - 1;
                    self.in_flight.lock().expect("no code panics while it holds this lock").push_back(Flying { boot, last_sequence, begins_at });
                    let attempts = attempts.iter().filter_map(|bytes| readable(wire::decode(bytes))).collect();
                    Message::AttemptBatch(v1::AttemptBatch { boot_id: boot.0.as_bytes().to_vec(), first_sequence, attempts })
                }
                Piece::ShareDone { payload, .. } => match readable(wire::decode(&payload)) {
                    Some(done) => Message::ShareDone(done),
                    None => continue,
                },
            };
            if requests.send(v1::SessionRequest { message: Some(message) }).await.is_err() {
                return;
            }
            self.sent_before.store(at, Ordering::SeqCst);
        }
    }
}

/// Records passed their checksum, so that only a spool of another version can be unreadable.
fn readable<T, E: std::fmt::Display>(decoded: Result<T, E>) -> Option<T> {
    decoded.inspect_err(|error| warn!(%error, "a record of the spool cannot be read")).ok()
}

/// Batches that may be on their way.
const WINDOW: usize = 8;
