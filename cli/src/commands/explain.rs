//! `parallax explain`: the page of a cause, or what a pasted error line says; offline.

use std::io::{self, Read as _};

use parallax_model::{
    catalogue::{self, Page},
    lexicon::{self, Reading},
    verdict::Cause,
};
use serde_json::json;

use crate::{
    args::{Explain, Output},
    exit::{DONE, ERROR, Failure},
    render::{self, listing::Listing},
};

/// Runs the command.
pub(super) fn run(words: &Explain, output: Output) -> Result<u8, Failure> {
    let text = match words.words.as_slice() {
        [] => return list(output),
        [only] if only == "-" => from_standard_input()?,
        words => words.join(" "),
    };
    let Ok(cause) = text.trim().parse::<Cause>() else { return lines(&text, output) };
    let page = catalogue::page(cause);
    match output {
        Output::Table | Output::Wide | Output::Nagios | Output::Csv => render::answer(&page_text(page)),
        Output::Json => render::json(&document(page))?,
        Output::Jsonl => render::json_line(&document(page))?,
        Output::Yaml => render::yaml(&document(page))?,
    }
    Ok(DONE)
}

fn from_standard_input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    io::stdin().take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| Failure::new(ERROR, format!("cannot read standard input: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Reads pasted lines, and shows each meaning once.
fn lines(text: &str, output: Output) -> Result<u8, Failure> {
    let mut readings: Vec<Reading> = Vec::new();
    for reading in text.lines().filter_map(lexicon::read) {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    if readings.is_empty() {
        let what = if text.trim().contains(' ') {
            "no line that I know is in it: paste the whole line, as the program wrote it".to_owned()
        } else {
            format!("no cause is called {:?}{}", text.trim(), nearest(text.trim()))
        };
        return Err(Failure::usage(format!("{what}; 'parallax explain' alone lists all causes")));
    }
    let documents: Vec<_> = readings.iter().map(reading_document).collect();
    match output {
        Output::Table | Output::Wide | Output::Nagios | Output::Csv => render::answer(&readings.iter().map(reading_text).collect::<Vec<_>>().join("\n\n")),
        Output::Json => render::json(&documents)?,
        Output::Jsonl => documents.iter().try_for_each(render::json_line)?,
        Output::Yaml => render::yaml(&documents)?,
    }
    Ok(DONE)
}

fn reading_document(reading: &Reading) -> serde_json::Value {
    let meaning = |entry: &&lexicon::Entry| json!({"stage": entry.stage, "says": entry.says, "causes": entry.causes, "probe": probes(reading, entry)});
    json!({"speaker": reading.speaker, "host": reading.host, "meanings": reading.entries.iter().map(meaning).collect::<Vec<_>>()})
}

fn reading_text(reading: &Reading) -> String {
    let mut parts = vec![format!("Written by  {}", reading.speaker.unwrap_or("one of several programs"))];
    for entry in &reading.entries {
        parts.push(format!("Stage       {}\n", entry.stage));
        parts.push(render::wrap(&entry.says, "  ", "  "));
        parts.push("\nOne of these leaves such a line (parallax explain CAUSE has the page of each):".to_owned());
        parts.extend(entry.causes.iter().map(|cause| render::wrap(&format!("{cause}: {}", catalogue::page(*cause).meaning), "  - ", "    ")));
        parts.push("\nThe line alone cannot tell which; this can:".to_owned());
        parts.extend(probes(reading, entry).into_iter().map(|probe| format!("  {probe}")));
    }
    parts.join("\n")
}

fn probes(reading: &Reading, entry: &lexicon::Entry) -> Vec<String> {
    let host = reading.host.as_deref().unwrap_or("HOST");
    entry.probe.iter().map(|probe| probe.replace("TARGET", host)).collect()
}

/// More is no error line.
const MOST_BYTES: u64 = 64 * 1_024;

fn list(output: Output) -> Result<u8, Failure> {
    let pages: Vec<&Page> = Cause::ALL.iter().map(|cause| catalogue::page(*cause)).collect();
    let listing = Listing {
        headings: &["CAUSE", "MEANING"],
        rows: pages.iter().map(|page| vec![page.cause.to_string(), page.meaning.clone()]).collect(),
        documents: pages.iter().map(|page| document(page)).collect(),
        empty: "no causes",
    };
    listing.print(output).map(|()| DONE)
}

fn nearest(text: &str) -> String {
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let wanted = last(text);
    let alike: Vec<&str> =
        Cause::ALL.iter().map(|cause| cause.as_str()).filter(|name| last(name).split('-').any(|part| part.len() > 2 && wanted.contains(part))).collect();
    if alike.is_empty() { String::new() } else { format!(" (perhaps {})", alike.join(", ")) }
}

fn document(page: &Page) -> serde_json::Value {
    let confused: Vec<_> = page.confused_with.iter().map(|other| json!({"cause": other.cause, "separated_by": other.separated_by})).collect();
    json!({
        "cause": page.cause, "meaning": page.meaning, "seen_as": page.seen_as, "proof": page.proof, "confused_with": confused,
        "remedy": {"summary": page.remedy, "steps": page.steps, "nginx": page.nginx, "apache": page.apache, "haproxy": page.haproxy},
        "sources": page.sources,
    })
}

fn page_text(page: &Page) -> String {
    let paragraph = |text: &str| render::wrap(&text.split_whitespace().collect::<Vec<_>>().join(" "), "  ", "  ");
    let mut parts = vec![
        page.cause.to_string(),
        paragraph(&page.meaning),
        "\nSeen as".to_owned(),
        paragraph(&page.seen_as),
        "\nProven by".to_owned(),
        paragraph(&page.proof),
    ];
    if !page.confused_with.is_empty() {
        parts.push("\nLooks like".to_owned());
        parts.extend(page.confused_with.iter().map(|other| render::wrap(&format!("{}: {}", other.cause, other.separated_by), "  ", "    ")));
    }
    parts.push("\nRemedy".to_owned());
    parts.push(paragraph(&page.remedy));
    parts.extend(page.steps.iter().map(|step| render::wrap(step, "  - ", "    ")));
    for (server, setting) in [("nginx", &page.nginx), ("Apache httpd", &page.apache), ("HAProxy", &page.haproxy)] {
        if let Some(setting) = setting {
            parts.push(format!("\n  {server}:"));
            parts.extend(setting.lines().map(|line| format!("    {}", line.trim())));
        }
    }
    if !page.sources.is_empty() {
        parts.push(format!("\nSources\n{}", render::wrap(&page.sources.join("; "), "  ", "  ")));
    }
    parts.join("\n")
}
