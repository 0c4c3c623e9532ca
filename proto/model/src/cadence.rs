//! When rounds start: the same answer on every machine, from the check and the clock alone.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// When the rounds of a check start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cadence {
    /// One round, now, on request.
    Once,
    /// A round at `anchor + n × every`.
    Every {
        /// Distance between the starts of two rounds, in milliseconds; at least 1,000.
        every_ms: u64,
    },
    /// A round at each minute that a cron expression names, in UTC.
    Cron(CronExpression),
}

/// Five cron fields (minute, hour, day of month, month, day of week), read in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CronExpression(String);

/// Says why a cadence is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CadenceError {
    /// Rounds would start more often than once a second.
    #[error("rounds start at least one second apart")]
    TooFast,
    /// The cron expression does not parse.
    #[error("{0:?} is not a cron expression: write five fields, for example '*/5 * * * *'")]
    Cron(String),
}

impl FromStr for CronExpression {
    type Err = CadenceError;
    fn from_str(text: &str) -> Result<Self, CadenceError> {
        croner::Cron::from_str(text).map_err(|_| CadenceError::Cron(text.to_owned()))?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for CronExpression {
    type Error = CadenceError;
    fn try_from(text: String) -> Result<Self, CadenceError> {
        text.parse()
    }
}

impl From<CronExpression> for String {
    fn from(expression: CronExpression) -> Self {
        expression.0
    }
}

impl fmt::Display for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Cadence {
    /// Makes an interval cadence; refuses less than one second.
    pub fn every(interval: Duration) -> Result<Self, CadenceError> {
        match u64::try_from(interval.as_millis()) {
            Ok(every_ms) if every_ms >= 1_000 => Ok(Self::Every { every_ms }),
            _ => Err(CadenceError::TooFast),
        }
    }

    /// Returns the start of the first round strictly after `after`; none for a cadence without further rounds.
    pub fn next_after(&self, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once => None,
            Self::Every { every_ms } => {
                let step = i64::try_from(*every_ms).ok()?.checked_mul(1_000)?;
                let number = after.micros_since(anchor).div_euclid(step) + 1;
                Some(Timestamp::from_micros(anchor.as_micros().checked_add(number.max(0).checked_mul(step)?)?))
            }
            Self::Cron(expression) => {
                let cron = croner::Cron::from_str(&expression.0).ok()?;
                let from = after.to_jiff().to_zoned(jiff::tz::TimeZone::UTC);
                cron.find_next_occurrence(&from, false).ok().map(|next| next.timestamp().into())
            }
        }
    }

    /// Returns the distance to the round after the one that starts at `start`, which bounds how late a share may begin.
    pub fn window(&self, anchor: Timestamp, start: Timestamp) -> Option<Duration> {
        let next = self.next_after(anchor, start)?;
        u64::try_from(next.micros_since(start)).ok().map(Duration::from_micros)
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once => f.write_str("once"),
            Self::Every { every_ms } if every_ms.is_multiple_of(1_000) => write!(f, "every {}s", every_ms / 1_000),
            Self::Every { every_ms } => write!(f, "every {every_ms}ms"),
            Self::Cron(expression) => write!(f, "cron {expression}"),
        }
    }
}

/// How the vantages of one round are spread over its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// All vantages start together.
    #[default]
    Aligned,
    /// The n-th of N vantages starts n/N of the window later.
    Staggered,
    /// Each vantage starts at a moment of its own, the same in every round.
    Uniform,
}

/// In which rounds of a check the server is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditRounds {
    /// In none.
    #[default]
    Never,
    /// In the first round of each day since the anchor; in every round where rounds are further apart.
    Daily,
    /// In each.
    EveryRound,
}

impl AuditRounds {
    /// Tells whether the round that starts at `start` is one of them.
    pub fn includes(self, cadence: &Cadence, anchor: Timestamp, start: Timestamp) -> bool {
        match (self, cadence.window(anchor, start)) {
            (Self::Never, _) | (Self::Daily, None) => false,
            (Self::EveryRound, _) => true,
            (Self::Daily, Some(window)) => {
                let first = anchor + window;
                let day = |moment: Timestamp| moment.micros_since(first).div_euclid(DAY_US);
                day(start) != day(start - window)
            }
        }
    }
}

const DAY_US: i64 = 86_400_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn interval_rounds_are_phase_locked_to_the_anchor() {
        let cadence = Cadence::every(Duration::from_secs(60)).unwrap();
        assert_eq!(cadence.next_after(at(7), at(7)), Some(at(67)));
        assert_eq!(cadence.next_after(at(7), at(66)), Some(at(67)));
        assert_eq!(cadence.next_after(at(7), at(67)), Some(at(127)));
        assert_eq!(cadence.next_after(at(1_000), at(3)), Some(at(1_000)), "no round before the anchor");
        assert_eq!(cadence.window(at(7), at(67)), Some(Duration::from_secs(60)));
    }

    #[test]
    fn cron_rounds_are_in_utc() {
        let cadence = Cadence::Cron("*/5 * * * *".parse().unwrap());
        let start: Timestamp = "2026-11-23T08:03:10Z".parse().unwrap();
        assert_eq!(cadence.next_after(at(0), start), Some("2026-11-23T08:05:00Z".parse().unwrap()));
        assert!("bananas".parse::<CronExpression>().is_err());
    }

    #[test]
    fn one_round_a_day_is_audited_from_the_first_on() {
        const DAY: i64 = 86_400;
        let audited = |cadence: &Cadence, start| AuditRounds::Daily.includes(cadence, at(7), at(start));
        let minutely = Cadence::every(Duration::from_secs(60)).unwrap();
        let of_three_days: Vec<i64> = (1..=3 * DAY / 60).filter(|round| audited(&minutely, 7 + round * 60)).collect();
        assert_eq!(of_three_days, [1, 1 + DAY / 60, 1 + 2 * DAY / 60]);
        let weekly = Cadence::every(Duration::from_secs(7 * 86_400)).unwrap();
        assert!((1..=5).all(|round| audited(&weekly, 7 + round * 7 * DAY)));
        assert!(!audited(&Cadence::Once, 7) && AuditRounds::EveryRound.includes(&Cadence::Once, at(7), at(7)));
        assert!(!AuditRounds::Never.includes(&minutely, at(7), at(67)));
    }

    #[test]
    fn faster_than_a_second_is_refused() {
        assert_eq!(Cadence::every(Duration::from_millis(999)), Err(CadenceError::TooFast));
    }
}
