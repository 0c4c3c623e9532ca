//! Whether a difference is beyond chance.

/// Returns the probability, by Fisher's exact test on one side, of at least so many failures on the first side by chance alone.
pub(crate) fn fisher(failed: u32, passed: u32, other_failed: u32, other_passed: u32) -> f64 {
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
pub(crate) fn at_least(hits: u32, n: u32, p: f64) -> f64 {
    let exactly = |k: u32| ln_choose(n, k).exp() * p.powi(k.cast_signed()) * (1.0 - p).powi((n - k).cast_signed());
    (hits..=n).map(exactly).sum::<f64>().min(1.0)
}

fn ln_choose(n: u32, k: u32) -> f64 {
    (1..=k).map(|i| (f64::from(n - k + i) / f64::from(i)).ln()).sum()
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
