//! The part of a scenario that says what the fleet is asked, and the verdict that is right.

use serde::{Deserialize, Serialize};

use super::www_name;

/// One round of the fleet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The target as it is typed.
    #[serde(default = "www_name")]
    pub target: String,
    /// Further arguments of `parallax probe`.
    #[serde(default)]
    pub args: Vec<String>,
    /// What happens while the round runs.
    #[serde(default)]
    pub meanwhile: Vec<Event>,
    /// Whether the target is healthy; checked when it is given.
    pub healthy: Option<bool>,
    /// Findings that must be there, and no others but `allowed` ones.
    #[serde(default, rename = "finding")]
    pub findings: Vec<Expected>,
    /// Causes that may stand beside them.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// Loci of which any finding is a wrong verdict, whatever else it says.
    #[serde(default)]
    pub forbidden: Vec<String>,
}

/// Something that happens while a round runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// How long after the command.
    pub after_ms: u64,
    /// The namespace; of a vantage, if its agent is killed.
    pub at: String,
    /// Lines of a shell there.
    #[serde(default)]
    pub run: String,
    /// Whether the vantage's agent is killed.
    #[serde(default)]
    pub kill_agent: bool,
}

/// A finding that must be there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Causes of which one is right.
    pub causes: Vec<String>,
    /// The vantages that are blamed, all of them.
    pub vantages: Option<Vec<String>>,
    /// Vantages that may be blamed as well.
    #[serde(default)]
    pub optional_vantages: Vec<String>,
    /// The addresses that are blamed, all of them.
    pub addresses: Option<Vec<String>>,
    /// The weakest tier that is right.
    #[serde(default)]
    pub tier: Tier,
    /// The hop at which the fault stands, counted from the blamed vantage; the location must hold it or come within one hop of it, and span no more than three.
    pub hop: Option<u8>,
    /// The router that answered last before it.
    pub router: Option<String>,
    /// Rules that must be among the evidence.
    #[serde(default)]
    pub rules: Vec<String>,
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Nothing is claimed.
    #[default]
    Insufficient,
    /// A contrast with one passing group.
    Suspected,
    /// A full contrast.
    Likely,
    /// An artefact settles it.
    Confirmed,
}
