//! A verdict with its reasons, for the terminal: verdict, findings, rules, and the attempts below each with the facts that matter.

use owo_colors::OwoColorize;
use parallax_model::{
    attempt::Attempt,
    proof::{Excluded, Proof},
    verdict::{Evidence, Finding, Tier},
};
use serde_json::json;

use super::{facts, wrap};
use crate::{
    args::Output,
    exit::{DONE, Failure},
};

/// Attempts that are shown below one rule where not everything is asked for.
const SHOWN: usize = 4;

/// Prints a proof in the form that was asked for.
pub fn print(proof: &Proof, output: Output) -> Result<u8, Failure> {
    let attempts = || proof.attempts.iter().map(|attempt| facts::document(attempt, proof.judged(attempt)));
    let document = || json!({"verdict": proof.verdict, "excluded": proof.excluded, "attempts": attempts().collect::<Vec<_>>()});
    match output {
        Output::Table => super::answer(&text(proof, false)),
        Output::Wide => super::answer(&text(proof, true)),
        Output::Json => super::json(&document())?,
        Output::Jsonl => attempts().try_for_each(|attempt| super::json_line(&attempt))?,
        Output::Yaml => super::yaml(&document())?,
        Output::Csv | Output::Nagios => super::answer(&text(proof, false)),
    }
    Ok(DONE)
}

/// Writes a proof as people read it.
pub fn text(proof: &Proof, wide: bool) -> String {
    let verdict = &proof.verdict;
    let judged = verdict.closed_at.to_jiff().strftime("%Y-%m-%d %H:%M:%SZ");
    let mut lines = vec![
        wrap(&verdict.headline, "", "").bold().to_string(),
        format!("round {}, revision {}, judged at {judged} by rules {}", verdict.round, verdict.revision, verdict.rules).dimmed().to_string(),
    ];
    for finding in &verdict.findings {
        lines.push(String::new());
        lines.extend(of_finding(proof, finding, wide));
    }
    if verdict.findings.is_empty() {
        lines.push("\nNothing is wrong, so no rule fired.".to_owned());
    }
    if !proof.excluded.is_empty() && proof.present_rules != verdict.rules {
        let remark = format!("What was excluded is computed by the present rules ({}); the verdict is of rules {}.", proof.present_rules, verdict.rules);
        lines.push(wrap(&remark, "\n", ""));
    }
    if wide {
        lines.push(format!("\nall attempts ({}; -o json has every fact)", proof.attempts.len()));
        lines.extend(proof.attempts.iter().flat_map(|attempt| of_attempt(proof, attempt, "  ")));
    } else {
        lines.push(format!("\n{} attempts in all: -o wide lists them, -o json has every fact of each.", proof.attempts.len()));
    }
    lines.join("\n")
}

fn of_finding(proof: &Proof, finding: &Finding, wide: bool) -> Vec<String> {
    let tier = if finding.tier == Tier::Insufficient { String::new() } else { format!("  {}", finding.tier) };
    let mut lines = vec![format!("■ {}{tier}", finding.cause.bold())];
    lines.push(wrap(&format!("vantages {}", finding.scope.vantages.join(", ")), "  ", "  "));
    lines.push("\n  rules that fired".to_owned());
    for evidence in &finding.evidence {
        lines.extend(of_rule(proof, evidence, wide));
    }
    let tried: Vec<&Excluded> = proof.excluded.iter().filter(|excluded| is_about(excluded, finding)).collect();
    if !tried.is_empty() {
        lines.push("\n  tried and not held".to_owned());
    }
    for excluded in tried {
        lines.extend(of_excluded(excluded, wide));
    }
    if let Some(counter) = &finding.counter {
        lines.push(wrap(&format!("unless {}", super::unless(counter)), "\n  ", "    "));
    }
    lines
}

/// Tells whether a hypothesis was tried for what a finding blames.
pub fn is_about(excluded: &Excluded, finding: &Finding) -> bool {
    let touches = |theirs: &[String], ours: &[String]| theirs.iter().any(|item| ours.contains(item));
    excluded.finding == finding.cause && touches(&excluded.vantages, &finding.scope.vantages) && touches(&excluded.addresses, &finding.scope.addresses)
}

fn of_rule(proof: &Proof, evidence: &Evidence, wide: bool) -> Vec<String> {
    let mut lines = vec![wrap(&format!("✓ {}: {}", evidence.rule, evidence.text), "  ", "    ")];
    let found: Vec<&Attempt> = evidence.attempts.iter().filter_map(|id| proof.attempts.iter().find(|attempt| attempt.id == *id)).collect();
    let shown = if wide { found.len() } else { found.len().min(SHOWN) };
    lines.extend(found[..shown].iter().flat_map(|attempt| of_attempt(proof, attempt, "      ")));
    if shown < found.len() {
        lines.push(format!("      … and {} more (-o wide)", found.len() - shown).dimmed().to_string());
    }
    lines
}

fn of_attempt(proof: &Proof, attempt: &Attempt, indent: &str) -> Vec<String> {
    let mut lines = vec![format!("{indent}{}", facts::line(attempt, proof.judged(attempt)))];
    let said = facts::of(&attempt.facts);
    if !said.is_empty() {
        lines.push(wrap(&said.join(" · "), &format!("{indent}  "), &format!("{indent}  ")).dimmed().to_string());
    }
    lines
}

fn of_excluded(excluded: &Excluded, wide: bool) -> Vec<String> {
    let held = excluded.held.map(|tier| format!(" (held as {tier}, and something stronger was found)")).unwrap_or_default();
    let mut lines = vec![wrap(&format!("✗ {}{held} at {}", excluded.cause, excluded.vantages.join(", ")), "  ", "    ")];
    lines.push(wrap(&format!("requires: {}", excluded.requires), "      ", "        ").dimmed().to_string());
    lines.push(wrap(&format!("excluded by: {}", excluded.excluded_by), "      ", "        ").dimmed().to_string());
    if wide {
        lines.push(wrap(&format!("counter: {}: {}", excluded.counter, excluded.next), "      ", "        ").dimmed().to_string());
    }
    lines
}
