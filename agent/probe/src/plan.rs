//! What one attempt shall do.

use std::{net::SocketAddr, time::Duration};

use parallax_model::{
    assignment::Experiment,
    check::Limits,
    profile::{Delivery, Depth, HelloLayout, HelloRecipe, LARGEST_CLASSIC_GROUP, Profile},
    target::{Scheme, Target},
};

/// One attempt: what is tried, where, with which name, and what it may cost.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What the check is about; its path is asked for when `http` is set.
    pub target: Target,
    /// The recipe that the experiment varies.
    pub profile: Profile,
    /// What is varied.
    pub experiment: Experiment,
    /// Where to connect.
    pub address: SocketAddr,
    /// What goes into the server name extension; see [`server_name_for`].
    pub server_name: Option<String>,
    /// Caps on time and bytes.
    pub limits: Limits,
    /// The source port, none for one of the host's choice.
    pub source_port: Option<u16>,
    /// Whether one request follows a full handshake, GET where the limits ask for a body and HEAD elsewhere; then ALPN offers `http/1.1` alone, since that is what is spoken.
    pub http: bool,
    /// Whether the address is a fleet responder, whose echo is read instead.
    pub pinned_responder: bool,
    /// Other ports or addresses whose replies [`Experiment::ReplyTtl`] compares with, or to which [`Experiment::Audit`] offers a session.
    pub siblings: Vec<SocketAddr>,
    /// How [`Experiment::Audit`] treats the server.
    pub manners: AuditManners,
}

/// How an audit treats the server; its connections are capped by [`Limits::audit_connections`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditManners {
    /// Connections at a time, at least 1; default 8.
    pub at_once: usize,
    /// The time that it may take; default 30 s.
    pub time: Duration,
    /// Connections a second, none for as fast as the answers come; default none.
    pub per_second: Option<u32>,
    /// Whether a connection ends with a reset, which leaves nothing behind on either side but may be counted as an attack; default no.
    pub resets: bool,
}

impl Default for AuditManners {
    fn default() -> Self {
        Self { at_once: 8, time: Duration::from_secs(30), per_second: None, resets: false }
    }
}

/// Returns the server name that an experiment sends: the target's, a control, the target's in other letters, or none.
pub fn server_name_for(experiment: Experiment, target: &Target) -> Option<String> {
    let name = target.server_name()?;
    match experiment {
        Experiment::ControlName | Experiment::ControlAfter | Experiment::ControlWalk => Some(control_name(name)),
        Experiment::NameCase => Some(other_case(name)),
        Experiment::NamePrefixed => Some(prefixed(name)),
        Experiment::NameDotted => Some(format!("{name}.")),
        Experiment::NoName | Experiment::Resolve => None,
        Experiment::Responder => Some(RESPONDER_NAME.to_owned()),
        _ => Some(name.to_owned()),
    }
}

/// Returns another name of the same length that shares no label with the target's, for the contrast of M1.
///
/// It stands under `.example`, `.invalid` or `.test` where the length allows, so that it is nobody's name.
pub fn control_name(target_name: &str) -> String {
    let target = target_name.to_ascii_lowercase();
    let shares_label = |name: &str| target.split('.').any(|label| name.split('.').any(|other| other == label));
    let candidate = |shift: usize| {
        let fits = |suffix: &&str| target.len() > suffix.len() && !target.split('.').any(|label| label == &suffix[1..]);
        let suffix = [".example", ".invalid", ".test"].into_iter().find(fits).unwrap_or_default();
        spelled(shift, target.len() - suffix.len()) + suffix
    };
    (0..CONTROL_LETTERS.len()).map(candidate).find(|name| !shares_label(name)).unwrap_or_else(|| candidate(0))
}

/// Spells so many letters, in labels of the greatest length (RFC 1035 section 2.3.4).
fn spelled(shift: usize, length: usize) -> String {
    let letters = CONTROL_LETTERS.chars().cycle().skip(shift).take(length);
    let dot = |at: usize| at % (MAX_LABEL + 1) == MAX_LABEL && at + 1 < length;
    letters.enumerate().map(|(at, letter)| if dot(at) { '.' } else { letter }).collect()
}

/// Returns the same name with every other letter in the other case (M22).
fn other_case(name: &str) -> String {
    name.chars().enumerate().map(|(at, letter)| if at % 2 == 0 { letter.to_ascii_uppercase() } else { letter }).collect()
}

/// Returns the name with a letter before it; where the first label or the name is full, its last letter goes (RFC 1035 section 2.3.4).
fn prefixed(name: &str) -> String {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let full = first.len() >= MAX_LABEL || name.len() >= MAX_NAME;
    let kept = if full { &first[..first.floor_char_boundary(first.len() - 1)] } else { first };
    rest.map_or_else(|| format!("x{kept}"), |rest| format!("x{kept}.{rest}"))
}

/// What goes to the peer once the connection is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload {
    /// A ClientHello, taken as far as the library can.
    Full(HelloRecipe),
    /// A ClientHello of the own codec, padded to at least this many bytes.
    Crafted(HelloRecipe, usize),
    /// A client's own ClientHello, and what it offers.
    Client(HelloLayout, HelloRecipe),
    /// So many bytes that are not TLS; what exceeds one segment is left off.
    NotTls(usize),
}

/// What the experiment makes of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) payload: Payload,
    pub(crate) delivery: Delivery,
    pub(crate) mss: Option<u16>,
}

impl Plan {
    /// Works out what the experiment makes of the profile.
    pub(crate) fn shape(&self) -> Shape {
        let recipe = self.recipe();
        let answer_is_enough = self.profile.depth == Depth::Answer;
        let payload = match (self.experiment, &self.profile.client) {
            (Experiment::NonTls, _) => Payload::NotTls(SMALL_NOT_TLS),
            (Experiment::LargeNonTls, _) => Payload::NotTls(LARGE_NOT_TLS),
            (Experiment::LargeHello, _) => Payload::Crafted(recipe, LARGE_HELLO),
            (Experiment::LegacyHello | Experiment::WideHello | Experiment::SmallHello, _) => Payload::Crafted(recipe, 0),
            (Experiment::NoAlpn | Experiment::Tls13Only, _) if answer_is_enough => Payload::Crafted(recipe, 0),
            (Experiment::NoAlpn | Experiment::Tls13Only, _) => Payload::Full(recipe),
            (_, Some(client)) => Payload::Client(client.hello.clone(), recipe),
            (Experiment::NameCase | Experiment::NamePrefixed | Experiment::NameDotted, None) => Payload::Crafted(recipe, 0),
            _ if answer_is_enough => Payload::Crafted(recipe, 0),
            _ => Payload::Full(recipe),
        };
        let delivery = match self.experiment {
            Experiment::SplitName => Delivery::SplitInName,
            Experiment::SplitRecords => Delivery::SplitRecords,
            Experiment::LegacyHello | Experiment::WideHello | Experiment::SmallHello | Experiment::LargeHello => Delivery::Whole,
            _ => self.profile.delivery,
        };
        Shape { payload, delivery, mss: (self.experiment == Experiment::SmallMss).then_some(SMALL_MSS) }
    }

    /// Returns the name that goes out: none when the recipe leaves it out.
    pub(crate) fn name_in(&self, recipe: &HelloRecipe) -> Option<&str> {
        self.server_name.as_deref().filter(|_| recipe.server_name)
    }

    /// Returns the time that connecting may take.
    pub(crate) fn connect_timeout(&self) -> Duration {
        self.attempt_time().min(MAX_CONNECT_TIME)
    }

    /// Returns the time that the whole attempt may take.
    pub(crate) fn attempt_time(&self) -> Duration {
        Duration::from_millis(self.limits.attempt_ms)
    }

    /// Returns the recipe of a hello that fits one segment, for experiments that must not depend on a second one.
    pub(crate) fn one_segment_recipe(&self) -> HelloRecipe {
        let mut recipe = self.recipe();
        let fits = |group: &u16| *group <= LARGEST_CLASSIC_GROUP;
        recipe.groups.retain(fits);
        recipe.key_shares.retain(fits);
        recipe
    }

    /// Tells whether a walk fills its one segment, because the profile's hello takes more than one: then it stops where packets of full size do.
    pub(crate) fn walks_with_a_full_segment(&self) -> bool {
        self.experiment == Experiment::HelloWalk && self.profile.hello.exceeds_one_segment()
    }

    /// Returns what the experiment's hello offers.
    pub(crate) fn recipe(&self) -> HelloRecipe {
        let mut recipe = self.profile.hello.clone();
        match self.experiment {
            Experiment::NoName => recipe.server_name = false,
            Experiment::NoAlpn => recipe.alpn.clear(),
            Experiment::LegacyHello => recipe = HelloRecipe { server_name: recipe.server_name, ..HelloRecipe::legacy() },
            Experiment::WideHello => recipe = HelloRecipe { server_name: recipe.server_name, ..HelloRecipe::wide() },
            Experiment::SmallHello => recipe = small(&recipe),
            Experiment::Tls13Only => recipe = tls13_only(recipe),
            _ => {}
        }
        if matches!(self.target.scheme, Scheme::StartTls(_)) {
            // The profiles' protocols are those of the web, which mail servers refuse (alert 120).
            recipe.alpn.clear();
        } else if self.http && !recipe.alpn.is_empty() {
            recipe.alpn = vec!["http/1.1".to_owned()];
        }
        recipe
    }
}

/// Returns a hello of little more than two hundred bytes: one group, the suites that every modern server has.
fn small(recipe: &HelloRecipe) -> HelloRecipe {
    HelloRecipe {
        versions: vec![0x0304, 0x0303],
        cipher_suites: vec![0x1301, 0xc02b, 0xc02f],
        groups: vec![0x001d],
        key_shares: vec![0x001d],
        signature_schemes: vec![0x0403, 0x0804, 0x0401],
        alpn: Vec::new(),
        server_name: recipe.server_name,
    }
}

fn tls13_only(recipe: HelloRecipe) -> HelloRecipe {
    let mut recipe = if recipe.versions.contains(&0x0304) {
        recipe
    } else {
        let modern = Profile::builtin("modern").expect("it is built in").hello;
        HelloRecipe { server_name: recipe.server_name, alpn: recipe.alpn, ..modern }
    };
    recipe.versions = vec![0x0304];
    recipe.cipher_suites.retain(|suite| suite >> 8 == 0x13);
    recipe
}

/// The name that proves a vantage at a responder; the responders' certificates carry it.
const RESPONDER_NAME: &str = "responder.parallax.invalid";
/// Rare letters in an order that is no word, so that no list of names holds a part of it.
const CONTROL_LETTERS: &str = "qxvjzkwq";
const MAX_LABEL: usize = 63;
const MAX_NAME: usize = 253;
const MAX_CONNECT_TIME: Duration = Duration::from_secs(3);
const SMALL_NOT_TLS: usize = 24;
/// Fits one segment of an Ethernet path with timestamps (1,448 bytes), and only such a one.
const LARGE_NOT_TLS: usize = 1_440;
/// More than one segment on an Ethernet path.
const LARGE_HELLO: usize = 1_800;
const SMALL_MSS: u16 = 536;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_is_as_long_as_the_name_and_shares_no_label() {
        let long = [&["a"; 63].concat(), "b", &["c"; 63].concat(), &["d"; 60].concat(), "test"].join(".");
        for name in ["shop.example", "api.corp.test", "x.test", "a.de", "ab", "q", "qxvjz.example", "www.example.invalid", long.as_str()] {
            let control = control_name(name);
            assert_eq!(control.len(), name.len(), "{name} -> {control}");
            assert_ne!(control, name);
            assert!(name.split('.').all(|label| !control.split('.').any(|other| other == label)), "{name} -> {control}");
            assert!(rustls::pki_types::DnsName::try_from(control.as_str()).is_ok(), "{name} -> {control}");
            assert_eq!(control_name(name), control, "the same each time");
        }
    }

    #[test]
    fn names_follow_the_experiment() {
        let target: Target = "shop.corp.test:443".parse().unwrap();
        let name = |experiment| server_name_for(experiment, &target);
        assert_eq!(name(Experiment::Baseline).as_deref(), Some("shop.corp.test"));
        assert_eq!(name(Experiment::NameAtResponder).as_deref(), Some("shop.corp.test"));
        assert_eq!(name(Experiment::ControlWalk), Some(control_name("shop.corp.test")));
        let mixed = name(Experiment::NameCase).unwrap();
        assert!(mixed != "shop.corp.test" && mixed.eq_ignore_ascii_case("shop.corp.test"));
        assert_eq!(name(Experiment::NamePrefixed).as_deref(), Some("xshop.corp.test"));
        assert_eq!(name(Experiment::NameDotted).as_deref(), Some("shop.corp.test."));
        let full = format!("{}.test", "a".repeat(63));
        assert_eq!(prefixed(&full).len(), full.len(), "a label takes no more letters");
        assert_eq!(name(Experiment::NoName), None);
        let literal: Target = "192.0.2.7:443".parse().unwrap();
        assert_eq!(server_name_for(Experiment::ControlName, &literal), None);
    }
}
