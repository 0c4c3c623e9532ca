//! How the attempts of a lossy but healthy fleet come out: the tails that loss gives to their times, and what it costs outright.

use std::{collections::BTreeMap, fmt};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    facts::{ConnectEnd, LookupEnd, TlsEnd},
    outcome::Outcome,
};

/// What many attempts came to.
#[derive(Debug, Default)]
pub struct Attempts {
    /// Plain attempts, by outcome.
    pub outcomes: BTreeMap<String, usize>,
    /// Other attempts, by experiment and outcome.
    pub others: BTreeMap<(Experiment, String), usize>,
    connects_us: Vec<u64>,
    handshakes_us: Vec<u64>,
    retransmitted: BTreeMap<u32, usize>,
    lookups_us: Vec<u64>,
    lookups_failed: usize,
    walks: (usize, usize),
}

impl Attempts {
    /// Counts one attempt.
    pub fn add(&mut self, attempt: &Attempt) {
        let outcome = Outcome::of(attempt);
        if attempt.experiment == Experiment::Baseline {
            *self.outcomes.entry(outcome.to_string()).or_default() += 1;
        } else {
            *self.others.entry((attempt.experiment, outcome.to_string())).or_default() += 1;
        }
        if let Some(dns) = &attempt.facts.dns {
            self.lookups_us.extend(dns.answers.iter().map(|answer| answer.elapsed_us));
            self.lookups_failed += dns.answers.iter().filter(|answer| answer.end != LookupEnd::Response(0)).count();
        }
        if let Some(walk) = &attempt.facts.walk {
            let silent = walk.steps.iter().filter(|step| step.end == parallax_model::facts::StepEnd::Silent).count();
            self.walks = (self.walks.0 + walk.steps.len(), self.walks.1 + silent);
        }
        let is_plain = matches!(attempt.experiment, Experiment::Baseline | Experiment::Responder);
        let Some(tcp) = attempt.facts.tcp.as_ref().filter(|tcp| is_plain && tcp.end == ConnectEnd::Connected) else { return };
        self.connects_us.push(tcp.connect_us);
        if let Some(tls) = attempt.facts.tls.as_ref().filter(|tls| tls.end == TlsEnd::Established) {
            self.handshakes_us.push(tls.handshake.as_ref().map_or(tls.end_us, |handshake| handshake.elapsed_us));
            *self.retransmitted.entry(tcp.at_end.map_or(0, |info| info.total_retransmissions)).or_default() += 1;
        }
    }

    /// Returns which share of the connections took at least so long.
    pub fn share_of_connects(&self, least_us: u64) -> f64 {
        share(&self.connects_us, least_us)
    }

    /// Returns which share of the finished handshakes took at least so long.
    pub fn share_of_handshakes(&self, least_us: u64) -> f64 {
        share(&self.handshakes_us, least_us)
    }
}

fn share(all: &[u64], least: u64) -> f64 {
    all.iter().filter(|value| **value >= least).count() as f64 / all.len().max(1) as f64
}

fn tail(f: &mut fmt::Formatter<'_>, what: &str, all: &[u64], steps_ms: &[u64]) -> fmt::Result {
    write!(f, "{what}: {}", all.len())?;
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    for (name, at) in [("median", 50), ("p90", 90)] {
        write!(f, ", {name} {:.1} ms", sorted.get(sorted.len() * at / 100).copied().unwrap_or(0) as f64 / 1e3)?;
    }
    for step in steps_ms {
        write!(f, ", {:.3} % over {step} ms", share(all, step * 1_000) * 100.0)?;
    }
    writeln!(f)
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: usize = self.outcomes.values().sum();
        for (outcome, count) in &self.outcomes {
            writeln!(f, "  {outcome:<36} {count:>6}  {:.3} %", *count as f64 * 100.0 / all.max(1) as f64)?;
        }
        for ((experiment, outcome), count) in &self.others {
            writeln!(f, "  {:<36} {count:>6}", format!("{experiment} {outcome}"))?;
        }
        tail(f, "connections", &self.connects_us, &[100, 500, 900, 1_900, 2_900])?;
        tail(f, "finished handshakes", &self.handshakes_us, &[100, 190, 390, 590, 990, 1_990])?;
        writeln!(f, "  segments that the vantage sent again in one: {:?}", self.retransmitted)?;
        tail(f, "lookups", &self.lookups_us, &[100, 900, 1_900, 4_900])?;
        writeln!(f, "  {} of them failed; {} of {} steps of walks silent", self.lookups_failed, self.walks.1, self.walks.0)
    }
}
