//! Names and numbers of things: validated names for people, UUIDs for machines.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

/// Says why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty or longer than 63 characters.
    #[error("a name has 1 to 63 characters, {0:?} has {len}", len = .0.chars().count())]
    Length(String),
    /// The text has a character that is not allowed.
    #[error("a name starts with a letter or digit and holds only letters, digits, '.', '_' and '-': {0:?}")]
    Character(String),
}

fn valid_name(text: &str) -> Result<(), NameError> {
    if text.is_empty() || text.chars().count() > 63 {
        return Err(NameError::Length(text.to_owned()));
    }
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || !text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err(NameError::Character(text.to_owned()));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                valid_name(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                valid_name(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// The name of a vantage, unique in its fleet: 1 to 63 letters, digits, `.`, `_`, `-`.
    VantageName
}
name! {
    /// The name of a check, unique in its fleet: 1 to 63 letters, digits, `.`, `_`, `-`.
    CheckName
}
name! {
    /// The name of a profile: 1 to 63 letters, digits, `.`, `_`, `-`.
    ProfileName
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Makes a fresh identifier that sorts by the moment of its making (UUID version 7, RFC 9562 section 5.7).
            #[expect(clippy::new_without_default, reason = "a fresh identifier is not a default value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id! {
    /// Identifies a check over all its revisions.
    CheckId
}
id! {
    /// Identifies one round of one check.
    RoundId
}
id! {
    /// Identifies one incident of one check.
    IncidentId
}
id! {
    /// Identifies one attempt; made by the agent, so that a batch sent twice is stored once.
    AttemptId
}
id! {
    /// Identifies a running agent process, from its start to its end.
    BootId
}

impl RoundId {
    /// Computes the identifier of the scheduled round of `check` that starts at `start`, alike on every machine.
    ///
    /// The first 48 bits are the start in milliseconds, so that identifiers sort by time; the rest is the random part of the check's own identifier.
    pub fn scheduled(check: CheckId, start: Timestamp) -> Self {
        let mut bytes = *check.0.as_bytes();
        let milliseconds = u64::try_from(start.as_micros() / 1_000).unwrap_or(0);
        bytes[..6].copy_from_slice(&milliseconds.to_be_bytes()[2..]);
        bytes[6] = 0x80 | (bytes[6] & 0x0f);
        Self(Uuid::from_bytes(bytes))
    }
}

impl IncidentId {
    /// Computes the identifier of the incident that began in `round` by `cause`, alike on every machine; `nth` tells those apart that began together by the same cause.
    pub fn begun(round: RoundId, cause: &str, nth: usize) -> Self {
        const PRIME: u64 = 0x0100_0000_01b3;
        let mut bytes = *round.0.as_bytes();
        // FNV-1a over the cause and number, mixed into the part that is not time.
        let seed = bytes[8..]
            .iter()
            .chain(cause.as_bytes())
            .chain(&nth.to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
        bytes[8..].copy_from_slice(&seed.to_be_bytes());
        bytes[6] = 0x80 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(Uuid::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_when_made() {
        assert!("fra-1.rack_2".parse::<VantageName>().is_ok());
        for bad in ["", "-a", "a b", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<VantageName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn scheduled_rounds_are_computed_alike_and_sort_by_time() {
        let check = CheckId::new();
        let at = |seconds: i64| RoundId::scheduled(check, Timestamp::from_micros(seconds * 1_000_000));
        assert_eq!(at(1_700_000_000), at(1_700_000_000));
        assert!(at(1_700_000_000) < at(1_700_000_001));
        assert_ne!(at(5), RoundId::scheduled(CheckId::new(), Timestamp::from_micros(5_000_000)));
    }
}
