//! `parallax compare`: which vantage, site, network, address or profile differs from the others, and since when.

use std::{collections::BTreeMap, time::Duration};

use parallax_model::{
    check::Check,
    clock::Timestamp,
    incident::Difference,
    outcome::Outcome,
    target::Target,
    verdict::{MatrixCell, Verdict},
};
use parallax_proto::v1::{CompareWindowsRequest, run_round_request::What};
use serde_json::{Value, json};
use tonic::Code;

use crate::{
    args::{By, Compare, Output},
    client::Client,
    exit::{DIFFERENCE, DONE, ERROR, Failure},
    render::{self, listing::Listing},
};

const LIMIT: u32 = 100_000;

/// Runs the command.
pub(super) async fn run(client: &mut Client, words: &Compare, output: Output) -> Result<u8, Failure> {
    let labels = labels(client).await?;
    let key = |cell: &MatrixCell| key(words.by, cell, &labels);
    let until = super::now();
    let verdicts = window(client, words, super::ago(words.since), until).await?;
    let now = columns(&verdicts, &key);
    let before = match words.vs {
        Some(span) => {
            let end = super::ago(words.since);
            Some(columns(&window_only(client, &words.subject, end - span, end).await?, &key))
        }
        None => None,
    };
    let found = match words.vs {
        Some(span) => difference(client, words, span, until).await?,
        None => None,
    };
    let differs = before.as_ref().is_some_and(|before| changed(before, &now)) || found.as_ref().is_some_and(|found| !found.is_empty());
    if matches!(output, Output::Table | Output::Wide) {
        listing(&now, before.as_ref()).print(output)?;
        render::answer(&format!("\n{}", conclusion(words.by, &words.subject, &now, &verdicts)));
        found.iter().for_each(|found| render::answer(&format!("\n{}", render::incident::difference(found))));
    } else {
        let mut rows = listing(&now, before.as_ref());
        rows.documents.extend(found.as_ref().map(differing));
        rows.print(output)?;
    }
    Ok(if differs { DIFFERENCE } else { DONE })
}

/// Asks what differs between the two windows; only a check has a time line.
async fn difference(client: &mut Client, words: &Compare, span: Duration, until: Timestamp) -> Result<Option<Difference>, Failure> {
    let since = super::ago(words.since);
    let request = CompareWindowsRequest {
        check: words.subject.clone(),
        since_us: since.as_micros(),
        until_us: until.as_micros(),
        vs_since_us: (since - span).as_micros(),
        vs_until_us: since.as_micros(),
    };
    match client.compare_windows(request).await {
        Ok(found) => serde_json::from_str(&found.into_inner().difference_json).map(Some).map_err(|error| {
            Failure::new(ERROR, format!("the coordinator sent a comparison that this version cannot read ({error}); use the same version on both sides"))
        }),
        Err(status) if matches!(status.code(), Code::Unimplemented | Code::NotFound | Code::InvalidArgument) => Ok(None),
        Err(status) => Err(status.into()),
    }
}

/// Returns the difference as a document of its own kind, behind those of the columns.
fn differing(found: &Difference) -> Value {
    let mut document = json!(found);
    document["kind"] = json!("Difference");
    document
}

/// Finds the verdicts of the window; a target that was never probed is probed now.
async fn window(client: &mut Client, words: &Compare, since: Timestamp, until: Timestamp) -> Result<Vec<Verdict>, Failure> {
    let found = window_only(client, &words.subject, since, until).await?;
    if !found.is_empty() {
        return Ok(found);
    }
    let Ok(target) = words.subject.parse::<Target>() else { return Ok(found) };
    if !words.subject.contains(['.', ':']) {
        return Err(Failure::usage(format!("{:?} has no rounds in this window; --since widens it, 'parallax check list' shows the checks", words.subject)));
    }
    render::remark(&format!("no rounds of {target} in this window: probing it now"));
    let check = Check::once(target, super::now());
    let limit = Duration::from_millis(check.limits.round_ms);
    Ok(vec![super::probe::round(client, What::Check((&check).into()), limit).await?])
}

async fn window_only(client: &mut Client, subject: &str, since: Timestamp, until: Timestamp) -> Result<Vec<Verdict>, Failure> {
    match super::verdicts(client, subject, "", since, until, LIMIT).await {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => match subject.parse::<Target>() {
            Ok(target) => super::verdicts(client, "", &target.authority(), since, until, LIMIT).await,
            Err(_) => Ok(Vec::new()),
        },
    }
}

type Labels = BTreeMap<String, BTreeMap<String, String>>;

async fn labels(client: &mut Client) -> Result<Labels, Failure> {
    Ok(super::vantage::list(client).await?.into_iter().map(|vantage| (vantage.name, vantage.labels)).collect())
}

fn key(by: By, cell: &MatrixCell, labels: &Labels) -> String {
    let label = |name: &str| labels.get(&cell.vantage).and_then(|labels| labels.get(name)).map_or_else(|| format!("(no {name})"), Clone::clone);
    match by {
        By::Vantage => cell.vantage.clone(),
        By::Site => label("site"),
        By::Asn => label("asn"),
        By::Address => cell.address.clone(),
        By::Profile => cell.profile.clone(),
    }
}

/// What one column of the comparison adds up to.
#[derive(Default)]
struct Column {
    rounds: u32,
    attempts: u32,
    failures: u32,
    outcomes: BTreeMap<String, u32>,
    failing_since: Option<Timestamp>,
    handshakes_ms: Vec<f64>,
}

impl Column {
    fn share(&self) -> f64 {
        if self.attempts == 0 { 0.0 } else { f64::from(self.failures) / f64::from(self.attempts) }
    }

    fn usual_failure(&self) -> String {
        self.outcomes.iter().max_by_key(|entry| entry.1).map_or_else(|| "-".to_owned(), |entry| entry.0.clone())
    }

    fn median_ms(&self) -> Option<f64> {
        let mut sorted = self.handshakes_ms.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

/// Adds verdicts, oldest first, up to one column per key.
fn columns(verdicts: &[Verdict], key: &impl Fn(&MatrixCell) -> String) -> BTreeMap<String, Column> {
    let mut columns: BTreeMap<String, Column> = BTreeMap::new();
    for verdict in verdicts {
        let mut failed: BTreeMap<String, bool> = BTreeMap::new();
        for cell in verdict.matrix.iter().filter(|cell| cell.attempts > 0) {
            let name = key(cell);
            let column = columns.entry(name.clone()).or_default();
            column.attempts += cell.attempts;
            column.failures += cell.failures;
            column.handshakes_ms.extend(cell.handshake_ms);
            if cell.outcome != Outcome::Ok {
                *column.outcomes.entry(cell.outcome.to_string()).or_default() += cell.failures;
            }
            *failed.entry(name).or_default() |= cell.failures > 0;
        }
        for (name, failed) in failed {
            let column = columns.entry(name).or_default();
            column.rounds += 1;
            column.failing_since = if failed { column.failing_since.or(Some(verdict.started_at)) } else { None };
        }
    }
    columns
}

fn changed(before: &BTreeMap<String, Column>, now: &BTreeMap<String, Column>) -> bool {
    let face = |columns: &BTreeMap<String, Column>| -> Vec<(String, bool, String)> {
        columns.iter().map(|(name, column)| (name.clone(), column.share() >= 0.5, column.usual_failure())).collect()
    };
    face(before) != face(now)
}

fn listing(now: &BTreeMap<String, Column>, before: Option<&BTreeMap<String, Column>>) -> Listing {
    let percent = |column: &Column| format!("{:.0} %", column.share() * 100.0);
    let row = |(name, column): (&String, &Column)| {
        vec![
            name.clone(),
            column.rounds.to_string(),
            format!("{}/{}", column.failures, column.attempts),
            percent(column),
            before.and_then(|before| before.get(name)).map_or_else(|| "-".to_owned(), percent),
            column.usual_failure(),
            column.median_ms().map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}")),
            column.failing_since.map_or_else(|| "-".to_owned(), super::instant),
        ]
    };
    let document = |(name, column): (&String, &Column)| {
        json!({
            "name": name, "rounds": column.rounds, "attempts": column.attempts, "failures": column.failures, "share": column.share(),
            "share_before": before.and_then(|before| before.get(name)).map(Column::share), "outcomes": column.outcomes,
            "handshake_ms": column.median_ms(), "failing_since": column.failing_since,
        })
    };
    Listing {
        headings: &["WHO", "ROUNDS", "FAILED", "SHARE", "BEFORE", "USUAL FAILURE", "HANDSHAKE MS", "FAILING SINCE"],
        rows: now.iter().map(row).collect(),
        documents: now.iter().map(document).collect(),
        empty: "no rounds in this window; --since widens it",
    }
}

/// Says which columns differ in what they fail by or how often, or that none does.
fn conclusion(by: By, subject: &str, columns: &BTreeMap<String, Column>, verdicts: &[Verdict]) -> String {
    let rounds = format!("{} round{}", verdicts.len(), if verdicts.len() == 1 { "" } else { "s" });
    let (failing, fine): (Vec<_>, Vec<_>) = columns.iter().partition(|entry| entry.1.failing_since.is_some());
    let fine: Vec<&str> = fine.iter().map(|entry| entry.0.as_str()).collect();
    if failing.is_empty() {
        return format!("no difference over {rounds}: nothing fails now");
    }
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for (name, column) in &failing {
        let kind = column.usual_failure();
        match kinds.iter_mut().find(|known| known.0 == kind) {
            Some(known) => known.1.push(name),
            None => kinds.push((kind, vec![name])),
        }
    }
    let by_kind = kinds.iter().map(|(kind, names)| format!("{} by {kind}", names.join(", "))).collect::<Vec<_>>().join("; ");
    if !fine.is_empty() {
        let since = failing.iter().filter_map(|entry| entry.1.failing_since).min().map(super::instant).unwrap_or_default();
        let names: Vec<&str> = failing.iter().map(|entry| entry.0.as_str()).collect();
        let what = if let [(kind, _)] = kinds.as_slice() { kind.clone() } else { by_kind };
        let differ = if names.len() == 1 { "differs" } else { "differ" };
        return format!("{} {differ} since {since}: {what}; fine: {}", names.join(", "), fine.join(", "));
    }
    let shares = || failing.iter().map(|entry| entry.1.share());
    let (least, most) = (shares().fold(1.0, f64::min), shares().fold(0.0, f64::max));
    let Some((kind, _)) = kinds.first().filter(|_| kinds.len() == 1) else { return format!("all fail, not alike: {by_kind}") };
    if most - least > ALIKE {
        let told: Vec<String> = failing.iter().map(|(name, column)| format!("{name} in {:.0} %", column.share() * 100.0)).collect();
        return format!("all fail by {kind}, not alike: {} of the attempts", told.join("; "));
    }
    if least < 1.0 - ALIKE {
        let (this, other) = if by == By::Address { ("address", "profile") } else { (word(by), "address") };
        return format!("no difference by {this} over {rounds}: all fail by {kind} in about {:.0} % of the attempts; try --by {other}", (least + most) * 50.0);
    }
    let last = verdicts.last();
    let shows = match last.filter(|verdict| verdict.check.as_deref() != Some(subject)) {
        Some(probe) => format!("parallax verdict show {}", probe.round),
        None => format!("parallax history {subject}"),
    };
    format!("no difference over {rounds}: all fail alike by {kind}; '{shows}' shows what")
}

/// Shares that differ by no more than this are called equal.
const ALIKE: f64 = 0.1;

fn word(by: By) -> &'static str {
    match by {
        By::Vantage => "vantage",
        By::Site => "site",
        By::Asn => "asn",
        By::Address => "address",
        By::Profile => "profile",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sample's matrix with other cells: vantage, address, outcome, failures of four attempts.
    fn said(by: By, subject: &str, cells: &[(&str, &str, &str, u32)]) -> String {
        let mut verdict: Verdict = serde_json::from_str(include_str!("../../tests/data/two-faults.json")).expect("the sample is a verdict");
        let sample = verdict.matrix[0].clone();
        let cell = |(vantage, address, outcome, failures): &(&str, &str, &str, u32)| MatrixCell {
            vantage: (*vantage).to_owned(),
            address: (*address).to_owned(),
            outcome: outcome.parse().expect("an outcome"),
            attempts: 4,
            failures: *failures,
            ..sample.clone()
        };
        verdict.matrix = cells.iter().map(cell).collect();
        let verdicts = [verdict];
        let columns = columns(&verdicts, &|cell: &MatrixCell| key(by, cell, &Labels::new()));
        conclusion(by, subject, &columns, &verdicts)
    }

    #[test]
    fn vantages_that_all_fail_are_told_apart_by_what_they_fail_by_and_how_often() {
        let (reset, chain) = ("tls.reset", "certificate.chain-incomplete");
        let told = said(By::Vantage, "api", &[("a", "x", reset, 4), ("b", "x", chain, 4), ("c", "x", chain, 4), ("d", "x", reset, 4)]);
        assert_eq!(told, "all fail, not alike: a, d by tls.reset; b, c by certificate.chain-incomplete");
        let told = said(By::Vantage, "api", &[("a", "x", reset, 4), ("b", "x", reset, 1)]);
        assert_eq!(told, "all fail by tls.reset, not alike: a in 100 %; b in 25 % of the attempts");
        let told = said(By::Vantage, "api", &[("a", "x", reset, 4), ("a", "y", "ok", 0), ("b", "x", reset, 4), ("b", "y", "ok", 0)]);
        assert_eq!(told, "no difference by vantage over 1 round: all fail by tls.reset in about 50 % of the attempts; try --by address");
    }

    #[test]
    fn what_to_run_next_exists() {
        let cells = [("a", "x", "tls.reset", 4)];
        assert_eq!(said(By::Vantage, "api", &cells), "no difference over 1 round: all fail alike by tls.reset; 'parallax history api' shows what");
        assert_eq!(
            said(By::Vantage, "api.example.test", &cells),
            "no difference over 1 round: all fail alike by tls.reset; 'parallax verdict show 019a0000-0000-8000-8000-000000000001' shows what"
        );
    }

    #[test]
    fn who_differs_is_named_with_those_that_are_fine() {
        let cells = [("a", "x", "tls.reset", 4), ("b", "x", "ok", 0), ("d", "x", "tls.reset", 4)];
        assert_eq!(said(By::Vantage, "api", &cells), "a, d differ since 2026-11-23 08:00:00Z: tls.reset; fine: b");
        assert!(said(By::Vantage, "api", &cells[..2]).starts_with("a differs since"));
    }
}
