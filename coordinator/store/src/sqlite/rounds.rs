//! Rounds, their shares, and the check and vantages as they stood when a round was opened.

use std::net::IpAddr;

use parallax_model::{
    clock::Timestamp,
    id::{RoundId, VantageName},
    vantage::{Group, Labels},
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    attempts::sha256,
    connection::{from_json, parsed, to_json, word},
    verdicts,
};
use crate::records::{JudgedRound, JudgedSpan, RoundRecord, RoundVantage, ShareState};

/// What of a vantage seldom changes, so that one wording serves many rounds.
#[derive(Serialize, Deserialize)]
struct VantageSnapshot {
    labels: Labels,
    group: Group,
    build: String,
    egress: Option<IpAddr>,
}

const OPEN: &str = "-- open_round
INSERT INTO rounds (id, check_snapshot, started_at, deadline, adhoc, closed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
const OPEN_SHARE: &str = "-- open_round: share
INSERT INTO shares (round, vantage, snapshot, clock_offset_ms, state) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING";
const SNAPSHOT: &str = "-- open_round: snapshot
INSERT INTO snapshots (digest, body, last_used) VALUES (?1, ?2, ?3)
ON CONFLICT (digest) DO UPDATE SET last_used = excluded.last_used WHERE snapshots.last_used + 3600000000 < excluded.last_used";

pub(super) fn open(main: &Connection, round: &RoundRecord) -> rusqlite::Result<bool> {
    let RoundRecord { id, check, started_at, deadline, vantages, adhoc, closed_at, unjudged: _ } = round;
    let check = snapshot(main, check, *started_at)?;
    let closed_at = closed_at.map(Timestamp::as_micros);
    let values = params![id.0.as_bytes(), check, started_at.as_micros(), deadline.as_micros(), adhoc, closed_at];
    let new = main.prepare_cached(OPEN)?.execute(values)? == 1;
    for vantage in vantages {
        let RoundVantage { name, labels, group, build, clock_offset_ms, egress, share } = vantage;
        let seldom = VantageSnapshot { labels: labels.clone(), group: group.clone(), build: build.clone(), egress: *egress };
        let snapshot = snapshot(main, &seldom, *started_at)?;
        main.prepare_cached(OPEN_SHARE)?.execute(params![id.0.as_bytes(), name.as_str(), snapshot, clock_offset_ms, share.as_str()])?;
    }
    Ok(new)
}

/// Stores a wording once; returns its key. The use is noted to the hour, which is enough for retention by days.
fn snapshot(main: &Connection, value: &impl Serialize, used_at: Timestamp) -> rusqlite::Result<[u8; 16]> {
    let body = to_json(value)?;
    let digest = sha256(body.as_bytes());
    let key = *digest.first_chunk().expect("a digest has 32 bytes");
    main.prepare_cached(SNAPSHOT)?.execute(params![key, body, used_at.as_micros()])?;
    Ok(key)
}

const SET_SHARE: &str = "-- set_share
UPDATE shares SET state = ?3 WHERE round = ?1 AND vantage = ?2";
const NOTE_RESULTS: &str = "-- ingest: round
UPDATE rounds SET unjudged = unjudged + 1 WHERE id = ?1";
const CLOSE: &str = "-- close_round
UPDATE rounds SET closed_at = coalesce(closed_at, ?2), unjudged = max(unjudged - ?3, 0) WHERE id = ?1";
const CLOSE_SHARES: &str = "-- close_round: shares
UPDATE shares SET state = 'missed' WHERE round = ?1 AND state = 'assigned'";

pub(super) fn set_share(main: &Connection, round: RoundId, vantage: &VantageName, state: ShareState) -> rusqlite::Result<bool> {
    note_results(main, round)?;
    Ok(main.prepare_cached(SET_SHARE)?.execute(params![round.0.as_bytes(), vantage.as_str(), state.as_str()])? == 1)
}

/// Notes that a round got results.
pub(super) fn note_results(main: &Connection, round: RoundId) -> rusqlite::Result<()> {
    main.prepare_cached(NOTE_RESULTS)?.execute([round.0.as_bytes()]).map(drop)
}

pub(super) fn close(main: &Connection, id: RoundId, at: Timestamp, judged: u64) -> rusqlite::Result<bool> {
    let known = main.prepare_cached(CLOSE)?.execute(params![id.0.as_bytes(), at.as_micros(), judged.cast_signed()])? == 1;
    main.prepare_cached(CLOSE_SHARES)?.execute([id.0.as_bytes()])?;
    Ok(known)
}

const ONE: &str = "-- round
SELECT r.id, s.body, r.started_at, r.deadline, r.adhoc, r.closed_at, r.unjudged FROM rounds r JOIN snapshots s ON s.digest = r.check_snapshot WHERE r.id = ?1";
const ALL_OPEN: &str = "-- open_rounds
SELECT r.id, s.body, r.started_at, r.deadline, r.adhoc, r.closed_at, r.unjudged FROM rounds r JOIN snapshots s ON s.digest = r.check_snapshot
WHERE r.id IN (SELECT id FROM rounds WHERE closed_at IS NULL UNION SELECT id FROM rounds WHERE unjudged > 0) ORDER BY r.started_at, r.id";
const SHARES: &str = "-- round: shares
SELECT h.vantage, s.body, h.clock_offset_ms, h.state FROM shares h JOIN snapshots s ON s.digest = h.snapshot WHERE h.round = ?1 ORDER BY h.vantage";

pub(super) fn one(main: &Connection, id: RoundId) -> rusqlite::Result<Option<RoundRecord>> {
    main.prepare_cached(ONE)?.query_row([id.0.as_bytes()], |row| round_of(row, main)).optional()
}

pub(super) fn all_open(main: &Connection) -> rusqlite::Result<Vec<RoundRecord>> {
    main.prepare_cached(ALL_OPEN)?.query_map([], |row| round_of(row, main))?.collect()
}

const JUDGED: &str = "-- judged_rounds
SELECT r.id, s.body, r.started_at, r.deadline, r.adhoc, r.closed_at, r.unjudged FROM rounds r JOIN snapshots s ON s.digest = r.check_snapshot
WHERE r.closed_at IS NOT NULL AND r.started_at >= ?1 AND r.started_at < ?2 AND (r.started_at, r.id) > (?3, ?4)
AND EXISTS (SELECT 1 FROM verdicts v WHERE v.round = r.id AND (?5 IS NULL OR v.check_id = ?5)) ORDER BY r.started_at, r.id LIMIT ?6";

pub(super) fn judged(main: &Connection, span: JudgedSpan, limit: i64) -> rusqlite::Result<Vec<JudgedRound>> {
    let JudgedSpan { check, since, until, after } = span;
    let (at, id) = after.map_or((i64::MIN, [0; 16]), |(at, id)| (at.as_micros(), *id.0.as_bytes()));
    let since = since.as_micros().max(at);
    let values = params![since, until.as_micros(), at, id, check.map(|check| *check.0.as_bytes()), limit];
    let records = main.prepare_cached(JUDGED)?.query_map(values, |row| round_of(row, main))?.collect::<rusqlite::Result<Vec<_>>>()?;
    records.into_iter().map(|record| verdicts::judged(main, record)).collect()
}

fn round_of(row: &Row<'_>, main: &Connection) -> rusqlite::Result<RoundRecord> {
    let id = RoundId(Uuid::from_bytes(row.get(0)?));
    Ok(RoundRecord {
        id,
        check: from_json(row, 1)?,
        started_at: Timestamp::from_micros(row.get(2)?),
        deadline: Timestamp::from_micros(row.get(3)?),
        vantages: main.prepare_cached(SHARES)?.query_map([id.0.as_bytes()], vantage_of)?.collect::<Result<_, _>>()?,
        adhoc: row.get(4)?,
        closed_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_micros),
        unjudged: row.get::<_, i64>(6)?.cast_unsigned(),
    })
}

fn vantage_of(row: &Row<'_>) -> rusqlite::Result<RoundVantage> {
    let VantageSnapshot { labels, group, build, egress } = from_json(row, 1)?;
    Ok(RoundVantage {
        name: parsed(row.get_ref(0)?.as_str()?, 0)?,
        labels,
        group,
        build,
        clock_offset_ms: row.get(2)?,
        egress,
        share: word(row, 3, &ShareState::ALL, ShareState::as_str)?,
    })
}
