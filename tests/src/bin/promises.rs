//! The promises that a fleet makes, held against the real programs in the lab: no round is missed without the coordinator, nothing is
//! lost to SIGKILL, and the network that differs is named.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{self, Write as _},
    path::PathBuf,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Parser;
use nix::sys::signal::Signal;
use parallax_model::clock::{Clock as _, SystemClock};
use parallax_tests::lab::{Lab, Programs, Scenario};
use serde_json::Value;

#[derive(Parser)]
#[command(about = "Holds the fleet's promises against the real programs in the lab")]
struct Arguments {
    /// The folder with parallax, parallax-coordinator and parallax-agent.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release"))]
    bin_dir: PathBuf,
    /// How long the coordinator stays away.
    #[arg(long, default_value_t = 120)]
    away_seconds: u64,
    /// Only the promises whose name holds this.
    #[arg(default_value = "")]
    only: String,
}

type Promise = fn(&mut Lab, &Arguments) -> anyhow::Result<()>;

const PROMISES: [(&str, Promise); 3] = [
    ("every round is kept while the coordinator is away, and the network that differs is named", keeps_rounds_without_coordinator),
    ("nothing is lost or doubled when coordinator and agent are killed", loses_nothing_when_killed),
    ("a fault put in and taken out is one incident, and an agent that restarts is a gap", tells_one_incident),
];

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let chosen: Vec<_> = PROMISES.iter().filter(|promise| promise.0.contains(&arguments.only)).collect();
    let results: Vec<_> = thread::scope(|scope| {
        let runs: Vec<_> = chosen.iter().map(|promise| scope.spawn(|| run(promise.1, &arguments))).collect();
        runs.into_iter().map(|run| run.join().unwrap_or_else(|_| Err(anyhow::anyhow!("it panicked")))).collect()
    });
    let mut failed = 0;
    for ((name, _), result) in chosen.iter().zip(results) {
        let said = match result {
            Ok(()) => writeln!(io::stdout(), "ok    {name}"),
            Err(error) => {
                failed += 1;
                writeln!(io::stdout(), "FAIL  {name}: {error:#}")
            }
        };
        if said.is_err() {
            return ExitCode::FAILURE;
        }
    }
    let _ = writeln!(io::stdout(), "{} passed, {failed} failed", chosen.len() - failed);
    if failed == 0 && !chosen.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(promise: Promise, arguments: &Arguments) -> anyhow::Result<()> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let scenarios = Scenario::read_all(folder.as_ref())?;
    let mut scenario = scenarios.into_iter().find(|scenario| scenario.id.starts_with("00")).context("no healthy scenario")?;
    scenario.vantages = VANTAGES.map(str::to_owned).to_vec();
    let mut lab = Lab::start(&scenario, &Programs::in_folder(&arguments.bin_dir)?)?;
    lab.start_fleet()?;
    promise(&mut lab, arguments)
}

const VANTAGES: [&str; 4] = ["a", "b", "c", "i"];
const TARGET: &str = "www.example.test";
const EVERY: Duration = Duration::from_secs(5);
/// When the kills fall, milliseconds after a round's start: while names are resolved, while handshakes run, while results are sent.
const KILL_MOMENTS_MS: [u64; 4] = [20, 120, 300, 700];

fn keeps_rounds_without_coordinator(lab: &mut Lab, arguments: &Arguments) -> anyhow::Result<()> {
    create_check(lab)?;
    thread::sleep(3 * EVERY);
    let filter = "-A FORWARD -p tcp --dport 443 -m string --string www.example.test --algo bm -j REJECT --reject-with tcp-reset";
    lab.sandbox().script(Some("mb-a"), &format!("iptables {filter}\nip6tables {filter}\n"))?;
    thread::sleep(2 * EVERY);
    kill_coordinator(lab)?;
    thread::sleep(Duration::from_secs(arguments.away_seconds));
    lab.start_coordinator()?;
    lab.wait_online(Duration::from_secs(40))?;
    wait_quiet(lab)?;
    let verdicts = history(lab)?;
    hold_all_rounds(&verdicts, 4)?;
    let covered = u64::try_from(verdicts.len()).unwrap_or(0) * EVERY.as_secs();
    ensure!(covered >= arguments.away_seconds + 20, "history covers {covered} s only");
    let compared = answer(lab, &["compare", "watched", "--by", "asn"])?;
    ensure!(compared.contains("64501 differs since"), "compare does not name the network that differs:\n{compared}");
    Ok(())
}

fn loses_nothing_when_killed(lab: &mut Lab, arguments: &Arguments) -> anyhow::Result<()> {
    create_check(lab)?;
    thread::sleep(EVERY);
    let mut ledger = BTreeSet::new();
    for moment_ms in KILL_MOMENTS_MS {
        // The coordinator dies while a round runs, then an agent whose results have nowhere to go.
        wait_for_moment(moment_ms);
        ledger.extend(stored(lab)?);
        kill_coordinator(lab)?;
        wait_for_moment(moment_ms);
        kill_agent(lab, "b")?;
        for name in VANTAGES {
            ledger.extend(spooled(lab, arguments, name)?);
        }
        lab.start_agent("b", None)?;
        lab.start_coordinator()?;
        lab.wait_online(Duration::from_secs(40))?;
    }
    wait_quiet(lab)?;
    let verdicts = history(lab)?;
    hold_all_rounds(&verdicts, 3)?;
    let kept: BTreeSet<String> = verdicts.iter().map(|verdict| hold_round(lab, verdict)).collect::<anyhow::Result<Vec<_>>>()?.concat().into_iter().collect();
    let lost: Vec<&String> = ledger.difference(&kept).collect();
    ensure!(lost.is_empty(), "{} of {} attempts that were spooled or stored are gone, for example {}", lost.len(), ledger.len(), lost[0]);
    ensure!(ledger.len() > 100, "only {} attempts were ever spooled or stored when something was killed", ledger.len());
    Ok(())
}

fn tells_one_incident(lab: &mut Lab, _arguments: &Arguments) -> anyhow::Result<()> {
    create_check(lab)?;
    thread::sleep(3 * EVERY);
    kill_agent(lab, "b")?;
    thread::sleep(2 * EVERY);
    lab.start_agent("b", None)?;
    lab.wait_online(Duration::from_secs(20))?;
    wait_for_moment(2_500);
    let block =
        "table inet fault { chain forward { type filter hook forward priority 0; tcp dport 443 tcp flags & (syn|ack) == syn reject with tcp reset; }; }";
    let put_in = now_s();
    lab.sandbox().script(Some("mb-a"), &format!("nft '{block}'\n"))?;
    thread::sleep(3 * EVERY);
    wait_for_moment(2_500);
    lab.sandbox().script(Some("mb-a"), "nft delete table inet fault\n")?;
    let taken_out = now_s();
    thread::sleep(4 * EVERY);
    answer(lab, &["check", "pause", "watched"])?;
    writeln!(io::stderr(), "{}", answer(lab, &["history", "watched"])?)?;
    let incidents: Vec<Value> = serde_json::from_str(&answer(lab, &["history", "watched", "--incidents", "-o", "json"])?)?;
    // A round that the end of the fault falls into may be a mixture: what nothing confirmed is no incident.
    let confirmed: Vec<&Value> = incidents.iter().filter(|incident| incident["state"] != "passed").collect();
    let [incident] = confirmed.as_slice() else { anyhow::bail!("{} incidents: {incidents:#?}", confirmed.len()) };
    ensure!(incident["state"] == "ended" && incident["locus"] == "path", "it is {} and {}", incident["state"], incident["cause"]);
    ensure!(incident["scope"]["vantages"] == serde_json::json!(["a"]), "it blames {}", incident["scope"]);
    ensure!(incident["changed_at_onset"] == serde_json::json!([]), "something else changed: {}", incident["changed_at_onset"]);
    let (start, end) = (moment_s(&incident["started_at"])?, moment_s(&incident["ended_at"])?);
    let step = i64::try_from(EVERY.as_secs()).unwrap_or(i64::MAX);
    ensure!((0..=step).contains(&(start - put_in)), "put in at {put_in}, and it started at {start}");
    ensure!((0..=step).contains(&(end - taken_out)), "taken out at {taken_out}, and it ended at {end}");
    let rounds = history(lab)?;
    let away = |verdict: &&Value| verdict["vantages"]["missing"].as_array().is_some_and(|missing| missing.iter().any(|name| name == "b"));
    ensure!(rounds.iter().any(|verdict| away(&verdict)), "no round missed the agent that was away");
    ensure!(rounds.iter().any(|verdict| verdict["gaps_before"].is_array()), "no gap is told");
    Ok(())
}

fn now_s() -> i64 {
    SystemClock.now().as_micros() / 1_000_000
}

fn moment_s(value: &Value) -> anyhow::Result<i64> {
    let moment: parallax_model::clock::Timestamp = value.as_str().context("no instant")?.parse()?;
    Ok(moment.as_micros() / 1_000_000)
}

/// Waits until so many milliseconds after the next round of the check has started, by the wall clock that rounds follow.
fn wait_for_moment(moment_ms: u64) {
    let every = u64::try_from(EVERY.as_millis()).unwrap_or(u64::MAX);
    let now = u64::try_from(SystemClock.now().as_micros() / 1_000).unwrap_or(0);
    thread::sleep(Duration::from_millis(every - now % every + moment_ms));
}

/// Returns the attempts that the coordinator has committed.
fn stored(lab: &Lab) -> anyhow::Result<Vec<String>> {
    let rounds = history(lab)?;
    Ok(rounds.iter().map(|verdict| attempts_of(lab, verdict)).collect::<anyhow::Result<Vec<_>>>()?.iter().flatten().filter_map(id_of).collect())
}

/// Returns the attempts that an agent holds on disk, running or dead.
fn spooled(lab: &Lab, arguments: &Arguments, name: &str) -> anyhow::Result<Vec<String>> {
    let folder = lab.sandbox().outside(&format!("{}/agents/{name}", parallax_tests::lab::sandbox::HOME));
    let output = Command::new(arguments.bin_dir.join("parallax-agent")).args(["spool", "--data-dir"]).arg(folder).output()?;
    ensure!(output.status.success(), "parallax-agent spool: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn create_check(lab: &Lab) -> anyhow::Result<()> {
    let root = root_certificate(lab)?;
    answer(lab, &["check", "create", "watched", "--target", TARGET, "--every", "5s", "--trust", &root]).map(drop)
}

fn root_certificate(lab: &Lab) -> anyhow::Result<String> {
    let trust = format!("{}/pki/root.pem", parallax_tests::lab::sandbox::HOME);
    ensure!(lab.sandbox().outside(&trust).exists(), "the lab has no root certificate at {trust}");
    Ok(trust)
}

fn answer(lab: &Lab, words: &[&str]) -> anyhow::Result<String> {
    let output = lab.parallax(words.iter().copied()).output().context("cannot run parallax")?;
    ensure!(output.status.success(), "parallax {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn kill_coordinator(lab: &mut Lab) -> anyhow::Result<()> {
    let mut coordinator = lab.fleet.coordinator.take().context("no coordinator runs")?;
    coordinator.signal(Signal::SIGKILL)?;
    coordinator.wait(Duration::from_secs(5)).context("the coordinator outlives SIGKILL")?;
    Ok(())
}

fn kill_agent(lab: &mut Lab, name: &str) -> anyhow::Result<()> {
    let mut agent = lab.fleet.agents.remove(name).context("no such agent runs")?;
    agent.signal(Signal::SIGKILL)?;
    agent.wait(Duration::from_secs(5)).context("the agent outlives SIGKILL")?;
    Ok(())
}

fn history(lab: &Lab) -> anyhow::Result<Vec<Value>> {
    Ok(serde_json::from_str(&answer(lab, &["history", "watched", "-o", "json"])?)?)
}

/// Pauses the check and waits until the history no longer grows.
fn wait_quiet(lab: &Lab) -> anyhow::Result<()> {
    answer(lab, &["check", "pause", "watched"])?;
    let end = Instant::now() + Duration::from_secs(60);
    let mut before = String::new();
    while Instant::now() < end {
        thread::sleep(Duration::from_secs(6));
        let now = answer(lab, &["history", "watched", "-o", "json"])?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
    Ok(())
}

/// Holds that rounds follow each other without a gap, and that all but the first and last were heard from at least `least` of four vantages.
fn hold_all_rounds(verdicts: &[Value], least: u64) -> anyhow::Result<()> {
    let starts: Vec<i64> = verdicts
        .iter()
        .filter_map(|verdict| verdict["started_at"].as_str()?.parse::<parallax_model::clock::Timestamp>().ok())
        .map(|at| at.as_micros())
        .collect();
    ensure!(starts.len() == verdicts.len() && starts.len() > 3, "history has {} rounds", verdicts.len());
    let step = i64::try_from(EVERY.as_micros()).unwrap_or(i64::MAX);
    if let Some(gap) = starts.windows(2).find(|pair| pair[1] - pair[0] != step) {
        anyhow::bail!("a round is missing or doubled: {} s lie between two", (gap[1] - gap[0]) / 1_000_000);
    }
    for verdict in &verdicts[..verdicts.len() - 1] {
        let reported = verdict["vantages"]["reported"].as_u64().unwrap_or(0);
        ensure!(reported >= least, "round {} at {} was heard from {reported} vantages", verdict["round"], verdict["started_at"]);
    }
    Ok(())
}

/// Holds that no attempt of a round stands twice and that each vantage that was not killed has its whole row; returns the attempts.
fn hold_round(lab: &Lab, verdict: &Value) -> anyhow::Result<Vec<String>> {
    let round = &verdict["round"];
    let attempts = attempts_of(lab, verdict)?;
    let ids: Vec<String> = attempts.iter().filter_map(id_of).collect();
    let distinct: BTreeSet<&String> = ids.iter().collect();
    ensure!(distinct.len() == ids.len() && ids.len() == attempts.len(), "round {round}: an attempt stands twice");
    let mut cells: BTreeMap<(&str, &str, &str, u64), u32> = BTreeMap::new();
    for attempt in attempts.iter().filter(|attempt| attempt["experiment"] == "baseline") {
        let text = |field: &str| attempt[field].as_str().unwrap_or("");
        *cells.entry((text("vantage"), text("address"), text("profile"), attempt["sequence"].as_u64().unwrap_or(0))).or_default() += 1;
    }
    ensure!(cells.values().all(|count| *count == 1), "round {round}: a try of a cell was made twice");
    for name in VANTAGES.iter().filter(|name| **name != "b") {
        let count = cells.keys().filter(|key| key.0 == *name).count();
        ensure!(count >= 16, "round {round}: {name} has {count} of its 16 attempts (4 profiles, 2 addresses, 2 tries)");
    }
    Ok(ids)
}

fn attempts_of(lab: &Lab, verdict: &Value) -> anyhow::Result<Vec<Value>> {
    let round = verdict["round"].as_str().context("a verdict without round")?;
    let mut explained: Value = serde_json::from_str(&answer(lab, &["verdict", "explain", round, "-o", "json"])?)?;
    serde_json::from_value(explained["attempts"].take()).context("a verdict without attempts")
}

fn id_of(attempt: &Value) -> Option<String> {
    attempt["id"].as_str().map(str::to_owned)
}
