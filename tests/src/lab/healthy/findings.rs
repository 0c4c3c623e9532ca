//! What verdicts of healthy targets say.

use std::{collections::BTreeMap, fmt};

use parallax_model::verdict::{Cause, Finding, Tier, Verdict};

/// Findings of many verdicts, by cause and tier.
#[derive(Debug, Default)]
pub struct Findings {
    /// Verdicts.
    pub rounds: usize,
    /// Those that are healthy.
    pub healthy: usize,
    /// How many verdicts have a finding of this cause and tier.
    pub counts: BTreeMap<(Cause, Tier), usize>,
    /// What must not have been said, a line each.
    pub wrong: Vec<String>,
}

impl Findings {
    /// Counts one verdict.
    pub fn add(&mut self, verdict: &Verdict) {
        self.rounds += 1;
        self.healthy += usize::from(verdict.healthy);
        for finding in &verdict.findings {
            *self.counts.entry((finding.cause, finding.tier)).or_default() += 1;
            if !is_allowed(finding) {
                let because: Vec<String> = finding.evidence.iter().map(|evidence| format!("{}: {}", evidence.rule, evidence.text)).collect();
                self.wrong.push(format!("{} of {}: {} {}\n    {}", verdict.round, verdict.target, finding.cause, finding.tier, because.join("\n    ")));
            }
        }
    }
}

/// Tells whether a finding claims nothing that is not so: an informational one, a mixture, or that too little was seen.
fn is_allowed(finding: &Finding) -> bool {
    finding.cause.is_informational() || matches!(finding.cause, Cause::UndeterminedFlaky | Cause::UndeterminedInsufficient)
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rounds, {} of them healthy", self.rounds, self.healthy)?;
        for ((cause, tier), count) in &self.counts {
            writeln!(f, "  {:<36} {:<12} {count:>5}", cause.as_str(), tier.to_string())?;
        }
        self.wrong.iter().try_for_each(|line| writeln!(f, "NOT SO  {line}"))
    }
}
