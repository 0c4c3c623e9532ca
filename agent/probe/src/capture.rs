//! The bytes of a connection as they went, up to a cap.

use parallax_model::{
    bytes::Bytes,
    facts::{Direction, TranscriptEntry},
};
use tokio::time::Instant;

/// Keeps what was sent and received, first bytes first.
#[derive(Debug)]
pub(crate) struct Capture {
    entries: Vec<TranscriptEntry>,
    left: usize,
    connected: Instant,
}

impl Capture {
    /// Starts when the connection is up; keeps `cap` bytes over both directions.
    pub(crate) fn new(connected: Instant, cap: u32) -> Self {
        Self { entries: Vec::new(), left: cap as usize, connected }
    }

    /// Notes bytes that were written or read just now.
    pub(crate) fn note(&mut self, direction: Direction, bytes: &[u8]) {
        let kept = &bytes[..bytes.len().min(self.left)];
        if kept.is_empty() {
            return;
        }
        self.left -= kept.len();
        let crowded = self.entries.len() >= MAX_ENTRIES;
        match self.entries.last_mut() {
            // A peer that sends single bytes must not make an entry of each.
            Some(last) if crowded && last.direction == direction => last.bytes.0.extend_from_slice(kept),
            _ => self.entries.push(TranscriptEntry { direction, at_us: micros(self.connected.elapsed()), bytes: Bytes(kept.to_vec()) }),
        }
    }

    /// Returns the entries so far.
    pub(crate) fn entries(&self) -> &[TranscriptEntry] {
        &self.entries
    }

    /// Returns the entries.
    pub(crate) fn into_entries(self) -> Vec<TranscriptEntry> {
        self.entries
    }
}

/// Microseconds of a span, as facts hold them.
pub(crate) fn micros(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

const MAX_ENTRIES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_cap_cuts_the_last_entry_and_single_bytes_are_gathered() {
        let mut capture = Capture::new(Instant::now(), 100);
        capture.note(Direction::Sent, &[1; 20]);
        for _ in 0..200 {
            capture.note(Direction::Received, &[2]);
        }
        let entries = capture.into_entries();
        assert_eq!(entries.len(), MAX_ENTRIES);
        assert_eq!(entries.iter().map(|entry| entry.bytes.0.len()).sum::<usize>(), 100);
        assert_eq!(entries[0].bytes.0, [1; 20]);
    }
}
