//! One vantage's share of a round.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{
    check::Check,
    clock::Timestamp,
    id::{ProfileName, RoundId},
};

/// One vantage's share of a round, with a deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The round that it belongs to.
    pub round: RoundId,
    /// The check as it stood when the round was planned.
    pub check: Check,
    /// When the round starts, by the coordinator's clock.
    pub start: Timestamp,
    /// When the share must be reported, by the coordinator's clock.
    pub deadline: Timestamp,
    /// Whether somebody is watching, so that progress is worth sending.
    pub live: bool,
    /// What to do.
    pub work: Work,
}

/// What a share consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// The whole matrix row: resolve, try every profile at every address, and explain failures at once.
    Row,
    /// Further experiments of a round that is under way: the comparison, or addresses that others resolved.
    FollowUp(Vec<Task>),
}

/// One thing to try.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Task {
    /// The recipe that the experiment varies.
    pub profile: ProfileName,
    /// What is varied.
    pub experiment: Experiment,
    /// Where to connect; none means every address of the target.
    pub address: Option<SocketAddr>,
    /// How often, one after the other; 1 to 16.
    pub repeat: u32,
    /// Where the connections come from that a witness is asked about; empty for every other experiment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<IpAddr>,
}

macro_rules! experiments {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What an attempt varies against its profile; the numbers are those of the field's methods, see the catalogue.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Experiment {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }

        impl Experiment {
            /// Every experiment, in the order of their declaration.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the name that is stored, sent and shown.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

experiments! {
    /// Nothing: the profile as it is.
    Baseline = "baseline",
    /// Only the name is resolved, nothing is connected to.
    Resolve = "resolve",
    /// The profile at one of the fleet's responders: proves that the vantage itself is fine.
    Responder = "responder",
    /// Another name at the same address and port (M1).
    ControlName = "control-name",
    /// No server name (M3).
    NoName = "no-name",
    /// The wanted name at one of the fleet's responders (M2).
    NameAtResponder = "name-at-responder",
    /// The ClientHello in two segments, cut inside the name (M4).
    SplitName = "split-name",
    /// The ClientHello in two records, cut inside the name, in one write (M5).
    SplitRecords = "split-records",
    /// A small ClientHello: one group, few suites (M6).
    SmallHello = "small-hello",
    /// A large ClientHello: above 1,700 bytes (M6).
    LargeHello = "large-hello",
    /// `TCP_MAXSEG` 536 before connecting (M8).
    SmallMss = "small-mss",
    /// Everything from TLS 1.0 to 1.2, to see what the server can do (M7).
    LegacyHello = "legacy-hello",
    /// Everything of TLS 1.3 without a key share: the server names its suite and group by HelloRetryRequest (M7).
    WideHello = "wide-hello",
    /// The profile restricted to TLS 1.3 (M7).
    Tls13Only = "tls13-only",
    /// The profile without ALPN (M7).
    NoAlpn = "no-alpn",
    /// The arrival TTL of the SYN-ACK and of the answer or refusal, by `IP_MINTTL` (M11).
    ReplyTtl = "reply-ttl",
    /// SYNs with a growing hop limit (M10).
    SynWalk = "syn-walk",
    /// ClientHellos with the wanted name and a growing hop limit (M9).
    HelloWalk = "hello-walk",
    /// ClientHellos with the control name and a growing hop limit (M9).
    ControlWalk = "control-walk",
    /// A few bytes that are not TLS (M20).
    NonTls = "non-tls",
    /// 1,440 bytes that are not TLS, in one segment: lost in an MTU hole, acknowledged by a size filter.
    LargeNonTls = "large-non-tls",
    /// The same from a pinned source port; the port is in the facts (M14).
    SourcePort = "source-port",
    /// The control name again, right after the wanted one: shows a device that remembers (M15).
    ControlAfter = "control-after",
    /// The same letters in another case: a server treats it alike, a string match does not (M22).
    NameCase = "name-case",
    /// The wanted name with a letter before it: another name to a server, the same to whoever looks for its letters (M22).
    NamePrefixed = "name-prefixed",
    /// The wanted name with a dot at its end, which names the same host (M22).
    NameDotted = "name-dotted",
    /// The profile again after a pause in which nothing was sent: shows a limit on rate.
    Slow = "slow",
    /// What a witness on the server's host saw of the fleet's connections; makes none itself (M16).
    Witness = "witness",
    /// Everything that the server can do, by many small handshakes.
    Audit = "audit",
}

impl std::fmt::Display for Experiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Says that an experiment has another name, or comes from a newer build.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no experiment is called {0:?}")]
pub struct UnknownExperiment(pub String);

impl std::str::FromStr for Experiment {
    type Err = UnknownExperiment;
    fn from_str(text: &str) -> Result<Self, UnknownExperiment> {
        Self::ALL.iter().copied().find(|experiment| experiment.as_str() == text).ok_or_else(|| UnknownExperiment(text.to_owned()))
    }
}
