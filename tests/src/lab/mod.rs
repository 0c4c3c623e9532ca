//! The lab: a small internet in network namespaces, with real kernels, firewalls, servers and resolvers.
//!
//! [`Lab::start`] puts a [`Scenario`] in place, [`Lab::start_fleet`] runs the three programs in it, unmodified. Everything lives in
//! a [`sandbox`] that vanishes with its owner, so that any number of labs can run side by side and nothing touches the host.

pub mod accuracy;
pub mod catalogue;
pub mod effort;
mod error;
mod fleet;
pub mod healthy;
pub mod judge;
mod look;
mod measure;
mod origin;
mod pki;
pub mod report;
mod requirements;
pub mod run;
pub mod sandbox;
pub mod scenario;
pub mod serve;
pub mod topology;

use std::{
    env, fs,
    net::SocketAddrV4,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use sandbox::{Daemon, HOME, Sandbox};
use scenario::{Certificate, ChainPart, Fault, Validity};

pub use error::LabError;
pub use fleet::Fleet;
pub use look::{Sight, look};
pub use measure::{Measured, measure};
pub use pki::{Authority, Issued};
pub use scenario::Scenario;

/// Where the programs are that a lab runs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The folder with `parallax`, `parallax-coordinator` and `parallax-agent`.
    pub under_test: PathBuf,
    /// The lab's own userspace devices.
    pub device: PathBuf,
}

impl Programs {
    /// Looks for the lab's devices beside the running program (or one folder up, where cargo puts tests).
    pub fn in_folder(under_test: &Path) -> Result<Self, LabError> {
        let near = env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
        let places = [near.join("lab-device"), near.join("../lab-device"), near.join("../../lab-device")];
        let device = places.iter().find(|path| path.exists()).unwrap_or(&places[0]);
        let under_test = fs::canonicalize(under_test).map_err(|_| LabError::NotBuilt { path: under_test.display().to_string() })?;
        Ok(Self { under_test, device: fs::canonicalize(device).map_err(|_| LabError::NotBuilt { path: device.display().to_string() })? })
    }

    /// Fails unless the three programs exist.
    pub fn check(&self) -> Result<(), LabError> {
        for name in ["parallax", "parallax-coordinator", "parallax-agent"] {
            let path = self.under_test.join(name);
            if !path.exists() {
                return Err(LabError::NotBuilt { path: path.display().to_string() });
            }
        }
        Ok(())
    }
}

/// A running lab.
#[derive(Debug)]
pub struct Lab {
    /// The fleet, once it is started; first of the fields, so that it is stopped first.
    pub fleet: Fleet,
    daemons: Vec<Daemon>,
    scenario: Scenario,
    programs: Programs,
    sandbox: Sandbox,
}

impl Lab {
    /// Builds the network, starts servers and resolvers, and puts the scenario's faults in place.
    pub fn start(scenario: &Scenario, programs: &Programs) -> Result<Self, LabError> {
        requirements::check(scenario)?;
        let sandbox = Sandbox::start(&programs.under_test)?;
        let mut lab = Self { fleet: Fleet::default(), daemons: Vec::new(), scenario: scenario.clone(), programs: programs.clone(), sandbox };
        let is_long = lab.start_wire()?;
        thread::scope(|scope| {
            let certificates = scope.spawn(|| lab.write_certificates());
            let network = lab.build_network(is_long);
            network.and_then(|()| certificates.join().unwrap_or_else(|_| Err(LabError::Sandbox { reason: "making certificates panicked".into() })))
        })?;
        lab.start_servers()?;
        for fault in lab.scenario.faults.clone() {
            lab.finish_fault(&fault)?;
        }
        Ok(lab)
    }

    /// Returns the scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Returns the namespaces and files of the lab.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// Prepares a program to run as the lab's root in one of its namespaces.
    pub fn command(&self, node: &str, program: &str) -> Command {
        self.sandbox.command(Some(node), program)
    }

    /// Puts a further fault in place while the lab runs.
    pub fn impose(&mut self, fault: &Fault) -> Result<(), LabError> {
        self.sandbox.script(Some(&fault.at), &network_fault(fault))?;
        self.finish_fault(fault)
    }

    /// Forgets what the kernels of all namespaces learned about routes and path MTUs.
    pub fn flush_routes(&self) -> Result<(), LabError> {
        let flush =
            topology::nodes().iter().map(|node| format!("ip -n {node} route flush cache; ip -n {node} -6 route flush cache; ip -n {node} tcp_metrics flush\n"));
        self.sandbox.script(None, &flush.collect::<String>()).map(drop)
    }

    /// Copies every log and configuration of the lab to a folder of the host.
    pub fn keep_logs(&self, folder: &Path) -> Result<(), LabError> {
        let failed = |source| LabError::File { path: folder.display().to_string(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        for name in ["logs", "origins"] {
            let from = self.sandbox.outside(&format!("{HOME}/{name}"));
            let _ = Command::new("cp").arg("-r").arg(from).arg(folder).status().map_err(failed)?;
        }
        Ok(())
    }

    fn build_network(&self, is_long: bool) -> Result<(), LabError> {
        let mut script = topology::script(is_long, self.scenario.icmp_limited, &self.scenario.vantages);
        for fault in &self.scenario.faults {
            let steps = network_fault(fault);
            if !steps.is_empty() {
                script.push_str(&format!("nsenter --net=/run/netns/{} sh -e <<'FAULT'\n{steps}FAULT\n", fault.at));
            }
        }
        self.sandbox.script(None, &script).map(drop)
    }

    /// Starts the long wire if the scenario has one.
    fn start_wire(&mut self) -> Result<bool, LabError> {
        let Scenario { delay_ms, lost_per_million, .. } = self.scenario;
        if delay_ms == 0 && lost_per_million == 0 {
            return Ok(false);
        }
        let mut command = self.sandbox.command(None, &self.programs.device);
        command.arg("wire").args(topology::WIRE);
        command.args(["--delay-ms", &delay_ms.to_string(), "--lost-per-million", &lost_per_million.to_string()]);
        let mut daemon = Daemon::start(&self.sandbox, command, &format!("{HOME}/logs/device-wire.log"))?;
        self.wait(&mut daemon, "lab-device", &Awaited::Interface(topology::WIRE[1]))?;
        self.daemons.push(daemon);
        Ok(true)
    }

    fn write_certificates(&self) -> Result<(), LabError> {
        let authority = Authority::new("Lab").map_err(|source| LabError::Certificate { id: "root".into(), source })?;
        self.sandbox.write(&format!("{HOME}/pki/root.pem"), authority.root())?;
        let www = Certificate {
            id: "www".into(),
            names: vec!["www.example.test".into()],
            sends: vec![ChainPart::Leaf, ChainPart::Intermediate],
            validity: Validity::Current,
            padding: 0,
            self_signed: false,
        };
        let own = !self.scenario.certificates.iter().any(|certificate| certificate.id == "www");
        for certificate in self.scenario.certificates.iter().chain(own.then_some(&www)) {
            let issued = authority.issue(certificate)?;
            self.sandbox.write(&format!("{HOME}/pki/{}.pem", certificate.id), issued.chain)?;
            self.sandbox.write(&format!("{HOME}/pki/{}.key", certificate.id), issued.key)?;
        }
        let Scenario { issued, prepare, .. } = &self.scenario;
        if !issued.is_empty() || !prepare.is_empty() {
            let made = if issued.is_empty() { String::new() } else { catalogue::authorities() + &catalogue::script(issued) + "cat root.crt >> root.pem\n" };
            self.sandbox.script(None, &format!("cd {HOME}/pki\n{made}{prepare}").replace("NAME", "www.example.test"))?;
        }
        Ok(())
    }

    fn start_servers(&mut self) -> Result<(), LabError> {
        let mut awaited = Vec::new();
        for (node, origins) in origin::by_node(&self.scenario.origins) {
            let folder = format!("{HOME}/origins/{node}");
            self.sandbox.write(&format!("{folder}/nginx.conf"), origin::nginx(&origins, &folder))?;
            let mut command = self.sandbox.command(Some(node), "nginx");
            command.args(["-e", &format!("{folder}/error.log"), "-p", &folder, "-c", &format!("{folder}/nginx.conf")]);
            awaited.push((
                Daemon::start(&self.sandbox, command, &format!("{HOME}/logs/nginx-{node}.log"))?,
                "nginx",
                Awaited::File(format!("{folder}/nginx.pid")),
            ));
        }
        for (number, server) in self.scenario.servers.iter().enumerate() {
            let own = format!("{HOME}/origins/{}-{number}", server.at);
            self.sandbox.script(None, &format!("mkdir -p {own}"))?;
            let text = server.kind.configuration(&own, &server.filled());
            let command = serve::command(self, &server.at, server.kind, &own, &text)?;
            awaited.push((Daemon::start(&self.sandbox, command, &format!("{own}/output.log"))?, server.kind.program(), Awaited::Port(server.port)));
        }
        for resolver in &self.scenario.resolvers {
            let mut command = self.sandbox.command(Some(&resolver.at), "dnsmasq");
            command.args(origin::dnsmasq(resolver));
            let log = format!("{HOME}/logs/dnsmasq-{}-{}.log", resolver.at, resolver.port);
            awaited.push((Daemon::start(&self.sandbox, command, &log)?, "dnsmasq", Awaited::Port(resolver.port)));
        }
        for (mut daemon, program, awaited) in awaited {
            self.wait(&mut daemon, program, &awaited)?;
            self.daemons.push(daemon);
        }
        Ok(())
    }

    /// The steps of a fault that need the servers to run.
    fn finish_fault(&mut self, fault: &Fault) -> Result<(), LabError> {
        if let Some(kind) = fault.device.first() {
            let mut command = self.sandbox.command(Some(&fault.at), &self.programs.device);
            command.args(&fault.device);
            let mut daemon = Daemon::start(&self.sandbox, command, &format!("{HOME}/logs/device-{}-{kind}.log", fault.at))?;
            self.wait(&mut daemon, "lab-device", &Awaited::of_device(kind, &fault.device))?;
            self.daemons.push(daemon);
        }
        if fault.stop_workers {
            let stop = format!("kill -STOP $(cat /proc/$(cat {HOME}/origins/{node}/nginx.pid)/task/*/children)", node = fault.at);
            self.sandbox.script(None, &stop)?;
        }
        Ok(())
    }

    fn wait(&self, daemon: &mut Daemon, program: &str, awaited: &Awaited) -> Result<(), LabError> {
        const LIMIT: Duration = Duration::from_secs(20);
        let end = Instant::now() + LIMIT;
        while !self.is_ready(daemon, awaited) {
            if daemon.ended().is_some() || Instant::now() > end {
                let log = self.sandbox.read(daemon.log()).unwrap_or_default();
                return Err(LabError::NotReady { program: program.to_owned(), seconds: LIMIT.as_secs(), log: log.trim().to_owned() });
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn is_ready(&self, daemon: &Daemon, awaited: &Awaited) -> bool {
        match awaited {
            Awaited::Interface(name) => fs::read_to_string(format!("/proc/{}/net/dev", daemon.pid())).is_ok_and(|text| text.contains(name)),
            Awaited::PacketSocket => fs::read_to_string(format!("/proc/{}/net/packet", daemon.pid())).is_ok_and(|text| text.lines().count() > 1),
            Awaited::Queue => fs::read_to_string(format!("/proc/{}/net/netfilter/nfnetlink_queue", daemon.pid())).is_ok_and(|text| !text.is_empty()),
            Awaited::File(path) => fs::metadata(self.sandbox.outside(path)).is_ok_and(|data| data.len() > 0),
            Awaited::Port(port) => ["tcp", "tcp6", "udp", "udp6"].iter().any(|table| has_socket(daemon, table, &format!(":{port:04X}"))),
            Awaited::Listener(address) => {
                let local = u32::from_le_bytes(address.ip().octets());
                has_socket(daemon, "tcp", &format!("{local:08X}:{:04X} 00000000:0000 {LISTEN}", address.port()))
            }
        }
    }
}

/// Tells whether a socket in the daemon's namespace has a local address that ends so, or is described so whole, in the notation of proc_net_tcp(5).
fn has_socket(daemon: &Daemon, table: &str, mark: &str) -> bool {
    let text = fs::read_to_string(format!("/proc/{}/net/{table}", daemon.pid())).unwrap_or_default();
    let is_there = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().skip(1).take(3).collect();
        let [local, remote, state] = fields[..] else { return false };
        local.ends_with(mark) || format!("{local} {remote} {state}") == mark
    };
    text.lines().any(is_there)
}

/// The state of a listening socket in proc_net_tcp(5).
const LISTEN: &str = "0A";

enum Awaited {
    Interface(&'static str),
    PacketSocket,
    Queue,
    File(String),
    Port(u16),
    Listener(SocketAddrV4),
}

impl Awaited {
    /// Returns what shows that a device is at work.
    fn of_device(kind: &str, arguments: &[String]) -> Self {
        let port = || arguments.iter().skip_while(|word| *word != "--listen").nth(1)?.rsplit(':').next()?.parse().ok();
        match kind {
            "inject" | "outrun" => Self::PacketSocket,
            "queue" => Self::Queue,
            _ => Self::Port(port().unwrap_or_default()),
        }
    }
}

fn network_fault(fault: &Fault) -> String {
    let mut text = String::new();
    for (key, value) in &fault.sysctl {
        text.push_str(&format!("echo {value} > /proc/sys/net/{}\n", key.trim_start_matches("net.").replace('.', "/")));
    }
    text.extend(fault.ip.iter().map(|line| format!("ip {line}\n")));
    text.extend(fault.tc.iter().map(|line| format!("tc {line}\n")));
    if !fault.nft.is_empty() {
        text.push_str(&format!("nft -f - <<'END'\n{}\nEND\n", fault.nft));
    }
    text.extend(fault.xtables.iter().map(|rule| format!("iptables {rule}\nip6tables {rule}\n")));
    text.extend(fault.iptables.iter().map(|rule| format!("iptables {rule}\n")));
    text.extend(fault.ip6tables.iter().map(|rule| format!("ip6tables {rule}\n")));
    text
}
