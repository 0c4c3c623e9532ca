//! Live progress of a round on standard error; silent where that is no terminal.

use std::{collections::BTreeMap, io::IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};
use parallax_model::{assignment::Experiment, attempt::Attempt, outcome::Outcome};

/// What a round has shown so far.
pub struct Progress {
    bar: Option<ProgressBar>,
    vantages: BTreeMap<String, Seen>,
    note: String,
}

#[derive(Default)]
struct Seen {
    passed: u32,
    failed: u32,
    experiments: u32,
    done: bool,
}

impl Progress {
    /// Begins to show progress for a round over these vantages.
    pub fn begin(vantages: &[String]) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
            bar
        });
        let mut progress = Self { bar, vantages: vantages.iter().map(|name| (name.clone(), Seen::default())).collect(), note: String::new() };
        progress.show();
        progress
    }

    /// Takes an attempt in.
    pub fn attempt(&mut self, attempt: &Attempt) {
        let seen = self.vantages.entry(attempt.vantage.to_string()).or_default();
        match (attempt.experiment, Outcome::of(attempt)) {
            (Experiment::Baseline, outcome) if outcome.is_ok() => seen.passed += 1,
            (Experiment::Baseline, outcome) if outcome.is_failure() => seen.failed += 1,
            _ => seen.experiments += 1,
        }
        self.show();
    }

    /// Marks a vantage as done.
    pub fn done(&mut self, vantage: &str) {
        self.vantages.entry(vantage.to_owned()).or_default().done = true;
        self.show();
    }

    /// Shows a step in words.
    pub fn note(&mut self, note: String) {
        self.note = note;
        self.show();
    }

    /// Takes the progress off the terminal.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn show(&mut self) {
        let Some(bar) = &self.bar else { return };
        let say = |(name, seen): (&String, &Seen)| {
            let state = if seen.done { "✓" } else { "…" };
            let failed = if seen.failed > 0 { format!(" {} failed", seen.failed) } else { String::new() };
            let experiments = if seen.experiments > 2 { format!(" {} experiments", seen.experiments) } else { String::new() };
            format!("{name}{state} {} ok{failed}{experiments}", seen.passed)
        };
        let vantages: Vec<String> = self.vantages.iter().map(say).collect();
        bar.set_message(format!("{}   {}", vantages.join("   "), self.note));
    }
}

/// A number that grows, on standard error; silent where that is no terminal.
pub struct Count(ProgressBar);

impl Count {
    /// Begins to count; `what` stands behind the number.
    pub fn new(what: &str) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {pos} {msg}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// Shows how far it is.
    pub fn at(&self, number: u64) {
        self.0.set_position(number);
    }

    /// Prints something without disturbing the number.
    pub fn aside(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// Takes the number off the terminal.
    pub fn end(&self) {
        self.0.finish_and_clear();
    }
}
