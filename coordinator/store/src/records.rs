//! Words that only a store needs: tokens, enrolment, rounds with their shares, what an ingest did.

use std::{fmt, net::IpAddr};

use parallax_model::{
    bytes::Bytes,
    check::Check,
    clock::Timestamp,
    id::{CheckId, RoundId, VantageName},
    vantage::{Group, Labels},
    verdict::Verdict,
};
use serde::{Deserialize, Serialize};

/// A token that lets agents join the fleet; its secret is kept as a digest only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The public prefix by which it is found and shown.
    pub id: String,
    /// SHA-256 of the secret.
    pub secret_sha256: Bytes,
    /// Labels that every vantage of this token gets; they win over the agent's own.
    pub labels: Labels,
    /// How many more vantages may join by it.
    pub uses_left: u32,
    /// When it stops working.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// The operator who made it.
    pub created_by: String,
}

/// A client certificate that the coordinator's CA issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of its public key (SPKI), which is that of the request.
    pub key_sha256: Bytes,
    /// When it ends.
    pub not_after: Timestamp,
}

/// How an enrolment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EnrolOutcome {
    /// The vantage is part of the fleet, or was already by the same key.
    Enrolled,
    /// No such token, or not its secret: the two are not told apart.
    UnknownToken,
    /// The token's time is over.
    Expired,
    /// The token let in as many vantages as it may.
    UsedUp,
    /// Another key has this name.
    NameTaken,
    /// The name and key are known, and banned.
    Banned,
}

/// What a session told about its vantage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VantageSeen {
    /// When.
    pub at: Timestamp,
    /// The address that the session comes from.
    pub egress: Option<IpAddr>,
    /// Build of the agent.
    pub version: String,
    /// What the agent can do.
    pub capabilities: Vec<String>,
    /// Agent's clock minus coordinator's clock, milliseconds; none when not measured yet.
    pub clock_offset_ms: Option<i64>,
    /// The agent's own labels, over which those of the token and of operators are laid.
    pub labels: Labels,
}

/// What an operator's token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Probes, and changes checks and vantages.
    Operator,
    /// Makes tokens.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Returns the name that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A token of an operator; its secret is kept as a digest only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorToken {
    /// Whose it is, unique.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// SHA-256 of the secret.
    pub secret_sha256: Bytes,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: an operator's or a vantage's name.
    pub actor: String,
    /// What was done, a verb.
    pub action: String,
    /// To what.
    pub object: String,
    /// Anything further, in words; empty for nothing.
    pub detail: String,
}

/// How the storing of a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PutCheck {
    /// It is new; its revision is 1.
    Created,
    /// It replaced the former one.
    Updated {
        /// The revision that it got: one more than the former.
        revision: u64,
    },
    /// The stored revision is another than expected; nothing was changed.
    RevisionConflict,
    /// Another check has this name; nothing was changed.
    NameTaken,
}

/// What became of one vantage's share of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShareState {
    /// Wanted, not heard yet.
    Assigned,
    /// All its attempts are in.
    Reported,
    /// Not heard before the round closed.
    Missed,
    /// The agent came too late to start it.
    SkippedLate,
    /// The agent was stopped or killed while it ran.
    Interrupted,
    /// The agent cannot do what was asked.
    Unsupported,
}

impl ShareState {
    /// Every state, in the order of their declaration.
    pub const ALL: [Self; 6] = [Self::Assigned, Self::Reported, Self::Missed, Self::SkippedLate, Self::Interrupted, Self::Unsupported];

    /// Returns the name that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::Reported => "reported",
            Self::Missed => "missed",
            Self::SkippedLate => "skipped-late",
            Self::Interrupted => "interrupted",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for ShareState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One round as it was opened, and how far it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundRecord {
    /// Computed from check and start, or fresh for an ad-hoc round. Its first 48 bits say when it started, which decides how long its attempts are kept.
    pub id: RoundId,
    /// The check as it stood when the round was opened.
    pub check: Check,
    /// When it started, by the coordinator's clock.
    pub started_at: Timestamp,
    /// When every share is due.
    pub deadline: Timestamp,
    /// Who takes part, by name.
    pub vantages: Vec<RoundVantage>,
    /// Whether an operator asked for it, as opposed to the schedule.
    pub adhoc: bool,
    /// When it was closed; none while it is open.
    pub closed_at: Option<Timestamp>,
    /// How often results came that no judgement has seen; handed back when it is closed.
    pub unjudged: u64,
}

/// A vantage as it stood when the round was opened, and what became of its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundVantage {
    /// Its name.
    pub name: VantageName,
    /// Its labels.
    pub labels: Labels,
    /// The group that it counts in.
    pub group: Group,
    /// Build of the agent.
    pub build: String,
    /// Agent's clock minus coordinator's clock, milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// The address that its session came from.
    pub egress: Option<IpAddr>,
    /// What became of its share.
    pub share: ShareState,
}

/// A round that was judged, with its verdict.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedRound {
    /// The round.
    pub record: RoundRecord,
    /// The scheduled check that it belongs to, none for an ad-hoc one.
    pub check: Option<CheckId>,
    /// The newest revision.
    pub verdict: Verdict,
}

/// Which judged rounds are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedSpan {
    /// Of this scheduled check only.
    pub check: Option<CheckId>,
    /// Started at or after this.
    pub since: Timestamp,
    /// Started before this.
    pub until: Timestamp,
    /// Behind this round, by start and identifier.
    pub after: Option<(Timestamp, RoundId)>,
}

/// What an ingest did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IngestResult {
    /// Every sequence number of this boot up to this one is durable; 0 for none.
    pub acknowledged_through: u64,
    /// Attempts that were not stored before.
    pub new: usize,
}

/// What retention took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retained {
    /// Days of attempts that were dropped.
    pub days_dropped: usize,
    /// Rounds that were deleted, with their shares and verdicts.
    pub rounds_deleted: usize,
}
