//! Which files a store has: one for the fleet and its rounds, one per day (UTC) for the attempts of the rounds that started on it.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use parallax_model::{clock::Timestamp, id::RoundId};
use uuid::Uuid;

use crate::error::{Result, StoreError};

/// A day in UTC, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(i64);

const DAY_US: i64 = 86_400_000_000;
/// 2020-01-01 and 2099-12-31: an identifier that says anything else is not a moment of this product's life.
const SANE: (Day, Day) = (Day(18_262), Day(47_481));

impl Day {
    pub(super) fn of(instant: Timestamp) -> Self {
        Self(instant.as_micros().div_euclid(DAY_US))
    }

    /// Returns the day that an identifier's first 48 bits name (RFC 9562 section 5.7), clamped to sane ones.
    fn of_uuid(id: Uuid) -> Self {
        let bytes = id.as_bytes();
        let milliseconds = bytes[..6].iter().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
        Self(milliseconds / (DAY_US / 1_000)).clamp(SANE.0, SANE.1)
    }

    /// Returns the day whose file keeps the attempts of a round.
    ///
    /// It is computed from the identifier alone, which a resent attempt repeats, so that the key of an attempt holds across midnight. The round's identifier is
    /// the coordinator's to check; the attempt's own is made by the agent, whose clock may be years off.
    pub(super) fn of_round(round: RoundId) -> Self {
        Self::of_uuid(round.0)
    }

    /// Returns the first moment of the day.
    pub(super) fn start(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(DAY_US))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.start().to_string();
        f.write_str(text.split('T').next().unwrap_or(&text))
    }
}

/// The directory of a store, held against other processes for as long as it lives.
#[derive(Debug)]
pub(super) struct Files {
    directory: PathBuf,
    _lock: File,
}

impl Files {
    /// Takes the directory, making it when there is none.
    pub(super) fn take(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).map_err(|error| StoreError::of_io(directory, error))?;
        let path = directory.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(|error| StoreError::of_io(&path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: directory.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: directory.to_owned() }),
            Err(TryLockError::Error(error)) => Err(StoreError::of_io(&path, error)),
        }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn main(&self) -> PathBuf {
        self.directory.join("main.sqlite")
    }

    pub(super) fn day(&self, day: Day) -> PathBuf {
        self.directory.join(format!("attempts-{day}.sqlite"))
    }

    /// Lists the days that have a file, the newest first.
    pub(super) fn days(&self) -> Result<Vec<Day>> {
        let failed = |error| StoreError::of_io(&self.directory, error);
        let mut days = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let date = name.to_str().and_then(|name| name.strip_prefix("attempts-")?.strip_suffix(".sqlite"));
            days.extend(date.and_then(|date| format!("{date}T00:00:00Z").parse().ok()).map(Day::of));
        }
        days.sort_unstable_by(|one, other| other.cmp(one));
        Ok(days)
    }

    /// Makes a database under another name first, so that nobody ever opens a half-made one; `make` has closed it when it returns.
    pub(super) fn create(&self, path: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let unfinished = path.with_extension("unfinished");
        remove_database(&unfinished)?;
        make(&unfinished)?;
        fs::rename(&unfinished, path).map_err(|error| StoreError::of_io(path, error))?;
        self.sync()
    }

    /// Deletes a day; nobody may write to it any more.
    pub(super) fn delete(&self, day: Day) -> Result<()> {
        remove_database(&self.day(day))?;
        self.sync()
    }

    /// Makes the creation and deletion of files durable.
    pub(super) fn sync(&self) -> Result<()> {
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(|error| StoreError::of_io(&self.directory, error))
    }
}

fn remove_database(path: &Path) -> Result<()> {
    // The database goes first: a log without its database is ignored, a database without its log could be incomplete.
    for suffix in ["", "-wal", "-shm"] {
        let mut path = path.as_os_str().to_owned();
        path.push(suffix);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(StoreError::of_io(Path::new(&path), error)),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use parallax_model::id::CheckId;

    use super::*;

    #[test]
    fn a_rounds_day_is_that_of_its_start_and_is_clamped() {
        let round = |text: &str| RoundId::scheduled(CheckId::new(), text.parse().unwrap());
        assert_eq!(Day::of_round(round("2026-11-23T23:59:59.999Z")).to_string(), "2026-11-23");
        assert_eq!(Day::of_round(round("2026-11-24T00:00:00Z")).to_string(), "2026-11-24");
        assert_eq!(Day::of_round(RoundId(Uuid::nil())).to_string(), "2020-01-01");
        assert_eq!(Day::of_round(RoundId(Uuid::max())).to_string(), "2099-12-31");
    }

    #[test]
    fn a_directory_is_held_by_one_store() {
        let directory = tempfile::tempdir().unwrap();
        let held = Files::take(directory.path()).unwrap();
        assert!(matches!(Files::take(directory.path()), Err(StoreError::Locked { .. })));
        drop(held);
        assert!(Files::take(directory.path()).is_ok());
    }

    #[test]
    fn days_are_found_by_their_names() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::take(directory.path()).unwrap();
        for name in ["attempts-2026-11-23.sqlite", "attempts-2026-11-24.sqlite", "attempts-2026-11-24.sqlite-wal", "attempts-x.sqlite", "main.sqlite"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let days = |files: &Files| files.days().unwrap().iter().map(Day::to_string).collect::<Vec<_>>();
        assert_eq!(days(&files), ["2026-11-24", "2026-11-23"]);
        files.delete(files.days().unwrap()[0]).unwrap();
        assert_eq!(days(&files), ["2026-11-23"]);
        assert!(!directory.path().join("attempts-2026-11-24.sqlite-wal").exists());
    }
}
