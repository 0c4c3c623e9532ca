//! Opening one database file, bringing its schema up to date, and sorting what SQLite says.

use std::{path::Path, sync::Arc, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Cause, Result, StoreError};

/// What a file is for, which decides its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Main,
    Day,
}

impl Kind {
    /// Every migration in order; the list is only ever appended to, because its length is the schema's number.
    fn migrations(self) -> &'static [&'static str] {
        match self {
            Self::Main => &[include_str!("schema/main-1.sql"), include_str!("schema/main-2.sql")],
            Self::Day => &[include_str!("schema/day-1.sql")],
        }
    }

    /// The `application_id` that tells our files from other SQLite databases.
    fn application_id(self) -> i64 {
        match self {
            Self::Main => 0x504c_584d,
            Self::Day => 0x504c_5844,
        }
    }
}

/// Opens a file for the writer: creates it when it is missing, migrates it, and makes every commit durable.
pub(super) fn open_writer(path: &Path, kind: Kind) -> Result<Connection> {
    let sorted = |error| sort("open", path, error);
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE).map_err(sorted)?;
    configure(&connection).map_err(sorted)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(sorted)?;
    if mode != "wal" {
        return Err(StoreError::Unavailable { path: path.to_owned(), source: cause(format!("the journal mode stays {mode:?} instead of \"wal\"")) });
    }
    // A larger log than the default rewrites index pages less often; the limit gives the room of a burst back.
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864").map_err(sorted)?;
    migrate(&mut connection, path, kind)?;
    Ok(connection)
}

/// Opens a file that exists for reading.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let sorted = |error| sort("open", path, error);
    // Readers of a write-ahead log take part in its shared index, so the file is opened for writing and then held to queries.
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(sorted)?;
    configure(&connection).map_err(sorted)?;
    connection.execute_batch("PRAGMA query_only = ON").map_err(sorted)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch("PRAGMA cache_size = -16000; PRAGMA temp_store = MEMORY")
}

fn migrate(connection: &mut Connection, path: &Path, kind: Kind) -> Result<()> {
    let sorted = |error| sort("migrate", path, error);
    let number = |connection: &Connection, query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).map_err(sorted);
    let found = number(connection, "PRAGMA user_version")?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_schema")?;
    let application = number(connection, "PRAGMA application_id")?;
    if (found > 0 || tables > 0) && application != kind.application_id() {
        return Err(StoreError::Corrupt { path: path.to_owned(), source: cause("it belongs to another program") });
    }
    let migrations = kind.migrations();
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    for (version, migration) in (1_i64..).zip(migrations).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction().map_err(sorted)?;
        let numbers = format!("PRAGMA application_id = {}; PRAGMA user_version = {version}", kind.application_id());
        transaction.execute_batch(migration).and_then(|()| transaction.execute_batch(&numbers)).map_err(sorted)?;
        transaction.commit().map_err(sorted)?;
    }
    Ok(())
}

/// Sorts an error of SQLite, met in the use case `during` on the file `path`, by who can act.
pub(super) fn sort(during: &'static str, path: &Path, error: rusqlite::Error) -> StoreError {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, SqliteFailure};
    let path = path.to_owned();
    match &error {
        SqliteFailure(failure, _) => match (failure.code, failure.extended_code) {
            (ErrorCode::DiskFull, _) | (_, ffi::SQLITE_IOERR_SHMSIZE) => StoreError::DiskFull { path, source: Arc::new(error) },
            (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => StoreError::Corrupt { path, source: Arc::new(error) },
            (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed, _) => StoreError::Locked { path },
            (ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::OutOfMemory, _) => {
                StoreError::Unavailable { path, source: Arc::new(error) }
            }
            _ => StoreError::Bug { during, source: Arc::new(error) },
        },
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) => StoreError::Corrupt { path, source: Arc::new(error) },
        _ => StoreError::Bug { during, source: Arc::new(error) },
    }
}

fn cause(text: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Cause {
    Arc::from(text.into())
}

/// Reads a column that holds a text with a syntax of its own.
pub(super) fn parsed<T>(text: &str, column: usize) -> rusqlite::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    text.parse().map_err(|error: T::Err| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// Reads a column that holds JSON.
pub(super) fn from_json<T: DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error)))
}

/// Writes a value as compact JSON.
pub(super) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Reads a column that holds a word of a fixed list.
pub(super) fn word<T: Copy>(row: &rusqlite::Row<'_>, column: usize, all: &[T], name: fn(T) -> &'static str) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    let unknown = || rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("no such word: {text:?}").into());
    all.iter().copied().find(|one| name(*one) == text).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_syncs_its_log_at_each_commit() {
        let directory = tempfile::tempdir().unwrap();
        for (kind, name) in [(Kind::Main, "main.sqlite"), (Kind::Day, "day.sqlite")] {
            let connection = open_writer(&directory.path().join(name), kind).unwrap();
            let synchronous: i64 = connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
            let journal: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
            assert_eq!((synchronous, journal.as_str()), (2, "wal"), "2 is FULL");
        }
    }
}
