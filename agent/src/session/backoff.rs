//! How long to wait before the next try to reach a coordinator: a pure function of the number of failures and one random number.

use std::time::Duration;

/// Returns the pause after the `failures`-th failure in a row: doubling from 0.2 s to at most 15 s, of which `random` (0 to 1) decides all but a quarter.
///
/// A whole fleet that lost its coordinator at one moment thus comes back spread over time.
pub(crate) fn pause(failures: u32, random: f64) -> Duration {
    let ceiling = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(MOST);
    ceiling.mul_f64(0.25 + 0.75 * random.clamp(0.0, 1.0))
}

/// Returns a random number from 0 to 1; the same one every time when the host has no randomness, which only costs the spread.
pub(crate) fn random() -> f64 {
    let mut bytes = [0; 4];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}

const FIRST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_keep_a_quarter() {
        let longest: Vec<u128> = (1..=8).map(|failures| pause(failures, 1.0).as_millis()).collect();
        assert_eq!(longest, [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 15_000]);
        assert_eq!(pause(1, 0.0).as_millis(), 50);
        assert_eq!(pause(u32::MAX, 0.0).as_millis(), 3_750);
        assert_eq!(pause(0, 1.0).as_millis(), 200);
    }

    #[test]
    fn random_numbers_differ_and_stay_in_range() {
        let numbers: Vec<f64> = (0..32).map(|_| random()).collect();
        assert!(numbers.iter().all(|number| (0.0..=1.0).contains(number)));
        assert!(numbers.iter().any(|number| *number != numbers[0]));
    }
}
