//! The embedded backend: SQLite in a directory of its own.
//!
//! `main.sqlite` holds the fleet, its checks, rounds and verdicts; `attempts-YYYY-MM-DD.sqlite` the attempts of the rounds that started on that day (UTC), so
//! that retention drops a file. Every file has a write-ahead log and `synchronous = FULL`. One thread writes: it commits whatever waits as one group and answers
//! after the commit. Reads run beside it on connections of their own.

mod attempts;
mod backend;
mod checks;
mod connection;
mod days;
mod files;
mod housekeeping;
mod readers;
mod rounds;
mod spools;
mod tokens;
mod vantages;
mod verdicts;
mod writer;

#[cfg(test)]
mod tests;

use std::{fmt, path::Path, sync::Arc};

use files::Files;
use readers::Readers;
use writer::Writer;

use crate::error::Result;

/// The store in a directory on this host; dropping it waits for the writes that are under way.
pub struct SqliteStore {
    files: Arc<Files>,
    readers: Readers,
    writer: Writer,
}

impl SqliteStore {
    /// Opens the store in `directory`, making both when there is none, and brings its schema up to date.
    ///
    /// The directory is held against other processes. Every file is looked at, so that a damaged one is named now and not in the middle of the night.
    pub fn open(directory: &Path) -> Result<Self> {
        let files = Arc::new(Files::take(directory)?);
        let writer = Writer::start(Arc::clone(&files))?;
        for day in files.days()? {
            connection::open_writer(&files.day(day), connection::Kind::Day)?;
        }
        Ok(Self { readers: Readers::new(Arc::clone(&files)), files, writer })
    }

    /// Returns the directory that the store lives in.
    pub fn directory(&self) -> &Path {
        self.files.directory()
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("directory", &self.directory()).finish_non_exhaustive()
    }
}
