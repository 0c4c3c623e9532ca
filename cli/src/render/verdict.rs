//! A verdict as text: matrix, findings in plain sentences, what to do next.

use owo_colors::{OwoColorize, Style};
use parallax_model::verdict::{Finding, Locus, Tier, Verdict};
use serde_json::json;

use crate::{
    args::Output,
    exit::{self, Failure},
    render::{self, audit, listing::Listing, matrix},
};

/// Prints one verdict in the form that was asked for and returns its exit code.
pub fn print(verdict: &Verdict, output: Output) -> Result<u8, Failure> {
    match output {
        Output::Table => render::answer(&text(verdict, false)),
        Output::Wide => render::answer(&text(verdict, true)),
        Output::Json => render::json(verdict)?,
        Output::Jsonl => render::json_line(verdict)?,
        Output::Yaml => render::yaml(verdict)?,
        Output::Csv => cells(verdict).print(Output::Csv)?,
        Output::Nagios => {
            render::answer(&one_line(verdict));
            return Ok(exit::nagios(verdict));
        }
    }
    Ok(exit::of_verdict(verdict))
}

/// Writes a verdict as people read it.
pub fn text(verdict: &Verdict, wide: bool) -> String {
    let mut out = String::new();
    let state = if verdict.healthy { "healthy".green().bold().to_string() } else { "not healthy".red().bold().to_string() };
    let vantages = &verdict.vantages;
    out.push_str(&format!(
        "{}  {state}   {} of {} vantages reported   round {}\n\n",
        verdict.target.bold(),
        vantages.reported,
        vantages.eligible,
        verdict.round.dimmed()
    ));
    out.push_str(&matrix::draw(verdict, render::width()));
    out.push_str("\n\n");
    if !verdict.audit.is_empty() {
        out.push_str(&audit::text(&verdict.audit, wide));
    }
    out.push_str(&render::wrap(&verdict.headline, "", "").bold().to_string());
    out.push('\n');
    let (advice, faults): (Vec<&Finding>, Vec<&Finding>) = verdict.findings.iter().partition(|finding| finding.cause.is_informational());
    for fault in faults {
        out.push('\n');
        out.push_str(&finding(fault, wide));
    }
    out.push_str(&worth_knowing(&advice, wide));
    for discarded in &vantages.discarded {
        out.push_str(&format!("\n{}", render::wrap(&format!("{} is not scored: {}", discarded.vantage, discarded.cause), "  ", "  ")));
    }
    if !vantages.missing.is_empty() {
        out.push_str(&format!("\n{}", render::wrap(&format!("not heard: {}", vantages.missing.join(", ")), "  ", "  ")));
    }
    for gate in &vantages.gates_not_run {
        out.push_str(&format!("\n{}", render::wrap(&format!("not run: {gate}"), "  ", "  ").dimmed()));
    }
    out.trim_end().to_owned()
}

/// Writes what is no fault in a short block of its own.
fn worth_knowing(advice: &[&Finding], wide: bool) -> String {
    if advice.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", "worth knowing".bold());
    for note in advice {
        if wide {
            out.push_str(&finding(note, wide));
            continue;
        }
        out.push_str(&format!("{} {}\n", "□".cyan(), note.cause.cyan()));
        out.extend(note.evidence.first().map(|evidence| render::wrap(&evidence.text, "  ", "  ") + "\n"));
        out.push_str(&(render::wrap(&format!("mend      {}", note.remedy.summary), "  ", "            ") + "\n"));
    }
    out
}

fn finding(finding: &Finding, wide: bool) -> String {
    let style = match finding.locus {
        Locus::Server | Locus::Edge | Locus::Dns => Style::new().red().bold(),
        Locus::Path | Locus::Policy => Style::new().magenta().bold(),
        Locus::Vantage | Locus::Undetermined => Style::new().yellow().bold(),
    };
    let tier = if finding.tier == Tier::Insufficient { String::new() } else { format!("  {}", finding.tier) };
    let mechanism = finding.mechanism.as_ref().map(|mechanism| format!("  {mechanism}")).unwrap_or_default();
    let mut lines = vec![format!("{} {}{tier}{}", "■".style(style), finding.cause.style(style), mechanism.dimmed())];
    lines.push(render::wrap(&format!("who       {}", render::who(&finding.scope)), "  ", "            "));
    if let Some(location) = &finding.location {
        lines.push(render::wrap(&format!("where     {}", render::whereabouts(location, |_| None)), "  ", "            "));
    }
    for evidence in &finding.evidence {
        lines.push(render::wrap(&format!("because   {}", evidence.text), "  ", "            "));
        if wide {
            let attempts: Vec<String> = evidence.attempts.iter().map(ToString::to_string).collect();
            lines.push(render::wrap(&format!("{} ← {}", evidence.rule, attempts.join(" ")), "            ", "            ").dimmed().to_string());
        }
    }
    if let Some(counter) = &finding.counter {
        lines.push(render::wrap(&format!("unless    {}", render::unless(counter)), "  ", "            "));
    }
    lines.push(render::wrap(&format!("mend      {}", finding.remedy.summary), "  ", "            "));
    lines.extend(finding.remedy.steps.iter().flat_map(|step| step.lines()).map(step));
    lines.join("\n") + "\n"
}

/// Indents a step; prose is broken into lines, a setting or command stays whole so that it can be copied.
fn step(line: &str) -> String {
    const PROSE: usize = 200;
    if line.chars().count() > PROSE { render::wrap(line, "            ", "            ") } else { format!("            {line}") }
}

/// Writes a verdict as one line, as monitoring plug-ins do.
pub fn one_line(verdict: &Verdict) -> String {
    let state = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::from(exit::nagios(verdict)).min(3)];
    let failing = verdict.matrix.iter().filter(|cell| cell.failures > 0).count();
    let headline = verdict.headline.replace(['|', '\n'], " ");
    let target = if headline.contains(&verdict.target) { String::new() } else { format!("{}: ", verdict.target) };
    format!("PARALLAX {state} - {target}{headline} | cells={} failing={failing}", verdict.matrix.len())
}

fn cells(verdict: &Verdict) -> Listing {
    let rows = verdict.matrix.iter().map(|cell| {
        let chosen = cell.negotiated.clone().unwrap_or_default();
        vec![
            cell.vantage.clone(),
            cell.address.clone(),
            cell.profile.clone(),
            cell.outcome.to_string(),
            cell.attempts.to_string(),
            cell.failures.to_string(),
            chosen.version,
            chosen.cipher_suite.unwrap_or_default(),
            chosen.group.unwrap_or_default(),
        ]
    });
    Listing {
        headings: &["VANTAGE", "ADDRESS", "PROFILE", "OUTCOME", "ATTEMPTS", "FAILURES", "VERSION", "SUITE", "GROUP"],
        rows: rows.collect(),
        documents: vec![json!(verdict)],
        empty: "no cell was tried",
    }
}

/// Says in a few words what a verdict found, for lists.
pub fn summary(verdict: &Verdict) -> String {
    let faults: Vec<&Finding> = verdict.findings.iter().filter(|finding| !finding.cause.is_informational()).collect();
    if faults.is_empty() {
        return if verdict.healthy { "healthy".to_owned() } else { "not judged".to_owned() };
    }
    let say = |finding: &&Finding| {
        let vantages = if finding.locus == Locus::Server || finding.scope.vantages.is_empty() {
            String::new()
        } else {
            format!(" at {}", finding.scope.vantages.join(", "))
        };
        format!("{}{vantages} ({})", finding.cause, finding.tier)
    };
    faults.iter().map(say).collect::<Vec<_>>().join("; ")
}
