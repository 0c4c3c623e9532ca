//! What happened over time: an [`Incident`] joins the verdicts of one event, a [`Gap`] is time that nobody looked.
//!
//! The JSON form is public as that of a verdict is: fields may be added, never changed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    id::{IncidentId, RoundId},
    verdict::{Cause, Locus, Scope, Tier, Verdict},
};

/// One event at a target, from the first round that failed by it to the first of those that passed again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Incident {
    /// Always `parallax/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// Always `Incident`.
    pub kind: String,
    /// Computed from the round in which it began; another one when a late result moves the beginning.
    pub id: IncidentId,
    /// The check's name.
    pub check: Option<String>,
    /// `HOST:PORT`.
    pub target: String,
    /// How it stands.
    pub state: IncidentState,
    /// Whether it is worth knowing and no fault: a certificate rollout.
    pub informational: bool,
    /// The start of the first round that failed by it, by the coordinator's time.
    pub started_at: Timestamp,
    /// That round.
    pub started_round: RoundId,
    /// Whether the first round that is kept fails already, so that it began at some earlier time.
    pub began_before: bool,
    /// The start of the round that confirmed it; none while it is provisional.
    pub confirmed_at: Option<Timestamp>,
    /// The start of the last round that failed by it.
    pub last_failing_at: Timestamp,
    /// The start of the first of the rounds that passed again; none while it is open.
    pub ended_at: Option<Timestamp>,
    /// Where the fault lies, at the strongest that was said.
    pub locus: Locus,
    /// What it is, at the strongest that was said.
    pub cause: Cause,
    /// How strong that was.
    pub tier: Tier,
    /// The deepest node that was observed, of the strongest finding.
    pub mechanism: Option<String>,
    /// The headline of the verdict with the strongest finding.
    pub headline: String,
    /// Everything that was said of it, the strongest first.
    pub causes: Vec<CauseSpan>,
    /// Every vantage, address and profile that it touched; the share is that of the strongest finding.
    pub scope: Scope,
    /// Rounds that failed by it.
    pub rounds: u32,
    /// Rounds that looked, from its first to its last failure.
    pub heard: u32,
    /// How often it came back shortly after it had ended, plus one.
    pub episodes: u32,
    /// The verdicts at which it became something else.
    pub verdicts: Vec<Turn>,
    /// The last round in which the cells in question passed, with which the onset is compared; none when there is none.
    pub last_good: Option<RoundAt>,
    /// What was different at the onset.
    pub changed_at_onset: Vec<Change>,
    /// What was different when it ended, against its last failing round.
    pub changed_at_end: Vec<Change>,
}

/// How an incident stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IncidentState {
    /// One round failed and no artefact settles it: it may be nothing.
    Provisional,
    /// A second round failed, or an artefact settles it.
    Confirmed,
    /// It comes and goes: `rounds` of `heard` fail.
    Flapping,
    /// It was confirmed, and is over.
    Ended,
    /// It was never confirmed, and is over.
    Passed,
}

/// How long one thing was said of an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseSpan {
    /// The cause.
    pub cause: Cause,
    /// The strongest tier.
    pub tier: Tier,
    /// The first round that said it.
    pub first_at: Timestamp,
    /// The last one.
    pub last_at: Timestamp,
    /// Rounds that said it.
    pub rounds: u32,
}

/// A verdict at which an incident became something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// The start of the round.
    pub at: Timestamp,
    /// The round.
    pub round: RoundId,
    /// The revision that was read.
    pub revision: u32,
    /// What the verdict says.
    pub cause: Cause,
    /// How strongly.
    pub tier: Tier,
    /// From where.
    pub vantages: Vec<String>,
}

/// A round and its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundAt {
    /// The round.
    pub round: RoundId,
    /// Its start.
    pub at: Timestamp,
}

/// Something that is different between two rounds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Change {
    /// What kind of thing.
    pub what: ChangeKind,
    /// Of whom or what: an address, or a vantage.
    pub subject: String,
    /// What it was, none where there was nothing.
    pub before: Option<String>,
    /// What it is, none where there is nothing.
    pub after: Option<String>,
}

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// An address that is tried now and was not, or the reverse.
    Address,
    /// A certificate's time ran out.
    CertificateEnded,
    /// The leaf's key (SPKI).
    Key,
    /// The chain under the same key.
    Chain,
    /// What was negotiated: version, suite and group.
    Negotiated,
    /// The application protocol.
    Alpn,
    /// How many hops away the address stands.
    Hops,
    /// The agent's build.
    Build,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Address => "address",
            Self::CertificateEnded => "certificate's end",
            Self::Key => "key",
            Self::Chain => "chain",
            Self::Negotiated => "negotiated",
            Self::Alpn => "protocol",
            Self::Hops => "hops",
            Self::Build => "agent's build",
        })
    }
}

impl fmt::Display for IncidentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Provisional => "provisional",
            Self::Confirmed => "confirmed",
            Self::Flapping => "flapping",
            Self::Ended => "ended",
            Self::Passed => "passed",
        })
    }
}

/// Time in which a check, or one of its vantages, was not heard: neither a failure nor a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The vantage that was not heard; none when no round was made or nobody was heard.
    pub vantage: Option<String>,
    /// The start of the first round that is missing.
    pub from: Timestamp,
    /// The start of the first round after it; none while it goes on.
    pub until: Option<Timestamp>,
    /// Rounds that are missing.
    pub rounds: u32,
    /// Why, in the words of the contract where there are some.
    pub reason: String,
}

/// What a cell of the matrix is worth over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellState {
    /// Never heard.
    Unknown,
    /// It passes.
    Passing,
    /// One round failed.
    Suspect,
    /// A second round failed, or an artefact settles it.
    Failing,
    /// It failed and passes again, not often enough yet.
    Recovering,
    /// It comes and goes.
    Flapping,
}

impl fmt::Display for CellState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::Passing => "passing",
            Self::Suspect => "suspect",
            Self::Failing => "failing",
            Self::Recovering => "recovering",
            Self::Flapping => "flapping",
        })
    }
}

/// A cell of the matrix, and how it stands after some rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellStanding {
    /// The vantage.
    pub vantage: String,
    /// `ADDRESS:PORT`.
    pub address: String,
    /// The profile.
    pub profile: String,
    /// How it stands.
    pub state: CellState,
    /// Since the start of which round.
    pub since: Timestamp,
    /// Share of the attempts that failed in the last rounds, 0 to 1.
    pub rate: f64,
}

/// What happens to an incident, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// A first round fails.
    Opened,
    /// A second round fails, or an artefact settles it.
    Confirmed,
    /// It ended, and is back.
    Reopened,
    /// It is over, after it was confirmed.
    Ended,
    /// It is over, and was never confirmed.
    Passed,
}

impl Transition {
    /// Every transition, in the order of their declaration.
    pub const ALL: [Self; 5] = [Self::Opened, Self::Confirmed, Self::Reopened, Self::Ended, Self::Passed];

    /// Returns the name that is counted and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Confirmed => "confirmed",
            Self::Reopened => "reopened",
            Self::Ended => "ended",
            Self::Passed => "passed",
        }
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A transition of an incident, as it is announced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IncidentNews {
    /// What happened.
    pub transition: Transition,
    /// The incident as it stands then.
    pub incident: Incident,
}

/// The time line of a check: everything but the verdicts themselves.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// Incidents by their start.
    pub incidents: Vec<Incident>,
    /// Gaps by their start.
    pub gaps: Vec<Gap>,
    /// How each cell stands after the last round.
    pub cells: Vec<CellStanding>,
}

/// What differs between two windows of time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Difference {
    /// Cells that stand otherwise at the end of the later window than at the end of the earlier one.
    pub cells: Vec<CellChange>,
    /// Incidents with a failing round in the later window only.
    pub came: Vec<Incident>,
    /// Incidents with a failing round in the earlier window only.
    pub went: Vec<Incident>,
    /// What changed from the last round of the earlier window to the last of the later one.
    pub changed: Vec<Change>,
    /// Rounds of the earlier window.
    pub rounds_before: u32,
    /// Rounds of the later window.
    pub rounds_after: u32,
}

/// A cell that stands otherwise now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellChange {
    /// The vantage.
    pub vantage: String,
    /// `ADDRESS:PORT`.
    pub address: String,
    /// The profile.
    pub profile: String,
    /// How it stood; none when it was not tried.
    pub before: Option<CellState>,
    /// How it stands; none when it is not tried any more.
    pub after: Option<CellState>,
}

impl Incident {
    /// The value of `kind`.
    pub const KIND: &str = "Incident";

    /// Tells whether it goes on.
    pub fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Says what it is in the words of its strongest finding alone where that round's verdict is among those at hand, else in those of the whole headline.
    pub fn sentence(&self, verdicts: &[Verdict]) -> String {
        let strongest = verdicts.iter().filter(|verdict| verdict.headline == self.headline && verdict.target == self.target);
        let mut findings = strongest.flat_map(|verdict| verdict.findings.iter().map(move |finding| (verdict, finding)));
        let own = findings.find(|(_, finding)| finding.cause == self.cause && touch(&finding.scope.vantages, &self.scope.vantages));
        own.and_then(|(verdict, finding)| verdict.sentence_of(finding)).unwrap_or_else(|| self.headline.clone())
    }
}

fn touch(ours: &[String], theirs: &[String]) -> bool {
    ours.is_empty() || ours.iter().any(|item| theirs.contains(item))
}

impl Difference {
    /// Tells whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty() && self.came.is_empty() && self.went.is_empty() && self.changed.is_empty()
    }
}
