//! The part of a scenario that says what is seen on the wire.

use serde::Deserialize;

use super::www_name;

/// What one connection from one namespace shows, seen by a client that shares no code with the products.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// The namespaces that look.
    pub from: Vec<String>,
    /// The address and port; the resolver's first answer for the name if absent.
    pub address: Option<String>,
    /// The server name that is sent; empty for none.
    #[serde(default = "www_name")]
    pub name: String,
    /// Which ClientHello is sent.
    #[serde(default)]
    pub hello: Hello,
    /// A maximum segment size to announce.
    pub mss: Option<u32>,
    /// How often it is tried; each try must show the same unless `see_each` is given.
    #[serde(default = "once")]
    pub times: usize,
    /// Faces of which each must be seen at least once, instead of `see`.
    #[serde(default)]
    pub see_each: Vec<String>,
    /// The face: `ok`, `reset`, `closed`, `timeout`, `alert 112`, `http`, `refused`, `connect-timeout`, `unreachable`, ….
    #[serde(default)]
    pub see: String,
    /// The common name of the certificate that is presented.
    pub certificate: Option<String>,
    /// The address that the resolver gives.
    pub resolves: Option<String>,
    /// Whether everything that was written is acknowledged.
    pub acknowledged: Option<bool>,
    /// Whether segments arrive out of order.
    pub out_of_order: Option<bool>,
    /// Whether it takes at least so many milliseconds.
    pub slower_than_ms: Option<u64>,
    /// The hop limit with which resets arrive.
    pub reset_ttl: Option<u8>,
    /// The hop limit with which SYN-ACKs arrive.
    pub accept_ttl: Option<u8>,
}

/// The ClientHello of a symptom's client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hello {
    /// X25519 only: one segment.
    #[default]
    Small,
    /// With an X25519MLKEM768 share: two segments on an Ethernet path.
    Large,
    /// TLS 1.2 only.
    Tls12,
    /// As `small`, in two segments cut inside the name.
    Split,
    /// 1,440 bytes that are not TLS, in one segment.
    Garbage,
}

const fn once() -> usize {
    1
}
