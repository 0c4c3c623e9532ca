//! Which sequence numbers of a spool are done with: the bookkeeping behind a cumulative acknowledgement without holes.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// Ranges of settled sequence numbers, ascending, neither touching nor overlapping; numbers start at 1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Settled(Vec<(u64, u64)>);

/// More islands than an honest agent makes; those above are forgotten, which only means that they are sent again.
const MAX_RANGES: usize = 1_024;

impl Settled {
    /// Collects single numbers.
    pub(crate) fn of(sequences: impl IntoIterator<Item = u64>) -> Self {
        let mut settled = Self::default();
        sequences.into_iter().for_each(|sequence| settled.insert(sequence..=sequence));
        settled
    }

    /// Returns the number up to which all are settled; 0 for none.
    pub(crate) fn through(&self) -> u64 {
        self.0.first().filter(|range| range.0 <= 1).map_or(0, |range| range.1)
    }

    /// Settles a range; an empty one changes nothing.
    pub(crate) fn insert(&mut self, range: RangeInclusive<u64>) {
        let (mut first, mut last) = range.into_inner();
        if first > last {
            return;
        }
        let from = self.0.partition_point(|range| range.1.saturating_add(1) < first);
        let to = from + self.0[from..].partition_point(|range| range.0 <= last.saturating_add(1));
        if from < to {
            first = first.min(self.0[from].0);
            last = last.max(self.0[to - 1].1);
        }
        self.0.splice(from..to, [(first, last)]);
        self.0.truncate(MAX_RANGES);
    }

    /// Settles everything that `other` has settled.
    pub(crate) fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|&(first, last)| self.insert(first..=last));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_acknowledgement_waits_for_holes_to_be_filled() {
        let mut settled = Settled::of([1, 2, 5, 4]);
        assert_eq!(settled.through(), 2);
        settled.insert(3..=3);
        assert_eq!(settled, Settled(vec![(1, 5)]));
        assert_eq!(Settled::of([2]).through(), 0);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let mut settled = Settled::of([u64::MAX]);
        settled.insert(1..=u64::MAX - 1);
        assert_eq!(settled.through(), u64::MAX);
    }

    #[test]
    fn hostile_islands_are_bounded_and_the_lowest_are_kept() {
        let settled = Settled::of((1..10_000).rev().map(|number| number * 2 - 1));
        assert_eq!(settled.0.len(), MAX_RANGES);
        assert_eq!(settled.through(), 1);
    }

    proptest! {
        #[test]
        fn ranges_agree_with_a_plain_set(ranges in proptest::collection::vec((1_u64..60, 0_u64..8), 0..40)) {
            let mut settled = Settled::default();
            let mut plain = BTreeSet::new();
            for (first, length) in ranges {
                settled.insert(first..=first + length);
                plain.extend(first..=first + length);
            }
            let expanded: Vec<u64> = settled.0.iter().flat_map(|&(first, last)| first..=last).collect();
            prop_assert_eq!(expanded, plain.iter().copied().collect::<Vec<_>>());
            let through = (1..).take_while(|number| plain.contains(number)).last().unwrap_or(0);
            prop_assert_eq!(settled.through(), through);
            prop_assert!(settled.0.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
