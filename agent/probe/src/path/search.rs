//! Finding an arrival TTL by asking "still there with this threshold?", with as few questions as can be.

use parallax_model::facts::TtlRange;

/// What is known of a TTL so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Search {
    least: u8,
    most: u8,
}

impl Search {
    /// Starts with a TTL from `least` to `most`.
    pub(crate) fn within(least: u8, most: u8) -> Self {
        Self { least, most: most.max(least) }
    }

    /// Returns the thresholds to try next, at most `at_once`; none when the TTL is known.
    ///
    /// They cut what is left into parts of equal likelihood; a guess is tried from both sides first.
    pub(crate) fn next(&self, at_once: usize, guess: Option<u8>) -> Vec<u8> {
        if self.least >= self.most {
            return Vec::new();
        }
        if let Some(guess) = guess.filter(|guess| (self.least..=self.most).contains(guess)) {
            let around = [Some(guess), guess.checked_add(1)];
            return around.into_iter().flatten().filter(|threshold| (self.least + 1..=self.most).contains(threshold)).collect();
        }
        let total: u32 = (self.least..=self.most).map(likelihood).sum();
        let parts = at_once as u32 + 1;
        let mut thresholds: Vec<u8> = Vec::new();
        let mut below = 0;
        for ttl in self.least..self.most {
            below += likelihood(ttl);
            let wanted = total * (thresholds.len() as u32 + 1) / parts;
            if below >= wanted && thresholds.len() < at_once {
                thresholds.push(ttl + 1);
            }
        }
        thresholds
    }

    /// Takes in whether a packet arrived although everything below the threshold was ignored.
    pub(crate) fn learn(&mut self, threshold: u8, arrived: bool) {
        if arrived {
            self.least = self.least.max(threshold);
            self.most = self.most.max(self.least);
        } else if threshold > self.least {
            self.most = self.most.min(threshold - 1);
        }
    }

    /// Returns the range that is left.
    pub(crate) fn range(&self) -> TtlRange {
        TtlRange { least: self.least, most: self.most }
    }

    /// Returns the value when only one is left.
    pub(crate) fn exact(&self) -> Option<u8> {
        (self.least == self.most).then_some(self.least)
    }
}

/// Hosts start at 64, 128 or 255, and most are fewer than thirty routers away.
fn likelihood(ttl: u8) -> u32 {
    let near = |start: u8, weight: u32| match start.checked_sub(ttl) {
        Some(0..=24) => 8 * weight,
        Some(25..=40) => weight,
        _ => 0,
    };
    1 + near(64, 4) + near(128, 1) + near(255, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(ttl: u8, guess: Option<u8>) -> (usize, usize) {
        let mut search = Search::within(1, 255);
        let (mut rounds, mut asked) = (0, 0);
        loop {
            let thresholds = search.next(3, guess.filter(|_| rounds == 0));
            if thresholds.is_empty() {
                assert_eq!(search.exact(), Some(ttl));
                return (rounds, asked);
            }
            rounds += 1;
            asked += thresholds.len();
            thresholds.into_iter().for_each(|threshold| search.learn(threshold, ttl >= threshold));
        }
    }

    #[test]
    fn every_ttl_is_found_and_likely_ones_soon() {
        for ttl in 1..=255 {
            let (rounds, asked) = questions(ttl, None);
            assert!(rounds <= 6, "{ttl} took {rounds} rounds");
            if [64 - 12..=64, 255 - 12..=255].iter().any(|likely| likely.contains(&ttl)) {
                assert!(asked <= 12, "{ttl} took {asked} questions");
            }
        }
    }

    #[test]
    fn a_right_guess_takes_two_questions_and_a_wrong_one_does_no_harm() {
        assert_eq!(questions(61, Some(61)), (1, 2));
        questions(61, Some(250));
        questions(255, Some(255));
        questions(1, Some(1));
    }

    #[test]
    fn an_arrival_above_the_range_widens_it() {
        let mut search = Search::within(1, 255);
        search.learn(62, false);
        search.learn(70, true);
        assert_eq!(search.exact(), Some(70), "arrivals are proof, silence may be a loss");
    }
}
