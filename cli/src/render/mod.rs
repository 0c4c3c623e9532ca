//! The only place that prints: answers to standard output, everything else to standard error.

pub mod audit;
pub mod bundle;
pub mod facts;
pub mod incident;
pub mod listing;
pub mod matrix;
pub mod progress;
pub mod proof;
pub mod rejudged;
mod survey;
pub mod timeline;
pub mod verdict;

use std::{io::IsTerminal, process::ExitCode};

use owo_colors::OwoColorize;
use parallax_model::{
    clock::Timestamp,
    verdict::{Counter, Location, Scope},
};
use serde::Serialize;

use crate::exit::{ERROR, Failure};

/// Prints an error as one sentence and returns its exit code.
pub fn failure(failure: &Failure) -> ExitCode {
    anstream::eprintln!("{} {failure}", "parallax:".red().bold());
    ExitCode::from(failure.code)
}

/// Prints a remark for the person at the terminal, to standard error.
pub fn remark(text: &str) {
    anstream::eprintln!("{text}");
}

/// Prints text that is the answer itself.
pub fn answer(text: &str) {
    anstream::println!("{}", text.trim_end_matches('\n'));
}

/// Prints a value as one JSON document.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    answer(&serde_json::to_string_pretty(value).map_err(|error| Failure::new(ERROR, error.to_string()))?);
    Ok(())
}

/// Prints a value as one line of JSON.
pub fn json_line(value: &impl Serialize) -> Result<(), Failure> {
    answer(&serde_json::to_string(value).map_err(|error| Failure::new(ERROR, error.to_string()))?);
    Ok(())
}

/// Prints a value as YAML.
pub fn yaml(value: &impl Serialize) -> Result<(), Failure> {
    answer(&serde_saphyr::to_string(value).map_err(|error| Failure::new(ERROR, error.to_string()))?);
    Ok(())
}

/// Returns an instant in seconds, as lists show it.
pub fn instant(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// Returns how wide text may run: the terminal's width, at most 120, and 100 where there is no terminal.
pub fn width() -> usize {
    if std::io::stdout().is_terminal() { textwrap_width().min(120) } else { 100 }
}

fn textwrap_width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .or_else(|| terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0)))
        .unwrap_or(100)
}

/// Breaks a paragraph into lines that begin with `first` and go on with `rest`.
pub fn wrap(text: &str, first: &str, rest: &str) -> String {
    let options = textwrap::Options::new(width()).initial_indent(first).subsequent_indent(rest).break_words(false);
    textwrap::fill(text, options)
}

/// Says whom and what a finding blames.
pub fn who(scope: &Scope) -> String {
    let list = |items: &[String]| if items.is_empty() { "all".to_owned() } else { items.join(", ") };
    let share = if scope.share < 0.995 { format!(", {:.0} % of the attempts", scope.share * 100.0) } else { String::new() };
    format!("vantages {} · addresses {} · profiles {}{share}", list(&scope.vantages), list(&scope.addresses), list(&scope.profiles))
}

/// Says where on the path a fault lies, with the addresses of the hops as far as they are known, and else with the last router that answered.
pub fn whereabouts(location: &Location, router: impl Fn(u8) -> Option<String>) -> String {
    let named = |hop: u8| router(hop).map_or_else(|| format!("hop {hop}"), |router| format!("hop {hop} ({router})"));
    let hops = if location.first_hop == location.last_hop {
        format!("at {}", named(location.first_hop))
    } else {
        format!("between {} and {}", named(location.first_hop), named(location.last_hop))
    };
    match &location.router {
        Some(router) if !hops.contains(&format!("({router})")) => format!("{hops} (last router that answered: {router})"),
        _ => hops,
    }
}

/// Names the best competing explanation and what would tell the two apart.
pub fn unless(counter: &Counter) -> String {
    format!("{}; to tell the two apart: {}", counter.cause, counter.next)
}
