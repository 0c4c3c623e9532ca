//! Connections that only read, lent to one caller at a time on a blocking thread.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{
    connection::{open_reader, sort},
    files::{Day, Files},
};
use crate::error::{Result, StoreError};

/// Reads that run at the same time; more would only wait for each other on the disk.
const READERS: usize = 4;
/// Days that one reader keeps open.
const OPEN_DAYS: usize = 4;

/// The pool of readers.
pub(super) struct Readers {
    files: Arc<Files>,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Reader>>>,
}

impl Readers {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self { files, permits: Arc::new(Semaphore::new(READERS)), idle: Arc::default() }
    }

    /// Runs `work` with a reader.
    pub(super) async fn read<T: Send + 'static>(&self, during: &'static str, work: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static) -> Result<T> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|error| StoreError::bug(during, error))?;
        let (files, idle) = (Arc::clone(&self.files), Arc::clone(&self.idle));
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let idle = || idle.lock().unwrap_or_else(PoisonError::into_inner);
            let free = idle().pop();
            let mut reader = free.map_or_else(|| Reader::open(files, during), |reader| Ok(Reader { during, ..reader }))?;
            let value = work(&mut reader);
            idle().push(reader);
            value
        });
        reading.await.unwrap_or_else(|error| Err(StoreError::bug(during, error)))
    }

    /// Runs `work` on the main file, in one transaction.
    pub(super) async fn read_main<T: Send + 'static>(
        &self,
        during: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.read(during, |reader| reader.main(work)).await
    }
}

/// A reading connection to the main file, and a few to days.
pub(super) struct Reader {
    during: &'static str,
    files: Arc<Files>,
    main: Connection,
    days: Vec<(Day, PathBuf, Connection)>,
}

impl Reader {
    fn open(files: Arc<Files>, during: &'static str) -> Result<Self> {
        Ok(Self { during, main: open_reader(&files.main())?, days: Vec::new(), files })
    }

    /// Lists the days that have attempts, the newest first.
    pub(super) fn days(&self) -> Result<Vec<Day>> {
        self.files.days()
    }

    fn main<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        in_transaction(&self.main, work).map_err(|error| sort(self.during, &self.files.main(), error))
    }

    /// Runs `work` on the file of a day, in one transaction; none when the day has no file.
    pub(super) fn day<T>(&mut self, day: Day, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<Option<T>> {
        self.days.retain(|entry| entry.1.exists());
        let at = match self.days.iter().position(|entry| entry.0 == day) {
            Some(at) => at,
            None => {
                let path = self.files.day(day);
                if !path.exists() {
                    return Ok(None);
                }
                let connection = match open_reader(&path) {
                    // Retention was faster.
                    Err(_) if !path.exists() => return Ok(None),
                    opened => opened?,
                };
                if self.days.len() >= OPEN_DAYS {
                    self.days.remove(0);
                }
                self.days.push((day, path, connection));
                self.days.len() - 1
            }
        };
        let (_, path, connection) = &self.days[at];
        in_transaction(connection, work).map(Some).map_err(|error| sort(self.during, path, error))
    }
}

fn in_transaction<T>(connection: &Connection, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let transaction = connection.unchecked_transaction()?;
    let value = work(&transaction)?;
    transaction.finish()?;
    Ok(value)
}
