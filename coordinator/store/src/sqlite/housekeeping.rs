//! Retention in the main file, in steps that keep other writers waiting only shortly; and the sign of life.

use parallax_model::clock::Timestamp;
use rusqlite::{Connection, Row, params};

/// Rounds that one step deletes.
const STEP: i64 = 200;
const HOUR_US: i64 = 3_600_000_000;

const OLD_ROUNDS: &str = "-- retain_since: old rounds
SELECT id FROM rounds WHERE closed_at IS NOT NULL AND started_at < ?1 ORDER BY started_at LIMIT ?2";
const DELETE_ROUND: &str = "-- retain_since: round
DELETE FROM rounds WHERE id = ?1";
const DELETE_SHARES: &str = "-- retain_since: shares
DELETE FROM shares WHERE round = ?1";
const DELETE_VERDICTS: &str = "-- retain_since: verdicts
DELETE FROM verdicts WHERE round = ?1";
const DELETE_LONE_VERDICTS: &str = "-- retain_since: verdicts without a round
DELETE FROM verdicts WHERE started_at < ?1 AND NOT EXISTS (SELECT 1 FROM rounds r WHERE r.id = verdicts.round)";
const DELETE_SNAPSHOTS: &str = "-- retain_since: snapshots
DELETE FROM snapshots WHERE last_used < ?1 AND NOT EXISTS (SELECT 1 FROM rounds r WHERE r.started_at < ?2)";

/// Deletes closed rounds that started before `before`, with what belongs to them; returns how many, fewer than a full step when none is left.
pub(super) fn delete_rounds(main: &Connection, before: Timestamp) -> rusqlite::Result<usize> {
    let mut old = main.prepare_cached(OLD_ROUNDS)?;
    let ids: Vec<[u8; 16]> = old.query_map(params![before.as_micros(), STEP], |row: &Row<'_>| row.get(0))?.collect::<Result<_, _>>()?;
    for id in &ids {
        for statement in [DELETE_SHARES, DELETE_VERDICTS, DELETE_ROUND] {
            main.prepare_cached(statement)?.execute([id])?;
        }
    }
    Ok(ids.len())
}

/// Tells whether a step was not the last one.
pub(super) fn more_rounds(deleted: usize) -> bool {
    i64::try_from(deleted) == Ok(STEP)
}

/// Deletes what the rounds before `before` left behind.
pub(super) fn delete_remains(main: &Connection, before: Timestamp) -> rusqlite::Result<()> {
    let before = before.as_micros();
    main.prepare_cached(DELETE_LONE_VERDICTS)?.execute([before])?;
    // A use is noted to the hour, so that a wording may serve rounds up to one hour after it. Old rounds that are still open keep everything.
    main.prepare_cached(DELETE_SNAPSHOTS)?.execute(params![before.saturating_sub(HOUR_US), before])?;
    Ok(())
}

const BEAT: &str = "-- health: write
INSERT INTO heartbeat (id, beats) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beats = heartbeat.beats + 1 RETURNING beats";
const BEATS: &str = "-- health: read
SELECT beats FROM heartbeat WHERE id = 1";

pub(super) fn beat(main: &Connection) -> rusqlite::Result<i64> {
    main.prepare_cached(BEAT)?.query_row([], |row| row.get(0))
}

pub(super) fn beats(main: &Connection) -> rusqlite::Result<i64> {
    main.prepare_cached(BEATS)?.query_row([], |row| row.get(0))
}
