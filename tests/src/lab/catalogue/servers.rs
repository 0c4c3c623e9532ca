use std::{net::SocketAddrV4, process::Command};

use super::{Kind, Row, Server};
use crate::lab::{Awaited, Lab, LabError, origin, requirements, sandbox::Daemon};

/// Where a row lives: its name, its addresses and its folder.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) ipv4: Vec<String>,
    pub(super) ipv6: Option<String>,
    pub(super) folder: String,
}

impl Place {
    /// Puts the row's own name, addresses and folder into a text.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut text = text.replace("/path/", &format!("{}/", self.folder)).replace("NAME", &self.name);
        if let Some(address) = &self.ipv6 {
            text = text.replace("ADDRESS6", address);
        }
        for (number, address) in self.ipv4.iter().enumerate().skip(1) {
            text = text.replace(&format!("ADDRESS{}", number + 1), address);
        }
        text.replace("ADDRESS", &self.ipv4[0])
    }
}

/// Checks that the programs of all rows are there.
pub(super) fn check(rows: &[Row]) -> Result<(), LabError> {
    requirements::installed("openssl", "openssl")?;
    for server in rows.iter().flat_map(|row| &row.servers) {
        match server.kind {
            Kind::Apache => requirements::installed("apache2", "apache2-bin")?,
            Kind::Haproxy => requirements::installed("haproxy", "haproxy")?,
            Kind::Gnutls => requirements::installed("gnutls-serv", "gnutls-bin")?,
            Kind::Nginx | Kind::Openssl | Kind::Device => {}
        }
    }
    Ok(())
}

/// Starts the servers of a row and waits until each listens.
pub(super) fn start(lab: &Lab, place: &Place, servers: &[Server]) -> Result<Vec<Daemon>, LabError> {
    let mut daemons = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let own = format!("{}/server-{number}", place.folder);
        lab.sandbox.script(None, &format!("mkdir -p {own}"))?;
        let text = place.fill(&whole(server, &own));
        let mut daemon = Daemon::start(&lab.sandbox, command(lab, server.kind, &own, &text)?, &format!("{own}/output.log"))?;
        let listening = listener(place, server, &text);
        lab.wait(&mut daemon, program(server.kind), &listening)?;
        daemons.push(daemon);
    }
    Ok(daemons)
}

/// The address that shows that a server is ready: the row's first that its text names.
fn listener(place: &Place, server: &Server, text: &str) -> Awaited {
    let named = place.ipv4.iter().find(|address| text.contains(&format!("{address}:{}", server.port)));
    match named.and_then(|address| format!("{address}:{}", server.port).parse::<SocketAddrV4>().ok()) {
        Some(address) => Awaited::Listener(address),
        None => Awaited::Port(server.port),
    }
}

fn program(kind: Kind) -> &'static str {
    match kind {
        Kind::Nginx => "nginx",
        Kind::Apache => "apache2",
        Kind::Haproxy => "haproxy",
        Kind::Openssl => "openssl s_server",
        Kind::Gnutls => "gnutls-serv",
        Kind::Device => "lab-device",
    }
}

/// The whole configuration of a server: what every configuration of the program needs, and the row's own text.
fn whole(server: &Server, own: &str) -> String {
    let text = &server.text;
    match server.kind {
        Kind::Nginx if text.contains("server {") => origin::nginx_frame(own, text),
        Kind::Nginx => {
            origin::nginx_frame(own, &format!("server {{\nlisten ADDRESS:443 ssl;\nserver_name NAME;\nlocation / {{ return 200 \"ok\\n\"; }}\n{text}}}\n"))
        }
        Kind::Apache => format!("{}{text}", apache(own)),
        Kind::Haproxy => format!("{HAPROXY}{text}"),
        Kind::Openssl | Kind::Gnutls | Kind::Device => text.clone(),
    }
}

fn apache(own: &str) -> String {
    let modules = ["mpm_event", "authz_core", "dir", "ssl", "socache_shmcb", "remoteip", "http2", "proxy", "proxy_http"];
    let loads: String = modules.iter().map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")).collect();
    format!(
        "ServerRoot {own}\nServerName localhost\nPidFile {own}/pid\nErrorLog {own}/error.log\nDefaultRuntimeDir {own}\nDocumentRoot {own}\nDirectoryIndex output.log\n{loads}"
    )
}

const HAPROXY: &str = "defaults\n  mode http\n  timeout connect 2s\n  timeout client 10s\n  timeout server 10s\n";

fn command(lab: &Lab, kind: Kind, own: &str, text: &str) -> Result<Command, LabError> {
    let file = format!("{own}/configuration");
    lab.sandbox.write(&file, text)?;
    let words = text.split_whitespace();
    let at = |program: &str| lab.command(SERVER_NODE, program);
    Ok(match kind {
        Kind::Nginx => {
            let mut command = at("nginx");
            command.args(["-e", &format!("{own}/error.log"), "-p", own, "-c", &file]);
            command
        }
        Kind::Apache => {
            // httpd refuses to serve as root, and in a user namespace there is nobody else: it gets one of its own.
            let mut command = at("unshare");
            command.args(["--user", "--map-user=65534", "--map-group=65534", "apache2", "-DFOREGROUND", "-f", &file]);
            command
        }
        Kind::Haproxy => {
            let mut command = at("haproxy");
            command.args(["-db", "-f", &file]);
            command
        }
        Kind::Openssl => {
            let mut command = at("openssl");
            command.arg("s_server").args(words);
            command
        }
        Kind::Gnutls => {
            let mut command = at("gnutls-serv");
            command.args(words);
            command
        }
        Kind::Device => {
            let mut command = lab.sandbox.command(Some(SERVER_NODE), &lab.programs.device);
            command.args(words);
            command
        }
    })
}

/// The namespace in which all rows are served.
pub(super) const SERVER_NODE: &str = "s1";
