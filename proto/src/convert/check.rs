use std::time::Duration;

use parallax_model::{
    bytes::Bytes,
    cadence::{AuditRounds, Cadence, Spread},
    check::{Check, Limits},
    clock::Timestamp,
    id::CheckId,
    profile::DEFAULT_PROFILES,
    selector::Selector,
};

use super::{
    bounds::{MAX_DIGEST_BYTES, bytes, each, each_up_to, parsed, text},
    error::{ConvertError, Naming, inner, known},
    id::{check_id, id_bytes},
};
use crate::v1;

/// Largest trust anchor; a certificate of a hundred names has about 6 KiB.
const MAX_ANCHOR_BYTES: usize = 65_536;
/// Most trust anchors; a whole system store has about 150.
const MAX_ANCHORS: usize = 512;

/// Most profiles of an operator's own in one check.
const MAX_DEFINITIONS: usize = 64;

/// Reads a check as an operator sent it: identifier, revision and anchor are not the operator's to say, so they are made here.
pub fn check_from_operator(message: v1::Check, now: Timestamp) -> Result<Check, ConvertError> {
    let id = id_bytes(&CheckId::new().0);
    Check::try_from(v1::Check { id, revision: 1, anchor_us: now.as_micros(), ..message })
}

impl From<&Check> for v1::Check {
    fn from(check: &Check) -> Self {
        Self {
            id: id_bytes(&check.id.0),
            name: check.name.as_ref().map_or_else(String::new, ToString::to_string),
            revision: check.revision,
            target: check.target.to_string(),
            profiles: check.profiles.iter().map(ToString::to_string).collect(),
            profiles_named: check.profiles_named,
            from: check.from.to_string(),
            limit: check.limit.unwrap_or(0),
            diverse: check.diverse.clone(),
            cadence: Some((&check.cadence).into()),
            spread: v1::Spread::from(check.spread).into(),
            anchor_us: check.anchor.as_micros(),
            limits: Some((&check.limits).into()),
            trust: check.trust.iter().map(|anchor| anchor.0.clone()).collect(),
            expected_keys: check.expected_keys.iter().map(|key| key.0.clone()).collect(),
            paused: check.paused,
            audit: v1::AuditRounds::from(check.audit).into(),
            resolvers: check.resolvers.iter().map(ToString::to_string).collect(),
            profile_definitions: check.definitions.iter().map(|definition| definition.text().to_owned()).collect(),
        }
    }
}

impl TryFrom<v1::Check> for Check {
    type Error = ConvertError;
    fn try_from(message: v1::Check) -> Result<Self, ConvertError> {
        let named = !message.profiles.is_empty();
        let defaults = || DEFAULT_PROFILES.map(str::to_owned).to_vec();
        let profiles = if named { message.profiles } else { defaults() };
        let cadence = inner(message.cadence, "cadence")?.unwrap_or(Cadence::Once);
        let audit = if message.audit == 0 { usual_audit(&cadence) } else { known::<v1::AuditRounds>(message.audit, "audit")?.into() };
        let check = Self {
            id: check_id(&message.id, "id")?,
            name: (!message.name.is_empty()).then(|| parsed(message.name, "name")).transpose()?,
            revision: message.revision,
            target: parsed(message.target, "target")?,
            profiles: each(profiles, "profiles", |name| parsed(name, ""))?,
            profiles_named: named && message.profiles_named,
            definitions: each_up_to(MAX_DEFINITIONS, message.profile_definitions, "profile_definitions", |text| text.parse().naming(""))?,
            from: if message.from.is_empty() { Selector::all() } else { parsed(message.from, "from")? },
            limit: (message.limit > 0).then_some(message.limit),
            diverse: each(message.diverse, "diverse", |label| text(label, ""))?,
            cadence,
            spread: if message.spread == 0 { Spread::default() } else { known::<v1::Spread>(message.spread, "spread")?.into() },
            anchor: Timestamp::from_micros(message.anchor_us),
            limits: message.limits.unwrap_or_default().into(),
            trust: each_up_to(MAX_ANCHORS, message.trust, "trust", |anchor| bytes(anchor, "", MAX_ANCHOR_BYTES).map(Bytes))?,
            expected_keys: each(message.expected_keys, "expected_keys", |key| bytes(key, "", MAX_DIGEST_BYTES).map(Bytes))?,
            paused: message.paused,
            audit,
            resolvers: each(message.resolvers, "resolvers", |text| parsed(text, ""))?,
        };
        check.validated().naming("check")
    }
}

fn usual_audit(cadence: &Cadence) -> AuditRounds {
    if *cadence == Cadence::Once { AuditRounds::Never } else { AuditRounds::Daily }
}

impl From<AuditRounds> for v1::AuditRounds {
    fn from(rounds: AuditRounds) -> Self {
        match rounds {
            AuditRounds::Never => Self::Never,
            AuditRounds::Daily => Self::Daily,
            AuditRounds::EveryRound => Self::EveryRound,
        }
    }
}

impl From<v1::AuditRounds> for AuditRounds {
    fn from(rounds: v1::AuditRounds) -> Self {
        match rounds {
            v1::AuditRounds::Unspecified | v1::AuditRounds::Never => Self::Never,
            v1::AuditRounds::Daily => Self::Daily,
            v1::AuditRounds::EveryRound => Self::EveryRound,
        }
    }
}

impl From<&Cadence> for v1::Cadence {
    fn from(cadence: &Cadence) -> Self {
        let kind = match cadence {
            Cadence::Once => None,
            Cadence::Every { every_ms } => Some(v1::cadence::Kind::EveryMs(*every_ms)),
            Cadence::Cron(expression) => Some(v1::cadence::Kind::Cron(expression.to_string())),
        };
        Self { kind }
    }
}

impl TryFrom<v1::Cadence> for Cadence {
    type Error = ConvertError;
    fn try_from(message: v1::Cadence) -> Result<Self, ConvertError> {
        match message.kind {
            None => Ok(Self::Once),
            Some(v1::cadence::Kind::EveryMs(every_ms)) => Self::every(Duration::from_millis(every_ms)).naming("every_ms"),
            Some(v1::cadence::Kind::Cron(expression)) => parsed(expression, "cron").map(Self::Cron),
        }
    }
}

impl From<Spread> for v1::Spread {
    fn from(spread: Spread) -> Self {
        match spread {
            Spread::Aligned => Self::Aligned,
            Spread::Staggered => Self::Staggered,
            Spread::Uniform => Self::Uniform,
        }
    }
}

impl From<v1::Spread> for Spread {
    fn from(spread: v1::Spread) -> Self {
        match spread {
            v1::Spread::Unspecified | v1::Spread::Aligned => Self::Aligned,
            v1::Spread::Staggered => Self::Staggered,
            v1::Spread::Uniform => Self::Uniform,
        }
    }
}

impl From<&Limits> for v1::Limits {
    fn from(limits: &Limits) -> Self {
        Self {
            round_ms: limits.round_ms,
            attempt_ms: limits.attempt_ms,
            attempts: limits.attempts,
            read_bytes: limits.read_bytes,
            connections: limits.connections,
            connections_per_second: limits.connections_per_second,
            transcript_bytes: limits.transcript_bytes,
            audit_connections: limits.audit_connections,
            body_bytes: limits.body_bytes,
        }
    }
}

/// Zero stands for the default; the ranges are the check's to judge.
impl From<v1::Limits> for Limits {
    fn from(message: v1::Limits) -> Self {
        fn or<T: Default + PartialEq>(value: T, default: T) -> T {
            if value == T::default() { default } else { value }
        }
        let default = Self::default();
        Self {
            round_ms: or(message.round_ms, default.round_ms),
            attempt_ms: or(message.attempt_ms, default.attempt_ms),
            attempts: or(message.attempts, default.attempts),
            read_bytes: or(message.read_bytes, default.read_bytes),
            connections: or(message.connections, default.connections),
            connections_per_second: or(message.connections_per_second, default.connections_per_second),
            transcript_bytes: or(message.transcript_bytes, default.transcript_bytes),
            audit_connections: or(message.audit_connections, default.audit_connections),
            body_bytes: message.body_bytes,
        }
    }
}
