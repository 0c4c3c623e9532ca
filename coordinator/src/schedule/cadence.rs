//! When rounds start, and which round an identifier means: computed from the check alone, as agents do.

use std::time::Duration;

use parallax_model::{cadence::Cadence, check::Check, clock::Timestamp, id::RoundId};

/// Returns the start of the next round of a check after `now`; none for one that is paused or has no cadence.
pub(crate) fn next_start(check: &Check, now: Timestamp) -> Option<Timestamp> {
    if check.paused { None } else { check.cadence.next_after(check.anchor, now) }
}

/// Returns the starts of rounds in `after..=now`, but none that is more than ten seconds late: vantages that ran it report it by themselves.
pub(crate) fn due_starts(check: &Check, after: Timestamp, now: Timestamp) -> Vec<Timestamp> {
    let from = after.max(now - LATEST);
    std::iter::successors(next_start(check, from), |start| next_start(check, *start)).take_while(|start| *start <= now).collect()
}

/// Finds the start that a round's identifier means: the start of a round of this check, to the microsecond; none when no round of it has this identifier.
pub(crate) fn start_of(check: &Check, round: RoundId) -> Option<Timestamp> {
    if check.cadence == Cadence::Once {
        return None;
    }
    let bytes = round.0.as_bytes();
    let milliseconds = bytes[..6].iter().fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte));
    let from = Timestamp::from_micros(milliseconds.checked_mul(1_000)?);
    let start = check.cadence.next_after(check.anchor, from - Duration::from_micros(1))?;
    (start.micros_since(from) < 1_000 && check.round_at(start) == round).then_some(start)
}

const LATEST: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(every_ms: u64) -> Check {
        Check { cadence: Cadence::Every { every_ms }, ..Check::once("x.test".parse().unwrap(), Timestamp::from_micros(1_700_000_000_123_456)) }
    }

    fn at(check: &Check, number: i64) -> Timestamp {
        let Cadence::Every { every_ms } = check.cadence else { panic!("an interval") };
        Timestamp::from_micros(check.anchor.as_micros() + number * i64::try_from(every_ms).unwrap() * 1_000)
    }

    #[test]
    fn an_identifier_tells_its_start_and_strangers_are_recognised() {
        let check = check(5_000);
        for number in [0, 1, 17_280] {
            assert_eq!(start_of(&check, check.round_at(at(&check, number))), Some(at(&check, number)));
        }
        assert_eq!(start_of(&check, check.round_at(at(&check, 3) + Duration::from_millis(1))), None);
        assert_eq!(start_of(&check, RoundId::scheduled(parallax_model::id::CheckId::new(), at(&check, 3))), None);
        assert_eq!(start_of(&check, RoundId::new()), None);
        let once = Check { cadence: Cadence::Once, ..check.clone() };
        assert_eq!(start_of(&once, check.round_at(at(&check, 1))), None);
        let cron = Check { cadence: Cadence::Cron("*/5 * * * *".parse().unwrap()), ..check };
        let start = cron.cadence.next_after(cron.anchor, cron.anchor).unwrap();
        assert_eq!(start_of(&cron, cron.round_at(start)), Some(start));
    }

    #[test]
    fn every_start_is_due_once_and_old_ones_are_not_made_up_for() {
        let check = check(5_000);
        assert_eq!(due_starts(&check, at(&check, 3), at(&check, 4)), [at(&check, 4)]);
        assert_eq!(due_starts(&check, at(&check, 4), at(&check, 4) + Duration::from_secs(1)), []);
        assert_eq!(due_starts(&check, at(&check, 3), at(&check, 900)), [at(&check, 899), at(&check, 900)]);
        assert_eq!(due_starts(&Check { paused: true, ..check.clone() }, at(&check, 3), at(&check, 4)), []);
    }
}
