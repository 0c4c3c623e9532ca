//! An attempt as a row: the columns that are searched, the facts as compact JSON, the chain as digests of certificates that are stored once.

use std::{collections::HashMap, net::SocketAddr};

use aws_lc_rs::digest::{SHA256, digest};
use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    clock::Timestamp,
    id::{AttemptId, CheckId, ProfileName, RoundId, VantageName},
};
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use uuid::Uuid;

use super::connection::{from_json, parsed, to_json};

/// SHA-256 of a certificate.
pub(super) type Digest = [u8; 32];

/// An attempt, ready to be inserted; made in the caller's task, because the writer's time is everybody's.
pub(super) struct AttemptRow {
    id: AttemptId,
    round: RoundId,
    check: CheckId,
    profile: ProfileName,
    experiment: Experiment,
    address: Option<SocketAddr>,
    sequence: u32,
    started_at: Timestamp,
    elapsed_us: u64,
    clock_offset_us: Option<i64>,
    facts: String,
    chain: Option<Vec<u8>>,
    /// The chain's certificates (DER) under their digests.
    pub(super) certificates: Vec<(Digest, Vec<u8>)>,
}

impl AttemptRow {
    /// Takes an attempt apart; its vantage is given when it is inserted.
    pub(super) fn of(attempt: Attempt) -> rusqlite::Result<Self> {
        let Attempt { id, round, check, vantage: _, profile, experiment, address, sequence, started_at, elapsed_us, clock_offset_us, mut facts } = attempt;
        let chain = facts.tls.as_mut().map(|tls| std::mem::take(&mut tls.certificates)).unwrap_or_default();
        let certificates: Vec<(Digest, Vec<u8>)> = chain.into_iter().map(|Bytes(der)| (sha256(&der), der)).collect();
        Ok(Self {
            id,
            round,
            check,
            profile,
            experiment,
            address,
            sequence,
            started_at,
            elapsed_us,
            clock_offset_us,
            facts: to_json(&facts)?,
            chain: (!certificates.is_empty()).then(|| certificates.iter().flat_map(|entry| entry.0).collect()),
            certificates,
        })
    }

    /// Returns the round that it is a result of.
    pub(super) fn round(&self) -> RoundId {
        self.round
    }

    /// Inserts the row; returns whether it is new.
    pub(super) fn insert(&self, statement: &mut Statement<'_>, vantage: &VantageName) -> rusqlite::Result<bool> {
        let inserted = statement.execute(params![
            self.id.0.as_bytes(),
            self.round.0.as_bytes(),
            self.check.0.as_bytes(),
            vantage.as_str(),
            self.profile.as_str(),
            self.experiment.as_str(),
            self.address.map(|address| address.to_string()),
            self.sequence,
            self.started_at.as_micros(),
            // All 64 bits come back by the same cast.
            self.elapsed_us.cast_signed(),
            self.clock_offset_us,
            self.facts,
            self.chain,
        ])?;
        Ok(inserted == 1)
    }
}

/// Computes SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> Digest {
    let mut out = Digest::default();
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

const OF_ROUND: &str = "-- attempts_of_round
SELECT id, round, check_id, vantage, profile, experiment, address, sequence, started_at, elapsed_us, clock_offset_us, facts, certificates
FROM attempts WHERE round = ?1 ORDER BY id";
const BY_ID: &str = "-- attempt
SELECT id, round, check_id, vantage, profile, experiment, address, sequence, started_at, elapsed_us, clock_offset_us, facts, certificates
FROM attempts WHERE id = ?1";
const CERTIFICATE: &str = "-- attempts: certificate
SELECT der FROM certificates WHERE digest = ?1";
const COUNT: &str = "-- count_attempts
SELECT coalesce(sum(attempts), 0) FROM tally WHERE ?1 IS NULL OR vantage = ?1";

/// Reads the attempts of a round from the file of its day.
pub(super) fn of_round(day: &Connection, round: RoundId) -> rusqlite::Result<Vec<Attempt>> {
    let mut known = HashMap::new();
    let mut statement = day.prepare_cached(OF_ROUND)?;
    let mut rows = statement.query([round.0.as_bytes()])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(attempt_of(row, day, &mut known)?);
    }
    Ok(attempts)
}

/// Reads one attempt when it is in this file.
pub(super) fn by_id(day: &Connection, id: AttemptId) -> rusqlite::Result<Option<Attempt>> {
    day.prepare_cached(BY_ID)?.query_row([id.0.as_bytes()], |row| attempt_of(row, day, &mut HashMap::new())).optional()
}

/// Counts the attempts of a file, of one vantage or of all.
pub(super) fn count(day: &Connection, vantage: Option<&VantageName>) -> rusqlite::Result<u64> {
    day.prepare_cached(COUNT)?.query_row([vantage.map(VantageName::as_str)], |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

fn attempt_of(row: &Row<'_>, day: &Connection, known: &mut HashMap<Digest, Bytes>) -> rusqlite::Result<Attempt> {
    let id = |column: usize| row.get(column).map(Uuid::from_bytes);
    let text = |column: usize| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?);
    let mut attempt = Attempt {
        id: AttemptId(id(0)?),
        round: RoundId(id(1)?),
        check: CheckId(id(2)?),
        vantage: parsed(text(3)?, 3)?,
        profile: parsed(text(4)?, 4)?,
        experiment: parsed(text(5)?, 5)?,
        address: row.get_ref(6)?.as_str_or_null()?.map(|text| parsed(text, 6)).transpose()?,
        sequence: row.get(7)?,
        started_at: Timestamp::from_micros(row.get(8)?),
        elapsed_us: row.get::<_, i64>(9)?.cast_unsigned(),
        clock_offset_us: row.get(10)?,
        facts: from_json(row, 11)?,
    };
    if let (Some(tls), Some(chain)) = (attempt.facts.tls.as_mut(), row.get_ref(12)?.as_blob_or_null()?) {
        for digest in chain.as_chunks::<32>().0 {
            tls.certificates.push(certificate(day, digest, known)?);
        }
    }
    Ok(attempt)
}

fn certificate(day: &Connection, digest: &Digest, known: &mut HashMap<Digest, Bytes>) -> rusqlite::Result<Bytes> {
    if let Some(der) = known.get(digest) {
        return Ok(der.clone());
    }
    let der = Bytes(day.prepare_cached(CERTIFICATE)?.query_row([digest], |row| row.get(0))?);
    known.insert(*digest, der.clone());
    Ok(der)
}
