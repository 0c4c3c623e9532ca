//! What a round took: connections, and the time to its verdict; from the attempts that it rests on.

use std::{collections::BTreeMap, net::SocketAddr};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    clock::Timestamp,
    facts::{Facts, WalkFacts},
    outcome::Outcome,
};
use serde::{Deserialize, Serialize};

/// What `parallax verdict explain -o json` prints.
#[derive(Debug, Deserialize)]
pub(super) struct Explained {
    verdict: Closed,
    attempts: Vec<Attempt>,
}

#[derive(Debug, Deserialize)]
struct Closed {
    closed_at: Timestamp,
}

/// What a round took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effort {
    /// How many attempts the verdict rests on.
    pub attempts: usize,
    /// Connections of each vantage to each address of the target, as `VANTAGE ADDRESS`.
    pub connections: BTreeMap<String, usize>,
    /// Those among them that explain a failure: all but the first tries of each profile, and but audits.
    pub explaining: BTreeMap<String, usize>,
    /// The first attempt that failed.
    pub first_failure: Option<FirstFailure>,
}

/// The first attempt of a round that failed, and what followed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FirstFailure {
    /// How it ended.
    pub outcome: String,
    /// Whether it ended in silence: nothing said that it failed but the time that passed.
    pub silent: bool,
    /// Seconds from its start to the verdict.
    pub to_verdict_seconds: f64,
}

impl Effort {
    /// Returns the most connections that one vantage made to one address, and the most that explain a failure.
    pub fn most_connections(&self) -> (usize, usize) {
        let most = |counts: &BTreeMap<String, usize>| counts.values().copied().max().unwrap_or(0);
        (most(&self.connections), most(&self.explaining))
    }
}

impl From<&Explained> for Effort {
    fn from(explained: &Explained) -> Self {
        let (mut connections, mut explaining, mut tries) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for attempt in &explained.attempts {
            let Some(address) = target_of(attempt) else { continue };
            let way = format!("{} {address}", attempt.vantage);
            let tried: &mut usize = tries.entry((way.clone(), &attempt.profile, attempt.experiment)).or_default();
            *tried += 1;
            let count = connections_of(attempt);
            let is_first = attempt.experiment == Experiment::Baseline && *tried <= TRIES;
            if !is_first && attempt.experiment != Experiment::Audit {
                *explaining.entry(way.clone()).or_default() += count;
            }
            *connections.entry(way).or_default() += count;
        }
        let failures = explained.attempts.iter().filter(|attempt| !is_elsewhere(attempt) && Outcome::of(attempt).is_failure());
        let first_failure = failures.min_by_key(|attempt| attempt.started_at).map(|first| {
            let outcome = Outcome::of(first).to_string();
            let micros = explained.verdict.closed_at.as_micros() - first.started_at.as_micros();
            FirstFailure { silent: outcome.ends_with("timeout"), outcome, to_verdict_seconds: micros as f64 / 1e6 }
        });
        Self { attempts: explained.attempts.len(), connections, explaining, first_failure }
    }
}

/// The address of the target that an attempt connected to, if it did.
fn target_of(attempt: &Attempt) -> Option<SocketAddr> {
    attempt.address.filter(|_| !is_elsewhere(attempt) && attempt.experiment != Experiment::Resolve && attempt.facts.not_completed.is_none())
}

/// Tells whether an attempt says nothing about the target by itself.
fn is_elsewhere(attempt: &Attempt) -> bool {
    matches!(attempt.experiment, Experiment::Responder | Experiment::NameAtResponder | Experiment::Witness)
}

/// The attempts of a cell that decide whether it fails.
const TRIES: usize = 2;

fn connections_of(attempt: &Attempt) -> usize {
    let Facts { walk, reply_ttl, audit, .. } = &attempt.facts;
    let steps = walk.as_ref().map(WalkFacts::connections);
    let counted = [reply_ttl.as_ref().map(|facts| facts.connections), audit.as_ref().map(|facts| facts.connections)];
    let counted = counted.into_iter().flatten().next().and_then(|count| usize::try_from(count).ok());
    steps.or(counted).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

    fn attempt(at_ms: i64, experiment: &str, facts: serde_json::Value) -> serde_json::Value {
        serde_json::json!({
            "id": NOBODY, "round": NOBODY, "check": NOBODY, "vantage": "a",
            "profile": "modern", "experiment": experiment, "address": "192.0.2.11:443", "sequence": 0, "started_at": Timestamp::from_micros(at_ms * 1000),
            "elapsed_us": 1000, "clock_offset_us": null, "facts": facts
        })
    }

    fn effort(attempts: &[serde_json::Value]) -> Effort {
        let explained: Explained =
            serde_json::from_value(serde_json::json!({"verdict": {"closed_at": Timestamp::from_micros(12_000_000)}, "attempts": attempts})).unwrap();
        Effort::from(&explained)
    }

    #[test]
    fn time_runs_from_the_first_failure_and_walks_count_step_by_step() {
        let tcp = |end: &str| serde_json::json!({"tcp": {"remote": "192.0.2.11:443", "source_port_pinned": false, "connect_us": 1, "end": end}});
        let step = serde_json::json!({"hop_limit": 1, "end": "silent", "elapsed_us": 1});
        let walk = serde_json::json!({"walk": {"payload": "syn", "source_port": 0, "steps": [step, step, step]}});
        let found = effort(&[
            attempt(9_000, "baseline", tcp("refused")),
            attempt(4_000, "baseline", tcp("timed-out")),
            attempt(5_000, "syn-walk", walk),
            attempt(1_000, "responder", tcp("refused")),
        ]);
        assert_eq!(found.most_connections(), (5, 3));
        let first = found.first_failure.unwrap();
        assert_eq!((first.outcome.as_str(), first.silent, first.to_verdict_seconds), ("tcp.timeout", true, 8.0));
    }
}
