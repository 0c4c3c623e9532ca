//! The page: vantages, checks and the last verdicts, written by the server, readable without scripts.

use std::fmt::Write as _;

use parallax_model::{
    check::Check,
    clock::{Clock as _, SystemClock, Timestamp},
    incident::Incident,
    verdict::{Finding, Tier, Verdict},
};
use parallax_proto::convert::ListedVantage;
use parallax_store::StoreError;

use crate::{app::App, view::listed};

/// Writes the page.
pub(super) async fn render(app: &App) -> Result<String, StoreError> {
    let vantages: Vec<ListedVantage> = app.store.vantages().await?.into_iter().map(|vantage| listed(app, vantage)).collect();
    let checks = app.store.checks().await?;
    let verdicts = app.store.recent_verdicts(VERDICTS, None).await?;
    let sections = [
        section("Open incidents", &incident_rows(&app.incidents.open(), &verdicts), "None open."),
        section("Last verdicts", &verdict_rows(&verdicts), "None yet: 'parallax probe HOST' makes the first."),
        section("Checks", &check_rows(&checks), "None yet: 'parallax check create NAME --target HOST --every 60s' makes one."),
        section("Vantages", &vantage_rows(&vantages), "None yet: 'parallax vantage token create' makes what a first agent joins with."),
    ];
    let head = "<meta charset=utf-8><meta name=viewport content=\"width=device-width\"><meta http-equiv=refresh content=10><title>Parallax</title>";
    let made = format!("<p class=dim>As of {}; made anew every 10 s.</p>", instant(SystemClock.now()));
    Ok(format!("<!doctype html><html lang=en><head>{head}<style>{STYLE}</style></head><body><h1>Parallax</h1>{made}{}</body></html>\n", sections.concat()))
}

fn section(title: &str, rows: &str, none: &str) -> String {
    let body = if rows.is_empty() { format!("<p>{}</p>", escaped(none)) } else { format!("<div class=scroll><table>{rows}</table></div>") };
    format!("<section><h2>{title}</h2>{body}</section>")
}

fn incident_rows(incidents: &[Incident], verdicts: &[Verdict]) -> String {
    let row = |incident: &Incident| {
        let (class, mark) = if incident.informational { ("fine", "·") } else { ("fault", "✗") };
        let since = if incident.began_before { format!("{} or before", instant(incident.started_at)) } else { instant(incident.started_at) };
        let cells = [
            since,
            incident.check.clone().unwrap_or_default(),
            incident.target.clone(),
            incident.cause.to_string(),
            tier(incident.tier),
            incident.state.to_string(),
            incident.scope.vantages.join(", "),
            incident.sentence(verdicts),
        ];
        let next = format!("parallax verdict show {}", incident.started_round);
        format!("<tr class={class}><td>{mark}</td>{}<td><code>{next}</code></td></tr>", cells_of(&cells))
    };
    with_head(&["", "Since", "Check", "Target", "Cause", "Tier", "State", "Vantages", "What", "First round"], incidents.iter().map(row))
}

/// Writes the verdicts, newest first; what was said again in the rounds before stands in one row.
fn verdict_rows(verdicts: &[Verdict]) -> String {
    let mut folded: Vec<(&Verdict, u32, Timestamp)> = Vec::new();
    for verdict in verdicts {
        let said = |of: &Verdict| (of.check.clone(), of.target.clone(), of.headline.clone(), of.findings.iter().map(said).collect::<Vec<_>>());
        match folded.iter_mut().find(|(known, ..)| said(known) == said(verdict)) {
            Some((_, rounds, first)) => (*rounds, *first) = (*rounds + 1, (*first).min(verdict.started_at)),
            None => folded.push((verdict, 1, verdict.started_at)),
        }
    }
    let row = |(verdict, rounds, first): &(&Verdict, u32, Timestamp)| {
        let (class, mark) = if verdict.healthy { ("fine", "✓") } else { ("fault", "✗") };
        let when =
            if *rounds == 1 { instant(verdict.started_at) } else { format!("{}, {rounds} rounds since {}", instant(verdict.started_at), instant(*first)) };
        let cells = [
            when,
            verdict.check.clone().unwrap_or_else(|| "probe".to_owned()),
            verdict.target.clone(),
            verdict.headline.clone(),
            verdict.findings.iter().map(said).collect::<Vec<_>>().join(", "),
        ];
        format!("<tr class={class}><td>{mark}</td>{}<td><code>parallax verdict show {}</code></td></tr>", cells_of(&cells), verdict.round)
    };
    with_head(&["", "Round", "Check", "Target", "Verdict", "Findings", "Go on with"], folded.iter().map(row))
}

fn said(finding: &Finding) -> String {
    if finding.tier == Tier::Insufficient { finding.cause.to_string() } else { format!("{} ({})", finding.cause, finding.tier) }
}

fn tier(tier: Tier) -> String {
    if tier == Tier::Insufficient { "no evidence yet".to_owned() } else { tier.to_string() }
}

fn instant(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
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
        let seen = vantage.last_seen.map_or_else(|| "never".to_owned(), instant);
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
const STYLE: &str = ":root{color-scheme:light dark;--ink:#1d2733;--paper:#fff;--dim:#5a6775;--line:#dde3ea;--bad:#b3261e;--good:#1b7f4d;--warn:#9a6700}\
@media(prefers-color-scheme:dark){:root{--ink:#dfe6ee;--paper:#11161c;--dim:#93a1b0;--line:#2a333d;--bad:#ff8f86;--good:#7fd69a;--warn:#f2c14e}}\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem;color:var(--ink);background:var(--paper)}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}.dim{color:var(--dim)}.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}\
th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}th{font-weight:600;color:var(--dim)}code{font-size:12px}\
.fault td:first-child,.banned td:nth-child(2){color:var(--bad);font-weight:700}.fine td:first-child,.online td:nth-child(2){color:var(--good);font-weight:700}\
.silent td:nth-child(2){color:var(--warn)}";

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

    #[test]
    fn rounds_that_say_the_same_stand_in_one_row_with_the_command_to_go_on() {
        let verdict = |second: i64, headline: &str| Verdict {
            api_version: Verdict::API_VERSION.to_owned(),
            kind: Verdict::KIND.to_owned(),
            target: "x.test:443".to_owned(),
            check: Some("web".to_owned()),
            round: parallax_model::id::RoundId::new(),
            revision: 1,
            rules: String::new(),
            started_at: Timestamp::from_micros(second * 1_000_000),
            closed_at: Timestamp::default(),
            headline: headline.to_owned(),
            healthy: true,
            vantages: Default::default(),
            findings: Vec::new(),
            matrix: Vec::new(),
            audit: Vec::new(),
            digest: None,
        };
        let verdicts = [verdict(90, "fine"), verdict(60, "fine"), verdict(30, "<b>")];
        let rows = verdict_rows(&verdicts);
        assert_eq!(rows.matches("<tr class=").count(), 2, "{rows}");
        assert!(rows.contains("<td>1970-01-01 00:01:30 UTC, 2 rounds since 1970-01-01 00:01:00 UTC</td>"), "{rows}");
        assert!(rows.contains(&format!("<code>parallax verdict show {}</code>", verdicts[0].round)), "{rows}");
        assert!(section("Open incidents", &incident_rows(&[], &verdicts), "None open.").contains("<p>None open.</p>"));
    }
}
