//! What a round saw of a target, in short: kept with the verdict, so that a later round can say what changed without the attempts.
//!
//! Attempts are large and the first thing that retention drops; a verdict stays readable by itself. A round costs some 300 bytes per address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What a round saw of a target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Digest {
    /// The build of the agent, by vantage, of those that were heard.
    #[serde(default)]
    pub builds: BTreeMap<String, String>,
    /// One entry per address that was tried, in their order.
    #[serde(default)]
    pub addresses: Vec<AddressDigest>,
}

/// What a round saw at one address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AddressDigest {
    /// `ADDRESS:PORT`.
    pub address: String,
    /// The leaf certificates that came from there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<LeafDigest>,
    /// The application protocols that it chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<String>,
    /// With which TTL its acknowledgement of the ClientHello arrived, by vantage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ttl: BTreeMap<String, u8>,
}

/// A leaf certificate, and how often it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafDigest {
    /// SHA-256 of its public key (SPKI), hexadecimal.
    pub key: String,
    /// SHA-256 over the whole chain as it was sent, the first 16 hexadecimal digits.
    pub chain: String,
    /// When it ends.
    pub not_after: Timestamp,
    /// Whether the chain is acceptable to a client.
    pub valid: bool,
    /// The profiles that got it.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// Attempts that got it.
    pub attempts: u32,
}
