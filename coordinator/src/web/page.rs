//! The page: vantages, checks and the last verdicts, written by the server, readable without scripts.

use std::fmt::Write as _;

use parallax_model::{check::Check, incident::Incident, verdict::Verdict};
use parallax_proto::convert::ListedVantage;
use parallax_store::StoreError;

use crate::{app::App, view::listed};

/// Writes the page.
pub(super) async fn render(app: &App) -> Result<String, StoreError> {
    let vantages: Vec<ListedVantage> = app.store.vantages().await?.into_iter().map(|vantage| listed(app, vantage)).collect();
    let checks = app.store.checks().await?;
    let verdicts = app.store.recent_verdicts(VERDICTS, None).await?;
    let sections = [
        section("Open incidents", &incident_rows(&app.incidents.open())),
        section("Last verdicts", &verdict_rows(&verdicts)),
        section("Checks", &check_rows(&checks)),
        section("Vantages", &vantage_rows(&vantages)),
    ];
    let head = "<meta charset=utf-8><meta name=viewport content=\"width=device-width\"><meta http-equiv=refresh content=10><title>Parallax</title>";
    Ok(format!("<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body><h1>Parallax</h1>{}</body></html>\n", sections.concat()))
}

fn section(title: &str, rows: &str) -> String {
    let body = if rows.is_empty() { "<p>None yet.</p>".to_owned() } else { format!("<table>{rows}</table>") };
    format!("<section><h2>{title}</h2>{body}</section>")
}

fn incident_rows(incidents: &[Incident]) -> String {
    let row = |incident: &Incident| {
        let (class, mark) = if incident.informational { ("fine", "·") } else { ("fault", "✗") };
        let cells = [
            incident.started_at.to_string(),
            incident.check.clone().unwrap_or_default(),
            incident.target.clone(),
            format!("{} ({}, {})", incident.cause, incident.tier, incident.state),
            incident.scope.vantages.join(", "),
            incident.headline.clone(),
        ];
        format!("<tr class={class}><td>{mark}</td>{}</tr>", cells_of(&cells))
    };
    with_head(&["", "Since", "Check", "Target", "Cause", "Vantages", "Headline"], incidents.iter().map(row))
}

fn verdict_rows(verdicts: &[Verdict]) -> String {
    let row = |verdict: &Verdict| {
        let (class, mark) = if verdict.healthy { ("fine", "✓") } else { ("fault", "✗") };
        let causes: Vec<String> = verdict.findings.iter().map(|finding| format!("{} ({})", finding.cause, finding.tier)).collect();
        let cells = [
            verdict.started_at.to_string(),
            verdict.check.clone().unwrap_or_else(|| "probe".to_owned()),
            verdict.target.clone(),
            verdict.headline.clone(),
            causes.join(", "),
        ];
        format!("<tr class={class}><td>{mark}</td>{}</tr>", cells_of(&cells))
    };
    with_head(&["", "Round", "Check", "Target", "Verdict", "Findings"], verdicts.iter().map(row))
}

fn check_rows(checks: &[Check]) -> String {
    let row = |check: &Check| {
        let name = check.name.as_ref()?.to_string();
        let state = if check.paused { "paused" } else { "active" };
        Some(format!("<tr>{}</tr>", cells_of(&[name, check.target.to_string(), check.cadence.to_string(), check.from.to_string(), state.to_owned()])))
    };
    with_head(&["Check", "Target", "Cadence", "From", "State"], checks.iter().filter_map(row))
}

fn vantage_rows(vantages: &[ListedVantage]) -> String {
    let row = |listed: &ListedVantage| {
        let vantage = &listed.vantage;
        let labels: Vec<String> = vantage.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let seen = vantage.last_seen.map_or_else(|| "never".to_owned(), |seen| seen.to_string());
        let cells = [vantage.name.to_string(), listed.state.to_string(), vantage.group().to_string(), labels.join(" "), vantage.version.clone(), seen];
        format!("<tr class={}>{}</tr>", listed.state, cells_of(&cells))
    };
    with_head(&["Vantage", "State", "Group", "Labels", "Build", "Last heard"], vantages.iter().map(row))
}

fn with_head(titles: &[&str], rows: impl Iterator<Item = String>) -> String {
    let rows: String = rows.collect();
    if rows.is_empty() {
        return rows;
    }
    let titles: String = titles.iter().map(|title| format!("<th>{title}</th>")).collect();
    format!("<thead><tr>{titles}</tr></thead><tbody>{rows}</tbody>")
}

fn cells_of(cells: &[String]) -> String {
    cells.iter().fold(String::new(), |mut row, cell| {
        write!(row, "<td>{}</td>", escaped(cell)).expect("writing to a text cannot fail");
        row
    })
}

/// Makes a text safe between tags and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(letter),
        }
    }
    safe
}

const VERDICTS: usize = 50;
const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1d2733;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid #dde3ea;vertical-align:top}th{font-weight:600;color:#5a6775}\
.fault td:first-child,.banned td:nth-child(2){color:#b3261e;font-weight:700}.fine td:first-child,.online td:nth-child(2){color:#1b7f4d;font-weight:700}\
.silent td:nth-child(2){color:#9a6700}@media(prefers-color-scheme:dark){body{color:#dfe6ee;background:#11161c}th{color:#93a1b0}th,td{border-color:#2a333d}}";

#[cfg(test)]
mod tests {
    use parallax_model::clock::Timestamp;

    use super::*;

    #[test]
    fn what_others_wrote_cannot_become_markup() {
        assert_eq!(escaped("<script>'\"&"), "&lt;script&gt;&#39;&quot;&amp;");
        let check = Check { name: Some("web".parse().unwrap()), ..Check::once("x.test".parse().unwrap(), Timestamp::default()) };
        assert!(check_rows(&[check]).contains("<td>web</td><td>x.test:443</td><td>once</td><td>all</td><td>active</td>"));
        assert_eq!(check_rows(&[]), "");
    }
}
