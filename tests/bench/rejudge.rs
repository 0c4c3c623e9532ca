//! How long `parallax verdict rejudge` takes over a store full of closed rounds, by the real coordinator and command line.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use parallax_diagnosis::{History, RoundView, Trust, judge};
use parallax_model::{
    attempt::Attempt,
    cadence::Cadence,
    check::Check,
    clock::{Clock as _, SystemClock, Timestamp},
    id::{BootId, VantageName},
    verdict::Verdict,
};
use parallax_store::{RoundRecord, RoundVantage, ShareState, SqliteStore, Store};

use crate::{
    Row,
    host::Host,
    world::{Fault, NAME, Pki, World},
};

const CHECKS: usize = 10;
const EVERY: Duration = Duration::from_secs(60);
/// Rounds that are put into the store at a time.
const AT_ONCE: usize = 16;

/// Fills a store with so many rounds, starts the coordinator on it, and times the command.
pub(crate) fn measure(bin: &Path, rounds: usize) -> anyhow::Result<Row> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let host = Host::start_on(bin, |data| runtime.block_on(fill(&data.join("store"), rounds)))?;
    let began = Instant::now();
    let text = host.parallax(&["verdict", "rejudge", "--since", "60d", "-o", "json"])?;
    let took = began.elapsed();
    let answer: serde_json::Value = serde_json::from_str(&text)?;
    let summary = &answer["summary"];
    ensure!(summary["rounds"] == rounds && summary["failed"] == 0, "not every round was judged: {summary}");
    ensure!(summary["changed"] == 0, "the same rules judge otherwise: {summary}");
    Ok(Row::new(format!("verdict rejudge over {rounds} stored rounds of 4 vantages"), format!("{:.0} s", took.as_secs_f64()), "120 s"))
}

/// Puts closed rounds of ten checks into a new store: a fleet of four vantages, two addresses, two profiles in half of the checks; every tenth round fails.
async fn fill(folder: &Path, rounds: usize) -> anyhow::Result<()> {
    let (store, pki) = (SqliteStore::open(folder)?, Pki::make()?);
    let per_check = rounds.div_ceil(CHECKS);
    let newest = SystemClock.now();
    let oldest = Timestamp::from_micros(newest.as_micros() - i64::try_from(EVERY.as_micros())? * (i64::try_from(per_check)? + 1));
    let mut checks = Vec::new();
    for number in 0..CHECKS {
        let check = check(&pki, number, oldest)?;
        store.put_check(&check, None).await?;
        checks.push(check);
    }
    let worlds = [Vec::new(), vec![Fault::Name(0)], vec![Fault::Chain(0)], vec![Fault::Mute(1)]];
    let worlds = worlds.into_iter().map(|faults| Ok(World::new(&pki, 4, 1, 2, faults)?.without_responder())).collect::<anyhow::Result<Vec<_>>>()?;
    let mut sequences = BTreeMap::new();
    let mut pending = Vec::new();
    let mut put = 0;
    for turn in 0..per_check {
        for (number, check) in checks.iter().enumerate().take(rounds - put) {
            let world = if turn % 10 == 9 { &worlds[1 + (number + turn / 10) % 3] } else { &worlds[0] };
            let start = check.cadence.next_after(check.anchor, oldest + EVERY * u32::try_from(turn)?).context("the check has no round")?;
            let round = world.round(check, start)?;
            pending.push(judged(round));
            put += 1;
        }
        if pending.len() >= AT_ONCE || put == rounds {
            keep(&store, std::mem::take(&mut pending), &mut sequences).await?;
        }
    }
    Ok(())
}

fn check(pki: &Pki, number: usize, oldest: Timestamp) -> anyhow::Result<Check> {
    let mut check = Check::once(format!("tls://{NAME}").parse()?, oldest);
    check.name = Some(format!("check-{number}").parse()?);
    check.cadence = Cadence::Every { every_ms: u64::try_from(EVERY.as_millis())? };
    check.paused = true;
    check.trust = vec![pki.root().clone()];
    let profiles = ["modern", "tls12"];
    Ok(check.with_profiles(&profiles[..1 + number % 2].iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?)
}

fn judged(round: RoundView) -> (RoundView, Verdict) {
    let closed_at = round.started_at + Duration::from_secs(5);
    let verdict = judge(&round, &History::default(), &Trust::default().with(&round.check.trust), closed_at);
    (round, verdict)
}

/// Stores rounds as the coordinator does: opened, ingested per vantage, judged, closed.
async fn keep(store: &dyn Store, rounds: Vec<(RoundView, Verdict)>, sequences: &mut BTreeMap<VantageName, (BootId, u64)>) -> anyhow::Result<()> {
    let mut shares: BTreeMap<VantageName, Vec<Attempt>> = BTreeMap::new();
    for (round, _) in &rounds {
        store.open_round(&record(round)).await?;
        for attempt in &round.attempts {
            shares.entry(attempt.vantage.clone()).or_default().push(attempt.clone());
        }
    }
    for (vantage, attempts) in shares {
        let (boot, next) = sequences.entry(vantage.clone()).or_insert_with(|| (BootId::new(), 1));
        let batch: Vec<(u64, Attempt)> = (*next..).zip(attempts).collect();
        *next += batch.len() as u64;
        store.ingest(&vantage, *boot, batch).await?;
    }
    for (round, verdict) in rounds {
        store.put_verdict(Some(round.check.id), &verdict, verdict.closed_at).await?;
        let unjudged = store.round(round.round).await?.map_or(0, |record| record.unjudged);
        store.close_round(round.round, verdict.closed_at, unjudged).await?;
    }
    Ok(())
}

fn record(round: &RoundView) -> RoundRecord {
    let vantage = |view: &parallax_diagnosis::VantageView| RoundVantage {
        name: view.name.clone(),
        labels: view.labels.clone(),
        group: view.group.clone(),
        build: view.build.clone(),
        clock_offset_ms: view.clock_offset_ms,
        egress: view.egress,
        share: ShareState::Reported,
    };
    RoundRecord {
        id: round.round,
        check: round.check.clone(),
        started_at: round.started_at,
        deadline: round.started_at + round.check.round_span(round.started_at),
        vantages: round.vantages.iter().map(vantage).collect(),
        adhoc: false,
        closed_at: None,
        unjudged: 0,
    }
}
