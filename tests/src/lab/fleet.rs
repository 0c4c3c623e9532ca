//! The three programs in the lab: a coordinator, one agent in each vantage's namespace, and the operator's command line.

use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{
    Lab, LabError, requirements,
    sandbox::{Daemon, HOME, PROGRAMS},
    topology,
};

/// The running programs.
#[derive(Debug, Default)]
pub struct Fleet {
    /// The coordinator, while it runs.
    pub coordinator: Option<Daemon>,
    /// The agents by the names of their vantages.
    pub agents: BTreeMap<String, Daemon>,
}

/// The user and group `nobody`, as whom the programs run.
pub(super) const UNPRIVILEGED: u32 = 65534;
/// What an agent needs beyond a user's rights to witness.
const CAPTURING: &str = ",+net_raw";

/// The coordinator's folder inside the sandbox.
const COORDINATOR: &str = "/run/lab/coordinator";

impl Lab {
    /// Starts the coordinator and all agents of the scenario, and waits until every vantage is online.
    pub fn start_fleet(&mut self) -> Result<(), LabError> {
        self.programs.check()?;
        self.start_coordinator()?;
        let vantages = self.scenario.vantages.clone();
        let join = self.join_string(vantages.len())?;
        for name in &vantages {
            self.start_agent(name, Some(&join))?;
        }
        self.wait_online(Duration::from_secs(30))
    }

    /// Starts the coordinator on its folder, new or not, and waits until it listens.
    pub fn start_coordinator(&mut self) -> Result<(), LabError> {
        let mut words = vec!["serve".to_owned(), "--data-dir".into(), COORDINATOR.into(), "--listen".into(), "[::]:7443".into()];
        words.extend(["--advertise".to_owned(), topology::COORDINATOR.into(), "--http".into(), "127.0.0.1:7480".into()]);
        words.extend(topology::RESPONDERS.iter().flat_map(|address| ["--responder".to_owned(), (*address).to_owned()]));
        self.own_folder(COORDINATOR)?;
        let command = self.unprivileged(topology::CONTROL, "parallax-coordinator", &BTreeMap::new(), &words);
        let mut daemon = Daemon::start(&self.sandbox, command, &format!("{HOME}/logs/coordinator.log"))?;
        self.wait(&mut daemon, "parallax-coordinator", &super::Awaited::File(format!("{COORDINATOR}/admin.toml")))?;
        self.wait(&mut daemon, "parallax-coordinator", &super::Awaited::Port(7443))?;
        self.fleet.coordinator = Some(daemon);
        Ok(())
    }

    /// Makes a join string for so many agents.
    pub fn join_string(&self, uses: usize) -> Result<String, LabError> {
        let output = self.parallax(["vantage", "token", "create", "--ttl", "1h", "--uses", &uses.to_string()]).output();
        let output = output.map_err(|source| LabError::Spawn { program: "parallax".into(), source })?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() && text.starts_with("plx1.") {
            return Ok(text);
        }
        Err(LabError::Script { node: "the join string".to_owned(), stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
    }

    /// Starts the agent of a vantage; without `join` with the identity that it has.
    pub fn start_agent(&mut self, name: &str, join: Option<&str>) -> Result<(), LabError> {
        let folder = format!("{HOME}/agents/{name}");
        self.own_folder(&folder)?;
        let mut words = vec!["run".to_owned()];
        words.extend(join.iter().flat_map(|join| ["--join".to_owned(), (*join).to_owned()]));
        words.extend(["--data-dir".to_owned(), folder, "--name".into(), name.to_owned()]);
        let labels = topology::vantage_point(name).map_or(&[][..], |point| point.labels);
        words.extend(labels.iter().flat_map(|label| ["--label".to_owned(), (*label).to_owned()]));
        words.extend(topology::ALLOWED.iter().flat_map(|range| ["--allow".to_owned(), (*range).to_owned()]));
        let mut environment = self.scenario.environment.get(name).cloned().unwrap_or_default();
        for value in environment.values_mut().filter(|value| *value == requirements::FAKETIME) {
            *value = requirements::faketime()?.display().to_string();
        }
        let logs = &self.scenario.witness_logs;
        if name == topology::WITNESS.name {
            words.extend(logs.iter().flat_map(|log| ["--witness-log".to_owned(), format!("{HOME}/origins/{name}/{log}")]));
        }
        let command = if name == topology::WITNESS.name && logs.is_empty() {
            words.push("--witness".to_owned());
            let mut command = self.with_rights(name, CAPTURING);
            command.arg("env").args(environment.iter().map(|(name, value)| format!("{name}={value}"))).arg(format!("{PROGRAMS}/parallax-agent")).args(&words);
            command
        } else {
            self.unprivileged(name, "parallax-agent", &environment, &words)
        };
        let daemon = Daemon::start(&self.sandbox, command, &format!("{HOME}/logs/agent-{name}.log"))?;
        self.fleet.agents.insert(name.to_owned(), daemon);
        Ok(())
    }

    /// Waits until all vantages of the scenario are online.
    pub fn wait_online(&mut self, limit: Duration) -> Result<(), LabError> {
        let end = Instant::now() + limit;
        loop {
            let online = self.online();
            let Some(missing) = self.scenario.vantages.iter().find(|name| !online.contains(name)) else { return Ok(()) };
            let ended = self.fleet.agents.get_mut(missing).and_then(Daemon::ended).is_some();
            if ended || Instant::now() > end {
                let log = self.sandbox.read(&format!("{HOME}/logs/agent-{missing}.log")).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(5).collect();
                let log = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
                return Err(LabError::NotReady { program: format!("the agent at {missing}"), seconds: limit.as_secs(), log });
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns the names of the vantages that the coordinator calls online.
    pub fn online(&self) -> Vec<String> {
        let Ok(output) = self.parallax(["vantage", "list", "-o", "json"]).output() else { return Vec::new() };
        let list: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let online = list.iter().filter(|vantage| vantage["state"] == "online");
        online.filter_map(|vantage| vantage["name"].as_str().map(str::to_owned)).collect()
    }

    /// Prepares the operator's command line, in the coordinator's namespace and as its administrator.
    pub fn parallax<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(topology::CONTROL, &format!("{PROGRAMS}/parallax"));
        command.args(["--context", &format!("{COORDINATOR}/admin.toml")]).args(arguments);
        command
    }

    /// Prepares one of the programs to run without root and without capabilities.
    fn unprivileged(&self, node: &str, program: &str, environment: &BTreeMap<String, String>, words: &[String]) -> Command {
        let mut command = self.without_rights(node, "env");
        command.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(format!("{PROGRAMS}/{program}")).args(words);
        command
    }

    /// Prepares any program to run without root and without capabilities.
    pub(super) fn without_rights(&self, node: &str, program: &str) -> Command {
        let mut command = self.with_rights(node, "");
        command.arg(program);
        command
    }

    /// Prepares a program, which the caller appends, to run without root and without capabilities but these: a list such as `,+net_raw`.
    fn with_rights(&self, node: &str, capabilities: &str) -> Command {
        let mut command = self.command(node, "setpriv");
        if !self.sandbox.has_one_user() {
            command.args([format!("--reuid={UNPRIVILEGED}"), format!("--regid={UNPRIVILEGED}"), "--clear-groups".to_owned()]);
        }
        let sets = ["--bounding-set", "--inh-caps", "--ambient-caps"];
        command.args(sets.map(|set| format!("{set}=-all{capabilities}"))).arg("--no-new-privs");
        command
    }

    /// Makes a folder of which the unprivileged user is the owner.
    fn own_folder(&self, folder: &str) -> Result<(), LabError> {
        let path = self.sandbox.outside(folder);
        let own = || -> io::Result<()> {
            fs::create_dir_all(&path)?;
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
            if self.sandbox.has_one_user() { Ok(()) } else { std::os::unix::fs::chown::<&Path>(&path, Some(UNPRIVILEGED), Some(UNPRIVILEGED)) }
        };
        own().map_err(|source| LabError::File { path: folder.to_owned(), source })
    }
}
