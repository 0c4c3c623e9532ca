//! Where the one who answers a ClientHello can stand, by a walk and by the TTL of what it sends: two measures that err in different ways.

use parallax_model::facts::{StepEnd, TtlRange, WalkFacts};

/// Returns the first and last hop at which the end that a walk met at hop limit `hop` can be made, given the arrival TTL of the same end without a hop limit.
///
/// A word that comes late makes a walk look too long: the router's ICMP was faster, and the step counts as expired. A TTL that somebody chose freely makes the reply's
/// way look too short or too long. So a walk is believed up to one hop beyond the reply's own distance (a device that forwards first answers there), and what lies further
/// only when routers beyond that distance still handed the ClientHello on.
pub(crate) fn bounds(walk: &WalkFacts, hop: u8, reply: Option<TtlRange>) -> (u8, u8) {
    let by_walk = (hop.saturating_sub(1).max(1), hop);
    let Some(reply) = reply else { return by_walk };
    let nearest = reply.hops() + 1;
    let farthest = nearest + (reply.most - reply.least);
    if hop <= farthest.saturating_add(1) {
        return by_walk;
    }
    let handed_on = walk.steps.iter().any(|step| step.hop_limit > farthest && step.hop_limit < hop && matches!(step.end, StepEnd::Expired(_)));
    (nearest.saturating_sub(1).max(1), if handed_on { hop } else { farthest })
}

#[cfg(test)]
mod tests {
    use parallax_model::facts::{WalkPayload, WalkStep};

    use super::*;

    fn walk(steps: &str) -> WalkFacts {
        let end = |step| match step {
            'e' => StepEnd::Expired(None),
            's' => StepEnd::Silent,
            'c' => StepEnd::Closed,
            'a' => StepEnd::Answered,
            other => panic!("no step is called {other}"),
        };
        let steps = (1..).zip(steps.chars()).map(|(hop_limit, step)| WalkStep { hop_limit, end: end(step), elapsed_us: 2_000 }).collect();
        WalkFacts { payload: WalkPayload::Hello(Some("www.example.test".to_owned())), source_port: 40_000, steps }
    }

    fn at(ttl: u8) -> Option<TtlRange> {
        Some(TtlRange::exactly(ttl))
    }

    #[test]
    fn a_walk_alone_is_believed() {
        assert_eq!(bounds(&walk("eecc"), 3, None), (2, 3));
        assert_eq!(bounds(&walk("cc"), 1, None), (1, 1));
    }

    #[test]
    fn two_measures_that_agree_leave_the_walks_two_hops() {
        assert_eq!(bounds(&walk("ecc"), 2, at(63)), (1, 2), "a device that reads what arrives answers at its own hop");
        assert_eq!(bounds(&walk("eecc"), 3, at(63)), (2, 3), "one that forwards first answers a hop later");
    }

    #[test]
    fn a_word_that_comes_late_does_not_carry_the_device_away() {
        assert_eq!(bounds(&walk("esscc"), 4, at(63)), (1, 2));
        assert_eq!(bounds(&walk("eesssc"), 6, at(63)), (1, 2), "the ClientHello was silent in between: nobody handed it on");
        let vague = Some(TtlRange { least: 61, most: 63 });
        assert_eq!(bounds(&walk("eessssc"), 7, vague), (1, 4), "a range of TTLs is a range of hops");
        assert_eq!(bounds(&walk("eeec"), 4, vague), (3, 4));
    }

    #[test]
    fn routers_that_hand_the_hello_on_beyond_the_replys_distance_leave_both_open() {
        assert_eq!(bounds(&walk("eeeec"), 5, at(63)), (1, 5), "a late word each time, or a TTL that was made up");
    }

    #[test]
    fn a_copied_ttl_that_looks_far_does_not_move_what_the_walk_met() {
        assert_eq!(bounds(&walk("eecc"), 3, at(58)), (2, 3));
        assert_eq!(bounds(&walk("eecc"), 3, at(0)), (2, 3));
    }
}
