//! Join tokens, operators' tokens, the audit log.

use parallax_model::{bytes::Bytes, clock::Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::connection::{from_json, to_json, word};
use crate::records::{AuditEntry, JoinToken, OperatorToken, Role};

const PUT_JOIN: &str = "-- put_join_token
INSERT INTO join_tokens (id, secret_sha256, labels, uses_left, expires_at, created_at, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
ON CONFLICT (id) DO UPDATE SET secret_sha256 = excluded.secret_sha256, labels = excluded.labels, uses_left = excluded.uses_left,
    expires_at = excluded.expires_at, created_at = excluded.created_at, created_by = excluded.created_by";
const LIST_JOIN: &str = "-- list_join_tokens
SELECT id, secret_sha256, labels, uses_left, expires_at, created_at, created_by FROM join_tokens ORDER BY created_at DESC, id";
const FIND_JOIN: &str = "-- enrol: token
SELECT id, secret_sha256, labels, uses_left, expires_at, created_at, created_by FROM join_tokens WHERE id = ?1";
const USE_JOIN: &str = "-- enrol: use
UPDATE join_tokens SET uses_left = uses_left - 1 WHERE id = ?1 AND uses_left > 0";
const DELETE_JOIN: &str = "-- delete_join_token
DELETE FROM join_tokens WHERE id = ?1";

pub(super) fn put_join(main: &Connection, token: &JoinToken) -> rusqlite::Result<()> {
    let JoinToken { id, secret_sha256, labels, uses_left, expires_at, created_at, created_by } = token;
    let (expires_at, created_at) = (expires_at.as_micros(), created_at.as_micros());
    main.prepare_cached(PUT_JOIN)?.execute(params![id, secret_sha256.0, to_json(labels)?, uses_left, expires_at, created_at, created_by])?;
    Ok(())
}

pub(super) fn list_join(main: &Connection) -> rusqlite::Result<Vec<JoinToken>> {
    main.prepare_cached(LIST_JOIN)?.query_map([], join_token)?.collect()
}

pub(super) fn find_join(main: &Connection, id: &str) -> rusqlite::Result<Option<JoinToken>> {
    main.prepare_cached(FIND_JOIN)?.query_row([id], join_token).optional()
}

/// Counts one use; returns whether there was one left.
pub(super) fn use_join(main: &Connection, id: &str) -> rusqlite::Result<bool> {
    Ok(main.prepare_cached(USE_JOIN)?.execute([id])? == 1)
}

pub(super) fn delete_join(main: &Connection, id: &str) -> rusqlite::Result<bool> {
    Ok(main.prepare_cached(DELETE_JOIN)?.execute([id])? == 1)
}

fn join_token(row: &Row<'_>) -> rusqlite::Result<JoinToken> {
    Ok(JoinToken {
        id: row.get(0)?,
        secret_sha256: Bytes(row.get(1)?),
        labels: from_json(row, 2)?,
        uses_left: row.get(3)?,
        expires_at: Timestamp::from_micros(row.get(4)?),
        created_at: Timestamp::from_micros(row.get(5)?),
        created_by: row.get(6)?,
    })
}

const PUT_OPERATOR: &str = "-- put_operator_token
INSERT INTO operator_tokens (name, role, secret_sha256, created_at) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (name) DO UPDATE SET role = excluded.role, secret_sha256 = excluded.secret_sha256, created_at = excluded.created_at";
const LIST_OPERATORS: &str = "-- list_operator_tokens
SELECT name, role, secret_sha256, created_at FROM operator_tokens ORDER BY name";
const OPERATOR_BY_SECRET: &str = "-- operator_by_secret
SELECT name, role, secret_sha256, created_at FROM operator_tokens WHERE secret_sha256 = ?1";
const DELETE_OPERATOR: &str = "-- delete_operator_token
DELETE FROM operator_tokens WHERE name = ?1";

pub(super) fn put_operator(main: &Connection, token: &OperatorToken) -> rusqlite::Result<()> {
    let OperatorToken { name, role, secret_sha256, created_at } = token;
    main.prepare_cached(PUT_OPERATOR)?.execute(params![name, role.as_str(), secret_sha256.0, created_at.as_micros()])?;
    Ok(())
}

pub(super) fn list_operators(main: &Connection) -> rusqlite::Result<Vec<OperatorToken>> {
    main.prepare_cached(LIST_OPERATORS)?.query_map([], operator_token)?.collect()
}

pub(super) fn operator_by_secret(main: &Connection, secret_sha256: &Bytes) -> rusqlite::Result<Option<OperatorToken>> {
    main.prepare_cached(OPERATOR_BY_SECRET)?.query_row([&secret_sha256.0], operator_token).optional()
}

pub(super) fn delete_operator(main: &Connection, name: &str) -> rusqlite::Result<bool> {
    Ok(main.prepare_cached(DELETE_OPERATOR)?.execute([name])? == 1)
}

fn operator_token(row: &Row<'_>) -> rusqlite::Result<OperatorToken> {
    Ok(OperatorToken {
        name: row.get(0)?,
        role: word(row, 1, &Role::ALL, Role::as_str)?,
        secret_sha256: Bytes(row.get(2)?),
        created_at: Timestamp::from_micros(row.get(3)?),
    })
}

const APPEND_AUDIT: &str = "-- audit
INSERT INTO audit (id, at, actor, action, object, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const AUDIT_LOG: &str = "-- audit_log
SELECT at, actor, action, object, detail FROM audit ORDER BY at DESC, id DESC LIMIT ?1";

pub(super) fn append_audit(main: &Connection, entry: &AuditEntry) -> rusqlite::Result<()> {
    let AuditEntry { at, actor, action, object, detail } = entry;
    // Identifiers of one process ascend, so that lines of the same microsecond keep their order.
    main.prepare_cached(APPEND_AUDIT)?.execute(params![Uuid::now_v7().as_bytes(), at.as_micros(), actor, action, object, detail])?;
    Ok(())
}

pub(super) fn audit_log(main: &Connection, limit: i64) -> rusqlite::Result<Vec<AuditEntry>> {
    let entry = |row: &Row<'_>| {
        Ok(AuditEntry { at: Timestamp::from_micros(row.get(0)?), actor: row.get(1)?, action: row.get(2)?, object: row.get(3)?, detail: row.get(4)? })
    };
    main.prepare_cached(AUDIT_LOG)?.query_map([limit], entry)?.collect()
}
