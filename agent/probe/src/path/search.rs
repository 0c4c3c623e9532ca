//! Finding an arrival TTL by asking "still there with this threshold?", with as few questions as can be.

use parallax_model::facts::TtlRange;

/// What is known of a TTL so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Search {
    least: u8,
    most: u8,
    /// How many routers the sender is likely behind, at most.
    hops: u8,
}

impl Search {
    /// Starts with a TTL from `least` to `most`.
    pub(crate) fn within(least: u8, most: u8) -> Self {
        Self { least, most: most.max(least), hops: USUAL_HOPS }
    }

    /// Expects a sender that is at most so many routers away.
    pub(crate) fn of_hops(self, hops: u8) -> Self {
        Self { hops: hops.min(USUAL_HOPS), ..self }
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
        let total: u32 = (self.least..=self.most).map(|ttl| self.likelihood(ttl)).sum();
        let parts = at_once as u32 + 1;
        let mut thresholds: Vec<u8> = Vec::new();
        let mut below = 0;
        for ttl in self.least..self.most {
            below += self.likelihood(ttl);
            let wanted = total * (thresholds.len() as u32 + 1) / parts;
            if below >= wanted && thresholds.len() < at_once {
                thresholds.push(ttl + 1);
            }
        }
        if thresholds.is_empty() {
            thresholds.push(self.most);
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

    /// Hosts start at 64, 128 or 255; the fewer routers one may be behind, the more each of these values stands out.
    fn likelihood(&self, ttl: u8) -> u32 {
        let each = u32::from(8 * USUAL_HOPS / (self.hops + 1)).max(8);
        let near = |start: u8, weight: u32| match start.checked_sub(ttl) {
            Some(hops) if hops <= self.hops => each * weight,
            Some(hops) if hops <= MOST_HOPS => weight,
            _ => 0,
        };
        1 + near(64, 4) + near(128, 1) + near(255, 2)
    }
}

/// Most hosts are fewer than thirty routers away.
const USUAL_HOPS: u8 = 24;
const MOST_HOPS: u8 = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(ttl: u8, guess: Option<u8>) -> (usize, usize) {
        asked(Search::within(1, 255), 3, ttl, guess)
    }

    fn asked(mut search: Search, at_once: usize, ttl: u8, guess: Option<u8>) -> (usize, usize) {
        let (mut rounds, mut asked) = (0, 0);
        loop {
            let thresholds = search.next(at_once, guess.filter(|_| rounds == 0));
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
    fn one_question_after_the_other_is_cheaper_and_known_hops_cheaper_still() {
        let alone = |hops: u8, ttl: u8| asked(Search::within(59, 255).of_hops(hops), 1, ttl, None).1;
        for ttl in 1..=255 {
            let (rounds, asked) = asked(Search::within(1, 255), 1, ttl, None);
            assert!(rounds == asked && asked <= 12, "{ttl} took {asked} questions");
        }
        let near: Vec<u8> = (59..=64).chain(250..=255).collect();
        let sum = |hops: u8| near.iter().map(|ttl| alone(hops, *ttl)).sum::<usize>();
        assert!(sum(6) < sum(24), "{} and {}", sum(6), sum(24));
        assert!(near.iter().all(|ttl| alone(6, *ttl) <= 6), "{:?}", near.iter().map(|ttl| alone(6, *ttl)).collect::<Vec<_>>());
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
