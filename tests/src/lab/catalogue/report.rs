use std::fmt::Write as _;

use super::{RowReport, run::has_failed};
use crate::lab::run::ProbeReport;

/// One line for one row, with the reasons below it.
pub fn line(report: &RowReport) -> String {
    let found = |probe: &Option<ProbeReport>| match probe {
        Some(probe) if probe.found.is_empty() => "healthy".to_owned(),
        Some(probe) => probe.found.join("; "),
        None => "not asked".to_owned(),
    };
    let right = if report.is_right() { "right" } else { "WRONG" };
    let cured = if report.is_cured() { "cured" } else { "NOT CURED" };
    let mut text = format!("{right:<6}{cured:<10}{:<40} {:>5.1} s  {}\n", report.id, report.seconds, found(&report.broken));
    let reasons = |probe: &Option<ProbeReport>, when: &str| -> Vec<String> {
        let reasons = probe.iter().flat_map(|probe| probe.judgement.reasons.iter());
        reasons.map(|reason| format!("{when}: {reason}")).collect()
    };
    let all = reasons(&report.broken, "broken").into_iter().chain(reasons(&report.cured, "cured"));
    for reason in all.chain(report.failure.clone()) {
        let _ = writeln!(text, "{:<17}{reason}", "");
    }
    if !report.is_cured() {
        let _ = writeln!(text, "{:<17}once cured: {}", "", found(&report.cured));
    }
    text
}

/// The sums.
pub fn summary(reports: &[RowReport]) -> String {
    let right = reports.iter().filter(|report| report.is_right()).count();
    let cured = reports.iter().filter(|report| report.is_cured()).count();
    let end = if has_failed(reports) { "" } else { ": every one is found and mended" };
    format!("\n{} misconfigurations: {right} found with the right cause and no other, {cured} cured by the page's own remedy{end}\n", reports.len())
}
