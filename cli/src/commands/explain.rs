//! `parallax explain`: the page of a cause, offline.

use parallax_model::{
    catalogue::{self, Page},
    verdict::Cause,
};
use serde_json::json;

use crate::{
    args::{Explain, Output},
    exit::{DONE, Failure},
    render::{self, listing::Listing},
};

/// Runs the command.
pub(super) fn run(words: &Explain, output: Output) -> Result<u8, Failure> {
    let text = words.words.join(" ");
    if text.is_empty() {
        return list(output);
    }
    let Ok(cause) = text.parse::<Cause>() else {
        return Err(Failure::usage(format!("no cause is called {text:?}{}; 'parallax explain' alone lists all", nearest(&text))));
    };
    let page = catalogue::page(cause);
    match output {
        Output::Table | Output::Wide | Output::Nagios | Output::Csv => render::answer(&page_text(page)),
        Output::Json => render::json(&document(page))?,
        Output::Jsonl => render::json_line(&document(page))?,
        Output::Yaml => render::yaml(&document(page))?,
    }
    Ok(DONE)
}

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
