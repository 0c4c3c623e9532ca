//! An incident as text: when, what, who, and what changed when it began.

use std::collections::BTreeMap;

use owo_colors::{OwoColorize, Style};
use parallax_model::{
    clock::Timestamp,
    incident::{CellState, Change, ChangeKind, Difference, Incident, IncidentState},
    verdict::{Locus, Tier, Verdict},
};
use serde_json::json;

use super::{listing::Listing, wrap};

/// Changes that are shown of one block; JSON has them all.
const CHANGES: usize = 8;
/// Digits of a key that people compare.
const DIGITS: usize = 16;

/// Writes one incident as a block; `verdicts` are the rounds that are at hand, whose findings say it in fewer words than a whole headline.
pub fn text(incident: &Incident, verdicts: &[Verdict]) -> String {
    let style = match (incident.informational, incident.locus) {
        (true, _) => Style::new().cyan(),
        (false, Locus::Server | Locus::Edge | Locus::Dns) => Style::new().red().bold(),
        (false, Locus::Path | Locus::Policy) => Style::new().magenta().bold(),
        (false, Locus::Vantage | Locus::Undetermined) => Style::new().yellow().bold(),
    };
    let mark = if incident.informational { "□" } else { "■" };
    let tier = if incident.tier == Tier::Insufficient { String::new() } else { format!("  {}", incident.tier) };
    let mut lines = vec![format!("{} {}{tier}  {}", mark.style(style), incident.cause.style(style), standing(incident).bold())];
    lines.push(wrap(&format!("when      {}", when(incident)), "  ", "            "));
    let scope = &incident.scope;
    lines.push(wrap(
        &format!("who       vantages {} · addresses {} · profiles {}", scope.vantages.join(", "), scope.addresses.join(", "), scope.profiles.join(", ")),
        "  ",
        "            ",
    ));
    lines.push(wrap(&format!("what      {}", incident.sentence(verdicts)), "  ", "            "));
    if incident.causes.len() > 1 {
        let course: Vec<String> = incident.verdicts.iter().map(|turn| format!("{} {} ({})", clock(turn.at), turn.cause, turn.tier)).collect();
        lines.push(wrap(&format!("course    {}", course.join("; ")), "  ", "            "));
    }
    lines.extend(onset(incident));
    if !incident.changed_at_end.is_empty() {
        lines.extend(changes(&incident.changed_at_end, "ended by  "));
    }
    lines.push(format!("  {}", format!("incident  {} · round {}", incident.id, incident.started_round).dimmed()));
    lines.join("\n")
}

fn standing(incident: &Incident) -> String {
    match incident.state {
        IncidentState::Provisional => "open, provisional: one round, no proof yet".to_owned(),
        IncidentState::Confirmed if incident.is_open() => "open".to_owned(),
        IncidentState::Flapping => format!("comes and goes: {} of {} rounds fail", incident.rounds, incident.heard),
        IncidentState::Confirmed | IncidentState::Ended => "ended".to_owned(),
        IncidentState::Passed => "passed, never confirmed".to_owned(),
    }
}

fn when(incident: &Incident) -> String {
    let began = if incident.began_before { "before " } else { "" };
    let start = super::instant(incident.started_at);
    let rounds = format!("{} failing round{}", incident.rounds, if incident.rounds == 1 { "" } else { "s" });
    let back = if incident.episodes > 1 { format!(", came back {} times", incident.episodes - 1) } else { String::new() };
    match incident.ended_at {
        None if incident.began_before && incident.rounds == 1 => format!("failing since the first round, {start}{back}"),
        None if incident.began_before => {
            format!("failing since the first round, {start}, last {}, {rounds}{back}", until(incident.started_at, incident.last_failing_at))
        }
        Some(end) => format!("{began}{start} to {} ({}), {rounds}{back}", until(incident.started_at, end), span(incident.started_at, end)),
        None => format!(
            "{began}{start}, still failing {} ({}), {rounds}{back}",
            until(incident.started_at, incident.last_failing_at),
            span(incident.started_at, incident.last_failing_at)
        ),
    }
}

/// The second of two instants without the day that both share.
fn until(start: Timestamp, end: Timestamp) -> String {
    let day = |at: Timestamp| at.to_jiff().strftime("%Y-%m-%d").to_string();
    if day(start) == day(end) { clock(end) } else { super::instant(end) }
}

fn clock(at: Timestamp) -> String {
    at.to_jiff().strftime("%H:%M:%SZ").to_string()
}

fn span(start: Timestamp, end: Timestamp) -> String {
    let seconds = u64::try_from(end.micros_since(start) / 1_000_000).unwrap_or(0);
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

fn onset(incident: &Incident) -> Vec<String> {
    let Some(good) = incident.last_good else {
        return vec![wrap("changed   no good round before it is kept to compare with", "  ", "            ")];
    };
    if incident.changed_at_onset.is_empty() {
        let text = format!("changed   nothing that both the onset and the last good round ({}) recorded", clock(good.at));
        return vec![wrap(&text, "  ", "            ")];
    }
    changes(&incident.changed_at_onset, "changed   ")
}

fn changes(changes: &[Change], head: &str) -> Vec<String> {
    let mut lines: Vec<String> = changes.iter().take(CHANGES).map(|change| wrap(&format!("{head}{}", said(change)), "  ", "            ")).collect();
    if changes.len() > CHANGES {
        lines.push(format!("            and {} more (-o json)", changes.len() - CHANGES));
    }
    lines
}

/// Says one change in words.
pub fn said(change: &Change) -> String {
    let subject = &change.subject;
    let (before, after) = (change.before.as_deref().map(shortened), change.after.as_deref().map(shortened));
    match (change.what, before, after) {
        (ChangeKind::Address, None, Some(now)) => format!("{subject} is new: {now}"),
        (ChangeKind::Address, Some(then), _) => format!("{subject} is gone: it was {then}"),
        (ChangeKind::CertificateEnded, _, now) => format!("the certificate at {subject} ended at {}", now.unwrap_or_default()),
        (what, Some(then), Some(now)) => format!("{what} of {subject}: {then} → {now}"),
        (what, then, now) => format!("{what} of {subject}: {}", now.or(then).unwrap_or_default()),
    }
}

/// Cuts digests to the digits that people compare.
fn shortened(text: &str) -> String {
    let word = |word: &str| if word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()) { word[..DIGITS].to_owned() } else { word.to_owned() };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Says what happened to an incident in one line, for watching.
pub fn one_line(transition: &str, incident: &Incident) -> String {
    let ended = incident.ended_at.map_or_else(String::new, |end| format!(" after {}", span(incident.started_at, end)));
    let who = if incident.locus == Locus::Server { String::new() } else { format!(" at {}", incident.scope.vantages.join(", ")) };
    let line = format!("incident {transition}{ended}: {}{who} ({}), since {}", incident.cause, incident.tier, super::instant(incident.started_at));
    if incident.is_open() { line.red().bold().to_string() } else { line.green().bold().to_string() }
}

/// Makes a list of incidents.
pub fn listing(incidents: &[Incident]) -> Listing {
    let row = |incident: &Incident| {
        vec![
            super::instant(incident.started_at),
            incident.ended_at.map_or_else(|| "-".to_owned(), super::instant),
            incident.state.to_string(),
            incident.cause.to_string(),
            incident.tier.to_string(),
            incident.scope.vantages.join(" "),
            incident.rounds.to_string(),
            incident.id.to_string(),
        ]
    };
    Listing {
        headings: &["STARTED", "ENDED", "STATE", "CAUSE", "TIER", "VANTAGES", "ROUNDS", "INCIDENT"],
        rows: incidents.iter().map(row).collect(),
        documents: incidents.iter().map(|incident| json!(incident)).collect(),
        empty: "no incidents in this window; --since widens it",
    }
}

/// Writes what differs between two windows.
pub fn difference(found: &Difference) -> String {
    if found.is_empty() {
        return format!("the two windows do not differ ({} and {} rounds)", found.rounds_before, found.rounds_after);
    }
    let mut lines = Vec::new();
    for (word, incidents) in [("came", &found.came), ("went", &found.went)] {
        lines
            .extend(incidents.iter().map(|incident| wrap(&format!("{word}      {}, {}: {}", incident.cause, incident.tier, when(incident)), "", "          ")));
    }
    for (from, to, who) in grouped(found) {
        lines.push(wrap(&format!("cells     {from} → {to}: {who}"), "", "          "));
    }
    lines.extend(found.changed.iter().map(|change| wrap(&format!("changed   {}", said(change)), "", "          ")));
    lines.join("\n")
}

/// Puts the cells that took the same turn together, and the profiles of a vantage and address.
fn grouped(found: &Difference) -> Vec<(String, String, String)> {
    let word = |state: Option<CellState>| state.map_or_else(|| "not tried".to_owned(), |state| state.to_string());
    let mut profiles: BTreeMap<(String, String, &str, &str), Vec<&str>> = BTreeMap::new();
    for cell in &found.cells {
        profiles.entry((word(cell.before), word(cell.after), &cell.vantage, &cell.address)).or_default().push(&cell.profile);
    }
    let mut turns: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for ((before, after, vantage, address), profiles) in profiles {
        turns.entry((before, after)).or_default().push(format!("{vantage} at {address} ({})", profiles.join(", ")));
    }
    turns.into_iter().map(|((before, after), places)| (before, after, places.join("; "))).collect()
}
