//! How much processor time one judgement takes: fifty vantages, eight addresses, four profiles, healthy and with five faults at once.

use std::time::Duration;

use anyhow::ensure;
use parallax_diagnosis::{History, Trust, judge};
use parallax_model::{
    check::Check,
    clock::{Clock as _, SystemClock},
};

use crate::{
    Row,
    handshake::thread_cpu,
    world::{Fault, NAME, Pki, World},
};

const TURNS: usize = 101;
/// What the faults must come out as, so that it is a real judgement that is timed.
const CAUSES: [&str; 5] = ["path.sni-filter", "path.address-block", "path.mtu-blackhole", "server.chain-incomplete", "server.slow-handshake"];

/// Measures both.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let pki = Pki::make()?;
    let faults = vec![Fault::Name(0), Fault::Name(1), Fault::Address(2, 4), Fault::Size(3), Fault::Chain(2), Fault::Mute(6)];
    Ok(vec![row(&pki, "healthy", Vec::new(), &[])?, row(&pki, "five faults, with follow-ups", faults, &CAUSES)?])
}

fn row(pki: &Pki, what: &str, faults: Vec<Fault>, causes: &[&str]) -> anyhow::Result<Row> {
    let now = SystemClock.now();
    let mut check = Check::once(format!("tls://{NAME}").parse()?, now);
    check.trust = vec![pki.root().clone()];
    let round = World::new(pki, 25, 2, 8, faults)?.round(&check, now)?;
    let (history, trust) = (History::default(), Trust::default().with(&check.trust));
    let verdict = judge(&round, &history, &trust, now);
    let said: Vec<&str> = verdict.findings.iter().filter(|finding| !finding.cause.is_informational()).map(|finding| finding.cause.as_str()).collect();
    ensure!(
        verdict.healthy == causes.is_empty() && causes.iter().all(|cause| said.contains(cause)),
        "the verdict says {said:?}: {}",
        serde_json::to_string_pretty(&verdict.findings)?
    );
    ensure!(verdict.matrix.len() == 50 * 8 * 4, "the matrix has {} cells", verdict.matrix.len());
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..TURNS {
        let began = thread_cpu()?;
        let verdict = judge(&round, &history, &trust, now);
        took.push(thread_cpu()?.saturating_sub(began));
        drop(verdict);
    }
    took.sort_unstable();
    let what = format!("judge 50 vantages × 8 addresses × 4 profiles, {} attempts, {what}; CPU", round.attempts.len());
    Ok(Row::new(what, format!("{:.1} ms", took[TURNS / 2].as_secs_f64() * 1e3), "5 ms"))
}
