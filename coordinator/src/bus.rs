//! News of verdicts, for whoever watches.

use std::sync::Arc;

use parallax_model::{id::CheckId, incident::IncidentNews, verdict::Verdict};
use tokio::sync::broadcast;

/// A verdict that was just stored.
#[derive(Debug, Clone)]
pub(crate) struct Announced {
    /// The check that it is about.
    pub(crate) check: CheckId,
    /// The verdict.
    pub(crate) verdict: Arc<Verdict>,
    /// What it did to the check's incidents.
    pub(crate) news: Arc<[IncidentNews]>,
}

/// Carries each verdict to everybody who watches; a watcher that is slow misses the oldest.
#[derive(Debug)]
pub(crate) struct Bus(broadcast::Sender<Announced>);

impl Bus {
    /// Makes a bus without watchers.
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(CAPACITY).0)
    }

    /// Tells everybody.
    pub(crate) fn announce(&self, announced: Announced) {
        // Nobody listening is no failure.
        let _ = self.0.send(announced);
    }

    /// Begins to listen.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Announced> {
        self.0.subscribe()
    }
}

const CAPACITY: usize = 256;
