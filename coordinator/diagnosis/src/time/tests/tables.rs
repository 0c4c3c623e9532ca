use parallax_model::incident::{CellState, Transition};

use super::story::{at, check, incidents, round, story, told};
use crate::time::{Fold, difference, news};

/// What a case is about, its rounds, and its incidents.
type Row = (&'static str, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    ("health is no incident", "a. b.\na. b.\na. b.", &[]),
    ("one failing round waits for a second", "a. b.\naF b. ; undetermined.group-blocked insufficient a", &["undetermined.group-blocked provisional 1.. a"]),
    (
        "one failing round that nothing follows was nothing",
        "a. b.\naF b. ; undetermined.group-blocked insufficient a\na. b.\na. b.",
        &["undetermined.group-blocked passed 1..2 a"],
    ),
    ("an artefact needs no second round", "a. b.\naF b. ; path.sni-filter confirmed a", &["path.sni-filter confirmed 1.. a"]),
    ("a second round confirms", "a. b.\naF b. ; path.sni-filter likely a\naF b. ; path.sni-filter likely a", &["path.sni-filter confirmed 1.. a"]),
    (
        "two successes are too few, four end it at the first of them",
        "a. b.\naF b. ; path.sni-filter confirmed a\na. b.\na. b.",
        &["path.sni-filter ended 1..2 a"],
    ),
    ("two successes are too few", "a. b.\naF b. ; path.sni-filter confirmed a\na. b.", &["path.sni-filter confirmed 1.. a"]),
    (
        "the cause becomes clearer and the incident stays one",
        "a. b.\naF b. ; undetermined.group-blocked insufficient a\naF b. ; path.sni-filter suspected a\naF b. ; path.sni-filter confirmed a\na. b.\na. b.",
        &["path.sni-filter ended 1..4 a"],
    ),
    (
        "two groups within one interval are one incident",
        "a. b. c.\naF b. c. ; path.sni-filter likely a\naF b. cF ; path.sni-filter likely a c\na. b. c.\na. b. c.",
        &["path.sni-filter ended 1..3 a c"],
    ),
    (
        "the same cause elsewhere, long after, is another incident",
        "a. b. c.\naF b. c. ; path.sni-filter confirmed a\na. b. c.\na. b. c.\na. b. c.\na. b. c.\na. b. c.\na. b. c.\na. b. c.\na. b. c.\na. b. c.\na. b. c.\n\
         a. b. c.\na. b. c.\na. b. c.\na. b. c.\na. b. c.\na. b. cF ; path.sni-filter confirmed c",
        &["path.sni-filter ended 1..2 a", "path.sni-filter confirmed 17.. c"],
    ),
    (
        "another cause elsewhere, shortly after, is another incident",
        "a. b.\naF b. ; path.sni-filter confirmed a\na. b.\na. b.\na. bF ; path.mtu-blackhole confirmed b",
        &["path.sni-filter ended 1..2 a", "path.mtu-blackhole confirmed 4.. b"],
    ),
    (
        "two causes at different places are two incidents",
        "a. b.\naF bF ; path.sni-filter confirmed a ; server.chain-incomplete confirmed a b\naF bF ; path.sni-filter confirmed a ; server.chain-incomplete confirmed a b",
        &["server.chain-incomplete confirmed 1.. a b", "path.sni-filter confirmed 1.. a"],
    ),
    (
        "two causes that overlap end each by itself",
        "a. b. c.\naF b. c. ; path.sni-filter confirmed a\naF bF cF ; path.sni-filter confirmed a ; server.chain-incomplete confirmed b c\n\
         aF b. c. ; path.sni-filter confirmed a\naF b. c. ; path.sni-filter confirmed a\na. b. c.\na. b. c.",
        &["path.sni-filter ended 1..5 a", "server.chain-incomplete ended 2..3 b c"],
    ),
    (
        "two causes at one place that begin together are one incident",
        "a. b.\naF bF ; server.chain-incomplete confirmed ; server.certificate-expired confirmed",
        &["server.chain-incomplete confirmed 1.. a b"],
    ),
    ("an agent that is away is a gap and no incident", "a. b.\na- b.\na- b.\na. b.", &[]),
    (
        "nobody heard is a gap and no incident",
        "a. b.\na- b- ; undetermined.insufficient insufficient\na- b- ; undetermined.insufficient insufficient\na. b.",
        &[],
    ),
    (
        "a gap does not end an incident",
        "a. b.\naF b. ; path.sni-filter confirmed a\na- b.\na- b.\n\naF b. ; path.sni-filter confirmed a",
        &["path.sni-filter confirmed 1.. a"],
    ),
    (
        "a gap neither confirms nor clears",
        "a. b.\naF b. ; undetermined.group-blocked insufficient a\na- b.\n\na. b.\na. b.",
        &["undetermined.group-blocked passed 1..4 a"],
    ),
    ("trouble of a vantage is no incident of the target", "a. b.\naF b. ; vantage.network-down confirmed a\naF b. ; vantage.network-down confirmed a", &[]),
    (
        "what comes and goes is one incident that flaps",
        "a. b.\naF b. ; path.sni-filter likely a\na. b.\na. b.\naF b. ; path.sni-filter likely a\na. b.\na. b.\naF b. ; path.sni-filter likely a",
        &["path.sni-filter flapping 1.. a"],
    ),
    ("the first round that is kept may fail already", "aF b. ; path.sni-filter confirmed a\na. b.\na. b.", &["path.sni-filter ended 0..1 a"]),
];

#[test]
fn every_story_has_its_incidents() {
    for (title, text, expected) in ROWS {
        assert_eq!(incidents(text), *expected, "{title}");
    }
}

#[test]
fn a_late_result_finds_its_place() {
    let check = check();
    let mut verdicts = story(&check, "a. b.\na. b.\naF b. ; path.sni-filter likely a\naF b. ; path.sni-filter likely a\na. b.\na. b.");
    let mut late = round(&check, 1, "aF b. ; path.sni-filter likely a");
    late.revision = 2;
    verdicts.push(late);
    assert_eq!(told(&Fold::of(&check, &verdicts).incidents()), ["path.sni-filter ended 1..4 a"]);
}

#[test]
fn gaps_say_who_was_away_and_how_long() {
    let check = check();
    let fold = Fold::of(&check, &story(&check, "a. b.\na- b.\na- b.\na. b.\n\n\na. b."));
    let gaps: Vec<_> = fold.timeline(Some(at(6))).gaps.into_iter().map(|gap| (gap.vantage, gap.from, gap.until, gap.rounds)).collect();
    assert_eq!(gaps, [(Some("a".to_owned()), at(1), Some(at(3)), 2), (None, at(4), Some(at(6)), 2)]);
    let overdue = fold.timeline(Some(at(10))).gaps.pop().unwrap();
    assert_eq!((overdue.from, overdue.until, overdue.rounds), (at(7), None, 3));
}

#[test]
fn a_cell_is_confirmed_recovers_and_flaps() {
    let check = check();
    let state = |text: &str| Fold::of(&check, &story(&check, text)).cells().iter().map(|cell| (cell.state, cell.since)).next().unwrap();
    assert_eq!(state("a.\na."), (CellState::Passing, at(0)));
    assert_eq!(state("a.\naF"), (CellState::Suspect, at(1)));
    assert_eq!(state("a.\naF\naF"), (CellState::Failing, at(1)), "back to the first failure");
    assert_eq!(state("a.\naF ; path.sni-filter confirmed a"), (CellState::Failing, at(1)), "an artefact needs no second round");
    assert_eq!(state("a.\naF\naF\na.").0, CellState::Recovering);
    assert_eq!(state("a.\naF\naF\na.\na."), (CellState::Passing, at(3)), "back to the first success");
    assert_eq!(state("a.\naF\na- b.\naF").0, CellState::Failing, "what was not heard does not count");
    assert_eq!(state("a.\naF\na.\naF\na.").0, CellState::Flapping);
    assert_eq!(state("a.\nam\nam").0, CellState::Flapping);
    assert_eq!(state("a.\naF\na.\naF\na.\na.\na.\na.\na.\na.").0, CellState::Passing, "six rounds alike are calm");
    let flapping = Fold::of(&check, &story(&check, "a.\naF\na.\naF")).cells();
    assert!((flapping[0].rate - 0.5).abs() < f64::EPSILON);
}

#[test]
fn each_event_is_told_once() {
    let check = check();
    let verdicts = story(
        &check,
        "a. b.\naF b. ; undetermined.group-blocked insufficient a\naF b. ; path.sni-filter likely a\naF b. ; path.sni-filter confirmed a\na. b.\na. b.\na. b.",
    );
    let mut fold = Fold::new(&check);
    let mut told = Vec::new();
    for verdict in &verdicts {
        let before = fold.incidents();
        fold.push(verdict);
        told.extend(news(&before, &fold.incidents()).into_iter().map(|news| (news.transition, verdict.started_at)));
    }
    assert_eq!(told, [(Transition::Opened, at(1)), (Transition::Confirmed, at(2)), (Transition::Ended, at(5))]);
}

#[test]
fn two_windows_differ_by_cells_and_incidents() {
    let check = check();
    let verdicts =
        story(&check, "aF b. ; path.sni-filter confirmed a\naF b. ; path.sni-filter confirmed a\na. b.\na. b.\na. b.\na. bF ; path.mtu-blackhole confirmed b");
    let (earlier, later) = verdicts.split_at(2);
    let found = difference(&check, earlier, later);
    assert_eq!(
        (told(&found.came), told(&found.went)),
        (vec!["path.mtu-blackhole confirmed 5.. b".to_owned()], vec!["path.sni-filter ended 0..2 a".to_owned()])
    );
    let cells: Vec<_> = found.cells.iter().map(|cell| (cell.vantage.as_str(), cell.before, cell.after)).collect();
    assert_eq!(cells, [("a", Some(CellState::Failing), Some(CellState::Passing)), ("b", Some(CellState::Passing), Some(CellState::Failing))]);
    assert!(difference(&check, &verdicts[2..3], &verdicts[3..5]).is_empty());
    let (before, after) = (&verdicts[..1], &verdicts[1..2]);
    assert!(difference(&check, before, after).is_empty(), "an incident that spans both windows is neither new nor gone");
}
