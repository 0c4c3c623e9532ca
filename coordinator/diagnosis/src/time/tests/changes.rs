use parallax_model::{
    incident::{ChangeKind, IncidentState},
    verdict::{Cause, Negotiated, Verdict},
};

use super::story::{PLACE, at, check, digest, round, told};
use crate::time::Fold;

fn chosen(version: &str) -> Option<Negotiated> {
    Some(Negotiated { version: version.to_owned(), ..Negotiated::default() })
}

#[test]
fn the_onset_says_what_changed_since_the_last_good_round() {
    let check = check();
    let mut good = round(&check, 0, "a. b.");
    good.matrix.iter_mut().for_each(|cell| cell.negotiated = chosen("TLSv1.3"));
    let mut bad = round(&check, 2, "aF b. ; path.sni-filter likely a");
    bad.matrix[1].negotiated = chosen("TLSv1.2");
    bad.digest = Some(digest(&[("other", true)], 2));
    if let Some(digest) = &mut bad.digest {
        digest.builds.insert("a".into(), "0.2.0".into());
    }
    let unheard = round(&check, 1, "a- b.");
    let mut incidents = Fold::of(&check, [&good, &unheard, &bad]).incidents();
    let incident = incidents.pop().unwrap();
    assert_eq!(incident.last_good.unwrap().at, at(0), "the round in which the vantage was away is no good round of it");
    let kinds: Vec<_> = incident.changed_at_onset.iter().map(|change| (change.what, change.subject.as_str())).collect();
    assert_eq!(kinds, [(ChangeKind::Key, PLACE), (ChangeKind::Negotiated, "192.0.2.7:443 modern"), (ChangeKind::Build, "a")]);
}

#[test]
fn an_address_that_is_withdrawn_ends_what_failed_there() {
    let check = check();
    let moved = |number: usize| -> Verdict {
        let mut verdict = round(&check, number, "a. b.");
        verdict.matrix.iter_mut().for_each(|cell| cell.address = "192.0.2.8:443".into());
        verdict
    };
    let bad = round(&check, 1, "aF bF ; server.refused likely");
    let incidents = Fold::of(&check, &[round(&check, 0, "a. b."), bad, moved(2), moved(3), moved(4)]).incidents();
    assert_eq!(told(&incidents), ["server.refused passed 1..2 a b"]);
    assert_eq!(incidents[0].changed_at_end.iter().filter(|change| change.what == ChangeKind::Address).count(), 2);
}

/// Returns rounds in which these keys came.
fn rollout(keys: &[&[(&str, bool)]]) -> Vec<Verdict> {
    let check = check();
    let with = |(number, keys): (usize, &&[(&str, bool)])| Verdict { digest: Some(digest(keys, 2)), ..round(&check, number, "a. b.") };
    keys.iter().enumerate().map(with).collect()
}

const OLD: &[(&str, bool)] = &[("old", true)];
const BOTH: &[(&str, bool)] = &[("new", true), ("old", true)];
const NEW: &[(&str, bool)] = &[("new", true)];

#[test]
fn a_rollout_is_worth_knowing_and_ends_when_one_key_is_left() {
    let verdicts = rollout(&[OLD, OLD, BOTH, BOTH, OLD, BOTH, NEW, NEW, NEW]);
    let incidents = Fold::of(&check(), &verdicts).incidents();
    assert_eq!(incidents.len(), 1);
    let rollout = &incidents[0];
    assert_eq!((rollout.cause, rollout.state, rollout.informational), (Cause::ServerCertificateRollout, IncidentState::Ended, true));
    assert_eq!((rollout.started_at, rollout.ended_at), (at(2), Some(at(6))));
    assert!(rollout.changed_at_onset[0].before.as_ref().is_some_and(|key| key.starts_with("old")));
}

#[test]
fn two_keys_from_the_beginning_are_no_rollout_and_a_bad_chain_is_none_either() {
    assert!(Fold::of(&check(), &rollout(&[BOTH, BOTH, BOTH])).incidents().is_empty());
    assert!(Fold::of(&check(), &rollout(&[OLD, &[("new", false), ("old", true)]])).incidents().is_empty());
}

#[test]
fn a_rollout_of_more_than_a_day_is_a_matter_to_look_at() {
    let mut keys = vec![OLD];
    keys.extend(std::iter::repeat_n(BOTH, 24 * 60 + 2));
    let incidents = Fold::of(&check(), &rollout(&keys)).incidents();
    assert!(!incidents[0].informational && incidents[0].is_open(), "{:?}", incidents[0].state);
}
