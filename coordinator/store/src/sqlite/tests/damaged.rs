//! Files that are not what they should be: named when the store is opened, or when they are met.

use std::{fs, path::Path};

use parallax_model::id::{BootId, CheckId, RoundId};
use rusqlite::Connection;

use super::SqliteStore;
use crate::{
    Store, StoreError,
    contract::samples::{at, attempt, name},
};

/// Makes a store with some attempts of 2026-11-23 and returns their round.
async fn fill(directory: &Path) -> RoundId {
    let round = RoundId::scheduled(CheckId::new(), at(0));
    let batch = (1..=200).map(|number| (u64::from(number), attempt(round, "north", number))).collect();
    SqliteStore::open(directory).unwrap().ingest(&name("north"), BootId::new(), batch).await.unwrap();
    round
}

/// Says which file is called corrupt.
fn corrupt(error: &StoreError) -> String {
    let StoreError::Corrupt { path, source } = error else { panic!("{error:?}") };
    assert!(!source.to_string().is_empty());
    assert!(error.to_string().contains("move it away"), "the operator is told what to do: {error}");
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("main.sqlite"), "<html>this is a captive portal</html>".repeat(300)).unwrap();
    assert_eq!(corrupt(&SqliteStore::open(directory.path()).unwrap_err()), "main.sqlite");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("main.sqlite");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    assert_eq!(corrupt(&SqliteStore::open(directory.path()).unwrap_err()), "main.sqlite");
    let tables: i64 = Connection::open(&path).unwrap().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn a_damaged_day_is_named_when_the_store_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    fs::write(directory.path().join("attempts-2026-11-23.sqlite"), [0x5a; 9_000]).unwrap();
    assert_eq!(corrupt(&SqliteStore::open(directory.path()).unwrap_err()), "attempts-2026-11-23.sqlite");
}

#[tokio::test]
async fn pages_that_rotted_are_named_when_they_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let round = fill(directory.path()).await;
    let path = directory.path().join("attempts-2026-11-23.sqlite");
    let mut file = fs::read(&path).unwrap();
    assert!(file.len() > 100_000);
    // The schema stands in the first page, everything after it is gone.
    file[4_096..].fill(0x5a);
    fs::write(&path, file).unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    assert_eq!(corrupt(&store.attempts_of_round(round).await.unwrap_err()), "attempts-2026-11-23.sqlite");
    let refused = store.ingest(&name("north"), BootId::new(), vec![(1, attempt(round, "north", 1))]).await.unwrap_err();
    assert_eq!(corrupt(&refused), "attempts-2026-11-23.sqlite");
    let elsewhere = attempt(RoundId::scheduled(CheckId::new(), "2026-11-24T08:00:00Z".parse().unwrap()), "north", 1);
    assert_eq!(store.ingest(&name("north"), BootId::new(), vec![(1, elsewhere)]).await.unwrap().new, 1, "other days are not concerned");
}

#[tokio::test]
async fn data_of_a_newer_build_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    fill(directory.path()).await;
    let raw = Connection::open(directory.path().join("main.sqlite")).unwrap();
    raw.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(raw);
    assert!(matches!(SqliteStore::open(directory.path()), Err(StoreError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn data_of_the_first_schema_is_brought_up_to_date() {
    let directory = tempfile::tempdir().unwrap();
    let raw = Connection::open(directory.path().join("main.sqlite")).unwrap();
    raw.execute_batch(include_str!("../schema/main-1.sql")).unwrap();
    raw.execute_batch("PRAGMA application_id = 0x504c584d; PRAGMA user_version = 1").unwrap();
    raw.execute_batch("INSERT INTO snapshots VALUES (x'00', '{}', 0); INSERT INTO rounds VALUES (zeroblob(16), x'00', 1, 2, 0, 3)").unwrap();
    drop(raw);
    assert_eq!(SqliteStore::open(directory.path()).unwrap().open_rounds().await.unwrap(), [], "what was closed stays closed");
}

#[test]
fn a_second_process_is_told_that_the_directory_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let _first = SqliteStore::open(directory.path()).unwrap();
    assert!(matches!(SqliteStore::open(directory.path()), Err(StoreError::Locked { .. })));
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    let error = SqliteStore::open(&path.join("store")).unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("file/store"), "{error}");
}

#[tokio::test]
async fn a_start_that_was_cut_off_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("main.sqlite"), "").unwrap();
    fs::write(directory.path().join("attempts-2026-11-23.unfinished"), [0x5a; 9_000]).unwrap();
    let round = fill(directory.path()).await;
    assert_eq!(SqliteStore::open(directory.path()).unwrap().attempts_of_round(round).await.unwrap().len(), 200);
    assert!(!directory.path().join("attempts-2026-11-23.unfinished").exists());
}
