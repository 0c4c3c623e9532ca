//! The counts behind the tables.

use std::collections::BTreeMap;

use crate::lab::{run::Report, scenario::Tier};

/// The loci, in the order in which they are shown, and a healthy target.
pub(super) const LOCI: [&str; 8] = ["server", "edge", "policy", "path", "dns", "vantage", "undetermined", HEALTHY];
const HEALTHY: &str = "healthy";

/// What all reports sum up to.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// By the right locus and the one that was told; nothing told counts as `undetermined`.
    pub(super) told: BTreeMap<(String, String), usize>,
    /// By the cause that is right.
    pub(super) causes: BTreeMap<String, CauseSums>,
    /// Seconds from the first failed attempt to the verdict: by silence, and by an answer.
    pub(super) seconds: [Vec<f64>; 2],
    /// Per probe: scenario, attempts, connections, and the most of one vantage to one address, all and explaining.
    pub(super) efforts: Vec<(String, usize, usize, (usize, usize))>,
}

/// What one cause sums up to.
#[derive(Debug, Default)]
pub(super) struct CauseSums {
    pub(super) wanted: usize,
    pub(super) found: usize,
    /// Right and stated.
    pub(super) vantages: (usize, usize),
    /// Right and stated.
    pub(super) addresses: (usize, usize),
    pub(super) tiers: BTreeMap<Tier, usize>,
}

impl Sums {
    pub(super) fn of(reports: &[Report]) -> Self {
        let mut sums = Self::default();
        for report in reports {
            for probe in &report.probes {
                sums.take_judgement(&probe.judgement);
                let Some(effort) = &probe.effort else { continue };
                sums.efforts.push((report.id.clone(), effort.attempts, effort.connections.values().sum(), effort.most_connections()));
                let claimed = probe.judgement.weighed.iter().any(|weighed| weighed.tier >= Some(Tier::Likely));
                if let Some(first) = effort.first_failure.as_ref().filter(|_| claimed) {
                    sums.seconds[usize::from(!first.silent)].push(first.to_verdict_seconds);
                }
            }
        }
        sums
    }

    fn take_judgement(&mut self, judgement: &crate::lab::judge::Judgement) {
        for weighed in &judgement.weighed {
            let cause = weighed.causes.first().map_or("", String::as_str);
            let locus = cause.split('.').next().unwrap_or_default();
            let told = if weighed.tier.is_some() { locus } else { "undetermined" };
            *self.told.entry((locus.to_owned(), told.to_owned())).or_default() += 1;
            let sums = self.causes.entry(weighed.causes.join(" or ")).or_default();
            sums.wanted += 1;
            if let Some(tier) = weighed.tier {
                sums.found += 1;
                *sums.tiers.entry(tier).or_default() += 1;
            }
            for (sum, is_right) in [(&mut sums.vantages, weighed.vantages), (&mut sums.addresses, weighed.addresses)] {
                sum.0 += usize::from(is_right == Some(true));
                sum.1 += usize::from(is_right.is_some());
            }
        }
        for mistake in &judgement.mistakes {
            let right = mistake.instead_of.clone().unwrap_or_else(|| HEALTHY.to_owned());
            *self.told.entry((right, mistake.locus.clone())).or_default() += 1;
        }
        if judgement.weighed.is_empty() && judgement.mistakes.is_empty() {
            *self.told.entry((HEALTHY.to_owned(), HEALTHY.to_owned())).or_default() += 1;
        }
    }

    /// Counts findings of which the right locus and the told one are so.
    pub(super) fn count(&self, is_so: impl Fn(&str, &str) -> bool) -> usize {
        self.told.iter().filter(|((right, told), _)| is_so(right, told)).map(|(_, count)| count).sum()
    }
}

/// The middle of some numbers; none of none.
pub(super) fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted.get((sorted.len() - 1) / 2).copied().unwrap_or(upper);
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{accuracy::tests::report, judge::Grade};

    #[test]
    fn both_directions_of_a_confusion_are_counted() {
        let reports = [
            report("01", Grade::Wrong, &[("path", "server.closes-handshake")]),
            report("02", Grade::Wrong, &[("server", "path.tls-block"), ("server", "vantage.clock")]),
            report("03", Grade::Right, &[]),
        ];
        let sums = Sums::of(&reports);
        assert_eq!(sums.count(|right, told| right == "path" && told == "server"), 1);
        assert_eq!(sums.count(|right, told| right == "server" && told != "server"), 2);
        assert_eq!(sums.count(|right, told| right == "path" && told == "path"), 1);
        assert_eq!(sums.causes["path.sni-filter"].wanted, 3);
        assert_eq!(sums.causes["path.sni-filter"].vantages, (3, 3));
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&[4.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
