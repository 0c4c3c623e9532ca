//! `parallax history`: the rounds of a check, oldest first.

use parallax_model::verdict::Verdict;
use serde_json::json;

use crate::{
    args::{History, Output},
    client::Client,
    exit::{DONE, Failure},
    render::{listing::Listing, verdict},
};

const LIMIT: u32 = 100_000;

/// Runs the command.
pub(super) async fn run(client: &mut Client, words: &History, output: Output) -> Result<u8, Failure> {
    let mut verdicts = super::verdicts(client, &words.name, "", super::ago(words.since), super::now(), LIMIT).await?;
    if words.changes_only {
        verdicts = changes(verdicts);
    }
    listing(&verdicts).print(output).map(|()| DONE)
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
        empty: "no rounds in this window; 'parallax check list' shows the checks, --since widens the window",
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
