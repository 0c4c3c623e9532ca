//! Runs scenarios: brings each up, asks the fleet, judges the answer.

use std::{
    collections::VecDeque,
    error::Error,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    Lab, LabError, Programs, Scenario,
    effort::{Effort, Explained},
    judge::{Document, Grade, Judgement, judge},
    sandbox::{HOME, PROGRAMS},
    scenario::{Event, Probe},
    topology,
};

/// What became of one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The scenario.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Whether anything but right is a failure.
    pub required: bool,
    /// Whether its fault draws lots.
    pub chance: bool,
    /// Its twins.
    pub twins: Vec<String>,
    /// One judgement per probe.
    pub probes: Vec<ProbeReport>,
    /// Seconds from nothing to all vantages online.
    pub ready_seconds: f64,
    /// Why the lab itself failed, if it did.
    pub failure: Option<String>,
    /// What was missing at first sight, beside others, of a scenario that was looked at once more, alone.
    pub at_first: Vec<String>,
}

/// What became of one probe.
#[derive(Debug, Clone, Serialize)]
pub struct ProbeReport {
    /// The target.
    pub target: String,
    /// How good the verdict was.
    pub judgement: Judgement,
    /// The findings, as `cause tier vantages`.
    pub found: Vec<String>,
    /// The exit code of the command line.
    pub exit_code: Option<i32>,
    /// Seconds from the command to its end.
    pub seconds: f64,
    /// What the round took; none where no verdict came.
    pub effort: Option<Effort>,
    /// The verdict document.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub document: serde_json::Value,
}

impl Report {
    /// Returns the worst grade of its probes.
    pub fn grade(&self) -> Grade {
        if self.failure.is_some() {
            return Grade::Wrong;
        }
        self.probes.iter().map(|probe| probe.judgement.grade).max().unwrap_or(Grade::Wrong)
    }

    /// Tells whether a path was taken for the server's side, or the reverse.
    pub fn is_confused(&self) -> bool {
        self.probes.iter().any(|probe| probe.judgement.confused)
    }
}

/// Runs one scenario; logs of anything but a right verdict are kept in a folder of its name below `logs`.
pub fn run(scenario: &Scenario, programs: &Programs, logs: Option<&Path>) -> Report {
    let mut report = Report {
        id: scenario.id.clone(),
        title: scenario.title.clone(),
        required: scenario.required,
        chance: scenario.chance,
        twins: scenario.twins.clone(),
        probes: Vec::new(),
        ready_seconds: 0.0,
        failure: None,
        at_first: Vec::new(),
    };
    let started = Instant::now();
    let mut lab = match Lab::start(scenario, programs) {
        Ok(lab) => lab,
        Err(error) => return Report { failure: Some(whole(&error)), ..report },
    };
    let online = lab.start_fleet();
    report.ready_seconds = started.elapsed().as_secs_f64();
    match online {
        Ok(()) => report.probes = scenario.probes.iter().map(|probe| weigh(&lab, ask(&lab, probe))).collect(),
        Err(error) => report.failure = Some(whole(&error)),
    }
    if let Some(folder) = logs.filter(|_| report.grade() != Grade::Right) {
        let _ = lab.keep_logs(&folder.join(&scenario.id));
    }
    report
}

/// Runs scenarios, so many at a time; `done` hears of each as it ends.
pub fn run_all(scenarios: &[Scenario], programs: &Programs, jobs: usize, logs: Option<PathBuf>, mut done: impl FnMut(&Report)) -> Vec<Report> {
    let mut reports = Vec::new();
    side_by_side(
        scenarios,
        jobs,
        |scenario| run(scenario, programs, logs.as_deref()),
        |report| {
            done(&report);
            reports.push(report);
        },
    );
    reports.sort_by_key(|report| scenarios.iter().position(|scenario| scenario.id == report.id));
    reports
}

/// Does the same with every item, so many at a time; `done` gets the results as they come.
pub fn side_by_side<I: Sync, T: Send>(items: &[I], jobs: usize, each: impl Fn(&I) -> T + Sync, done: impl FnMut(T)) {
    let queue: Mutex<VecDeque<_>> = Mutex::new(items.iter().collect());
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (sender, queue, each) = (sender.clone(), &queue, &each);
            scope.spawn(move || {
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(item) = next else { break };
                    if sender.send(each(item)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        receiver.iter().for_each(done);
    });
}

/// Asks the fleet for one round and judges the verdict.
pub fn ask(lab: &Lab, probe: &Probe) -> ProbeReport {
    let started = Instant::now();
    let output = thread::scope(|scope| {
        for event in &probe.meanwhile {
            scope.spawn(move || happen(lab, event));
        }
        probe_command(lab, probe, &["-o", "json"]).output().map_err(|source| LabError::Spawn { program: "parallax".into(), source })
    });
    let seconds = started.elapsed().as_secs_f64();
    let mut report = ProbeReport {
        target: probe.target.clone(),
        judgement: Judgement::none(String::new()),
        found: Vec::new(),
        exit_code: None,
        seconds,
        effort: None,
        document: serde_json::Value::Null,
    };
    let output = match output {
        Ok(output) => output,
        Err(error) => return ProbeReport { judgement: Judgement::none(whole(&error)), ..report },
    };
    report.exit_code = output.status.code();
    report.document = serde_json::from_slice(&output.stdout).unwrap_or_default();
    match serde_json::from_value::<Document>(report.document.clone()) {
        Ok(document) => {
            let line = |finding: &super::judge::Finding| format!("{} {:?} [{}]", finding.cause, finding.tier, finding.scope.vantages.join(" ")).to_lowercase();
            report.found = document.findings.iter().map(line).collect();
            report.judgement = judge(probe, &document);
        }
        Err(error) => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let last = stderr.lines().last().unwrap_or_default().to_owned();
            report.judgement = Judgement::none(format!("no verdict on standard output ({error}); exit code {:?}; {last}", report.exit_code));
        }
    }
    report
}

/// Adds what a round took.
fn weigh(lab: &Lab, mut report: ProbeReport) -> ProbeReport {
    let round = report.document["round"].as_str().unwrap_or_default();
    let Ok(output) = lab.parallax(["verdict", "explain", round, "-o", "json"]).output() else { return report };
    report.effort = serde_json::from_slice::<Explained>(&output.stdout).ok().as_ref().map(Effort::from);
    // Beside the logs, which are kept where the verdict is not right.
    let _ = lab.sandbox().write(&format!("{HOME}/logs/round-{round}.json"), output.stdout);
    report
}

/// Lets something happen in its time; what goes wrong with it shows in the verdict.
fn happen(lab: &Lab, event: &Event) {
    thread::sleep(Duration::from_millis(event.after_ms));
    if let Some(agent) = lab.fleet.agents.get(&event.at).filter(|_| event.kill_agent) {
        let _ = agent.signal(nix::sys::signal::Signal::SIGKILL);
    }
    if !event.run.is_empty() {
        let _ = lab.sandbox().script(Some(&event.at), &event.run);
    }
}

/// Prepares `parallax probe` for a scenario's probe, with further arguments.
pub fn probe_command(lab: &Lab, probe: &Probe, further: &[&str]) -> Command {
    // A probe ends by itself within its time limit; `timeout` is for the one that does not.
    let mut command = lab.command(topology::CONTROL, "timeout");
    let context = format!("{HOME}/coordinator/admin.toml");
    let root = format!("{HOME}/pki/root.pem");
    command.args(["-k", "5", &PATIENCE.as_secs().to_string(), &format!("{PROGRAMS}/parallax"), "--context", &context]);
    command.args(["probe", &probe.target, "--trust", &root]).args(&probe.args).args(further);
    command
}

/// An error and all its sources in one line.
pub(super) fn whole(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}

const PATIENCE: Duration = Duration::from_secs(100);
