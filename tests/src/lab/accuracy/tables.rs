//! The tables that a run ends with.

use std::fmt::Write as _;

use super::sums::{LOCI, Sums, median};
use crate::lab::{report::word, run::Report};

/// Seconds within which the median must lie: of failures in silence, and of those that somebody answered.
const GOALS: [(&str, f64); 2] = [("silent drops", 45.0), ("resets, alerts and closes", 15.0)];

/// What was told about a scenario, its grade included.
pub(super) fn told(report: &Report) -> String {
    let found: Vec<_> = report.probes.iter().map(|probe| if probe.found.is_empty() { "healthy".to_owned() } else { probe.found.join("; ") }).collect();
    format!("{}: {}", word(report.grade()), found.join(" | "))
}

/// What must be told again when the order of the scenarios is another.
pub(super) fn repeatable(report: &Report) -> String {
    if report.chance { word(report.grade()).to_owned() } else { told(report) }
}

/// Every scenario on a line.
pub(super) fn verdicts(reports: &[Report]) -> String {
    let mut text = String::from("\nscenario                                   verdict\n");
    for report in reports {
        let mark = if report.required { " " } else { "~" };
        let _ = writeln!(text, "{mark} {:<40} {}", report.id, told(report));
    }
    text + "~ not required to be right\n"
}

/// What was right only when nothing else ran.
pub(super) fn second_looks(reports: &[Report]) -> String {
    let mut text = String::new();
    for report in reports.iter().filter(|report| !report.at_first.is_empty()) {
        if text.is_empty() {
            text.push_str("\nlooked at once more, alone, since the machine was busy or the verdict open:\n");
        }
        let _ = writeln!(text, "  {} was under-specified at first ({}) and is now {}", report.id, report.at_first.join("; "), word(report.grade()));
    }
    text
}

/// Which locus was told for which, and the two directions that matter.
pub(super) fn confusion(sums: &Sums) -> String {
    let mut text = format!("\nright \\ told  {}\n", LOCI.map(|locus| format!("{locus:>13}")).concat());
    for right in LOCI {
        let count = |told: &str| sums.count(|one, other| one == right && other == told);
        let cells = LOCI.map(|told| if count(told) == 0 { format!("{:>13}", "·") } else { format!("{:>13}", count(told)) });
        let _ = writeln!(text, "{right:<14}{}", cells.concat());
    }
    let elsewhere = |told: &str| !matches!(told, "server" | "undetermined" | "healthy");
    let _ = writeln!(text, "server's faults blamed on edge, policy, path, dns or vantage: {}", sums.count(|right, told| right == "server" && elsewhere(told)));
    let _ =
        writeln!(text, "faults of edge, policy, path, dns or vantage blamed on the server: {}", sums.count(|right, told| elsewhere(right) && told == "server"));
    text
}

/// How often each cause was found, with the right blame, and how surely.
pub(super) fn causes(sums: &Sums) -> String {
    let mut text = format!("\n{:<60}{:>8}{:>10}{:>11}  tiers\n", "cause", "found", "vantages", "addresses");
    for (cause, sums) in &sums.causes {
        let tiers: Vec<_> = sums.tiers.iter().rev().map(|(tier, count)| format!("{count} {tier:?}").to_lowercase()).collect();
        let of = |(right, stated): (usize, usize)| if stated == 0 { "·".to_owned() } else { format!("{right}/{stated}") };
        let _ = writeln!(text, "{cause:<60}{:>8}{:>10}{:>11}  {}", of((sums.found, sums.wanted)), of(sums.vantages), of(sums.addresses), tiers.join(", "));
    }
    text
}

/// Time to the verdict, and connections.
pub(super) fn effort(sums: &Sums) -> String {
    let mut text = String::from("\nfrom the first failed attempt to a likely or confirmed verdict:\n");
    for ((what, goal), seconds) in GOALS.iter().zip(&sums.seconds) {
        let Some(middle) = median(seconds) else { continue };
        let longest = seconds.iter().copied().fold(0.0, f64::max);
        let mark = if middle > *goal { "ABOVE" } else { "within" };
        let _ = writeln!(text, "  {what:<26} median {middle:>5.1} s ({mark} {goal} s), at most {longest:.1} s, {} rounds", seconds.len());
    }
    let _ =
        writeln!(text, "\n{:<42}{:>9}{:>13}{:>38}{:>12}", "connections used", "attempts", "connections", "most of one vantage to one address", "explaining");
    for (id, attempts, connections, (most, explaining)) in &sums.efforts {
        let _ = writeln!(text, "{id:<42}{attempts:>9}{connections:>13}{most:>38}{explaining:>12}");
    }
    text
}
