//! Named recipes for a handshake: which ClientHello, and how it is delivered.

mod clients;
mod definition;
mod layout;
mod limits;
#[cfg(test)]
mod tests;
mod text;

pub use definition::{Client, Definition, DefinitionError};
pub use layout::{ExtensionLayout, ExtensionLayouts, Fresh, HelloLayout, SessionIdLength};
pub use limits::{ClientLimits, Refusal, Shown};

use serde::{Deserialize, Serialize};

use crate::id::ProfileName;

/// A named recipe for a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// The name that operators and verdicts use.
    pub name: ProfileName,
    /// What is sent, in one line.
    pub summary: String,
    /// What the ClientHello offers.
    pub hello: HelloRecipe,
    /// How the ClientHello is written to the connection.
    pub delivery: Delivery,
    /// How far the handshake is taken.
    pub depth: Depth,
    /// The client whose very hello is sent; none where the recipe says it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Box<Client>>,
}

/// What a ClientHello offers, in the order in which it is offered; numbers are the TLS registries' (RFC 8446).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HelloRecipe {
    /// Protocol versions, best first; without TLS 1.3 the highest goes into `legacy_version`.
    pub versions: Vec<u16>,
    /// Cipher suites.
    pub cipher_suites: Vec<u16>,
    /// Key-exchange groups.
    pub groups: Vec<u16>,
    /// Groups for which a key share is sent.
    pub key_shares: Vec<u16>,
    /// Signature schemes.
    pub signature_schemes: Vec<u16>,
    /// Application protocols; empty sends no ALPN extension.
    pub alpn: Vec<String>,
    /// Whether the server name is sent.
    pub server_name: bool,
}

/// How the ClientHello is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// In one write.
    #[default]
    Whole,
    /// In two TCP segments, cut in the middle of the server name (or of the hello when it carries none).
    SplitInName,
    /// In two TLS records, cut at the same place, in one write.
    SplitRecords,
}

/// How far a handshake is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// To the end, by rustls: certificates and what follows are seen in every version.
    Full,
    /// To the server's answer in clear, by the own codec: any version, suite and extension can be offered.
    Answer,
}

/// The profiles that a probe or check tries when none is named.
pub const DEFAULT_PROFILES: [&str; 4] = ["modern", "modern-pq", "tls12", "split"];

/// The name that stands for every recorded client.
pub const ALL_CLIENTS: &str = "all-clients";

/// The only default profile whose failure is a fault by itself.
pub const REQUIRED_PROFILE: &str = "modern";

/// Above it stand the post-quantum groups, whose shares are larger than a kilobyte.
pub const LARGEST_CLASSIC_GROUP: u16 = 0x01ff;

const TLS13_SUITES: [u16; 3] = [0x1302, 0x1301, 0x1303];
const TLS12_SUITES: [u16; 6] = [0xc02c, 0xc02b, 0xcca9, 0xc030, 0xc02f, 0xcca8];
const LEGACY_SUITES: [u16; 22] = [
    0xc00a, 0xc009, 0xc014, 0xc013, 0xc024, 0xc023, 0xc028, 0xc027, 0x009f, 0x009e, 0x006b, 0x0067, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035,
    0x002f, 0x000a, 0x0005,
];
const SCHEMES: [u16; 9] = [0x0403, 0x0503, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601];
const LEGACY_SCHEMES: [u16; 2] = [0x0203, 0x0201];
const CLASSIC_GROUPS: [u16; 3] = [0x001d, 0x0017, 0x0018];
/// Curves, finite fields, the Brainpool curves of TLS 1.3 and the post-quantum hybrids.
const TLS13_GROUPS: [u16; 16] = [29, 23, 24, 25, 30, 256, 257, 258, 259, 260, 31, 32, 33, 0x11ec, 0x11eb, 0x11ed];
/// P-521, X448, secp256k1 and the Brainpool curves.
const UNUSUAL_GROUPS: [u16; 6] = [0x0019, 0x001e, 0x0016, 0x001a, 0x001b, 0x001c];

impl HelloRecipe {
    fn modern() -> Self {
        Self {
            versions: vec![0x0304, 0x0303],
            cipher_suites: TLS13_SUITES.iter().chain(&TLS12_SUITES).copied().collect(),
            groups: CLASSIC_GROUPS.to_vec(),
            key_shares: vec![CLASSIC_GROUPS[0]],
            signature_schemes: SCHEMES.to_vec(),
            alpn: vec!["h2".to_owned(), "http/1.1".to_owned()],
            server_name: true,
        }
    }

    fn tls12() -> Self {
        Self { versions: vec![0x0303], cipher_suites: TLS12_SUITES.to_vec(), key_shares: Vec::new(), ..Self::modern() }
    }

    /// Tells whether its key shares alone take about a segment: those of post-quantum groups do.
    pub fn exceeds_one_segment(&self) -> bool {
        self.key_shares.iter().any(|group| *group > LARGEST_CLASSIC_GROUP)
    }

    /// Offers everything from TLS 1.0 to 1.2 that servers have been seen to want: shows what a server *can* do.
    pub fn legacy() -> Self {
        let suites = TLS12_SUITES.iter().chain(&LEGACY_SUITES);
        Self {
            versions: vec![0x0303, 0x0302, 0x0301],
            cipher_suites: suites.copied().chain([0x00ff]).collect(),
            groups: CLASSIC_GROUPS.iter().chain(&UNUSUAL_GROUPS).copied().collect(),
            key_shares: Vec::new(),
            signature_schemes: SCHEMES.iter().chain(&LEGACY_SCHEMES).copied().collect(),
            alpn: Vec::new(),
            server_name: true,
        }
    }

    /// Offers the suites and groups that servers of TLS 1.3 can have, and no key share: the server names what it would take.
    pub fn wide() -> Self {
        Self {
            versions: vec![0x0304],
            cipher_suites: TLS13_SUITES.iter().chain(&[0x1304, 0x1305]).copied().collect(),
            groups: TLS13_GROUPS.to_vec(),
            ..Self::legacy()
        }
    }
}

impl Profile {
    /// Returns the built-in profile of this name; a recorded client is found under its short names too, and then bears the one that was asked for.
    pub fn builtin(name: &str) -> Option<Self> {
        let recipe = Self::recipes().into_iter().find(|profile| profile.name.as_str() == name);
        recipe.or_else(|| Some(Self { name: name.parse().ok()?, ..clients::find(name)?.profile().clone() }))
    }

    /// Returns the profiles that are tried when none is named.
    pub fn defaults() -> Vec<Self> {
        Self::recipes().into_iter().filter(|profile| DEFAULT_PROFILES.contains(&profile.name.as_str())).collect()
    }

    /// Returns every built-in profile: recipes, the defaults first, then recorded clients.
    pub fn all() -> Vec<Self> {
        Self::recipes().into_iter().chain(Self::clients().iter().map(|client| client.profile().clone())).collect()
    }

    /// Returns the recorded clients: browsers first, the newest of a family first.
    pub fn clients() -> &'static [Definition] {
        clients::all()
    }

    fn recipes() -> Vec<Self> {
        let modern = HelloRecipe::modern;
        let post_quantum = HelloRecipe { groups: vec![0x11ec, 0x001d, 0x0017, 0x0018], key_shares: vec![0x11ec, 0x001d], ..modern() };
        let nginx = HelloRecipe { server_name: false, alpn: Vec::new(), ..HelloRecipe::tls12() };
        vec![
            builtin("modern", "TLS 1.3 and 1.2, X25519, P-256 and P-384, one segment: the baseline", modern(), Delivery::Whole, Depth::Full),
            builtin("modern-pq", "modern with an X25519MLKEM768 share first: more than one segment", post_quantum, Delivery::Whole, Depth::Full),
            builtin("tls12", "TLS 1.2 only", HelloRecipe::tls12(), Delivery::Whole, Depth::Full),
            builtin("split", "modern, in two segments cut inside the server name", modern(), Delivery::SplitInName, Depth::Full),
            builtin("no-sni", "modern without the server name", HelloRecipe { server_name: false, ..modern() }, Delivery::Whole, Depth::Full),
            builtin("legacy", "TLS 1.0 to 1.2, wide suites", HelloRecipe::legacy(), Delivery::Whole, Depth::Answer),
            builtin("nginx-upstream", "nginx's own upstream client as it comes: TLS 1.2, no server name, no ALPN", nginx, Delivery::Whole, Depth::Full),
        ]
    }
}

fn builtin(name: &str, summary: &str, hello: HelloRecipe, delivery: Delivery, depth: Depth) -> Profile {
    let name = name.parse().expect("built-in names are names");
    Profile { name, summary: summary.to_owned(), hello, delivery, depth, client: None }
}
