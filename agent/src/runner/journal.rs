//! Which shares run: so that after a kill they are reported as interrupted instead of being run again.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
};

use parallax_model::id::{CheckId, ProfileName, RoundId};
use serde::{Deserialize, Serialize};

use crate::files::{FileError, read_if_there};

/// A share that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Begun {
    /// Its round.
    pub(crate) round: RoundId,
    /// Its check.
    pub(crate) check: CheckId,
    /// The first profile, in whose name an interruption is reported.
    pub(crate) profile: ProfileName,
    /// Whether it was follow-up work.
    pub(crate) follow_up: bool,
}

/// The shares that run, in a small file.
///
/// The file survives the death of the process; it is not forced to disk, because after a power cut the coordinator counts the share as missing anyway.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    running: Mutex<Running>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    shares: BTreeMap<u64, Begun>,
}

/// Stands for one share in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

impl Journal {
    /// Opens the journal in `folder`, and returns the shares that an earlier run had begun and never ended.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Vec<Begun>), FileError> {
        let path = folder.join("running.json");
        let left = read_if_there(&path)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Ok((Self { path, running: Mutex::default() }, left))
    }

    /// Notes that a share begins.
    pub(crate) fn begin(&self, share: Begun) -> Ticket {
        let mut running = self.running.lock().expect("no code panics while it holds this lock");
        let ticket = running.next;
        running.next += 1;
        running.shares.insert(ticket, share);
        self.write(&running);
        Ticket(ticket)
    }

    /// Notes that a share has ended, however.
    pub(crate) fn end(&self, ticket: Ticket) {
        let mut running = self.running.lock().expect("no code panics while it holds this lock");
        running.shares.remove(&ticket.0);
        self.write(&running);
    }

    /// Forgets what an earlier run left, after it was reported.
    pub(crate) fn clear(&self) {
        self.write(&self.running.lock().expect("no code panics while it holds this lock"));
    }

    fn write(&self, running: &Running) {
        let shares: Vec<&Begun> = running.shares.values().collect();
        let temporary = self.path.with_extension("new");
        let bytes = serde_json::to_vec(&shares).expect("plain fields always serialise");
        if let Err(error) = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, &self.path)) {
            tracing::debug!(%error, "cannot write the journal of running shares");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(follow_up: bool) -> Begun {
        Begun { round: RoundId::new(), check: CheckId::new(), profile: "modern".parse().unwrap(), follow_up }
    }

    #[test]
    fn what_was_begun_and_not_ended_is_found_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, left) = Journal::open(dir.path()).unwrap();
        assert_eq!(left, []);
        let (first, second) = (begun(false), begun(true));
        let ticket = journal.begin(first);
        journal.begin(second.clone());
        journal.end(ticket);
        let (journal, left) = Journal::open(dir.path()).unwrap();
        assert_eq!(left, [second]);
        journal.clear();
        assert_eq!(Journal::open(dir.path()).unwrap().1, []);
    }

    #[test]
    fn a_damaged_journal_is_as_good_as_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("running.json"), "[{").unwrap();
        assert_eq!(Journal::open(dir.path()).unwrap().1, []);
    }
}
