//! What another judgement of a round would change, in a few lines.

use parallax_model::verdict::{Finding, Verdict};
use parallax_proto::v1::rejudge_verdicts_response::Progress;

/// Writes the difference between two verdicts of one round: who, and each finding before and after.
pub fn text(before: &Verdict, after: &Verdict) -> String {
    let started = before.started_at.to_jiff().strftime("%Y-%m-%d %H:%M:%SZ");
    let name = before.check.as_ref().unwrap_or(&before.target);
    let mut lines = vec![format!("{started}  {name}  round {}", before.round)];
    let (gone, come) = (without(before, after), without(after, before));
    let say = |mark: &str, finding: &Finding| super::wrap(&format!("{mark} {}", said(finding)), "  ", "      ");
    lines.extend(gone.iter().map(|finding| say("−", finding)));
    lines.extend(come.iter().map(|finding| say("+", finding)));
    if before.healthy != after.healthy {
        let state = |verdict: &Verdict| if verdict.healthy { "healthy" } else { "not healthy" };
        lines.push(format!("  {} → {}", state(before), state(after)));
    }
    lines.join("\n")
}

/// Returns the findings of one verdict that the other does not have alike.
fn without<'a>(of: &'a Verdict, other: &Verdict) -> Vec<&'a Finding> {
    of.findings.iter().filter(|finding| !other.findings.iter().any(|theirs| said(theirs) == said(finding))).collect()
}

fn said(finding: &Finding) -> String {
    let mechanism = finding.mechanism.as_ref().map(|mechanism| format!(" {mechanism}")).unwrap_or_default();
    let hops = finding.location.as_ref().map(|location| format!(", hops {} to {}", location.first_hop, location.last_hop)).unwrap_or_default();
    format!("{} ({}){mechanism}: {}{hops}", finding.cause, finding.tier, super::who(&finding.scope))
}

/// Says how many rounds were judged again and what came of it.
pub fn summary(tally: &Progress) -> String {
    let Progress { rounds, changed, reworded, stored, rules, .. } = tally;
    let kept = match (stored, changed) {
        (_, 0) => String::new(),
        (0, _) => "; nothing was kept: --store keeps them as further revisions".to_owned(),
        _ => format!("; {stored} kept as further revisions"),
    };
    let reworded = if *reworded > 0 { format!(", {reworded} say the same in other words") } else { String::new() };
    format!("{rounds} rounds by rules {rules}: {changed} would have another verdict{reworded}{kept}")
}
