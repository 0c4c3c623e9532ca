//! Checks and their revisions.

use parallax_model::{
    check::Check,
    id::{CheckId, CheckName},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::connection::{from_json, to_json};
use crate::records::PutCheck;

const REVISION: &str = "-- put_check: revision
SELECT revision FROM checks WHERE id = ?1";
const NAMED: &str = "-- put_check: name
SELECT count(*) FROM checks WHERE name = ?1 AND id <> ?2";
const PUT: &str = "-- put_check
INSERT INTO checks (id, name, revision, body) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, revision = excluded.revision, body = excluded.body";
const ALL: &str = "-- checks
SELECT revision, body FROM checks ORDER BY name IS NULL, name, id";
const BY_ID: &str = "-- check
SELECT revision, body FROM checks WHERE id = ?1";
const BY_NAME: &str = "-- check_by_name
SELECT revision, body FROM checks WHERE name = ?1";
const DELETE: &str = "-- delete_check
DELETE FROM checks WHERE id = ?1";

pub(super) fn put(main: &Connection, check: &Check, expected_revision: Option<u64>) -> rusqlite::Result<PutCheck> {
    let id = check.id.0.as_bytes();
    let stored = main.prepare_cached(REVISION)?.query_row([id], |row| row.get::<_, i64>(0)).optional()?.map_or(0, i64::cast_unsigned);
    if expected_revision.is_some_and(|expected| expected != stored) {
        return Ok(PutCheck::RevisionConflict);
    }
    let name = check.name.as_ref().map(CheckName::as_str);
    if main.prepare_cached(NAMED)?.query_row(params![name, id], |row| row.get::<_, i64>(0))? > 0 {
        return Ok(PutCheck::NameTaken);
    }
    let revision = stored + 1;
    main.prepare_cached(PUT)?.execute(params![id, name, revision.cast_signed(), to_json(check)?])?;
    Ok(if stored == 0 { PutCheck::Created } else { PutCheck::Updated { revision } })
}

pub(super) fn all(main: &Connection) -> rusqlite::Result<Vec<Check>> {
    main.prepare_cached(ALL)?.query_map([], check_of)?.collect()
}

pub(super) fn by_id(main: &Connection, id: CheckId) -> rusqlite::Result<Option<Check>> {
    main.prepare_cached(BY_ID)?.query_row([id.0.as_bytes()], check_of).optional()
}

pub(super) fn by_name(main: &Connection, name: &CheckName) -> rusqlite::Result<Option<Check>> {
    main.prepare_cached(BY_NAME)?.query_row([name.as_str()], check_of).optional()
}

pub(super) fn delete(main: &Connection, id: CheckId) -> rusqlite::Result<bool> {
    Ok(main.prepare_cached(DELETE)?.execute([id.0.as_bytes()])? == 1)
}

fn check_of(row: &Row<'_>) -> rusqlite::Result<Check> {
    Ok(Check { revision: row.get::<_, i64>(0)?.cast_unsigned(), ..from_json(row, 1)? })
}
