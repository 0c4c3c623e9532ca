//! Making room: the oldest successes go first, failures last, and what went is counted.

use tracing::warn;

use super::{
    frame::{Kind, Record},
    store::Store,
};

impl Store {
    /// Brings the spool under its cap on disk, with what waits to be written.
    pub(super) fn make_room(&mut self) {
        let coming: u64 = self.unsaved.iter().map(Record::size).sum();
        let is_over = |store: &Self| store.segments.iter().map(|segment| segment.bytes).sum::<u64>() + coming > store.caps.disk;
        let before = self.dropped;
        while is_over(self) {
            let newest = self.segments.len().saturating_sub(1);
            let Some(segment) = self.segments.iter_mut().take(newest).find(|segment| !segment.compacted) else { break };
            self.cursor = None;
            match segment.compact() {
                Ok(dropped) => self.dropped += dropped,
                Err(_) => break,
            }
        }
        while is_over(self) && !self.segments.is_empty() {
            self.dropped += self.segments.front().map_or(0, |segment| segment.attempts);
            self.remove_oldest();
        }
        if self.dropped > before {
            warn!(dropped = self.dropped - before, total = self.dropped, "spool is full, its oldest attempts were given up");
        }
    }

    /// Brings what the disk did not take under its cap in memory.
    pub(super) fn trim_memory(&mut self) {
        let size = |store: &Self| store.unsaved.iter().map(Record::size).sum::<u64>();
        while size(self) > self.caps.memory {
            let at = self.unsaved.iter().position(|record| !record.important).unwrap_or(0);
            self.dropped += u64::from(self.unsaved.remove(at).is_some_and(|record| record.kind == Kind::Attempt));
        }
    }
}
