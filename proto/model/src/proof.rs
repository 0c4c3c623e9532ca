//! What a verdict rests on beside itself: the facts, who looked, and what was tried and did not hold.

use serde::{Deserialize, Serialize};

use crate::{
    attempt::Attempt,
    vantage::Labels,
    verdict::{Cause, Tier, Verdict},
};

/// A verdict with everything that it rests on, as an operator may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// What was judged.
    pub verdict: Verdict,
    /// All attempts of the round.
    pub attempts: Vec<Attempt>,
    /// The hypotheses that were tried and do without; by the present rules.
    pub excluded: Vec<Excluded>,
    /// Who took part.
    pub vantages: Vec<Onlooker>,
    /// Addresses of the fleet's own responders and coordinators, which nobody outside has to know.
    pub own_addresses: Vec<String>,
    /// The version of the rules that the coordinator has now.
    pub present_rules: String,
}

/// A vantage that took part in a round.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Onlooker {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The group that it counts in.
    pub group: String,
    /// The address that its session came from, empty when not known.
    pub egress: String,
}

/// A hypothesis that was tried for what a finding blames, and that the finding does without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The finding's cause.
    pub finding: Cause,
    /// The finding's vantages for which it was tried.
    pub vantages: Vec<String>,
    /// The finding's addresses at which it was tried.
    pub addresses: Vec<String>,
    /// What it says.
    pub cause: Cause,
    /// What it requires, all of it.
    pub requires: String,
    /// What excludes it.
    pub excluded_by: String,
    /// Its best competing explanation.
    pub counter: Cause,
    /// The experiment that would separate the two.
    pub next: String,
    /// How strongly it held, where it held and something stronger was found; none where it did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Tier>,
}
