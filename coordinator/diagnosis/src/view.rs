//! What a judgement is handed: one round as it was seen, what was known before, and what is trusted.

use std::{collections::BTreeSet, net::IpAddr};

use parallax_model::{
    attempt::Attempt,
    check::Check,
    clock::Timestamp,
    id::{RoundId, VantageName},
    vantage::{Group, Labels, Responder},
};
use serde::{Deserialize, Serialize};

/// One round as all its vantages saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundView {
    /// The check as it stood when the round was planned.
    pub check: Check,
    /// The round.
    pub round: RoundId,
    /// When it started, by the coordinator's clock.
    pub started_at: Timestamp,
    /// Every vantage that the round wanted.
    pub vantages: Vec<VantageView>,
    /// All attempts, follow-ups included, in any order.
    pub attempts: Vec<Attempt>,
    /// The fleet's responders; empty when none is configured.
    pub responders: Vec<Responder>,
}

/// A vantage as a round sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VantageView {
    /// Its name.
    pub name: VantageName,
    /// Its labels.
    pub labels: Labels,
    /// The group that it counts in.
    pub group: Group,
    /// The agent's build.
    pub build: String,
    /// Agent's clock minus coordinator's clock, milliseconds; none when never measured.
    pub clock_offset_ms: Option<i64>,
    /// The address that its session comes from.
    pub egress: Option<IpAddr>,
    /// Whether its whole share arrived.
    pub reported: bool,
    /// Whether it witnesses on the server's host.
    #[serde(default)]
    pub witness: bool,
}

/// What was known before this round.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// SHA-256 digests (hexadecimal) of public keys that authenticated for this target before.
    pub known_keys: BTreeSet<String>,
}
