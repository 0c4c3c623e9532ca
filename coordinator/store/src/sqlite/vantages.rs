//! Vantages: enrolment, what sessions tell, what operators decide.

use parallax_model::{
    bytes::Bytes,
    clock::Timestamp,
    id::VantageName,
    vantage::{Labels, Standing, Vantage},
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    connection::{from_json, parsed, to_json, word},
    tokens,
};
use crate::records::{EnrolOutcome, IssuedCertificate, VantageSeen};

const IDENTITY: &str = "-- enrol: identity
SELECT certificate_key_sha256, token_id, standing FROM vantages WHERE name = ?1";
const PUT: &str = "-- enrol
INSERT INTO vantages (name, given_labels, own_labels, standing, version, enrolled_at, last_seen, egress, clock_offset_ms, capabilities, epoch,
    token_id, certificate_serial, certificate_key_sha256, certificate_not_after)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 0, ?11, ?12, ?13, ?14)
ON CONFLICT (name) DO UPDATE SET certificate_serial = excluded.certificate_serial, certificate_not_after = excluded.certificate_not_after,
    own_labels = excluded.own_labels, version = excluded.version,
    given_labels = CASE WHEN vantages.token_id = excluded.token_id THEN vantages.given_labels ELSE excluded.given_labels END,
    token_id = excluded.token_id";

pub(super) fn enrol(
    main: &Connection,
    token_id: &str,
    secret_sha256: &Bytes,
    vantage: &Vantage,
    certificate: &IssuedCertificate,
    now: Timestamp,
) -> rusqlite::Result<EnrolOutcome> {
    let Some(token) = tokens::find_join(main, token_id)?.filter(|token| token.secret_sha256 == *secret_sha256) else {
        return Ok(EnrolOutcome::UnknownToken);
    };
    if now >= token.expires_at {
        return Ok(EnrolOutcome::Expired);
    }
    let identity = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?, standing_of(row, 2)?));
    let known = main.prepare_cached(IDENTITY)?.query_row([vantage.name.as_str()], identity).optional()?;
    // An answer that was lost on its way is given again and costs no further use.
    let mut again = false;
    if let Some((key, by, standing)) = known {
        if key != certificate.key_sha256.0 {
            return Ok(EnrolOutcome::NameTaken);
        }
        if standing == Standing::Banned {
            return Ok(EnrolOutcome::Banned);
        }
        again = by == token_id;
    }
    if !again && !tokens::use_join(main, token_id)? {
        return Ok(EnrolOutcome::UsedUp);
    }
    put(main, token_id, &token.labels, vantage, certificate)?;
    Ok(EnrolOutcome::Enrolled)
}

fn put(main: &Connection, token_id: &str, given: &Labels, vantage: &Vantage, certificate: &IssuedCertificate) -> rusqlite::Result<()> {
    let IssuedCertificate { serial, key_sha256, not_after } = certificate;
    main.prepare_cached(PUT)?.execute(params![
        vantage.name.as_str(),
        to_json(given)?,
        to_json(&vantage.labels)?,
        standing_name(vantage.standing),
        vantage.version,
        vantage.enrolled_at.as_micros(),
        vantage.last_seen.map(Timestamp::as_micros),
        vantage.egress.map(|address| address.to_string()),
        vantage.clock_offset_ms,
        to_json(&vantage.capabilities)?,
        token_id,
        serial,
        key_sha256.0,
        not_after.as_micros(),
    ])?;
    Ok(())
}

const RENEW: &str = "-- renew_certificate
UPDATE vantages SET certificate_serial = ?2, certificate_key_sha256 = ?3, certificate_not_after = ?4 WHERE name = ?1";
const CERTIFICATE: &str = "-- certificate
SELECT certificate_serial, certificate_key_sha256, certificate_not_after FROM vantages WHERE name = ?1";

pub(super) fn renew(main: &Connection, name: &VantageName, certificate: &IssuedCertificate) -> rusqlite::Result<bool> {
    let IssuedCertificate { serial, key_sha256, not_after } = certificate;
    Ok(main.prepare_cached(RENEW)?.execute(params![name.as_str(), serial, key_sha256.0, not_after.as_micros()])? == 1)
}

pub(super) fn certificate(main: &Connection, name: &VantageName) -> rusqlite::Result<Option<IssuedCertificate>> {
    let issued = |row: &Row<'_>| Ok(IssuedCertificate { serial: row.get(0)?, key_sha256: Bytes(row.get(1)?), not_after: Timestamp::from_micros(row.get(2)?) });
    main.prepare_cached(CERTIFICATE)?.query_row([name.as_str()], issued).optional()
}

const ALL: &str = "-- vantages
SELECT name, given_labels, own_labels, standing, version, enrolled_at, last_seen, egress, clock_offset_ms, capabilities FROM vantages ORDER BY name";
const ONE: &str = "-- vantage
SELECT name, given_labels, own_labels, standing, version, enrolled_at, last_seen, egress, clock_offset_ms, capabilities FROM vantages WHERE name = ?1";

pub(super) fn all(main: &Connection) -> rusqlite::Result<Vec<Vantage>> {
    main.prepare_cached(ALL)?.query_map([], vantage_of)?.collect()
}

pub(super) fn one(main: &Connection, name: &VantageName) -> rusqlite::Result<Option<Vantage>> {
    main.prepare_cached(ONE)?.query_row([name.as_str()], vantage_of).optional()
}

fn vantage_of(row: &Row<'_>) -> rusqlite::Result<Vantage> {
    let mut labels: Labels = from_json(row, 2)?;
    labels.extend(from_json::<Labels>(row, 1)?);
    Ok(Vantage {
        name: parsed(row.get_ref(0)?.as_str()?, 0)?,
        labels,
        standing: standing_of(row, 3)?,
        version: row.get(4)?,
        enrolled_at: Timestamp::from_micros(row.get(5)?),
        last_seen: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_micros),
        egress: row.get_ref(7)?.as_str_or_null()?.map(|text| parsed(text, 7)).transpose()?,
        clock_offset_ms: row.get(8)?,
        capabilities: from_json(row, 9)?,
    })
}

const BEGIN_SESSION: &str = "-- begin_session
UPDATE vantages SET epoch = epoch + 1 WHERE name = ?1 RETURNING epoch";
const TOUCH: &str = "-- touch_vantage
UPDATE vantages SET last_seen = ?2, egress = ?3, version = ?4, capabilities = ?5, clock_offset_ms = coalesce(?6, clock_offset_ms), own_labels = ?7
WHERE name = ?1";
const SET_LABELS: &str = "-- set_labels
UPDATE vantages SET given_labels = ?2 WHERE name = ?1";
const GIVEN_LABELS: &str = "-- given_labels
SELECT given_labels FROM vantages WHERE name = ?1";
const SET_STANDING: &str = "-- set_standing
UPDATE vantages SET standing = ?2 WHERE name = ?1";
const DELETE: &str = "-- delete_vantage
DELETE FROM vantages WHERE name = ?1";
const DELETE_SPOOLS: &str = "-- delete_vantage: spools
DELETE FROM spools WHERE vantage = ?1";

pub(super) fn begin_session(main: &Connection, name: &VantageName) -> rusqlite::Result<Option<u64>> {
    let epoch = main.prepare_cached(BEGIN_SESSION)?.query_row([name.as_str()], |row| row.get::<_, i64>(0)).optional()?;
    Ok(epoch.map(i64::cast_unsigned))
}

pub(super) fn touch(main: &Connection, name: &VantageName, seen: &VantageSeen) -> rusqlite::Result<bool> {
    let VantageSeen { at, egress, version, capabilities, clock_offset_ms, labels } = seen;
    let egress = egress.map(|address| address.to_string());
    let values = params![name.as_str(), at.as_micros(), egress, version, to_json(capabilities)?, clock_offset_ms, to_json(labels)?];
    Ok(main.prepare_cached(TOUCH)?.execute(values)? == 1)
}

pub(super) fn set_labels(main: &Connection, name: &VantageName, labels: &Labels) -> rusqlite::Result<bool> {
    Ok(main.prepare_cached(SET_LABELS)?.execute(params![name.as_str(), to_json(labels)?])? == 1)
}

pub(super) fn given_labels(main: &Connection, name: &VantageName) -> rusqlite::Result<Option<Labels>> {
    main.prepare_cached(GIVEN_LABELS)?.query_row([name.as_str()], |row| from_json(row, 0)).optional()
}

pub(super) fn set_standing(main: &Connection, name: &VantageName, standing: Standing) -> rusqlite::Result<bool> {
    Ok(main.prepare_cached(SET_STANDING)?.execute(params![name.as_str(), standing_name(standing)])? == 1)
}

pub(super) fn delete(main: &Connection, name: &VantageName) -> rusqlite::Result<bool> {
    main.prepare_cached(DELETE_SPOOLS)?.execute([name.as_str()])?;
    Ok(main.prepare_cached(DELETE)?.execute([name.as_str()])? == 1)
}

fn standing_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Standing> {
    word(row, column, &[Standing::Active, Standing::Cordoned, Standing::Draining, Standing::Banned], standing_name)
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Active => "active",
        Standing::Cordoned => "cordoned",
        Standing::Draining => "draining",
        Standing::Banned => "banned",
    }
}
