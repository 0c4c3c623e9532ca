//! What holds of every story.

use parallax_model::{check::Check, verdict::Verdict};
use proptest::prelude::*;

use super::story::{check, round, told};
use crate::time::{Fold, news};

const LINES: [&str; 8] = [
    "a. b. c.",
    "aF b. c. ; path.sni-filter likely a",
    "aF b. c. ; path.sni-filter confirmed a",
    "aF b. cF ; path.address-block likely c ; undetermined.group-blocked insufficient a",
    "aF bF cF ; server.refused likely",
    "a- b. c.",
    "a- b- c- ; undetermined.insufficient insufficient",
    "am b. c. ; undetermined.flaky insufficient a",
];

fn rounds(check: &Check, lines: &[usize]) -> Vec<Verdict> {
    lines.iter().enumerate().map(|(number, line)| round(check, number, LINES[*line])).collect()
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter(lines in prop::collection::vec(0..LINES.len(), 1..60), seed in any::<u64>()) {
        let check = check();
        let verdicts = rounds(&check, &lines);
        let in_order = Fold::of(&check, &verdicts);
        let mut shuffled: Vec<&Verdict> = verdicts.iter().collect();
        let mut state = seed | 1;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        prop_assert_eq!(in_order.timeline(None), Fold::of(&check, shuffled).timeline(None));
    }

    #[test]
    fn an_incident_begins_with_a_failure_and_ends_after_its_last(lines in prop::collection::vec(0..LINES.len(), 1..60)) {
        let check = check();
        for incident in Fold::of(&check, &rounds(&check, &lines)).incidents() {
            prop_assert!(incident.started_at <= incident.last_failing_at);
            prop_assert!(incident.ended_at.is_none_or(|end| end > incident.last_failing_at));
            prop_assert!(incident.confirmed_at.is_none_or(|at| incident.started_at <= at && at <= incident.last_failing_at));
            prop_assert!(incident.rounds <= incident.heard && incident.rounds > 0);
            prop_assert!(!incident.scope.vantages.is_empty() && !incident.causes.is_empty());
        }
    }

    #[test]
    fn gaps_alone_are_never_incidents(lines in prop::collection::vec(prop::sample::select(vec![0_usize, 5, 6]), 1..60)) {
        let check = check();
        prop_assert!(Fold::of(&check, &rounds(&check, &lines)).incidents().is_empty());
    }

    #[test]
    fn rounds_without_an_answer_change_no_incident(lines in prop::collection::vec(0..LINES.len(), 1..40), at in 0..40_usize, many in 1..15_usize) {
        let check = check();
        // The same rounds at the same times, with silence between two of them and without.
        let cut = at.min(lines.len());
        let numbered: Vec<(usize, usize)> = lines.iter().enumerate().map(|(n, line)| (if n < cut { n } else { n + many }, *line)).collect();
        let heard: Vec<Verdict> = numbered.iter().map(|(number, line)| round(&check, *number, LINES[*line])).collect();
        let silence: Vec<Verdict> = (cut..cut + many).map(|number| round(&check, number, LINES[6])).collect();
        let with = Fold::of(&check, heard.iter().chain(&silence)).incidents();
        let failing = |told: Vec<String>| told.iter().map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect::<Vec<_>>();
        // Silence may only part what would have been taken for one event.
        prop_assert!(failing(told(&with)).len() >= failing(told(&Fold::of(&check, &heard).incidents())).len());
    }

    #[test]
    fn each_incident_opens_once_and_no_end_comes_before_its_beginning(lines in prop::collection::vec(0..LINES.len(), 1..60)) {
        use parallax_model::incident::Transition;
        let check = check();
        let mut fold = Fold::new(&check);
        let (mut opened, mut confirmed, mut ended, mut reopened) = (0_usize, 0_usize, 0_usize, 0_usize);
        for verdict in rounds(&check, &lines) {
            let before = fold.incidents();
            fold.push(&verdict);
            for event in news(&before, &fold.incidents()) {
                *match event.transition {
                    Transition::Opened => &mut opened,
                    Transition::Confirmed => &mut confirmed,
                    Transition::Reopened => &mut reopened,
                    Transition::Ended | Transition::Passed => &mut ended,
                } += 1;
            }
        }
        let all = fold.incidents();
        prop_assert_eq!(opened, all.len());
        prop_assert_eq!(confirmed, all.iter().filter(|incident| incident.confirmed_at.is_some()).count());
        prop_assert_eq!(ended, all.iter().filter(|incident| !incident.is_open()).count() + reopened);
    }
}
