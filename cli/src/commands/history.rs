//! `parallax history`: the rounds of a check, oldest first, with the time that nobody looked and the incidents.

use parallax_model::{
    clock::Timestamp,
    incident::{Incident, Timeline},
    verdict::Verdict,
};
use parallax_proto::v1::GetTimelineRequest;
use serde_json::{Value, json};

use crate::{
    args::{History, Output},
    client::Client,
    exit::{DONE, ERROR, Failure},
    render::{self, incident, listing::Listing, timeline, verdict},
};

const LIMIT: u32 = 100_000;

/// Runs the command.
pub(super) async fn run(client: &mut Client, words: &History, output: Output) -> Result<u8, Failure> {
    let (since, until) = (super::ago(words.since), super::now());
    let line = timeline_of(client, &words.name, since, until).await?;
    let verdicts = super::verdicts(client, &words.name, "", since, until, LIMIT).await?;
    if words.incidents {
        return incidents(&line.incidents, &verdicts, output);
    }
    let shown = if words.changes_only { changes(verdicts.clone()) } else { verdicts.clone() };
    match output {
        Output::Table if !words.changes_only => render::answer(&timeline::text(&verdicts, &line)),
        Output::Table | Output::Wide | Output::Nagios => {
            listing(&shown).print(output)?;
            blocks(&line.incidents, &verdicts);
        }
        Output::Json | Output::Jsonl | Output::Yaml | Output::Csv => {
            let documents = shown.iter().map(|verdict| document(verdict, &line)).collect();
            Listing { documents, ..listing(&shown) }.print(output)?;
        }
    }
    Ok(DONE)
}

/// Asks for the time line of a check.
async fn timeline_of(client: &mut Client, check: &str, since: Timestamp, until: Timestamp) -> Result<Timeline, Failure> {
    let request = GetTimelineRequest { check: check.to_owned(), since_us: since.as_micros(), until_us: until.as_micros() };
    match client.get_timeline(request).await {
        Ok(found) => read(&found.into_inner().timeline_json),
        // A coordinator of the previous version knows rounds only.
        Err(status) if status.code() == tonic::Code::Unimplemented => Ok(Timeline::default()),
        Err(status) => Err(status.into()),
    }
}

fn read(json: &str) -> Result<Timeline, Failure> {
    serde_json::from_str(json).map_err(|error| {
        Failure::new(ERROR, format!("the coordinator sent a time line that this version cannot read ({error}); use the same version on both sides"))
    })
}

fn incidents(incidents: &[Incident], verdicts: &[Verdict], output: Output) -> Result<u8, Failure> {
    if matches!(output, Output::Table | Output::Wide) {
        blocks(incidents, verdicts);
        if incidents.is_empty() {
            render::remark("no incidents in this window; --since widens it");
        }
        return Ok(DONE);
    }
    incident::listing(incidents).print(output).map(|()| DONE)
}

fn blocks(incidents: &[Incident], verdicts: &[Verdict]) {
    for found in incidents {
        render::answer(&format!("\n{}", incident::text(found, verdicts)));
    }
}

/// Adds to a verdict the incidents that begin with its round, the identifiers of those that it is part of, and the gaps before it.
fn document(verdict: &Verdict, line: &Timeline) -> Value {
    let at = verdict.started_at;
    let begins: Vec<&Incident> = line.incidents.iter().filter(|incident| incident.started_round == verdict.round).collect();
    let part_of = line.incidents.iter().filter(|incident| incident.started_at <= at && incident.ended_at.is_none_or(|end| at < end));
    let part_of: Vec<String> = part_of.map(|incident| incident.id.to_string()).collect();
    let gaps: Vec<_> = line.gaps.iter().filter(|gap| gap.until == Some(at)).collect();
    let mut document = json!(verdict);
    for (name, value) in [("incidents", json!(begins)), ("in_incidents", json!(part_of)), ("gaps_before", json!(gaps))] {
        if value.as_array().is_some_and(|values| !values.is_empty()) {
            document[name] = value;
        }
    }
    document
}

/// Makes a list of verdicts.
pub(super) fn listing(verdicts: &[Verdict]) -> Listing {
    let row = |verdict: &Verdict| {
        vec![
            super::instant(verdict.started_at),
            verdict.check.clone().unwrap_or_else(|| verdict.target.clone()),
            format!("{}/{}", verdict.vantages.reported, verdict.vantages.eligible),
            verdict::summary(verdict),
            verdict.round.to_string(),
        ]
    };
    Listing {
        headings: &["STARTED", "CHECK", "HEARD", "VERDICT", "ROUND"],
        rows: verdicts.iter().map(row).collect(),
        documents: verdicts.iter().map(|verdict| json!(verdict)).collect(),
        empty: timeline::EMPTY,
    }
}

/// Keeps the verdicts whose findings differ from the one before.
fn changes(verdicts: Vec<Verdict>) -> Vec<Verdict> {
    let mut before: Option<String> = None;
    let mut differs = |verdict: &Verdict| {
        let now = verdict::summary(verdict);
        let changed = before.as_ref() != Some(&now);
        before = Some(now);
        changed
    };
    verdicts.into_iter().filter(|verdict| differs(verdict)).collect()
}
