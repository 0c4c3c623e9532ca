//! `parallax verdict`: what was judged, and what it rests on.

use parallax_model::{attempt::Attempt, outcome::Outcome, verdict::Verdict};
use parallax_proto::v1::{GetVerdictRequest, GetVerdictResponse};
use serde_json::json;

use crate::{
    args::{self, Output},
    client::Client,
    exit::{DONE, ERROR, Failure},
    render,
};

/// Runs the command.
pub(super) async fn run(client: &mut Client, words: args::Verdict, output: Output) -> Result<u8, Failure> {
    match words {
        args::Verdict::List { since, limit } => {
            let verdicts = super::verdicts(client, "", "", super::ago(since), super::now(), limit).await?;
            super::history::listing(&verdicts).print(output).map(|()| DONE)
        }
        args::Verdict::Show { id } => {
            let found = get(client, id, false).await?;
            render::verdict::print(&super::read_verdict(&found.verdict_json)?, output)
        }
        args::Verdict::Explain { id } => {
            let found = get(client, id, true).await?;
            let verdict = super::read_verdict(&found.verdict_json)?;
            let attempts = found.attempts.into_iter().map(Attempt::try_from).collect::<Result<Vec<_>, _>>();
            let attempts = attempts.map_err(|error| Failure::new(ERROR, format!("the coordinator sent an attempt that this version cannot read: {error}")))?;
            explain(&verdict, &attempts, output)
        }
    }
}

async fn get(client: &mut Client, round: String, with_attempts: bool) -> Result<GetVerdictResponse, Failure> {
    Ok(client.get_verdict(GetVerdictRequest { round, revision: 0, with_attempts }).await?.into_inner())
}

fn explain(verdict: &Verdict, attempts: &[Attempt], output: Output) -> Result<u8, Failure> {
    match output {
        Output::Json => render::json(&json!({"verdict": verdict, "attempts": attempts}))?,
        Output::Jsonl => attempts.iter().try_for_each(render::json_line)?,
        Output::Yaml => render::yaml(&json!({"verdict": verdict, "attempts": attempts}))?,
        Output::Table | Output::Wide | Output::Csv | Output::Nagios => render::answer(&text(verdict, attempts)),
    }
    Ok(DONE)
}

fn text(verdict: &Verdict, attempts: &[Attempt]) -> String {
    let mut lines =
        vec![verdict.headline.clone(), format!("round {}, revision {}, judged by rules {}", verdict.round, verdict.revision, verdict.rules), String::new()];
    for finding in &verdict.findings {
        lines.push(format!("{} ({})", finding.cause, finding.tier));
        for evidence in &finding.evidence {
            lines.push(render::wrap(&format!("{}: {}", evidence.rule, evidence.text), "  ", "      "));
            for id in &evidence.attempts {
                lines.extend(attempts.iter().find(|attempt| attempt.id == *id).map(|attempt| format!("      {}", one_line(attempt))));
            }
        }
    }
    lines.push(format!("\nAll attempts ({}; -o json shows their facts):", attempts.len()));
    lines.extend(attempts.iter().map(|attempt| format!("  {}", one_line(attempt))));
    lines.join("\n")
}

fn one_line(attempt: &Attempt) -> String {
    let address = attempt.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
    let port = attempt.facts.tcp.as_ref().and_then(|tcp| tcp.local).map_or_else(String::new, |local| format!(" from port {}", local.port()));
    let time = attempt.started_at.to_jiff().strftime("%H:%M:%S%.3f");
    format!(
        "{time} {} → {address}{port}  {} {}: {} in {:.1} ms",
        attempt.vantage,
        attempt.profile,
        attempt.experiment,
        Outcome::of(attempt),
        attempt.elapsed_us as f64 / 1_000.0
    )
}
