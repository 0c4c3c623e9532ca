//! Verdicts under their revisions, and the public keys that authenticated before.

use std::collections::BTreeSet;

use parallax_model::{
    clock::Timestamp,
    id::{CheckId, RoundId},
    verdict::Verdict,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::connection::from_json;
use crate::records::{JudgedRound, RoundRecord};

const PUT: &str = "-- put_verdict
INSERT INTO verdicts (round, revision, check_id, started_at, recorded_at, body)
VALUES (?1, 1 + (SELECT coalesce(max(revision), 0) FROM verdicts WHERE round = ?1), ?2, ?3, ?4, ?5) RETURNING revision";
const NEWEST: &str = "-- verdict: newest
SELECT revision, body FROM verdicts WHERE round = ?1 ORDER BY revision DESC LIMIT 1";
const ONE: &str = "-- verdict
SELECT revision, body FROM verdicts WHERE round = ?1 AND revision = ?2";
const OF_CHECK: &str = "-- verdicts_of_check
SELECT v.revision, v.body FROM verdicts v WHERE v.check_id = ?1 AND v.started_at >= ?2 AND v.started_at < ?3
AND v.revision = (SELECT max(w.revision) FROM verdicts w WHERE w.round = v.round) ORDER BY v.started_at DESC, v.round DESC LIMIT ?4";
const RECENT: &str = "-- recent_verdicts
SELECT v.revision, v.body FROM verdicts v WHERE v.started_at >= ?1
AND v.revision = (SELECT max(w.revision) FROM verdicts w WHERE w.round = v.round) ORDER BY v.started_at DESC, v.round DESC LIMIT ?2";

/// Keeps `body`, the verdict as JSON; the revision in the body is overwritten when it is read.
pub(super) fn put(main: &Connection, check: Option<CheckId>, round: RoundId, started_at: Timestamp, body: &str, now: Timestamp) -> rusqlite::Result<u32> {
    let check = check.map(|check| *check.0.as_bytes());
    main.prepare_cached(PUT)?.query_row(params![round.0.as_bytes(), check, started_at.as_micros(), now.as_micros(), body], |row| row.get(0))
}

pub(super) fn one(main: &Connection, round: RoundId, revision: Option<u32>) -> rusqlite::Result<Option<Verdict>> {
    match revision {
        Some(revision) => main.prepare_cached(ONE)?.query_row(params![round.0.as_bytes(), revision], verdict_of).optional(),
        None => main.prepare_cached(NEWEST)?.query_row([round.0.as_bytes()], verdict_of).optional(),
    }
}

pub(super) fn of_check(main: &Connection, check: CheckId, since: Option<Timestamp>, until: Option<Timestamp>, limit: i64) -> rusqlite::Result<Vec<Verdict>> {
    let since = since.map_or(i64::MIN, Timestamp::as_micros);
    let until = until.map_or(i64::MAX, Timestamp::as_micros);
    main.prepare_cached(OF_CHECK)?.query_map(params![check.0.as_bytes(), since, until, limit], verdict_of)?.collect()
}

pub(super) fn recent(main: &Connection, limit: i64, since: Option<Timestamp>) -> rusqlite::Result<Vec<Verdict>> {
    main.prepare_cached(RECENT)?.query_map(params![since.map_or(i64::MIN, Timestamp::as_micros), limit], verdict_of)?.collect()
}

const WITH_CHECK: &str = "-- judged_rounds: verdict
SELECT revision, body, check_id FROM verdicts WHERE round = ?1 ORDER BY revision DESC LIMIT 1";

/// Returns a judged round with its newest verdict, and the check that it was made for.
pub(super) fn judged(main: &Connection, record: RoundRecord) -> rusqlite::Result<JudgedRound> {
    let read = |row: &Row<'_>| {
        let check = row.get::<_, Option<[u8; 16]>>(2)?.map(|id| CheckId(Uuid::from_bytes(id)));
        Ok((check, verdict_of(row)?))
    };
    let (check, verdict) = main.prepare_cached(WITH_CHECK)?.query_row([record.id.0.as_bytes()], read)?;
    Ok(JudgedRound { record, check, verdict })
}

fn verdict_of(row: &Row<'_>) -> rusqlite::Result<Verdict> {
    Ok(Verdict { revision: row.get(0)?, ..from_json(row, 1)? })
}

const KNOWN_KEYS: &str = "-- known_keys
SELECT key_sha256 FROM known_keys WHERE target = ?1 AND first_seen < ?2";
const REMEMBER_KEY: &str = "-- remember_keys
INSERT INTO known_keys (target, key_sha256, first_seen) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";

pub(super) fn known_keys(main: &Connection, target: &str, before: Option<Timestamp>) -> rusqlite::Result<BTreeSet<String>> {
    main.prepare_cached(KNOWN_KEYS)?.query_map(params![target, before.map_or(i64::MAX, Timestamp::as_micros)], |row| row.get(0))?.collect()
}

pub(super) fn remember_keys(main: &Connection, target: &str, keys: &BTreeSet<String>, now: Timestamp) -> rusqlite::Result<()> {
    let mut statement = main.prepare_cached(REMEMBER_KEY)?;
    keys.iter().try_for_each(|key| statement.execute(params![target, key, now.as_micros()]).map(drop))
}
