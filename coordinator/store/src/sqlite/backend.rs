//! [`Store`] by SQLite: takes the arguments along to the writer or a reader, where the module of the thing does the work.

use std::{collections::BTreeSet, ops::RangeInclusive};

use async_trait::async_trait;
use parallax_model::{
    attempt::Attempt,
    bytes::Bytes,
    check::Check,
    clock::Timestamp,
    id::{AttemptId, BootId, CheckId, CheckName, RoundId, VantageName},
    vantage::{Labels, Standing, Vantage},
    verdict::Verdict,
};
use tokio::sync::oneshot;

use super::{
    SqliteStore,
    attempts::{self, AttemptRow},
    checks,
    connection::{sort, to_json},
    days::Batch,
    files::Day,
    housekeeping, rounds, spools, tokens, vantages, verdicts,
    writer::stopped,
};
use crate::{
    error::{Result, StoreError},
    records::{
        AuditEntry, EnrolOutcome, IngestResult, IssuedCertificate, JoinToken, JudgedRound, JudgedSpan, OperatorToken, PutCheck, Retained, RoundRecord,
        ShareState, VantageSeen,
    },
    settled::Settled,
    store::Store,
};

/// Turns a limit into what SQL counts with.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Store for SqliteStore {
    async fn put_join_token(&self, token: &JoinToken) -> Result<()> {
        let token = token.clone();
        self.writer.write("put_join_token", move |main| tokens::put_join(main, &token)).await
    }

    async fn list_join_tokens(&self) -> Result<Vec<JoinToken>> {
        self.readers.read_main("list_join_tokens", tokens::list_join).await
    }

    async fn delete_join_token(&self, token_id: &str) -> Result<bool> {
        let id = token_id.to_owned();
        self.writer.write("delete_join_token", move |main| tokens::delete_join(main, &id)).await
    }

    async fn enrol(&self, token_id: &str, secret_sha256: &Bytes, vantage: &Vantage, certificate: &IssuedCertificate, now: Timestamp) -> Result<EnrolOutcome> {
        let (id, secret, vantage, certificate) = (token_id.to_owned(), secret_sha256.clone(), vantage.clone(), certificate.clone());
        self.writer.write("enrol", move |main| vantages::enrol(main, &id, &secret, &vantage, &certificate, now)).await
    }

    async fn renew_certificate(&self, vantage: &VantageName, certificate: &IssuedCertificate) -> Result<bool> {
        let (name, certificate) = (vantage.clone(), certificate.clone());
        self.writer.write("renew_certificate", move |main| vantages::renew(main, &name, &certificate)).await
    }

    async fn certificate(&self, vantage: &VantageName) -> Result<Option<IssuedCertificate>> {
        let name = vantage.clone();
        self.readers.read_main("certificate", move |main| vantages::certificate(main, &name)).await
    }

    async fn vantages(&self) -> Result<Vec<Vantage>> {
        self.readers.read_main("vantages", vantages::all).await
    }

    async fn vantage(&self, name: &VantageName) -> Result<Option<Vantage>> {
        let name = name.clone();
        self.readers.read_main("vantage", move |main| vantages::one(main, &name)).await
    }

    async fn begin_session(&self, name: &VantageName) -> Result<Option<u64>> {
        let name = name.clone();
        self.writer.write("begin_session", move |main| vantages::begin_session(main, &name)).await
    }

    async fn touch_vantage(&self, name: &VantageName, seen: &VantageSeen) -> Result<bool> {
        let (name, seen) = (name.clone(), seen.clone());
        self.writer.write("touch_vantage", move |main| vantages::touch(main, &name, &seen)).await
    }

    async fn set_labels(&self, name: &VantageName, labels: &Labels) -> Result<bool> {
        let (name, labels) = (name.clone(), labels.clone());
        self.writer.write("set_labels", move |main| vantages::set_labels(main, &name, &labels)).await
    }

    async fn given_labels(&self, name: &VantageName) -> Result<Option<Labels>> {
        let name = name.clone();
        self.readers.read_main("given_labels", move |main| vantages::given_labels(main, &name)).await
    }

    async fn set_standing(&self, name: &VantageName, standing: Standing) -> Result<bool> {
        let name = name.clone();
        self.writer.write("set_standing", move |main| vantages::set_standing(main, &name, standing)).await
    }

    async fn delete_vantage(&self, name: &VantageName) -> Result<bool> {
        let name = name.clone();
        self.writer.write("delete_vantage", move |main| vantages::delete(main, &name)).await
    }

    async fn put_operator_token(&self, token: &OperatorToken) -> Result<()> {
        let token = token.clone();
        self.writer.write("put_operator_token", move |main| tokens::put_operator(main, &token)).await
    }

    async fn list_operator_tokens(&self) -> Result<Vec<OperatorToken>> {
        self.readers.read_main("list_operator_tokens", tokens::list_operators).await
    }

    async fn delete_operator_token(&self, name: &str) -> Result<bool> {
        let name = name.to_owned();
        self.writer.write("delete_operator_token", move |main| tokens::delete_operator(main, &name)).await
    }

    async fn operator_by_secret(&self, secret_sha256: &Bytes) -> Result<Option<OperatorToken>> {
        let secret = secret_sha256.clone();
        self.readers.read_main("operator_by_secret", move |main| tokens::operator_by_secret(main, &secret)).await
    }

    async fn audit(&self, entry: &AuditEntry) -> Result<()> {
        let entry = entry.clone();
        self.writer.write("audit", move |main| tokens::append_audit(main, &entry)).await
    }

    async fn audit_log(&self, limit: usize) -> Result<Vec<AuditEntry>> {
        self.readers.read_main("audit_log", move |main| tokens::audit_log(main, rows(limit))).await
    }

    async fn put_check(&self, check: &Check, expected_revision: Option<u64>) -> Result<PutCheck> {
        let check = check.clone();
        self.writer.write("put_check", move |main| checks::put(main, &check, expected_revision)).await
    }

    async fn check_by_name(&self, name: &CheckName) -> Result<Option<Check>> {
        let name = name.clone();
        self.readers.read_main("check_by_name", move |main| checks::by_name(main, &name)).await
    }

    async fn check(&self, id: CheckId) -> Result<Option<Check>> {
        self.readers.read_main("check", move |main| checks::by_id(main, id)).await
    }

    async fn checks(&self) -> Result<Vec<Check>> {
        self.readers.read_main("checks", checks::all).await
    }

    async fn delete_check(&self, id: CheckId) -> Result<bool> {
        self.writer.write("delete_check", move |main| checks::delete(main, id)).await
    }

    async fn open_round(&self, round: &RoundRecord) -> Result<bool> {
        let round = round.clone();
        self.writer.write("open_round", move |main| rounds::open(main, &round)).await
    }

    async fn set_share(&self, round: RoundId, vantage: &VantageName, state: ShareState) -> Result<bool> {
        let vantage = vantage.clone();
        self.writer.write("set_share", move |main| rounds::set_share(main, round, &vantage, state)).await
    }

    async fn round(&self, id: RoundId) -> Result<Option<RoundRecord>> {
        self.readers.read_main("round", move |main| rounds::one(main, id)).await
    }

    async fn open_rounds(&self) -> Result<Vec<RoundRecord>> {
        self.readers.read_main("open_rounds", rounds::all_open).await
    }

    async fn close_round(&self, id: RoundId, at: Timestamp, judged: u64) -> Result<bool> {
        self.writer.write("close_round", move |main| rounds::close(main, id, at, judged)).await
    }

    async fn ingest(&self, vantage: &VantageName, boot: BootId, batch: Vec<(u64, Attempt)>) -> Result<IngestResult> {
        let settled = Settled::of(batch.iter().map(|entry| entry.0));
        let row = |(_, attempt): (u64, Attempt)| Ok((Day::of_round(attempt.round), AttemptRow::of(attempt)?));
        let rows = batch.into_iter().map(row).collect::<rusqlite::Result<_>>();
        let rows = rows.map_err(|error| sort("ingest", self.directory(), error))?;
        let (reply, answer) = oneshot::channel();
        self.writer.ingest(Batch { vantage: vantage.clone(), boot, settled, rows, reply }).await?;
        answer.await.unwrap_or_else(|_| Err(stopped("ingest")))
    }

    async fn settle(&self, vantage: &VantageName, boot: BootId, sequences: RangeInclusive<u64>) -> Result<u64> {
        let (vantage, mut settled) = (vantage.clone(), Settled::default());
        settled.insert(sequences);
        self.writer.write("settle", move |main| spools::settle(main, &vantage, boot, &settled)).await
    }

    async fn watermark(&self, vantage: &VantageName, boot: BootId) -> Result<u64> {
        let vantage = vantage.clone();
        self.readers.read_main("watermark", move |main| spools::watermark(main, &vantage, boot)).await
    }

    async fn attempts_of_round(&self, round: RoundId) -> Result<Vec<Attempt>> {
        let work = move |day: &rusqlite::Connection| attempts::of_round(day, round);
        let found = self.readers.read("attempts_of_round", move |reader| reader.day(Day::of_round(round), work)).await?;
        Ok(found.unwrap_or_default())
    }

    async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>> {
        let search = move |reader: &mut super::readers::Reader| {
            for day in reader.days()? {
                if let Some(attempt) = reader.day(day, |day| attempts::by_id(day, id))?.flatten() {
                    return Ok(Some(attempt));
                }
            }
            Ok(None)
        };
        self.readers.read("attempt", search).await
    }

    async fn count_attempts(&self, vantage: Option<&VantageName>) -> Result<u64> {
        let vantage = vantage.cloned();
        let sum = move |reader: &mut super::readers::Reader| {
            let mut sum = 0;
            for day in reader.days()? {
                sum += reader.day(day, |day| attempts::count(day, vantage.as_ref()))?.unwrap_or(0);
            }
            Ok(sum)
        };
        self.readers.read("count_attempts", sum).await
    }

    async fn put_verdict(&self, check: Option<CheckId>, verdict: &Verdict, now: Timestamp) -> Result<u32> {
        let (round, started_at) = (verdict.round, verdict.started_at);
        let body = to_json(verdict).map_err(|error| sort("put_verdict", self.directory(), error))?;
        self.writer.write("put_verdict", move |main| verdicts::put(main, check, round, started_at, &body, now)).await
    }

    async fn verdict(&self, round: RoundId, revision: Option<u32>) -> Result<Option<Verdict>> {
        self.readers.read_main("verdict", move |main| verdicts::one(main, round, revision)).await
    }

    async fn verdicts_of_check(&self, check: CheckId, since: Option<Timestamp>, until: Option<Timestamp>, limit: usize) -> Result<Vec<Verdict>> {
        self.readers.read_main("verdicts_of_check", move |main| verdicts::of_check(main, check, since, until, rows(limit))).await
    }

    async fn recent_verdicts(&self, limit: usize, since: Option<Timestamp>) -> Result<Vec<Verdict>> {
        self.readers.read_main("recent_verdicts", move |main| verdicts::recent(main, rows(limit), since)).await
    }

    async fn judged_rounds(&self, span: JudgedSpan, limit: usize) -> Result<Vec<JudgedRound>> {
        self.readers.read_main("judged_rounds", move |main| rounds::judged(main, span, rows(limit))).await
    }

    async fn known_keys(&self, target: &str, before: Option<Timestamp>) -> Result<BTreeSet<String>> {
        let target = target.to_owned();
        self.readers.read_main("known_keys", move |main| verdicts::known_keys(main, &target, before)).await
    }

    async fn remember_keys(&self, target: &str, keys: &BTreeSet<String>, now: Timestamp) -> Result<()> {
        let (target, keys) = (target.to_owned(), keys.clone());
        self.writer.write("remember_keys", move |main| verdicts::remember_keys(main, &target, &keys, now)).await
    }

    async fn retain_since(&self, since: Timestamp) -> Result<Retained> {
        let day = Day::of(since);
        // Whole files go first: that gives room back even on a disk that is too full for any other write.
        let mut retained = Retained { days_dropped: self.writer.drop_days_before(day).await?, rounds_deleted: 0 };
        loop {
            let deleted = self.writer.write("retain_since", move |main| housekeeping::delete_rounds(main, day.start())).await?;
            retained.rounds_deleted += deleted;
            if !housekeeping::more_rounds(deleted) {
                break;
            }
        }
        self.writer.write("retain_since", move |main| housekeeping::delete_remains(main, day.start())).await?;
        Ok(retained)
    }

    async fn health(&self) -> Result<()> {
        let written = self.writer.write("health", housekeeping::beat).await?;
        let read = self.readers.read_main("health", housekeeping::beats).await?;
        let lost = || StoreError::bug("health", format!("beat {written} was committed and {read} is read"));
        if read >= written { Ok(()) } else { Err(lost()) }
    }
}
