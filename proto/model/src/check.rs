//! What an operator wants watched.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    bytes::Bytes,
    cadence::{AuditRounds, Cadence, Spread},
    clock::Timestamp,
    id::{CheckId, CheckName, ProfileName, RoundId},
    profile::{ALL_CLIENTS, DEFAULT_PROFILES, Definition, Profile, REQUIRED_PROFILE},
    resolver::Resolver,
    selector::Selector,
    target::Target,
};

/// What an operator wants watched: target, profiles, vantages, cadence, limits.
///
/// An ad-hoc probe is a check of cadence [`Cadence::Once`] without a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stays the same over all revisions.
    pub id: CheckId,
    /// The operator's name for it; none for an ad-hoc probe.
    pub name: Option<CheckName>,
    /// Grows by one with every change.
    pub revision: u64,
    /// What is probed.
    pub target: Target,
    /// The profiles that every vantage tries, in order.
    pub profiles: Vec<ProfileName>,
    /// Whether the operator named the profiles, which makes each of them required.
    pub profiles_named: bool,
    /// Profiles that are not built in; they travel with the check, so that no agent needs to know them.
    #[serde(default)]
    pub definitions: Vec<Definition>,
    /// Which vantages take part.
    pub from: Selector,
    /// Takes at most this many vantages, none for all.
    pub limit: Option<u32>,
    /// Thins the vantages out so that these labels differ as much as possible.
    pub diverse: Vec<String>,
    /// When rounds start.
    pub cadence: Cadence,
    /// How vantages are spread over a round's window.
    pub spread: Spread,
    /// Where the numbering of rounds begins.
    pub anchor: Timestamp,
    /// Caps on time, attempts and connections.
    pub limits: Limits,
    /// Further trust anchors (DER) for the judgement of certificates.
    pub trust: Vec<Bytes>,
    /// SHA-256 digests of the public keys (SPKI) that the owner expects; empty for any.
    pub expected_keys: Vec<Bytes>,
    /// Whether rounds are held back.
    pub paused: bool,
    /// In which rounds each address is audited, from one vantage per group.
    #[serde(default)]
    pub audit: AuditRounds,
    /// The resolvers that every vantage asks, empty for its own alone; the first one's answers are the vantage's, the others are compared with it.
    #[serde(default)]
    pub resolvers: Vec<Resolver>,
}

/// Caps on what one round may cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The whole round, follow-ups and verdict included; milliseconds, default 60,000.
    pub round_ms: u64,
    /// One attempt from SYN to end; milliseconds, default 5,000.
    pub attempt_ms: u64,
    /// Attempts per cell before it is decided, at least 2; default 2.
    pub attempts: u32,
    /// Bytes read from a server in one attempt; default 262,144.
    pub read_bytes: u64,
    /// Connections to the target per vantage and round, follow-ups included; default 120.
    pub connections: u32,
    /// Connections a second to the target per vantage after the first failure, where up to twenty that were left unused may be made up for, and where the row's own tries
    /// may come four times as fast; default 5.
    ///
    /// In the lab a reset or an alert has its verdict after 12 s at this rate (median), and had it after 7 s at 20 a second.
    pub connections_per_second: u32,
    /// Bytes of transcript kept per attempt; default 4,096.
    pub transcript_bytes: u32,
    /// Connections of one audit of one address, apart from the others; default 400.
    #[serde(default = "audit_connections")]
    pub audit_connections: u32,
    /// Bytes of the path's body that are read in an attempt with an https target, at most; default 0, which asks for the head alone.
    ///
    /// What acts only after some volume, or shapes what follows the handshake, shows nowhere else.
    #[serde(default)]
    pub body_bytes: u32,
}

/// How much of a body is read where an operator asks for it and says no more.
pub const USUAL_BODY_BYTES: u32 = 65_536;

/// The default server of a distribution takes 150; one of the old kind, with sixty suites in each of five versions, more than twice as many.
const fn audit_connections() -> u32 {
    400
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            round_ms: 60_000,
            attempt_ms: 5_000,
            attempts: 2,
            read_bytes: 262_144,
            connections: 120,
            connections_per_second: 5,
            transcript_bytes: 4_096,
            audit_connections: audit_connections(),
            body_bytes: 0,
        }
    }
}

/// Says why a check is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// A profile does not exist.
    #[error("there is no profile {0:?}: 'parallax profile list' shows all")]
    UnknownProfile(String),
    /// A profile of the operator's bears a name that is taken.
    #[error("the profile name {0:?} is taken: choose another one in its file")]
    TakenProfile(String),
    /// No profile at all.
    #[error("a check needs at least one profile")]
    NoProfile,
    /// A number is out of its range.
    #[error("{field} must be {range}")]
    OutOfRange {
        /// The field's name.
        field: &'static str,
        /// What is allowed.
        range: &'static str,
    },
}

impl Check {
    /// Makes a check that probes `target` once from every vantage with the default profiles.
    pub fn once(target: Target, anchor: Timestamp) -> Self {
        let profiles = DEFAULT_PROFILES.iter().map(|name| name.parse().expect("built-in names are names")).collect();
        Self {
            id: CheckId::new(),
            name: None,
            revision: 1,
            target,
            profiles,
            profiles_named: false,
            definitions: Vec::new(),
            from: Selector::all(),
            limit: None,
            diverse: Vec::new(),
            cadence: Cadence::Once,
            spread: Spread::Aligned,
            anchor,
            limits: Limits::default(),
            trust: Vec::new(),
            expected_keys: Vec::new(),
            paused: false,
            audit: AuditRounds::Never,
            resolvers: Vec::new(),
        }
    }

    /// Adds profiles that are not built in, which can then be named.
    ///
    /// Only here is a built-in name refused: a later version may build in what a stored check defines, and then the check's own profile is meant.
    pub fn with_definitions(mut self, definitions: Vec<Definition>) -> Result<Self, CheckError> {
        let names = definitions.iter().map(|definition| definition.profile().name.as_str());
        if let Some(taken) = names.into_iter().find(|name| *name == ALL_CLIENTS || Profile::builtin(name).is_some()) {
            return Err(CheckError::TakenProfile(taken.to_owned()));
        }
        self.definitions.extend(definitions);
        self.validated()
    }

    /// Replaces the default profiles by named ones, each of which is then required; `all-clients` stands for every recorded client.
    ///
    /// The cap on connections grows with them, so that each can be tried at several addresses.
    pub fn with_profiles(mut self, names: &[String]) -> Result<Self, CheckError> {
        let mut profiles: Vec<ProfileName> = Vec::new();
        for name in names {
            let found = if name == ALL_CLIENTS {
                Profile::clients().iter().map(|client| client.profile().name.clone()).collect()
            } else {
                vec![self.profile(name).map(|profile| profile.name).ok_or_else(|| CheckError::UnknownProfile(name.clone()))?]
            };
            profiles.extend(found.into_iter().filter(|name| !profiles.contains(name)).collect::<Vec<_>>());
        }
        let each = self.limits.attempts.saturating_mul(USUAL_ADDRESSES);
        let needed = u32::try_from(profiles.len()).unwrap_or(u32::MAX).saturating_mul(each).saturating_add(FOR_EXPLANATIONS);
        self.limits.connections = self.limits.connections.max(needed.min(MOST_CONNECTIONS));
        self.profiles = profiles;
        self.profiles_named = true;
        self.validated()
    }

    /// Returns a profile of this check by name: one that travels with it, or a built-in one.
    pub fn profile(&self, name: &str) -> Option<Profile> {
        let own = self.definitions.iter().map(Definition::profile).find(|profile| profile.name.as_str() == name);
        own.cloned().or_else(|| Profile::builtin(name))
    }

    /// Returns the check when every number is in its range and every profile exists.
    pub fn validated(self) -> Result<Self, CheckError> {
        let in_range = |field, range, fine: bool| if fine { Ok(()) } else { Err(CheckError::OutOfRange { field, range }) };
        if self.profiles.is_empty() {
            return Err(CheckError::NoProfile);
        }
        let own: Vec<&str> = self.definitions.iter().map(|definition| definition.profile().name.as_str()).collect();
        if let Some(at) = (0..own.len()).find(|at| own[..*at].contains(&own[*at])) {
            return Err(CheckError::TakenProfile(own[at].to_owned()));
        }
        if let Some(name) = self.profiles.iter().find(|name| self.profile(name.as_str()).is_none()) {
            return Err(CheckError::UnknownProfile(name.to_string()));
        }
        in_range("the round's time limit", "1s to 10m", (1_000..=600_000).contains(&self.limits.round_ms))?;
        in_range("the attempt's time limit", "100ms to 60s", (100..=60_000).contains(&self.limits.attempt_ms))?;
        in_range("attempts", "2 to 16", (2..=16).contains(&self.limits.attempts))?;
        in_range("connections", "1 to 1000", (1..=MOST_CONNECTIONS).contains(&self.limits.connections))?;
        in_range("connections a second", "1 to 1000", (1..=1_000).contains(&self.limits.connections_per_second))?;
        in_range("the bytes read in an attempt", "1 KiB to 4 MiB", (1 << 10..=4 << 20).contains(&self.limits.read_bytes))?;
        in_range("the connections of an audit", "1 to 1000", (1..=1_000).contains(&self.limits.audit_connections))?;
        in_range("the bytes of a body", "at most 1 MiB", self.limits.body_bytes <= 1 << 20)?;
        in_range("the bytes of a transcript", "at most 64 KiB", self.limits.transcript_bytes <= 64 << 10)?;
        in_range("the number of resolvers", "at most 8", self.resolvers.len() <= MOST_RESOLVERS)?;
        in_range("the expected key", "a SHA-256 digest of 32 bytes", self.expected_keys.iter().all(|key| key.0.len() == 32))?;
        Ok(self)
    }

    /// Tells whether a failure of this profile everywhere is a fault by itself.
    pub fn requires(&self, profile: &ProfileName) -> bool {
        self.profiles_named || profile.as_str() == REQUIRED_PROFILE
    }

    /// Returns the resolvers that are asked, the vantage's own one where the operator named none.
    pub fn asked_resolvers(&self) -> &[Resolver] {
        if self.resolvers.is_empty() { &[Resolver::System] } else { &self.resolvers }
    }

    /// Returns the identifier of the round that starts at `start`.
    pub fn round_at(&self, start: Timestamp) -> RoundId {
        RoundId::scheduled(self.id, start)
    }

    /// Tells whether the round that starts at `start` audits the server: never where no TLS over TCP is spoken.
    pub fn is_audited(&self, start: Timestamp) -> bool {
        self.target.scheme.speaks_tls_over_tcp() && self.audit.includes(&self.cadence, self.anchor, start)
    }

    /// Returns how long a scheduled round may take: its time limit, but not beyond the start of the next one.
    pub fn round_span(&self, start: Timestamp) -> Duration {
        let limit = Duration::from_millis(self.limits.round_ms);
        self.cadence.window(self.anchor, start).map_or(limit, |window| limit.min(window))
    }
}

const MOST_CONNECTIONS: u32 = 1_000;
/// Each is asked by every vantage, before the round begins there.
const MOST_RESOLVERS: usize = 8;
/// One of each family.
const USUAL_ADDRESSES: u32 = 2;
/// What a vantage may spend on explaining one failing address.
const FOR_EXPLANATIONS: u32 = 48;

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> Check {
        Check::once("shop.example".parse().unwrap(), Timestamp::default())
    }

    fn kiosk(name: &str) -> Definition {
        format!("name = \"{name}\"\nsummary = \"s\"\n[hello]\ncipher-suites = [\"0x1301\"]\n").parse().unwrap()
    }

    #[test]
    fn all_clients_stands_for_each_once_with_room_to_try_them() {
        let check = check().with_profiles(&["java-7".to_owned(), ALL_CLIENTS.to_owned(), "chrome".to_owned()]).unwrap();
        assert_eq!(check.profiles.len(), Profile::clients().len() + 1, "the short name is another column");
        assert!(check.limits.connections as usize >= check.profiles.len() * 4);
        assert_eq!(check.clone().with_profiles(&["modern".to_owned()]).unwrap().profiles.len(), 1);
    }

    #[test]
    fn an_own_profile_is_known_by_the_check_that_carries_it() {
        let named = ["kiosk".to_owned()];
        assert_eq!(check().with_profiles(&named), Err(CheckError::UnknownProfile("kiosk".to_owned())));
        let check = check().with_definitions(vec![kiosk("kiosk")]).unwrap().with_profiles(&named).unwrap();
        assert_eq!(check.profile("kiosk").unwrap().hello.cipher_suites, [0x1301]);
        let stored: Check = serde_json::from_str(&serde_json::to_string(&check).unwrap()).unwrap();
        assert_eq!(stored, check);
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        for taken in ["modern", "chrome", "java-7", ALL_CLIENTS, "kiosk"] {
            let result = check().with_definitions(vec![kiosk("kiosk")]).unwrap().with_definitions(vec![kiosk(taken)]);
            assert_eq!(result, Err(CheckError::TakenProfile(taken.to_owned())));
        }
    }

    #[test]
    fn a_check_of_old_has_no_definitions() {
        let mut stored = serde_json::to_value(check()).unwrap();
        stored.as_object_mut().unwrap().remove("definitions");
        assert_eq!(serde_json::from_value::<Check>(stored).unwrap().definitions, []);
    }
}
