//! `parallax verdict`: what was judged, what it rests on, and what the present rules would say.

use std::path::PathBuf;

use parallax_model::{
    attempt::Attempt,
    proof::{Onlooker, Proof},
};
use parallax_proto::v1::{ExplainVerdictRequest, GetVerdictRequest, RejudgeVerdictsRequest, rejudge_verdicts_response::Event};
use serde_json::{Value, json};

use crate::{
    args::{self, Output},
    client::Client,
    exit::{DIFFERENCE, DONE, ERROR, Failure},
    render::{self, bundle::Made},
};

/// Runs the command.
pub(super) async fn run(client: &mut Client, words: args::Verdict, output: Output) -> Result<u8, Failure> {
    match words {
        args::Verdict::List { since, limit } => {
            let verdicts = super::verdicts(client, "", "", super::ago(since), super::now(), limit).await?;
            super::history::listing(&verdicts).print(output).map(|()| DONE)
        }
        args::Verdict::Show { id } => {
            let found = client.get_verdict(GetVerdictRequest { round: id, revision: 0, with_attempts: false }).await?.into_inner();
            render::verdict::print(&super::read_verdict(&found.verdict_json)?, output)
        }
        args::Verdict::Explain { id } => render::proof::print(&proof(client, id).await?, output),
        args::Verdict::Bundle(words) => bundle(&proof(client, words.id).await?, words.out, words.by),
        args::Verdict::Rejudge(words) => rejudge(client, &words, output).await,
    }
}

/// Asks for a verdict with everything that it rests on.
async fn proof(client: &mut Client, round: String) -> Result<Proof, Failure> {
    let unreadable = |what: &str, error: String| {
        Failure::new(ERROR, format!("the coordinator sent {what} that this version cannot read ({error}); use the same version on both sides"))
    };
    let found = client.explain_verdict(ExplainVerdictRequest { round, revision: 0 }).await?.into_inner();
    let attempts = found.attempts.into_iter().map(Attempt::try_from).collect::<Result<_, _>>();
    let excluded = found.excluded_json.iter().map(|text| serde_json::from_str(text)).collect::<Result<_, _>>();
    let onlookers = found.vantages.into_iter();
    Ok(Proof {
        verdict: super::read_verdict(&found.verdict_json)?,
        attempts: attempts.map_err(|error| unreadable("an attempt", error.to_string()))?,
        excluded: excluded.map_err(|error: serde_json::Error| unreadable("a hypothesis", error.to_string()))?,
        vantages: onlookers.map(|seen| Onlooker { name: seen.name, labels: seen.labels, group: seen.group, egress: seen.egress }).collect(),
        own_addresses: found.own_addresses,
        present_rules: found.present_rules,
    })
}

/// Writes both files and says where they are.
fn bundle(proof: &Proof, out: Option<PathBuf>, by: Option<String>) -> Result<u8, Failure> {
    let page = out.unwrap_or_else(|| PathBuf::from(format!("parallax-{}.html", proof.verdict.round)));
    let document = page.with_extension("json");
    if document == page {
        return Err(Failure::usage(format!("{} would be the JSON file's own name: end --out with .html", page.display())));
    }
    let made = Made { by, at: super::now(), with: format!("parallax {}", env!("CARGO_PKG_VERSION")) };
    let json = render::bundle::document(proof, &made).map_err(|error| Failure::new(ERROR, error.to_string()))?;
    for (path, text) in [(&page, render::bundle::html(proof, &made)), (&document, json)] {
        std::fs::write(path, text).map_err(|error| Failure::new(ERROR, format!("{} cannot be written: {error}", path.display())))?;
    }
    render::answer(&format!("{}\n{}", page.display(), document.display()));
    Ok(DONE)
}

async fn rejudge(client: &mut Client, words: &args::Rejudge, output: Output) -> Result<u8, Failure> {
    let check = words.check.as_ref().map(ToString::to_string).unwrap_or_default();
    let request = RejudgeVerdictsRequest { since_us: super::ago(words.since).as_micros(), until_us: 0, check, store: words.store };
    let mut events = client.rejudge_verdicts(request).await?.into_inner();
    let bar = render::progress::Count::new("rounds judged again");
    let mut documents: Vec<Value> = Vec::new();
    while let Some(response) = events.message().await? {
        match response.event {
            Some(Event::Changed(changed)) => {
                let (before, after) = (super::read_verdict(&changed.before_json)?, super::read_verdict(&changed.after_json)?);
                match output {
                    Output::Json | Output::Yaml => documents.push(json!({"before": before, "after": after})),
                    Output::Jsonl => render::json_line(&json!({"before": before, "after": after}))?,
                    _ => bar.aside(|| render::answer(&render::rejudged::text(&before, &after))),
                }
            }
            Some(Event::Progress(so_far)) => bar.at(so_far.rounds),
            Some(Event::Summary(tally)) => {
                bar.end();
                let counts = json!({
                    "rules": tally.rules, "rounds": tally.rounds, "changed": tally.changed, "reworded": tally.reworded, "stored": tally.stored, "failed": tally.failed
                });
                match output {
                    Output::Json => render::json(&json!({"summary": counts, "changes": documents}))?,
                    Output::Yaml => render::yaml(&json!({"summary": counts, "changes": documents}))?,
                    Output::Jsonl => render::json_line(&json!({"summary": counts}))?,
                    _ => render::answer(&render::rejudged::summary(&tally)),
                }
                if tally.failed > 0 {
                    return Err(Failure::new(ERROR, format!("{} rounds could not be judged; the coordinator's log names them", tally.failed)));
                }
                return Ok(if tally.changed > 0 { DIFFERENCE } else { DONE });
            }
            None => {}
        }
    }
    Err(Failure::new(ERROR, "the coordinator ended the judgement without a summary; its log says why"))
}
