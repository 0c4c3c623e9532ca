//! The tables that a run of scenarios ends with.

use std::fmt::Write as _;

use super::{
    judge::Grade,
    look::Sight,
    measure::Measured,
    run::Report,
    scenario::{Measure, Symptom},
};

/// The mark of a symptom that is not as its file states.
pub const DIFFERS: &str = "DIFFERS";

/// The word for a grade.
pub fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Right => "right",
        Grade::UnderSpecified => "under-specified",
        Grade::Wrong => "WRONG",
    }
}

/// One line for one scenario, with the reasons below it.
pub fn line(report: &Report) -> String {
    let seconds: f64 = report.probes.iter().map(|probe| probe.seconds).sum();
    let found: Vec<_> = report.probes.iter().flat_map(|probe| probe.found.iter().map(String::as_str)).collect();
    let found = if found.is_empty() { "healthy".to_owned() } else { found.join("; ") };
    let mark = if report.required { " " } else { "~" };
    let confused = if report.is_confused() { "  (server and path confused)" } else { "" };
    let mut text =
        format!("{:<16}{mark}{:<34} up {:>4.1} s  probe {:>5.1} s  {found}{confused}\n", word(report.grade()), report.id, report.ready_seconds, seconds);
    let reasons = report.probes.iter().flat_map(|probe| probe.judgement.reasons.iter());
    for reason in report.failure.iter().chain(reasons) {
        let _ = writeln!(text, "{:<17}{reason}", "");
    }
    text
}

/// One line for what one namespace saw, with what differs from the symptom that the file states.
pub fn sight(symptom: &Symptom, sight: &Sight) -> String {
    let faces: Vec<_> = sight.contacts.iter().map(|contact| contact.face.as_str()).collect();
    let contact = sight.contacts.last().cloned().unwrap_or_default();
    let name = if symptom.name.is_empty() { "(no name)" } else { &symptom.name };
    let mut text = format!(
        "  {:<5} {:<24} {name:<18} {:<8} {}; certificate {}, acknowledged {}, out of order {}, {} bytes, {} ms, hop limits of SYN-ACK {:?}, reset {:?}\n",
        sight.from,
        sight.address,
        format!("{:?}", symptom.hello).to_lowercase(),
        faces.join(", "),
        contact.certificate.as_deref().unwrap_or("none"),
        contact.acknowledged,
        contact.out_of_order,
        contact.received_bytes,
        contact.elapsed_ms,
        sight.accept_ttls,
        sight.reset_ttls
    );
    for difference in &sight.differences {
        let _ = writeln!(text, "  {DIFFERS}: {difference}");
    }
    text
}

/// One line for what the probe engine measured, with what differs from the facts that the file states.
pub fn measured(wanted: &Measure, measured: &Measured) -> String {
    let mut text = format!("  {:<5} {:<24} {} measured, {}\n", wanted.from, wanted.address, measured.facts.len(), wanted.experiments.join(", "));
    for difference in &measured.differences {
        let _ = writeln!(text, "  {DIFFERS}: {difference}");
    }
    text
}

/// The sums, and every pair of twins of which both ran.
pub fn summary(reports: &[Report]) -> String {
    let count = |grade| reports.iter().filter(|report| report.grade() == grade).count();
    let confused = reports.iter().filter(|report| report.is_confused()).count();
    let mut text = format!(
        "\n{} scenarios: {} right, {} under-specified, {} wrong; {confused} confuse server and path\n",
        reports.len(),
        count(Grade::Right),
        count(Grade::UnderSpecified),
        count(Grade::Wrong)
    );
    let pairs = twins(reports);
    if !pairs.is_empty() {
        text.push_str("\ntwins (the same face, another party at fault):\n");
    }
    for (left, right) in pairs {
        let verdict = match left.grade().max(right.grade()) {
            Grade::Right => "told apart",
            Grade::UnderSpecified => "not told apart",
            Grade::Wrong => "WRONG",
        };
        let _ = writeln!(text, "  {verdict:<15}{} ({}) and {} ({})", left.id, word(left.grade()), right.id, word(right.grade()));
    }
    text
}

/// Tells whether a required scenario is anything but right.
pub fn has_failed(reports: &[Report]) -> bool {
    reports.iter().any(|report| report.required && report.grade() != Grade::Right)
}

fn twins(reports: &[Report]) -> Vec<(&Report, &Report)> {
    let pairs = reports.iter().flat_map(|left| {
        let others = left.twins.iter().filter(move |id| **id > left.id);
        others.filter_map(move |id| reports.iter().find(|right| &right.id == id).map(|right| (left, right)))
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{judge::Judgement, run::ProbeReport};

    fn report(id: &str, twin: &str, grade: Grade) -> Report {
        let judgement = Judgement { grade, confused: grade == Grade::Wrong, ..Judgement::none(String::new()) };
        let probe = ProbeReport {
            target: "t".into(),
            judgement,
            found: vec!["path.sni-filter confirmed [a d]".into()],
            exit_code: Some(5),
            seconds: 1.0,
            effort: None,
            document: serde_json::Value::Null,
        };
        Report {
            id: id.into(),
            title: String::new(),
            required: true,
            chance: false,
            twins: vec![twin.into()],
            probes: vec![probe],
            ready_seconds: 1.0,
            failure: None,
            at_first: Vec::new(),
        }
    }

    #[test]
    fn a_pair_is_named_once_and_is_as_good_as_its_worse_half() {
        let reports = [report("01", "04", Grade::Right), report("04", "01", Grade::UnderSpecified)];
        let text = summary(&reports);
        assert_eq!(text.matches("not told apart").count(), 1, "{text}");
        assert!(text.contains("2 scenarios: 1 right, 1 under-specified, 0 wrong"));
        assert!(has_failed(&reports));
    }

    #[test]
    fn a_lab_that_failed_is_never_right() {
        let mut failed = report("01", "04", Grade::Right);
        failed.failure = Some("nginx is not installed".into());
        assert_eq!(failed.grade(), Grade::Wrong);
        assert!(line(&failed).contains("nginx is not installed"));
    }
}
