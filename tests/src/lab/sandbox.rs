//! A private world for one lab: mount, network and process namespaces that die with the process that made them.
//!
//! Its first process does nothing but wait for the end of its standard input, so that the lab is gone, every daemon in it
//! included, as soon as its owner is, however that one ends. Files live on a memory file system inside.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::error::LabError;

/// The folder inside the sandbox that holds everything a lab writes.
pub const HOME: &str = "/run/lab";

/// The folder inside the sandbox where the programs under test are seen.
pub const PROGRAMS: &str = "/run/programs";

/// A set of namespaces held open by a waiting process.
#[derive(Debug)]
pub struct Sandbox {
    holder: Child,
    _lifeline: ChildStdin,
    init: u32,
    has_user_namespace: bool,
    has_one_user: bool,
}

impl Sandbox {
    /// Makes the namespaces; `programs` is the folder with the binaries under test.
    ///
    /// Root uses its own rights; everybody else gets a user namespace of their own.
    pub fn start(programs: &Path) -> Result<Self, LabError> {
        let has_user_namespace = !nix::unistd::geteuid().is_root();
        let has_one_user = has_user_namespace || !fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_user(&map, super::fleet::UNPRIVILEGED));
        let mut command = Command::new("unshare");
        if has_user_namespace {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", PREPARE, "lab"]).arg(programs);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut holder = command.spawn().map_err(|source| LabError::Spawn { program: "unshare".into(), source })?;
        let (Some(lifeline), Some(stdout)) = (holder.stdin.take(), holder.stdout.take()) else {
            return Err(LabError::Sandbox { reason: "no pipes to its first process".into() });
        };
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        if line.trim() != "ready" {
            drop(lifeline);
            let reason = holder.wait_with_output().map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned()).unwrap_or_default();
            return Err(LabError::Sandbox { reason });
        }
        let init = child_of(holder.id()).ok_or_else(|| LabError::Sandbox { reason: "its first process is gone".into() })?;
        Ok(Self { holder, _lifeline: lifeline, init, has_user_namespace, has_one_user })
    }

    /// Returns the process id, as the host sees it, of the process that holds the namespaces.
    pub fn init(&self) -> u32 {
        self.init
    }

    /// Tells whether no other user exists in it, since it lies in a user namespace of one user: its own, or one that the lab was started in.
    pub fn has_one_user(&self) -> bool {
        self.has_one_user
    }

    /// Returns the path by which the host sees a path of the sandbox.
    pub fn outside(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.init))
    }

    /// Returns the words of a command line that enters the namespace `node`, or the sandbox itself.
    pub fn entrance(&self, node: Option<&str>) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), "-t".into(), self.init.to_string()];
        if self.has_user_namespace {
            words.extend(["-U".to_owned(), "--preserve-credentials".into()]);
        }
        words.extend(["-m".to_owned(), "-p".into()]);
        words.push(node.map_or_else(|| "-n".to_owned(), |name| format!("--net=/proc/{}/root/run/netns/{name}", self.init)));
        words.push("--".into());
        words
    }

    /// Prepares a program to run in the namespace `node` of the sandbox, or in the sandbox itself.
    pub fn command(&self, node: Option<&str>, program: impl AsRef<OsStr>) -> Command {
        let words = self.entrance(node);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(program);
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", HOME);
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// Runs a shell script in the namespace `node`, and returns what it printed.
    pub fn script(&self, node: Option<&str>, text: &str) -> Result<String, LabError> {
        let mut command = self.command(node, "sh");
        command.arg("-e").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| LabError::Spawn { program: "nsenter".into(), source })?;
        if let Some(mut stdin) = child.stdin.take() {
            // A shell that failed early has closed its end; its own message says more than the broken pipe.
            let _ = stdin.write_all(text.as_bytes());
        }
        let output = child.wait_with_output().map_err(|source| LabError::Spawn { program: "sh".into(), source })?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(LabError::Script { node: node.unwrap_or("sandbox").to_owned(), stderr });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Writes a file inside the sandbox, and the folders above it.
    pub fn write(&self, inside: &str, content: impl AsRef<[u8]>) -> Result<(), LabError> {
        let path = self.outside(inside);
        path.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(&path, content))
            .map_err(|source| LabError::File { path: inside.to_owned(), source })
    }

    /// Reads a text file of the sandbox.
    pub fn read(&self, inside: &str) -> Result<String, LabError> {
        fs::read_to_string(self.outside(inside)).map_err(|source| LabError::File { path: inside.to_owned(), source })
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A program that runs in the sandbox until it is stopped, with its output in a file.
#[derive(Debug)]
pub struct Daemon {
    entrance: Child,
    pid: u32,
    log: String,
}

impl Daemon {
    /// Starts the prepared command with its output appended to `log`, a path inside the sandbox.
    pub fn start(sandbox: &Sandbox, mut command: Command, log: &str) -> Result<Self, LabError> {
        let path = sandbox.outside(log);
        let open = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::OpenOptions::new().create(true).append(true).open(&path)
        };
        let file = open().map_err(|source| LabError::File { path: log.to_owned(), source })?;
        let copy = file.try_clone().map_err(|source| LabError::File { path: log.to_owned(), source })?;
        command.stdout(file).stderr(copy).process_group(0);
        let entrance = command.spawn().map_err(|source| LabError::Spawn { program: "nsenter".into(), source })?;
        let end = Instant::now() + Duration::from_secs(2);
        let pid = loop {
            match child_of(entrance.id()) {
                Some(pid) => break pid,
                None if Instant::now() > end => break entrance.id(),
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        Ok(Self { entrance, pid, log: log.to_owned() })
    }

    /// Returns the program's process id as the host sees it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the path of its log inside the sandbox.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: nix::sys::signal::Signal) -> Result<(), LabError> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid).unwrap_or(i32::MAX));
        nix::sys::signal::kill(pid, signal).map_err(|source| LabError::Signal { source })
    }

    /// Returns the exit code if the program has ended (signals count as 128 and above).
    pub fn ended(&mut self) -> Option<i32> {
        self.entrance.try_wait().ok().flatten().map(|status| status.code().unwrap_or(255))
    }

    /// Waits until the program has ended; `None` if it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let end = Instant::now() + limit;
        loop {
            match self.ended() {
                None if Instant::now() < end => thread::sleep(Duration::from_millis(10)),
                code => return code,
            }
        }
    }

    /// Asks the program to end (SIGTERM), so that it takes its workers along, and kills it if it does not.
    pub fn stop(&mut self) {
        let _ = self.signal(nix::sys::signal::Signal::SIGTERM);
        let _ = self.wait(Duration::from_secs(2));
        self.kill();
    }

    /// Kills the program at once (SIGKILL) and waits until it is gone.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            let _ = self.signal(nix::sys::signal::Signal::SIGKILL);
            let _ = self.wait(Duration::from_secs(5));
        }
    }
}

fn child_of(pid: u32) -> Option<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?.split_whitespace().next()?.parse().ok()
}

/// Reads from a user namespace's map (user_namespaces(7): first inside, first outside, count) whether it has a user.
fn maps_user(map: &str, user: u32) -> bool {
    map.lines().any(|line| {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        matches!(numbers[..], [first, _, count] if first <= user && user - first < count)
    })
}

const PREPARE: &str = r#"
set -e
target=$(readlink -m /etc/resolv.conf)
mount -t tmpfs -o mode=0755 lab /run
mkdir -p /run/netns /run/lab /run/programs
echo "nameserver 198.18.53.53" > /run/lab/resolv.conf
if [ ! -e "$target" ]; then mkdir -p "$(dirname "$target")"; : > "$target"; fi
mount --bind /run/lab/resolv.conf "$target"
mount --bind "$1" /run/programs
ip link set lo up
echo ready
exec cat > /dev/null
"#;

#[cfg(test)]
mod tests {
    use super::maps_user;

    #[test]
    fn a_map_of_one_user_has_no_nobody() {
        assert!(maps_user("         0          0 4294967295\n", 65_534));
        assert!(maps_user("0 1000 1\n1 100000 65536\n", 65_534));
        assert!(!maps_user("         0       1000          1\n", 65_534) && !maps_user("", 0));
    }
}
