use std::net::SocketAddrV4;

use super::{Kind, Row, Server};
use crate::lab::{Awaited, Lab, LabError, requirements, sandbox::Daemon, serve};

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
    rows.iter().flat_map(|row| &row.servers).try_for_each(|server| server.kind.check())
}

/// Starts the servers of a row and waits until each listens.
pub(super) fn start(lab: &Lab, place: &Place, servers: &[Server]) -> Result<Vec<Daemon>, LabError> {
    let mut daemons = Vec::new();
    for (number, server) in servers.iter().enumerate() {
        let own = format!("{}/server-{number}", place.folder);
        lab.sandbox.script(None, &format!("mkdir -p {own}"))?;
        let text = place.fill(&server.kind.configuration(&own, &whole(server)));
        let mut daemon = Daemon::start(&lab.sandbox, serve::command(lab, SERVER_NODE, server.kind, &own, &text)?, &format!("{own}/output.log"))?;
        let listening = listener(place, server, &text);
        lab.wait(&mut daemon, server.kind.program(), &listening)?;
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

/// The row's own text, for nginx in a virtual host of the row unless it has one.
fn whole(server: &Server) -> String {
    match server.kind {
        Kind::Nginx if !server.text.contains("server {") => {
            format!("server {{\nlisten ADDRESS:443 ssl;\nserver_name NAME;\nlocation / {{ return 200 \"ok\\n\"; }}\n{}}}\n", server.text)
        }
        _ => server.text.clone(),
    }
}

/// The namespace in which all rows are served.
pub(super) const SERVER_NODE: &str = "s1";
