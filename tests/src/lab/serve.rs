//! Programs that serve, and what each is started with.

use std::process::Command;

use serde::Deserialize;

use super::{Lab, LabError, origin, requirements};

/// A program that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// nginx; the text is put into `http { }`, in the catalogue also into a `server { }` that listens at `ADDRESS` for `NAME` unless it has one.
    #[default]
    Nginx,
    /// Apache httpd; the text is the end of its configuration.
    Apache,
    /// HAProxy; the text is the end of its configuration.
    Haproxy,
    /// stunnel; the text is the end of its configuration.
    Stunnel,
    /// `openssl s_server`; the text is its arguments.
    Openssl,
    /// `gnutls-serv`; the text is its arguments.
    Gnutls,
    /// Python; the text is the program.
    Python,
    /// `lab-device`; the text is its arguments.
    Device,
}

impl Kind {
    /// Returns the name of the program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache2",
            Self::Haproxy => "haproxy",
            Self::Stunnel => "stunnel",
            Self::Openssl => "openssl s_server",
            Self::Gnutls => "gnutls-serv",
            Self::Python => "python3",
            Self::Device => "lab-device",
        }
    }

    /// Checks that the program is there.
    pub(super) fn check(self) -> Result<(), LabError> {
        match self {
            Self::Apache => requirements::installed("apache2", "apache2-bin"),
            Self::Haproxy => requirements::installed("haproxy", "haproxy"),
            Self::Stunnel => requirements::installed("stunnel", "stunnel4"),
            Self::Openssl => requirements::installed("openssl", "openssl"),
            Self::Gnutls => requirements::installed("gnutls-serv", "gnutls-bin"),
            Self::Python => requirements::installed("python3", "python3"),
            Self::Nginx | Self::Device => Ok(()),
        }
    }

    /// Returns the whole configuration: what every configuration of the program needs in its folder, and `text`.
    pub(super) fn configuration(self, own: &str, text: &str) -> String {
        match self {
            Self::Nginx => origin::nginx_frame(own, text),
            Self::Apache => format!("{}{text}", apache(own)),
            Self::Haproxy => format!("{HAPROXY}{text}"),
            Self::Stunnel => format!("foreground = yes\npid =\nsyslog = no\n{text}"),
            Self::Openssl | Self::Gnutls | Self::Python | Self::Device => text.to_owned(),
        }
    }
}

/// Prepares a program to run in a namespace with this configuration, which is kept in its folder.
pub(super) fn command(lab: &Lab, node: &str, kind: Kind, own: &str, text: &str) -> Result<Command, LabError> {
    let file = format!("{own}/configuration");
    lab.sandbox.write(&file, text)?;
    let at = |program: &str, arguments: &[&str]| {
        let mut command = lab.command(node, program);
        command.args(arguments);
        command
    };
    Ok(match kind {
        Kind::Nginx => at("nginx", &["-e", &format!("{own}/error.log"), "-p", own, "-c", &file]),
        // httpd refuses to serve as root, and in a user namespace there is nobody else: it gets one of its own.
        Kind::Apache => at("unshare", &["--user", "--map-user=65534", "--map-group=65534", "apache2", "-DFOREGROUND", "-f", &file]),
        Kind::Haproxy => at("haproxy", &["-db", "-f", &file]),
        Kind::Stunnel => at("stunnel", &[&file]),
        Kind::Python => at("python3", &["-u", &file]),
        Kind::Openssl => {
            let mut command = at("openssl", &["s_server"]);
            command.args(text.split_whitespace());
            command
        }
        Kind::Gnutls => {
            let mut command = at("gnutls-serv", &[]);
            command.args(text.split_whitespace());
            command
        }
        Kind::Device => {
            let mut command = lab.sandbox.command(Some(node), &lab.programs.device);
            command.args(text.split_whitespace());
            command
        }
    })
}

fn apache(own: &str) -> String {
    let modules = ["mpm_event", "authz_core", "dir", "ssl", "socache_shmcb", "remoteip", "http2", "proxy", "proxy_http"];
    let loads: String = modules.iter().map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n")).collect();
    format!(
        "ServerRoot {own}\nServerName localhost\nPidFile {own}/pid\nErrorLog {own}/error.log\nDefaultRuntimeDir {own}\nDocumentRoot {own}\nDirectoryIndex output.log\n{loads}"
    )
}

const HAPROXY: &str = "defaults\n  mode http\n  timeout connect 2s\n  timeout client 10s\n  timeout server 10s\n";
