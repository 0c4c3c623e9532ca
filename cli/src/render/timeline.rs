//! The rounds of a check as people read them: what stayed the same stands in one line.

use owo_colors::OwoColorize;
use parallax_model::{
    clock::Timestamp,
    incident::{Gap, Timeline},
    verdict::Verdict,
};

use super::{incident, instant, verdict};

/// What is said instead of an empty history.
pub const EMPTY: &str = "no rounds in this window; 'parallax check list' shows the checks, --since widens the window";

/// Rounds in a row that say the same, or a gap.
struct Line {
    from: Timestamp,
    last: Timestamp,
    rounds: u32,
    said: String,
    /// The first round, for `parallax verdict show`; empty for a gap.
    round: String,
}

/// Writes rounds, gaps and incidents.
pub fn text(verdicts: &[Verdict], line: &Timeline) -> String {
    let (Some(first), Some(last)) = (verdicts.first(), verdicts.last()) else { return EMPTY.to_owned() };
    let name = first.check.clone().unwrap_or_else(|| first.target.clone());
    let faults = line.incidents.iter().filter(|incident| !incident.informational);
    let (open, over): (Vec<_>, Vec<_>) = faults.partition(|incident| incident.is_open());
    let state = match (open.is_empty(), last.healthy) {
        (true, true) => "healthy".green().bold().to_string(),
        (true, false) => verdict::summary(last).yellow().bold().to_string(),
        (false, _) => "not healthy".red().bold().to_string(),
    };
    let mut out = format!(
        "{}  {}  {state}   {} since {}{}{}\n\n",
        name.bold(),
        first.target,
        counted(verdicts.len(), "round"),
        instant(first.started_at),
        some(open.len(), "open incident"),
        some(over.len(), "ended incident"),
    );
    let lines = lines(verdicts, &line.gaps);
    let shows_day = day(first.started_at) != day(last.started_at);
    let clock = |at: Timestamp| if shows_day { at.to_jiff().strftime("%m-%d %H:%M:%S").to_string() } else { at.to_jiff().strftime("%H:%M:%S").to_string() };
    let widest = lines.iter().map(|line| line.said.chars().count()).max().unwrap_or(0).min(60);
    for line in &lines {
        let until = if line.last == line.from { String::new() } else { format!("to {}", clock(line.last)) };
        let until_width = if shows_day { 17 } else { 11 };
        let head = format!("  {}  {until:until_width$}  {:>5}  {:widest$}", clock(line.from), line.rounds, line.said);
        out.push_str(&format!("{head}  {}\n", line.round.dimmed()));
    }
    out.extend(line.incidents.iter().map(|found| format!("\n{}\n", incident::text(found, verdicts))));
    out.trim_end().to_owned()
}

/// Puts rounds that say the same together, with the gaps between them; a gap of one vantage parts no rounds.
fn lines(verdicts: &[Verdict], gaps: &[Gap]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut whole = gaps.iter().filter(|gap| gap.vantage.is_none() && gap.reason == NO_ROUND).peekable();
    let dead = |gap: &Gap| Line {
        from: gap.from,
        last: gap.from,
        rounds: gap.rounds,
        said: format!("gap: {}", if gap.until.is_some() { gap.reason.clone() } else { format!("{} since then", gap.reason) }),
        round: String::new(),
    };
    for verdict in verdicts {
        while let Some(gap) = whole.next_if(|gap| gap.from < verdict.started_at) {
            lines.push(dead(gap));
        }
        let said = said(verdict);
        match lines.last_mut().filter(|line| line.said == said && !line.round.is_empty()) {
            Some(line) => (line.last, line.rounds) = (verdict.started_at, line.rounds + 1),
            None => lines.push(Line { from: verdict.started_at, last: verdict.started_at, rounds: 1, said, round: verdict.round.to_string() }),
        }
    }
    lines.extend(whole.map(dead));
    lines
}

/// Says in one line what a round found and who was not heard.
fn said(verdict: &Verdict) -> String {
    let vantages = &verdict.vantages;
    if vantages.reported == 0 {
        return "gap: no vantage was heard".to_owned();
    }
    let mut silent: Vec<String> = vantages.missing.clone();
    silent.sort();
    let silent = if silent.is_empty() { String::new() } else { format!("  (not heard: {})", silent.join(", ")) };
    format!("{}{silent}", verdict::summary(verdict))
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn some(count: usize, noun: &str) -> String {
    if count == 0 { String::new() } else { format!(", {}", counted(count, noun)) }
}

fn day(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%d").to_string()
}

const NO_ROUND: &str = "no round was made";
