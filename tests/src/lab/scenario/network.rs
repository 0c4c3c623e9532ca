//! The parts of a scenario that stand on the network: chains, servers, resolvers, faults.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::lab::{sandbox::HOME, serve::Kind, topology};

use super::{WWW_ADDRESSES, www_name};

/// A chain that an origin presents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The name by which origins refer to it.
    pub id: String,
    /// The subject alternative names of the leaf.
    pub names: Vec<String>,
    /// What is sent, in this order: `leaf`, `intermediate`, `root`.
    #[serde(default = "leaf_and_intermediate")]
    pub sends: Vec<ChainPart>,
    /// When the leaf is valid.
    #[serde(default)]
    pub validity: Validity,
    /// How many further names make the leaf long.
    #[serde(default)]
    pub padding: usize,
    /// Whether the leaf signs itself instead of being issued.
    #[serde(default)]
    pub self_signed: bool,
}

/// One certificate of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainPart {
    /// The server's own certificate.
    Leaf,
    /// The certificate that issued it.
    Intermediate,
    /// The trust anchor.
    Root,
}

/// When a leaf is valid, seen from the present day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// From 30 days ago for 90 days.
    #[default]
    Current,
    /// Until ten days ago.
    Expired,
    /// From ten days ahead.
    Future,
    /// From 80 days ago for 90 days: the predecessor of a current one.
    Ending,
}

/// A virtual host of the nginx in one namespace.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The namespace.
    #[serde(default = "first_server")]
    pub at: String,
    /// Addresses with ports.
    #[serde(default = "www_addresses")]
    pub listen: Vec<String>,
    /// Words behind the address of each `listen`, beside `ssl`.
    #[serde(default)]
    pub listen_options: String,
    /// Whether it speaks TLS.
    #[serde(default = "yes")]
    pub tls: bool,
    /// The chain it presents.
    #[serde(default = "www_certificate")]
    pub certificate: String,
    /// Its server names.
    #[serde(default = "www_names")]
    pub names: Vec<String>,
    /// Further directives of the server block.
    #[serde(default)]
    pub directives: Vec<String>,
    /// What it does with a request.
    #[serde(default = "answer_ok")]
    pub location: String,
}

/// Another server than the nginx of the origins.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The namespace.
    #[serde(default = "first_server")]
    pub at: String,
    /// The program.
    pub kind: Kind,
    /// The port that shows that it is ready.
    #[serde(default = "https_port")]
    pub port: u16,
    /// Its configuration, its arguments or its text; `/pki/` is the folder of the certificates.
    pub text: String,
}

impl Server {
    /// Returns the text with the folder of the certificates in its place.
    pub(in crate::lab) fn filled(&self) -> String {
        self.text.replace("/pki/", &format!("{HOME}/pki/"))
    }
}

/// A name server: dnsmasq in one namespace.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolver {
    /// The namespace.
    #[serde(default = "resolver_node")]
    pub at: String,
    /// The port, on every address of the namespace.
    #[serde(default = "dns_port")]
    pub port: u16,
    /// The names it knows, with their addresses; any other name does not exist.
    pub records: BTreeMap<String, Vec<String>>,
}

/// One step that puts a fault in place, in one namespace; its fields are carried out in this order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The namespace.
    pub at: String,
    /// Kernel settings below `/proc/sys/net`.
    #[serde(default)]
    pub sysctl: BTreeMap<String, u32>,
    /// Command lines for `ip`.
    #[serde(default)]
    pub ip: Vec<String>,
    /// Command lines for `tc`.
    #[serde(default)]
    pub tc: Vec<String>,
    /// A ruleset for `nft -f`.
    #[serde(default)]
    pub nft: String,
    /// Rules for `iptables`, and with the same words for `ip6tables`.
    #[serde(default)]
    pub xtables: Vec<String>,
    /// Rules for `iptables` alone.
    #[serde(default)]
    pub iptables: Vec<String>,
    /// Rules for `ip6tables` alone.
    #[serde(default)]
    pub ip6tables: Vec<String>,
    /// Arguments of a `lab-device` that runs there.
    #[serde(default)]
    pub device: Vec<String>,
    /// Whether the workers of the namespace's nginx are stopped (SIGSTOP).
    #[serde(default)]
    pub stop_workers: bool,
}

fn leaf_and_intermediate() -> Vec<ChainPart> {
    vec![ChainPart::Leaf, ChainPart::Intermediate]
}

fn first_server() -> String {
    "s1".to_owned()
}

fn www_addresses() -> Vec<String> {
    WWW_ADDRESSES.iter().map(|&address| address.to_owned()).collect()
}

fn www_certificate() -> String {
    "www".to_owned()
}

fn www_names() -> Vec<String> {
    vec![www_name()]
}

fn answer_ok() -> String {
    r#"return 200 "ok\n";"#.to_owned()
}

fn resolver_node() -> String {
    topology::RESOLVER.0.to_owned()
}

const fn https_port() -> u16 {
    443
}

const fn dns_port() -> u16 {
    53
}

const fn yes() -> bool {
    true
}

pub(super) fn default_origins() -> Vec<Origin> {
    vec![Origin {
        at: first_server(),
        listen: www_addresses(),
        listen_options: String::new(),
        tls: true,
        certificate: www_certificate(),
        names: www_names(),
        directives: Vec::new(),
        location: answer_ok(),
    }]
}

pub(super) fn default_resolvers() -> Vec<Resolver> {
    let addresses = vec!["192.0.2.11".to_owned(), "2001:db8:5::11".to_owned()];
    vec![Resolver { at: resolver_node(), port: dns_port(), records: BTreeMap::from([(www_name(), addresses)]) }]
}
