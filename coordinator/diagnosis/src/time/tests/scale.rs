//! A hundred thousand rounds are read in one go.

use std::time::Instant;

use parallax_model::verdict::Verdict;

use super::story::{check, round};
use crate::time::Fold;

#[test]
fn a_hundred_thousand_verdicts_are_folded() {
    let check = check();
    let mut fold = Fold::new(&check);
    let line = |number: usize| match number % 1_000 {
        0..5 => "aF b. c. d. ; path.sni-filter likely a",
        500 => "a- b. c. d.",
        _ => "a. b. c. d.",
    };
    let sample: Vec<Verdict> = (0..1_000).map(|number| round(&check, number, line(number))).collect();
    let bytes = serde_json::to_string(&sample[0]).unwrap().len();
    let began = Instant::now();
    for number in 0..100_000 {
        let mut verdict = sample[number % 1_000].clone();
        verdict.started_at = super::story::at(number);
        fold.push(&verdict);
    }
    eprintln!("100,000 verdicts of four cells ({bytes} bytes of JSON): folded in {:?}", began.elapsed());
    assert_eq!((fold.incidents().len(), fold.timeline(None).gaps.len()), (100, 100));
}
