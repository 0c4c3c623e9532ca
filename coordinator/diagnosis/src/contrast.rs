//! Whether a difference is beyond chance, and how much a contrast of groups may claim.

use parallax_model::verdict::Tier;

/// Returns the probability, by Fisher's exact test on one side, of at least so many failures on the first side by chance alone.
pub(crate) fn fisher(failed: usize, passed: usize, other_failed: usize, other_passed: usize) -> f64 {
    let (first, second) = (failed + passed, other_failed + other_passed);
    let failures = failed + other_failed;
    if first == 0 || second == 0 || failures == 0 {
        return 1.0;
    }
    let total = ln_choose(first + second, failures);
    let most = first.min(failures);
    let tail = (failed..=most).filter(|k| failures - k <= second).map(|k| (ln_choose(first, k) + ln_choose(second, failures - k) - total).exp());
    tail.sum::<f64>().min(1.0)
}

/// Returns the probability of `hits` or more out of `n` when each has the probability `p`.
pub(crate) fn at_least(hits: usize, n: usize, p: f64) -> f64 {
    let exactly = |k: usize| ln_choose(n, k).exp() * p.powf(k as f64) * (1.0 - p).powf((n - k) as f64);
    (hits..=n).map(exactly).sum::<f64>().min(1.0)
}

/// Returns the probability of so many of the same in a row when each has the probability `share`.
pub(crate) fn row_by_chance(share: f64, length: usize) -> f64 {
    share.powi(i32::try_from(length).unwrap_or(i32::MAX))
}

fn ln_choose(n: usize, k: usize) -> f64 {
    (1..=k).map(|i| ((n - k + i) as f64 / i as f64).ln()).sum()
}

/// Returns what a failure of one group may be called by the contrast alone, when this many other groups pass.
pub(crate) fn tier_beside(groups_passing: usize) -> Option<Tier> {
    match groups_passing {
        0 => None,
        1 => Some(Tier::Suspected),
        _ => Some(Tier::Likely),
    }
}

/// A difference of this probability or less is beyond chance.
pub(crate) const BEYOND_CHANCE: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_values_of_methods_come_out() {
        for (failed, other_passed, expected) in [(3, 3, 0.05), (4, 4, 0.014), (5, 5, 0.004)] {
            let p = fisher(failed, 0, 0, other_passed);
            assert!((p - expected).abs() < 0.001, "{failed} of {failed} against 0 of {other_passed}: {p}");
        }
        assert!((at_least(8, 10, 0.5) - 56.0 / 1_024.0).abs() < 1e-9);
        assert!((fisher(0, 5, 0, 5) - 1.0).abs() < f64::EPSILON);
        assert!((fisher(2, 2, 2, 2) - 0.757).abs() < 0.001);
    }
}
