//! Logs to standard error, and the few numbers of `/metrics`.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use parallax_model::incident::Transition;

/// What the coordinator counts since its start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Sessions that were accepted.
    pub(crate) sessions: AtomicU64,
    /// Attempts that were stored for the first time.
    pub(crate) attempts: AtomicU64,
    /// Attempts that a vantage may not report.
    pub(crate) attempts_refused: AtomicU64,
    /// Rounds that were opened.
    pub(crate) rounds: AtomicU64,
    /// Verdicts that were made.
    pub(crate) verdicts: AtomicU64,
    /// Vantages that enrolled.
    pub(crate) enrolments: AtomicU64,
    /// What happened to incidents, in the order of [`Transition::ALL`].
    incidents: [AtomicU64; Transition::ALL.len()],
}

impl Counters {
    /// Adds to a counter.
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(u64::try_from(count).unwrap_or(0), Relaxed);
    }

    /// Counts what happened to an incident.
    pub(crate) fn count_incident(&self, transition: Transition) {
        self.incidents[transition as usize].fetch_add(1, Relaxed);
    }

    /// Writes the text format of Prometheus.
    pub(crate) fn exposition(&self, sessions_now: usize, open_rounds: usize, open_incidents: usize) -> String {
        let rows = [
            ("parallax_sessions", "gauge", "Vantages that are connected.", u64::try_from(sessions_now).unwrap_or(0)),
            ("parallax_rounds_open", "gauge", "Rounds that are under way.", u64::try_from(open_rounds).unwrap_or(0)),
            ("parallax_incidents_open", "gauge", "Incidents that go on, provisional ones too.", u64::try_from(open_incidents).unwrap_or(0)),
            ("parallax_sessions_accepted_total", "counter", "Sessions that were accepted.", self.sessions.load(Relaxed)),
            ("parallax_attempts_stored_total", "counter", "Attempts that were stored for the first time.", self.attempts.load(Relaxed)),
            ("parallax_attempts_refused_total", "counter", "Attempts that a vantage may not report.", self.attempts_refused.load(Relaxed)),
            ("parallax_rounds_opened_total", "counter", "Rounds that were opened.", self.rounds.load(Relaxed)),
            ("parallax_verdicts_total", "counter", "Verdicts that were made.", self.verdicts.load(Relaxed)),
            ("parallax_enrolments_total", "counter", "Vantages that enrolled.", self.enrolments.load(Relaxed)),
        ];
        let mut text = String::new();
        for (name, kind, help, value) in rows {
            writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}").expect("writing to a text cannot fail");
        }
        text.push_str("# HELP parallax_incidents_total What happened to incidents, each event once.\n# TYPE parallax_incidents_total counter\n");
        for (transition, count) in Transition::ALL.iter().zip(&self.incidents) {
            writeln!(text, "parallax_incidents_total{{transition=\"{transition}\"}} {}", count.load(Relaxed)).expect("writing to a text cannot fail");
        }
        text
    }
}

/// Starts logging to standard error; `PARALLAX_LOG` filters (default `info`), as in `PARALLAX_LOG=parallax_coordinator=debug`.
pub(crate) fn start_logging() {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_env("PARALLAX_LOG").unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal()).with_target(false);
    // A second call in one process, as tests make, keeps the first subscriber.
    let _ = subscriber.try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exposed_as_prometheus_reads_them() {
        let counters = Counters::default();
        Counters::add(&counters.attempts, 3);
        counters.count_incident(Transition::Confirmed);
        let text = counters.exposition(2, 1, 4);
        assert!(text.contains("\nparallax_incidents_open 4\n"), "{text}");
        assert!(text.contains("# TYPE parallax_incidents_total counter\nparallax_incidents_total{transition=\"opened\"} 0\n"), "{text}");
        assert!(text.contains("\nparallax_incidents_total{transition=\"confirmed\"} 1\n"), "{text}");
        assert!(text.contains("# TYPE parallax_attempts_stored_total counter\nparallax_attempts_stored_total 3\n"), "{text}");
        assert!(text.contains("\nparallax_sessions 2\n"), "{text}");
    }
}
