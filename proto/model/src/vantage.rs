//! Where a look is taken from: an enrolled agent, its labels, and the group that it counts in.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use crate::{bytes::Bytes, clock::Timestamp, id::VantageName};

/// Labels of a vantage; `site`, `asn`, `upstream`, `country` and `role` are the ones with meaning.
pub type Labels = BTreeMap<String, String>;

/// Splits `KEY=VALUE` into a label.
pub fn parse_label(text: &str) -> Result<(String, String), LabelError> {
    let (key, value) = text.split_once('=').ok_or_else(|| LabelError(text.to_owned()))?;
    let fine = |part: &str| !part.is_empty() && part.len() <= 63 && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    if fine(key) && fine(value) { Ok((key.to_owned(), value.to_owned())) } else { Err(LabelError(text.to_owned())) }
}

/// Says that a text is not a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a label: write KEY=VALUE with letters, digits, '.', '_', '-' and '/'")]
pub struct LabelError(pub String);

/// The unit of independence: vantages at the same site, egress network and upstream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(String);

impl Group {
    /// Computes the group from the labels, or from the egress address (/24, /48) that the coordinator sees when none of `site`, `asn`, `upstream` is given.
    ///
    /// A vantage with `role=inside` never shares a group with an outside one.
    pub fn of(labels: &Labels, egress: Option<IpAddr>) -> Self {
        let inside = if is_inside(labels) { "inside/" } else { "" };
        let given: Vec<String> = ["site", "asn", "upstream"].iter().filter_map(|key| labels.get(*key).map(|value| format!("{key}={value}"))).collect();
        if !given.is_empty() {
            return Self(format!("{inside}{}", given.join(",")));
        }
        let network = match egress.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            Some(IpAddr::V6(address)) => {
                let [a, b, c, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}::/48")
            }
            None => "unknown".to_owned(),
        };
        Self(format!("{inside}{network}"))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Tells whether labels say that the vantage stands on the server's own segment.
pub fn is_inside(labels: &Labels) -> bool {
    labels.get("role").is_some_and(|role| role == "inside")
}

/// What a vantage is doing, as operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VantageState {
    /// Its session stream is up, so it receives instructions.
    Online,
    /// No session.
    Silent,
    /// Online, gets no new rounds, keeps its place.
    Cordoned,
    /// Finishing what it has, then stops.
    Draining,
    /// Its identity is revoked.
    Banned,
}

impl fmt::Display for VantageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Online => "online",
            Self::Silent => "silent",
            Self::Cordoned => "cordoned",
            Self::Draining => "draining",
            Self::Banned => "banned",
        })
    }
}

/// What the operator decided about a vantage; whether it is connected is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Takes part.
    #[default]
    Active,
    /// Gets no new rounds.
    Cordoned,
    /// Finishes what it has.
    Draining,
    /// Its identity is revoked.
    Banned,
}

/// An enrolled agent as the coordinator keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vantage {
    /// Its name, unique in the fleet.
    pub name: VantageName,
    /// Token's and agent's labels together; the token's win.
    pub labels: Labels,
    /// What the operator decided.
    pub standing: Standing,
    /// Build of the agent, for example `0.1.0`.
    pub version: String,
    /// When it enrolled.
    pub enrolled_at: Timestamp,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
    /// The address that its session comes from.
    pub egress: Option<IpAddr>,
    /// Agent's clock minus coordinator's clock, in milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// What this agent can do, such as `ipv6` or `reply-ttl`.
    pub capabilities: Vec<String>,
}

impl Vantage {
    /// Returns the group that this vantage counts in.
    pub fn group(&self) -> Group {
        Group::of(&self.labels, self.egress)
    }
}

/// A control endpoint of the fleet: answers any name with a known key, which proves that a vantage itself is fine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Responder {
    /// Where it listens; one entry per address.
    pub addresses: Vec<SocketAddr>,
    /// SHA-256 of its public key (SPKI).
    pub key_sha256: Bytes,
    /// The vantage that runs it, none for the coordinator's own.
    pub vantage: Option<VantageName>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn groups_come_from_labels_and_else_from_the_egress_network() {
        let site = |name: &str| Group::of(&labels(&[("site", name), ("country", "de")]), None);
        assert_eq!(site("north"), site("north"));
        assert_ne!(site("north"), site("south"));
        let egress = |address: &str| Group::of(&Labels::new(), Some(address.parse().unwrap()));
        assert_eq!(egress("192.0.2.1"), egress("192.0.2.200"));
        assert_ne!(egress("192.0.2.1"), egress("192.0.3.1"));
        assert_eq!(egress("::ffff:192.0.2.1"), egress("192.0.2.9"));
        assert_eq!(egress("2001:db8:1:2::1"), egress("2001:db8:1:3::1"));
    }

    #[test]
    fn an_inside_vantage_is_a_group_of_its_own() {
        let outside = Group::of(&labels(&[("site", "x")]), None);
        assert_ne!(outside, Group::of(&labels(&[("site", "x"), ("role", "inside")]), None));
    }
}
