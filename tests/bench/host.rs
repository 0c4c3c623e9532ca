//! A coordinator (and agents) of the release build on this host's loopback, for measurements.

use std::{
    fs,
    io::{self, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use parallax_proto::join::JoinString;

/// A running coordinator with a folder of its own.
pub(crate) struct Host {
    bin: PathBuf,
    folder: PathBuf,
    http: String,
    coordinator: Child,
    agents: Vec<Child>,
}

impl Host {
    /// Starts a coordinator on free ports and waits until it answers.
    pub(crate) fn start(bin: &Path) -> anyhow::Result<Self> {
        let folder = folder()?;
        Self::start_in(bin, folder, &["--responder", &format!("127.0.0.1:{}", free_port()?)])
    }

    /// Starts one without a responder on a data directory that is filled before.
    pub(crate) fn start_on(bin: &Path, fill: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let folder = folder()?;
        let data = folder.join("co");
        fs::create_dir_all(&data)?;
        let filled = fill(&data);
        if filled.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        filled?;
        Self::start_in(bin, folder, &[])
    }

    fn start_in(bin: &Path, folder: PathBuf, further: &[&str]) -> anyhow::Result<Self> {
        let [listen, http] = [free_port()?, free_port()?].map(|port| format!("127.0.0.1:{port}"));
        let mut command = Command::new(bin.join("parallax-coordinator"));
        command.arg("serve").arg("--data-dir").arg(folder.join("co")).args(further);
        command.args(["--listen", &listen, "--advertise", &listen, "--http", &http]);
        let log = fs::File::create(folder.join("coordinator.log"))?;
        let coordinator = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().context("cannot start parallax-coordinator")?;
        let host = Self { bin: bin.to_owned(), folder, http, coordinator, agents: Vec::new() };
        let end = Instant::now() + Duration::from_secs(20);
        while host.parallax(&["vantage", "list"]).is_err() {
            ensure!(Instant::now() < end, "the coordinator does not answer; its log is in {}", host.folder.display());
            thread::sleep(Duration::from_millis(50));
        }
        Ok(host)
    }

    /// Runs the command line as the administrator and returns what it printed.
    pub(crate) fn parallax(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(self.bin.join("parallax")).arg("--context").arg(self.folder.join("co/admin.toml")).args(words).output()?;
        ensure!(output.status.success(), "parallax {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Reads a counter of the coordinator's metrics.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let mut stream = TcpStream::connect(&self.http)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let text = io::read_to_string(stream)?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).with_context(|| format!("no metric {name}"))?;
        Ok(value.trim().parse()?)
    }

    /// Makes a join string for one agent.
    pub(crate) fn join_string(&self) -> anyhow::Result<JoinString> {
        Ok(self.parallax(&["vantage", "token", "create", "--one-off"])?.trim().parse()?)
    }

    /// Returns the certificate authority (PEM).
    pub(crate) fn authority(&self) -> anyhow::Result<String> {
        let context: toml::Table = fs::read_to_string(self.folder.join("co/admin.toml"))?.parse()?;
        Ok(context["authority_pem"].as_str().context("a context without authority")?.to_owned())
    }

    /// Starts an agent that may probe this host, and returns its process id once it is online.
    pub(crate) fn start_agent(&mut self, name: &str) -> anyhow::Result<u32> {
        let mut command = Command::new(self.bin.join("parallax-agent"));
        command
            .args(["run", "--join", &self.join_string()?.to_string(), "--name", name, "--allow", "127.0.0.0/8"])
            .arg("--data-dir")
            .arg(self.folder.join(name));
        let log = fs::File::create(self.folder.join(format!("{name}.log")))?;
        let agent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().context("cannot start parallax-agent")?;
        let pid = agent.id();
        self.agents.push(agent);
        let end = Instant::now() + Duration::from_secs(20);
        while !self.parallax(&["vantage", "list"])?.lines().any(|line| line.contains(name) && line.contains("online")) {
            ensure!(Instant::now() < end, "the agent does not come online; its log is in {}", self.folder.display());
            thread::sleep(Duration::from_millis(50));
        }
        Ok(pid)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for child in self.agents.iter_mut().chain([&mut self.coordinator]) {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Makes a new folder for one coordinator and its agents, and removes those of runs that were killed: a store of many rounds fills a disk.
fn folder() -> anyhow::Result<PathBuf> {
    for entry in fs::read_dir(std::env::temp_dir())?.flatten() {
        if entry.file_name().to_str().and_then(owner).is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = std::env::temp_dir().join(format!("{FOLDER}{}-{}", std::process::id(), free_port()?));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Returns the process id in the name of such a folder.
fn owner(folder: &str) -> Option<&str> {
    let (pid, _) = folder.strip_prefix(FOLDER)?.split_once('-')?;
    pid.bytes().all(|letter| letter.is_ascii_digit()).then_some(pid)
}

const FOLDER: &str = "parallax-bench-";

/// Returns a port of the loopback that nobody listens on.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
