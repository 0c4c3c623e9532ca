//! How good the verdicts of all scenarios are together: shuffled runs, a second look at what a busy machine left open, and the bar.

mod sums;
mod tables;

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    Programs, Scenario,
    judge::Grade,
    report,
    run::{self, Report},
};
use sums::Sums;

/// The share of scenarios that must be right, in percent.
const RIGHT_PERCENT: usize = 95;

/// Runs the scenarios in an order that the seed fixes, and those that came out under-specified once more, alone.
pub fn run(scenarios: &[Scenario], programs: &Programs, order: Order, logs: Option<PathBuf>, mut done: impl FnMut(&Report)) -> Vec<Report> {
    let shuffled = shuffle(scenarios, order.seed);
    let mut reports = run::run_all(&shuffled, programs, order.jobs, logs.clone(), &mut done);
    reports.sort_by(|left, right| left.id.cmp(&right.id));
    for report in reports.iter_mut().filter(|report| report.grade() == Grade::UnderSpecified) {
        let Some(scenario) = scenarios.iter().find(|scenario| scenario.id == report.id) else { continue };
        let at_first = report.probes.iter().flat_map(|probe| probe.judgement.reasons.clone()).collect();
        *report = Report { at_first, ..run::run(scenario, programs, logs.as_deref()) };
        done(report);
    }
    reports
}

/// In which order scenarios run, and how many at a time.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// What shuffles them.
    pub seed: u64,
    /// How many at a time.
    pub jobs: usize,
}

/// Returns everything that is printed about one run.
pub fn text(reports: &[Report]) -> String {
    let sums = Sums::of(reports);
    let parts = [tables::verdicts(reports), report::summary(reports), tables::second_looks(reports), tables::confusion(&sums), tables::causes(&sums)];
    parts.into_iter().chain([tables::effort(&sums)]).collect()
}

/// Returns what keeps a run below the bar, one sentence each.
pub fn shortcomings(reports: &[Report]) -> Vec<String> {
    let of = |grade| reports.iter().filter(move |report| report.grade() == grade);
    let mut sentences: Vec<_> = of(Grade::Wrong).map(|report| format!("{} is wrong", report.id)).collect();
    sentences.extend(reports.iter().filter(|report| report.is_confused()).map(|report| format!("{} confuses server and path", report.id)));
    let missed = of(Grade::UnderSpecified).filter(|report| report.required);
    sentences.extend(missed.map(|report| format!("{} is required to be right and is under-specified", report.id)));
    let right = of(Grade::Right).count();
    if right * 100 < reports.len() * RIGHT_PERCENT {
        sentences.push(format!("{right} of {} are right, fewer than {RIGHT_PERCENT} %", reports.len()));
    }
    sentences
}

/// Returns the scenarios of which two runs give different verdicts, one sentence each.
pub fn differences(first: &[Report], second: &[Report]) -> Vec<String> {
    let told = |reports: &[Report]| reports.iter().map(|report| (report.id.clone(), tables::repeatable(report))).collect::<BTreeMap<_, _>>();
    let second = told(second);
    let pairs = told(first).into_iter().filter_map(|(id, text)| second.get(&id).map(|other| (id, text, other.clone())));
    pairs.filter(|(_, text, other)| text != other).map(|(id, text, other)| format!("{id} is {text}, and with another seed {other}")).collect()
}

/// The same seed gives the same order.
fn shuffle(scenarios: &[Scenario], seed: u64) -> Vec<Scenario> {
    let mut shuffled = scenarios.to_vec();
    fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
    shuffled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{
        judge::{Judgement, Mistake, Weighed},
        run::ProbeReport,
        scenario::Tier,
    };

    pub(super) fn report(id: &str, grade: Grade, mistakes: &[(&str, &str)]) -> Report {
        let mistakes = mistakes.iter().map(|&(instead_of, cause)| Mistake {
            instead_of: Some(instead_of.to_owned()),
            locus: cause.split('.').next().unwrap_or_default().to_owned(),
            cause: cause.to_owned(),
        });
        let weighed =
            Weighed { causes: vec!["path.sni-filter".into()], tier: (grade == Grade::Right).then_some(Tier::Likely), vantages: Some(true), addresses: None };
        let judgement = Judgement { grade, weighed: vec![weighed], mistakes: mistakes.collect(), ..Judgement::none(String::new()) };
        let probe = ProbeReport {
            target: "t".into(),
            judgement,
            found: vec![format!("path.sni-filter {} [a]", report::word(grade))],
            exit_code: Some(5),
            seconds: 1.0,
            effort: None,
            document: serde_json::Value::Null,
        };
        Report {
            id: id.into(),
            title: String::new(),
            required: false,
            chance: false,
            twins: Vec::new(),
            probes: vec![probe],
            ready_seconds: 1.0,
            failure: None,
            at_first: Vec::new(),
        }
    }

    #[test]
    fn one_wrong_verdict_or_too_many_open_ones_are_below_the_bar() {
        let mut reports: Vec<_> = (0..20).map(|number| report(&format!("{number:02}"), Grade::Right, &[])).collect();
        assert!(shortcomings(&reports).is_empty());
        reports[0] = report("00", Grade::UnderSpecified, &[]);
        assert!(shortcomings(&reports).is_empty());
        reports[1] = report("01", Grade::UnderSpecified, &[]);
        assert_eq!(shortcomings(&reports), ["18 of 20 are right, fewer than 95 %"]);
        reports[1] = report("01", Grade::Wrong, &[]);
        assert!(shortcomings(&reports).contains(&"01 is wrong".to_owned()));
    }

    #[test]
    fn what_is_required_must_be_right() {
        let mut reports: Vec<_> = (0..40).map(|number| report(&format!("{number:02}"), Grade::Right, &[])).collect();
        reports[7] = Report { required: true, ..report("07", Grade::UnderSpecified, &[]) };
        assert_eq!(shortcomings(&reports), ["07 is required to be right and is under-specified"]);
    }

    #[test]
    fn a_seed_fixes_the_order_and_another_gives_another() {
        let named = |id: usize| Scenario::parse(&format!("{id:02}"), "title=''\n[[probe]]\n").unwrap();
        let all: Vec<_> = (0..30).map(named).collect();
        let ids = |seed| shuffle(&all, seed).into_iter().map(|scenario| scenario.id).collect::<Vec<_>>();
        assert_eq!(ids(1), ids(1));
        assert_ne!(ids(1), ids(2));
        let mut sorted = ids(3);
        sorted.sort();
        assert_eq!(sorted, all.iter().map(|scenario| scenario.id.clone()).collect::<Vec<_>>());
    }

    #[test]
    fn runs_that_differ_in_one_verdict_name_it() {
        let first = [report("01", Grade::Right, &[]), report("02", Grade::Right, &[])];
        let second = [report("02", Grade::UnderSpecified, &[]), report("01", Grade::Right, &[])];
        assert!(differences(&first, &first).is_empty());
        assert_eq!(differences(&first, &second).len(), 1);
    }

    #[test]
    fn a_fault_that_draws_lots_must_be_graded_alike_in_whatever_words() {
        let drawn = |grade, found: &str| {
            let mut report = Report { chance: true, ..report("01", grade, &[]) };
            report.probes[0].found = vec![found.to_owned()];
            [report]
        };
        let first = drawn(Grade::Right, "path.sni-filter likely [a]");
        assert!(differences(&first, &drawn(Grade::Right, "undetermined.flaky undetermined [a]")).is_empty());
        assert_eq!(differences(&first, &drawn(Grade::UnderSpecified, "path.sni-filter possible [a]")).len(), 1);
    }
}
