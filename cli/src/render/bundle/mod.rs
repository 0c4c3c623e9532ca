//! A verdict as one document that can be handed on: HTML that needs nothing else, and JSON beside it. Pure: facts in, text out.

mod certificates;
mod commands;
mod packets;
mod page;
mod path;
mod scrub;
mod timeline;

use std::collections::{BTreeMap, BTreeSet};

use parallax_model::{assignment::Experiment, attempt::Attempt, clock::Timestamp, id::AttemptId, outcome::Outcome, proof::Proof, verdict::Finding};
use scrub::Scrub;
use serde_json::{Value, json};

use super::facts;

/// Who made a bundle, when, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Whom to ask, when somebody was named.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The program and its version.
    pub with: String,
}

/// A proof with its attempts in the order of time, as the parts of the page look at it.
pub(super) struct Case<'a> {
    proof: &'a Proof,
    attempts: Vec<&'a Attempt>,
    seen: BTreeMap<AttemptId, Seen>,
}

/// The number by which the page names an attempt, and what it was judged to be.
#[derive(Clone, Copy)]
struct Seen {
    number: usize,
    outcome: Outcome,
}

/// Writes the page.
pub fn html(proof: &Proof, made: &Made) -> String {
    Scrub::of(proof).apply(&page::page(&Case::of(proof), made).into_string())
}

/// Writes the document beside the page: the same proof for programs.
pub fn document(proof: &Proof, made: &Made) -> Result<String, serde_json::Error> {
    let case = Case::of(proof);
    let attempts: Vec<Value> = case.attempts.iter().map(|attempt| attempt_document(&case, attempt)).collect();
    let vantages: Vec<Value> = proof.vantages.iter().map(|seen| json!({"name": seen.name, "labels": shared_labels(&seen.labels)})).collect();
    let document = json!({
        "apiVersion": "parallax/v1", "kind": "Bundle", "verdict": proof.verdict, "excluded": proof.excluded, "vantages": vantages, "attempts": attempts,
        "made": {"by": made.by, "at": made.at, "with": made.with},
    });
    serde_json::to_string_pretty(&document).map(|text| Scrub::of(proof).apply(&text) + "\n")
}

/// Returns an attempt for programs; of one at the fleet's own responders only what came of it.
fn attempt_document(case: &Case<'_>, attempt: &Attempt) -> Value {
    let mut document = facts::document(attempt, case.outcome(attempt));
    if let Some(fields) = document.as_object_mut().filter(|_| is_own(attempt)) {
        fields.remove("facts");
        fields.remove("address");
    }
    document
}

/// Tells whether an attempt went to one of the fleet's own responders.
fn is_own(attempt: &Attempt) -> bool {
    matches!(attempt.experiment, Experiment::Responder | Experiment::NameAtResponder)
}

/// Keeps the labels that say where a vantage stands; others are the operator's own business.
fn shared_labels(labels: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    const SHARED: [&str; 5] = ["site", "asn", "upstream", "country", "role"];
    labels.iter().filter(|(key, _)| SHARED.contains(&key.as_str())).map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

impl<'a> Case<'a> {
    fn of(proof: &'a Proof) -> Self {
        let mut attempts: Vec<&Attempt> = proof.attempts.iter().collect();
        attempts.sort_by_key(|attempt| (attempt.started_at, attempt.id));
        let seen = attempts.iter().enumerate().map(|(at, attempt)| (attempt.id, Seen { number: at + 1, outcome: proof.judged(attempt) })).collect();
        Self { proof, attempts, seen }
    }

    /// Returns the number by which the page names an attempt.
    fn number(&self, attempt: &Attempt) -> usize {
        self.seen.get(&attempt.id).map_or(0, |seen| seen.number)
    }

    /// Returns what an attempt was judged to be.
    fn outcome(&self, attempt: &Attempt) -> Outcome {
        self.seen.get(&attempt.id).map_or_else(|| Outcome::of(attempt), |seen| seen.outcome)
    }

    /// Tells whether a finding blames what an attempt came to; whose certificate alone is wrong is not blamed by what cuts handshakes, nor the reverse.
    fn is_blamed(&self, finding: &Finding, attempt: &Attempt) -> bool {
        let address = attempt.address.map(|address| address.to_string()).unwrap_or_default();
        let outcome = self.outcome(attempt);
        let kind = matches!(outcome, Outcome::Certificate(_)) == self.proof.verdict.certificate_fault(finding).is_some();
        outcome.is_failure() && kind && finding.scope.covers(attempt.vantage.as_str(), &address, attempt.profile.as_str())
    }

    /// Tells whether an attempt shows what a finding keeps others from.
    fn is_spared(&self, finding: &Finding, attempt: &Attempt) -> bool {
        match self.outcome(attempt) {
            Outcome::Ok => true,
            Outcome::Certificate(_) => self.proof.verdict.certificate_fault(finding).is_none(),
            _ => false,
        }
    }

    /// Returns the attempts that a finding's rules rest on, in the order of time.
    fn evidence(&self, finding: &Finding) -> Vec<&'a Attempt> {
        let wanted: BTreeSet<_> = finding.evidence.iter().flat_map(|evidence| &evidence.attempts).collect();
        self.attempts.iter().copied().filter(|attempt| wanted.contains(&attempt.id)).collect()
    }

    fn faults(&self) -> impl Iterator<Item = &'a Finding> {
        self.proof.verdict.findings.iter().filter(|finding| !finding.cause.is_informational())
    }
}

/// Returns the vantages that a finding blames.
fn involved(proof: &Proof) -> BTreeSet<&str> {
    proof.verdict.findings.iter().filter(|finding| !finding.cause.is_informational()).flat_map(|finding| &finding.scope.vantages).map(String::as_str).collect()
}
