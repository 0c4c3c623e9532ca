//! The attempts' files as the writer holds them: one per day, a few of them open.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::PathBuf,
    sync::Arc,
};

use parallax_model::id::{BootId, RoundId, VantageName};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::{
    attempts::{AttemptRow, Digest},
    connection::{Kind, open_writer, sort},
    files::{Day, Files},
    rounds, spools,
    writer::Task,
};
use crate::{
    error::{Result, StoreError},
    records::IngestResult,
    settled::Settled,
};

/// Days that stay open: around midnight two, and a few more while agents empty their spools after an outage.
const OPEN_DAYS: usize = 4;
/// Certificates that are remembered as stored, per open day; it only saves statements.
const KNOWN_CERTIFICATES: usize = 16_384;

/// Attempts of one vantage on their way into the files.
pub(super) struct Batch {
    pub(super) vantage: VantageName,
    pub(super) boot: BootId,
    pub(super) settled: Settled,
    pub(super) rows: Vec<(Day, AttemptRow)>,
    pub(super) reply: oneshot::Sender<Result<IngestResult>>,
}

impl Batch {
    /// Answers that nothing of it is acknowledged.
    pub(super) fn refuse(self, error: StoreError) {
        let _gone = self.reply.send(Err(error));
    }

    /// Turns the batch, whose attempts are durable, into the task that settles its numbers.
    pub(super) fn settling(self, new: usize) -> Box<dyn Task> {
        Box::new(Settling { batch: self, result: IngestResult { acknowledged_through: 0, new } })
    }
}

struct Settling {
    batch: Batch,
    result: IngestResult,
}

impl Task for Settling {
    fn during(&self) -> &'static str {
        "ingest"
    }

    fn run(&mut self, main: &Connection) -> rusqlite::Result<()> {
        // Also for what was stored before: the acknowledgement, and with it this note, may have been lost.
        let results: BTreeSet<RoundId> = self.batch.rows.iter().map(|(_, row)| row.round()).collect();
        for round in results {
            rounds::note_results(main, round)?;
        }
        self.result.acknowledged_through = spools::settle(main, &self.batch.vantage, self.batch.boot, &self.batch.settled)?;
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let _gone = self.batch.reply.send(outcome.map(|()| self.result));
    }
}

/// The open files of attempts, the one used last at the end.
pub(super) struct DayFiles {
    files: Arc<Files>,
    open: Vec<DayFile>,
    /// Days before this one were dropped and are never made again.
    floor: Option<Day>,
}

struct DayFile {
    day: Day,
    path: PathBuf,
    connection: Connection,
    known: HashSet<Digest>,
}

impl DayFiles {
    pub(super) fn new(files: Arc<Files>) -> Self {
        Self { files, open: Vec::new(), floor: None }
    }

    /// Commits the batches' attempts, one transaction a day, and says of each batch how many were new.
    ///
    /// A day that fails refuses every batch with an attempt of that day; what such a batch has on other days is found again when it is sent again.
    pub(super) fn store(&mut self, batches: Vec<Batch>) -> Vec<(Batch, Result<usize>)> {
        let days: BTreeSet<Day> = batches.iter().flat_map(|batch| batch.rows.iter().map(|row| row.0)).collect();
        let mut outcomes: Vec<Result<usize>> = batches.iter().map(|_| Ok(0)).collect();
        let floor = self.floor;
        for day in days.into_iter().filter(|day| floor.is_none_or(|floor| *day >= floor)) {
            match self.store_day(day, &batches) {
                Ok(new) => {
                    for (outcome, new) in outcomes.iter_mut().zip(new) {
                        if let Ok(sum) = outcome {
                            *sum += new;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, %day, "a group of attempts was not committed");
                    let concerned = batches.iter().map(|batch| batch.rows.iter().any(|row| row.0 == day));
                    outcomes.iter_mut().zip(concerned).filter(|pair| pair.1).for_each(|(outcome, _)| *outcome = Err(error.clone()));
                }
            }
        }
        batches.into_iter().zip(outcomes).collect()
    }

    /// Commits what the batches have of one day, and returns for each how many were new.
    fn store_day(&mut self, day: Day, batches: &[Batch]) -> Result<Vec<usize>> {
        let file = self.file(day)?;
        let stored = file.insert(batches);
        if stored.is_err() && !file.connection.is_autocommit() {
            // What cannot be rolled back was rolled back already.
            let _rolled_back = file.connection.execute_batch("ROLLBACK");
        }
        match stored {
            Ok((new, certificates)) => {
                if file.known.len() + certificates.len() > KNOWN_CERTIFICATES {
                    file.known.clear();
                }
                file.known.extend(certificates);
                Ok(new)
            }
            Err(error) => Err(sort("ingest", &file.path, error)),
        }
    }

    fn file(&mut self, day: Day) -> Result<&mut DayFile> {
        if let Some(at) = self.open.iter().position(|file| file.day == day) {
            let file = self.open.remove(at);
            self.open.push(file);
        } else {
            let path = self.files.day(day);
            if !path.exists() {
                self.files.create(&path, |unfinished| open_writer(unfinished, Kind::Day).map(drop))?;
            }
            let connection = open_writer(&path, Kind::Day)?;
            if self.open.len() >= OPEN_DAYS {
                self.open.remove(0);
            }
            self.open.push(DayFile { day, path, connection, known: HashSet::new() });
        }
        Ok(self.open.last_mut().expect("it was pushed above"))
    }

    /// Deletes the files of the days before `day`, the oldest first.
    pub(super) fn drop_before(&mut self, day: Day) -> Result<usize> {
        self.floor = self.floor.max(Some(day));
        self.open.retain(|file| file.day >= day);
        let old: Vec<Day> = self.files.days()?.into_iter().rev().filter(|one| *one < day).collect();
        old.iter().try_for_each(|one| self.files.delete(*one))?;
        Ok(old.len())
    }
}

const INSERT_ATTEMPT: &str = "-- ingest: attempt
INSERT INTO attempts (id, round, check_id, vantage, profile, experiment, address, sequence, started_at, elapsed_us, clock_offset_us, facts, certificates)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) ON CONFLICT DO NOTHING";
const INSERT_CERTIFICATE: &str = "-- ingest: certificate
INSERT INTO certificates (digest, der) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const COUNT: &str = "-- ingest: tally
INSERT INTO tally (vantage, attempts) VALUES (?1, ?2) ON CONFLICT (vantage) DO UPDATE SET attempts = tally.attempts + excluded.attempts";

impl DayFile {
    /// Inserts and commits; returns how many attempts of each batch were new, and which certificates are stored now.
    fn insert(&self, batches: &[Batch]) -> rusqlite::Result<(Vec<usize>, HashSet<Digest>)> {
        let execute = |statement: &str| self.connection.prepare_cached(statement)?.execute([]).map(drop);
        let mut certificates = HashSet::new();
        let mut tally: BTreeMap<&VantageName, i64> = BTreeMap::new();
        let mut counts = Vec::with_capacity(batches.len());
        execute("BEGIN IMMEDIATE")?;
        for batch in batches {
            let mut new = 0;
            for (_, row) in batch.rows.iter().filter(|row| row.0 == self.day) {
                if row.insert(&mut *self.connection.prepare_cached(INSERT_ATTEMPT)?, &batch.vantage)? {
                    new += 1;
                    for (digest, der) in &row.certificates {
                        if !self.known.contains(digest) && certificates.insert(*digest) {
                            self.connection.prepare_cached(INSERT_CERTIFICATE)?.execute(params![digest, der])?;
                        }
                    }
                }
            }
            *tally.entry(&batch.vantage).or_default() += i64::try_from(new).unwrap_or(i64::MAX);
            counts.push(new);
        }
        for (vantage, new) in tally.into_iter().filter(|entry| entry.1 > 0) {
            self.connection.prepare_cached(COUNT)?.execute(params![vantage.as_str(), new])?;
        }
        execute("COMMIT")?;
        Ok((counts, certificates))
    }
}
