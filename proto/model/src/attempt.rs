//! One try of one profile from one vantage to one address: facts only.

use std::{net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    assignment::Experiment,
    clock::Timestamp,
    facts::Facts,
    id::{AttemptId, CheckId, ProfileName, RoundId, VantageName},
};

/// One try of one profile from one vantage to one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Made by the agent; a batch that is sent twice is stored once.
    pub id: AttemptId,
    /// The round that it belongs to.
    pub round: RoundId,
    /// The check of that round.
    pub check: CheckId,
    /// Who looked; written by the coordinator from the session's certificate.
    pub vantage: VantageName,
    /// The recipe.
    pub profile: ProfileName,
    /// What was varied.
    pub experiment: Experiment,
    /// Where it connected; none for a lookup.
    pub address: Option<SocketAddr>,
    /// Counts the tries of the same cell and experiment, from 0.
    pub sequence: u32,
    /// When it began, by the agent's clock corrected with its known offset to the coordinator's.
    pub started_at: Timestamp,
    /// How long it took, microseconds.
    pub elapsed_us: u64,
    /// Agent's clock minus coordinator's at that time, microseconds; none when never measured.
    pub clock_offset_us: Option<i64>,
    /// What was seen.
    pub facts: Facts,
}

impl Attempt {
    /// Returns when it was over, by the clock of [`started_at`](Self::started_at).
    pub fn ended_at(&self) -> Timestamp {
        self.started_at + Duration::from_micros(self.elapsed_us)
    }
}
