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

use crate::{
    error::Result,
    records::{
        AuditEntry, EnrolOutcome, IngestResult, IssuedCertificate, JoinToken, JudgedRound, JudgedSpan, OperatorToken, PutCheck, Retained, RoundRecord,
        ShareState, VantageSeen,
    },
};

/// Everything that the coordinator keeps: one method per use case, each one transaction.
///
/// A method that writes returns after its effect is durable. Reads see every write that returned before they were called.
/// A method that changes something named returns `false` when no such thing exists.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Keeps a join token; one of the same id is replaced.
    async fn put_join_token(&self, token: &JoinToken) -> Result<()>;
    /// Returns every join token, the newest first.
    async fn list_join_tokens(&self) -> Result<Vec<JoinToken>>;
    /// Deletes a join token; vantages that joined by it stay.
    async fn delete_join_token(&self, token_id: &str) -> Result<bool>;
    /// Takes a vantage into the fleet when the token allows it, and counts the token's use.
    ///
    /// `vantage.labels` are the agent's own; the token's are laid over them. A name that is taken by the same key is enrolled again: by the same token without
    /// another use of it (its answer was lost), by another token as a new use. Operator's decisions about the vantage stay.
    async fn enrol(&self, token_id: &str, secret_sha256: &Bytes, vantage: &Vantage, certificate: &IssuedCertificate, now: Timestamp) -> Result<EnrolOutcome>;

    /// Replaces a vantage's certificate by a renewed one.
    async fn renew_certificate(&self, vantage: &VantageName, certificate: &IssuedCertificate) -> Result<bool>;
    /// Returns the newest certificate of a vantage.
    async fn certificate(&self, vantage: &VantageName) -> Result<Option<IssuedCertificate>>;
    /// Returns every vantage, by name.
    async fn vantages(&self) -> Result<Vec<Vantage>>;
    /// Returns one vantage.
    async fn vantage(&self, name: &VantageName) -> Result<Option<Vantage>>;
    /// Returns the number of a new session of this vantage: one more than the last; none when there is no such vantage.
    async fn begin_session(&self, name: &VantageName) -> Result<Option<u64>>;
    /// Records what a session told; an unmeasured clock offset leaves the former one.
    async fn touch_vantage(&self, name: &VantageName, seen: &VantageSeen) -> Result<bool>;
    /// Replaces the labels that the token and operators gave; the agent's own stay below them.
    async fn set_labels(&self, name: &VantageName, labels: &Labels) -> Result<bool>;
    /// Returns the labels that the token and operators gave, without the agent's own.
    async fn given_labels(&self, name: &VantageName) -> Result<Option<Labels>>;
    /// Records what an operator decided about a vantage.
    async fn set_standing(&self, name: &VantageName, standing: Standing) -> Result<bool>;
    /// Deletes a vantage, which frees its name; its history stays.
    async fn delete_vantage(&self, name: &VantageName) -> Result<bool>;

    /// Keeps an operator's token; one of the same name is replaced.
    async fn put_operator_token(&self, token: &OperatorToken) -> Result<()>;
    /// Returns every operator's token, by name.
    async fn list_operator_tokens(&self) -> Result<Vec<OperatorToken>>;
    /// Deletes an operator's token.
    async fn delete_operator_token(&self, name: &str) -> Result<bool>;
    /// Finds the operator who has this secret.
    async fn operator_by_secret(&self, secret_sha256: &Bytes) -> Result<Option<OperatorToken>>;
    /// Appends to the audit log.
    async fn audit(&self, entry: &AuditEntry) -> Result<()>;
    /// Returns the newest lines of the audit log, the newest first.
    async fn audit_log(&self, limit: usize) -> Result<Vec<AuditEntry>>;

    /// Creates or replaces a check by its id. The store numbers the revisions and ignores that of `check`.
    ///
    /// With `expected_revision` only that revision is replaced, and 0 means that no such check exists yet.
    async fn put_check(&self, check: &Check, expected_revision: Option<u64>) -> Result<PutCheck>;
    /// Returns one check by its name.
    async fn check_by_name(&self, name: &CheckName) -> Result<Option<Check>>;
    /// Returns one check by its id.
    async fn check(&self, id: CheckId) -> Result<Option<Check>>;
    /// Returns every check, by name, those without a name last.
    async fn checks(&self) -> Result<Vec<Check>>;
    /// Deletes a check, which frees its name; its history stays.
    async fn delete_check(&self, id: CheckId) -> Result<bool>;

    /// Opens a round with the given shares; returns whether it is new. A round that exists keeps what it has and gets the vantages that it lacked.
    async fn open_round(&self, round: &RoundRecord) -> Result<bool>;
    /// Records what became of a share, which is a result; also after the round was closed, because results may be late.
    async fn set_share(&self, round: RoundId, vantage: &VantageName, state: ShareState) -> Result<bool>;
    /// Returns one round with its shares.
    async fn round(&self, id: RoundId) -> Result<Option<RoundRecord>>;
    /// Returns every round that was not closed, or got results since it was judged, the oldest first.
    async fn open_rounds(&self) -> Result<Vec<RoundRecord>>;
    /// Closes a round of which this many results were judged; shares that are still assigned become missed. A round that was closed before keeps its time.
    async fn close_round(&self, id: RoundId, at: Timestamp, judged: u64) -> Result<bool>;

    /// Stores attempts, each once however often it is sent, notes them as results of their rounds, and settles their sequence numbers.
    ///
    /// The acknowledgement is cumulative and has no holes: it never passes a number that was neither ingested nor settled. `vantage` overwrites that of the attempts.
    async fn ingest(&self, vantage: &VantageName, boot: BootId, batch: Vec<(u64, Attempt)>) -> Result<IngestResult>;
    /// Settles sequence numbers for which no attempt will be stored (refused ones, or those that the agent dropped from a full spool); returns the new acknowledgement.
    async fn settle(&self, vantage: &VantageName, boot: BootId, sequences: RangeInclusive<u64>) -> Result<u64>;
    /// Returns the sequence number up to which everything of this boot is durable; 0 for none.
    async fn watermark(&self, vantage: &VantageName, boot: BootId) -> Result<u64>;
    /// Returns the attempts of a round, by their ids.
    async fn attempts_of_round(&self, round: RoundId) -> Result<Vec<Attempt>>;
    /// Returns one attempt.
    async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>>;
    /// Counts the attempts that are kept, of one vantage or of all.
    async fn count_attempts(&self, vantage: Option<&VantageName>) -> Result<u64>;

    /// Keeps a verdict under the next revision of its round and returns that revision, which starts at 1; that of `verdict` is ignored.
    async fn put_verdict(&self, check: Option<CheckId>, verdict: &Verdict, now: Timestamp) -> Result<u32>;
    /// Returns one verdict, the newest revision when none is named.
    async fn verdict(&self, round: RoundId, revision: Option<u32>) -> Result<Option<Verdict>>;
    /// Returns the newest revision of every round of a check that started in `since..until`, the newest round first.
    async fn verdicts_of_check(&self, check: CheckId, since: Option<Timestamp>, until: Option<Timestamp>, limit: usize) -> Result<Vec<Verdict>>;
    /// Returns the newest revision of every round that started at or after `since`, ad-hoc ones too, the newest round first.
    async fn recent_verdicts(&self, limit: usize, since: Option<Timestamp>) -> Result<Vec<Verdict>>;
    /// Returns closed rounds that have a verdict, by start and identifier: at most `limit` of them, the next ones by [`JudgedSpan::after`].
    async fn judged_rounds(&self, span: JudgedSpan, limit: usize) -> Result<Vec<JudgedRound>>;
    /// Returns the public keys (SHA-256 of the SPKI, hexadecimal) that authenticated for this target before: before this instant, or ever.
    async fn known_keys(&self, target: &str, before: Option<Timestamp>) -> Result<BTreeSet<String>>;
    /// Remembers public keys that authenticated for this target.
    async fn remember_keys(&self, target: &str, keys: &BTreeSet<String>, now: Timestamp) -> Result<()>;

    /// Drops the history of whole days before the day (UTC) of `since`: attempts, rounds, shares, verdicts. Open rounds stay.
    async fn retain_since(&self, since: Timestamp) -> Result<Retained>;
    /// Proves that the store works, by a durable write and a read.
    async fn health(&self) -> Result<()>;
}
