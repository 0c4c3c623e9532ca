//! The part of a scenario that says what the probe engine measures, as facts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::www_name;

/// Attempts of the engine alone, from one namespace and without any rights: no fleet, no verdict.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// The namespace.
    pub from: String,
    /// The target as it is typed.
    #[serde(default = "www_name")]
    pub target: String,
    /// The address and port.
    #[serde(default = "first_address")]
    pub address: String,
    /// The profile.
    #[serde(default = "modern")]
    pub profile: String,
    /// Experiments, one after the other, without a pause.
    pub experiments: Vec<String>,
    /// Other doors of the same server, for `reply-ttl`.
    #[serde(default)]
    pub siblings: Vec<String>,
    /// Source ports, for `source-port`; the experiment is made once for each.
    #[serde(default)]
    pub source_ports: Vec<u16>,
    /// What the facts must hold: JSON pointers (RFC 6901) into the array of all attempts' facts, with their values.
    #[serde(default)]
    pub facts: BTreeMap<String, toml::Value>,
    /// A pointer that every attempt's facts must hold one of two values at, each of them at least once.
    pub either: Option<Either>,
}

/// A fact that differs from attempt to attempt.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Either {
    /// The pointer into the facts of one attempt.
    pub at: String,
    /// The values.
    pub values: Vec<toml::Value>,
    /// Whether attempts from one source port must agree.
    #[serde(default)]
    pub by_source_port: bool,
}

fn first_address() -> String {
    super::WWW_ADDRESSES[0].to_owned()
}

fn modern() -> String {
    "modern".to_owned()
}
