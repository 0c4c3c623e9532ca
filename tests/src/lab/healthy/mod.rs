//! A fleet of eight before twenty healthy targets, while one packet of a hundred is lost in each direction and one agent at a time restarts: nothing may be found.
//!
//! [`run`] watches until enough rounds are judged, [`Findings`] counts what the verdicts say, [`Attempts`] how the attempts came out: what the simulated fleet of the
//! diagnosis' own tests is fitted to.

mod attempts;
mod findings;
mod place;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::sys::signal::Signal;
use parallax_model::{attempt::Attempt, verdict::Verdict};
use serde_json::Value;

pub use attempts::Attempts;
pub use findings::Findings;

use super::{Lab, Programs, sandbox::HOME};

/// How much is watched.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// Rounds of all targets together, at least.
    pub rounds: usize,
    /// Distance between two rounds of one target.
    pub every: Duration,
    /// Distance between two restarts of an agent.
    pub restart_every: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Watched {
    /// What the verdicts say.
    pub findings: Findings,
    /// How the attempts came out.
    pub attempts: Attempts,
    /// How often an agent was killed and started again.
    pub restarts: usize,
    /// Packets that passed the routers and hosts that lose some, and those of them that were lost.
    pub packets: (u64, u64),
    /// What `parallax history --incidents` says of checks that have some.
    pub incidents: Vec<Value>,
}

/// Runs the fleet before the targets until so many rounds are judged.
pub fn run(programs: &Programs, watch: Watch) -> anyhow::Result<Watched> {
    let scenario = place::scenario()?;
    let mut lab = Lab::start(&scenario, programs)?;
    lab.start_fleet()?;
    let trust = format!("{HOME}/pki/root.pem");
    let every = format!("{}ms", watch.every.as_millis());
    let names: Vec<String> = (0..place::TARGETS).map(place::check).collect();
    for (number, name) in names.iter().enumerate() {
        answer(&lab, &["check", "create", name, "--target", &place::name(number), "--every", &every, "--audit", "never", "--trust", &trust])?;
        thread::sleep(watch.every / place::TARGETS as u32);
    }
    let restarts = watch_over(&mut lab, watch)?;
    for name in &names {
        answer(&lab, &["check", "pause", name])?;
    }
    lab.wait_online(Duration::from_secs(60))?;
    wait_quiet(&lab)?;
    let (mut findings, mut attempts, mut incidents) = (Findings::default(), Attempts::default(), Vec::new());
    for name in &names {
        let verdicts: Vec<Verdict> = serde_json::from_str(&answer(&lab, &["history", name, "-o", "json"])?).context("a history that cannot be read")?;
        for verdict in &verdicts {
            findings.add(verdict);
            attempts_of(&lab, verdict)?.iter().for_each(|attempt| attempts.add(attempt));
        }
        let found: Vec<Value> = serde_json::from_str(&answer(&lab, &["history", name, "--incidents", "-o", "json"])?)?;
        incidents.extend(found);
    }
    ensure!(findings.rounds >= watch.rounds, "only {} of {} rounds were judged", findings.rounds, watch.rounds);
    Ok(Watched { findings, attempts, restarts, packets: packets(&lab)?, incidents })
}

/// Kills one agent after the other and starts it again, until enough rounds are judged.
fn watch_over(lab: &mut Lab, watch: Watch) -> anyhow::Result<usize> {
    let mut restarts = 0;
    let limit = Instant::now() + watch.every * 4 * u32::try_from(watch.rounds / place::TARGETS + 2)?;
    while judged(lab)? < watch.rounds {
        ensure!(Instant::now() < limit, "after {restarts} restarts only {} rounds were judged", judged(lab)?);
        thread::sleep(watch.restart_every);
        let name = place::VANTAGES[restarts % place::VANTAGES.len()];
        let mut agent = lab.fleet.agents.remove(name).context("no such agent runs")?;
        agent.signal(Signal::SIGKILL)?;
        agent.wait(Duration::from_secs(5)).context("the agent outlives SIGKILL")?;
        thread::sleep(AWAY);
        lab.start_agent(name, None)?;
        restarts += 1;
    }
    Ok(restarts)
}

fn judged(lab: &Lab) -> anyhow::Result<usize> {
    let verdicts: Vec<Value> = serde_json::from_str(&answer(lab, &["verdict", "list", "--limit", "1000", "-o", "json"])?)?;
    Ok(verdicts.len())
}

/// Waits until no further round is judged and no verdict gets another revision.
fn wait_quiet(lab: &Lab) -> anyhow::Result<()> {
    let mut before = String::new();
    for _ in 0..12 {
        let now = answer(lab, &["verdict", "list", "--limit", "1000", "-o", "json"])?;
        if now == before {
            return Ok(());
        }
        before = now;
        thread::sleep(Duration::from_secs(6));
    }
    Ok(())
}

fn attempts_of(lab: &Lab, verdict: &Verdict) -> anyhow::Result<Vec<Attempt>> {
    let mut explained: Value = serde_json::from_str(&answer(lab, &["verdict", "explain", &verdict.round.to_string(), "-o", "json"])?)?;
    serde_json::from_value(explained["attempts"].take()).context("a verdict without attempts")
}

/// Sums the counters of all places: packets that came, and those of them that were lost.
fn packets(lab: &Lab) -> anyhow::Result<(u64, u64)> {
    let (mut seen, mut lost) = (0, 0);
    for node in place::LOSSY {
        for (name, sum) in [("seen", &mut seen), ("lost", &mut lost)] {
            let text = lab.sandbox().script(Some(node), &format!("nft list counter inet loss {name}\n"))?;
            let count = text.split("packets ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
            *sum += count.with_context(|| format!("no counter at {node}: {text}"))?;
        }
    }
    Ok((seen, lost))
}

fn answer(lab: &Lab, words: &[&str]) -> anyhow::Result<String> {
    let output = lab.parallax(words.iter().copied()).output().context("cannot run parallax")?;
    ensure!(output.status.success(), "parallax {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// How long a killed agent stays away.
const AWAY: Duration = Duration::from_secs(2);
