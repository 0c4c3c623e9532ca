//! Scenario files: a fault that is really put in place, how it is probed, and the verdict that is right.
//!
//! A file is TOML, named after the scenario; its parts are the fields of [`Scenario`]. What a file leaves out is the healthy
//! lab: `www.example.test` on [`WWW_ADDRESSES`], served by nginx on `s1` with a good certificate, and all vantages.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use super::{error::LabError, topology};

/// The addresses, with ports, that the default origin listens on.
pub const WWW_ADDRESSES: [&str; 2] = ["192.0.2.11:443", "[2001:db8:5::11]:443"];

/// One scenario of the lab.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without its ending.
    #[serde(skip)]
    pub id: String,
    /// One line that says what is wrong and where.
    pub title: String,
    /// Whether anything but the right verdict is a failure.
    #[serde(default)]
    pub required: bool,
    /// Scenarios that show the same face at one vantage and have another party at fault.
    #[serde(default)]
    pub twins: Vec<String>,
    /// The vantages that run; all by default.
    #[serde(default = "all_vantages")]
    pub vantages: Vec<String>,
    /// Environment variables of single agents, by vantage.
    #[serde(default)]
    pub environment: BTreeMap<String, BTreeMap<String, String>>,
    /// Certificates beside the default `www`.
    #[serde(default, rename = "certificate")]
    pub certificates: Vec<Certificate>,
    /// Servers.
    #[serde(default = "default_origins", rename = "origin")]
    pub origins: Vec<Origin>,
    /// Resolvers.
    #[serde(default = "default_resolvers", rename = "resolver")]
    pub resolvers: Vec<Resolver>,
    /// What is put in the way.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// What is seen on the wire, checked without the products.
    #[serde(default, rename = "symptom")]
    pub symptoms: Vec<Symptom>,
    /// What the fleet is asked, and the answer that is right.
    #[serde(rename = "probe")]
    pub probes: Vec<Probe>,
}

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
    /// Arguments of a `lab-device` that runs there.
    #[serde(default)]
    pub device: Vec<String>,
    /// Whether the workers of the namespace's nginx are stopped (SIGSTOP).
    #[serde(default)]
    pub stop_workers: bool,
}

/// What one connection from one namespace shows, seen by a client that shares no code with the products.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// The namespaces that look.
    pub from: Vec<String>,
    /// The address and port; the resolver's first answer for the name if absent.
    pub address: Option<String>,
    /// The server name that is sent; empty for none.
    #[serde(default = "www_name")]
    pub name: String,
    /// Which ClientHello is sent.
    #[serde(default)]
    pub hello: Hello,
    /// A maximum segment size to announce.
    pub mss: Option<u32>,
    /// How often it is tried; each try must show the same unless `see_each` is given.
    #[serde(default = "once")]
    pub times: usize,
    /// Faces of which each must be seen at least once, instead of `see`.
    #[serde(default)]
    pub see_each: Vec<String>,
    /// The face: `ok`, `reset`, `closed`, `timeout`, `alert 112`, `http`, `refused`, `connect-timeout`, `unreachable`, ….
    #[serde(default)]
    pub see: String,
    /// The common name of the certificate that is presented.
    pub certificate: Option<String>,
    /// The address that the resolver gives.
    pub resolves: Option<String>,
    /// Whether everything that was written is acknowledged.
    pub acknowledged: Option<bool>,
    /// Whether segments arrive out of order.
    pub out_of_order: Option<bool>,
    /// Whether it takes at least so many milliseconds.
    pub slower_than_ms: Option<u64>,
    /// The hop limit with which resets arrive.
    pub reset_ttl: Option<u8>,
    /// The hop limit with which SYN-ACKs arrive.
    pub accept_ttl: Option<u8>,
}

/// The ClientHello of a symptom's client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hello {
    /// X25519 only: one segment.
    #[default]
    Small,
    /// With an X25519MLKEM768 share: two segments on an Ethernet path.
    Large,
    /// TLS 1.2 only.
    Tls12,
    /// As `small`, in two segments cut inside the name.
    Split,
    /// 1,440 bytes that are not TLS, in one segment.
    Garbage,
}

/// One round of the fleet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The target as it is typed.
    #[serde(default = "www_name")]
    pub target: String,
    /// Further arguments of `parallax probe`.
    #[serde(default)]
    pub args: Vec<String>,
    /// Whether the target is healthy; checked when it is given.
    pub healthy: Option<bool>,
    /// Findings that must be there, and no others but `allowed` ones.
    #[serde(default, rename = "finding")]
    pub findings: Vec<Expected>,
    /// Causes that may stand beside them.
    #[serde(default)]
    pub allowed: Vec<String>,
    /// Loci of which any finding is a wrong verdict, whatever else it says.
    #[serde(default)]
    pub forbidden: Vec<String>,
}

/// A finding that must be there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Causes of which one is right.
    pub causes: Vec<String>,
    /// The vantages that are blamed, all of them.
    pub vantages: Option<Vec<String>>,
    /// Vantages that may be blamed as well.
    #[serde(default)]
    pub optional_vantages: Vec<String>,
    /// The addresses that are blamed, all of them.
    pub addresses: Option<Vec<String>>,
    /// The weakest tier that is right.
    #[serde(default)]
    pub tier: Tier,
}

/// How sure a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Nothing is claimed.
    #[default]
    Insufficient,
    /// A contrast with one passing group.
    Suspected,
    /// A full contrast.
    Likely,
    /// An artefact settles it.
    Confirmed,
}

impl Scenario {
    /// Reads a scenario from the text of its file.
    pub fn parse(id: &str, text: &str) -> Result<Self, LabError> {
        let parsed: Result<Self, _> = toml::from_str(text);
        let mut scenario = parsed.map_err(|source| LabError::Parse { id: id.to_owned(), source: Box::new(source) })?;
        id.clone_into(&mut scenario.id);
        scenario.validate().map_err(|reason| LabError::Scenario { id: id.to_owned(), reason })?;
        Ok(scenario)
    }

    /// Reads all scenarios of a folder, in the order of their names.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, LabError> {
        let failed = |source| LabError::File { path: folder.display().to_string(), source };
        let mut files: Vec<_> = fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
        files.sort();
        let scenarios = files.iter().map(|path| {
            let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            Self::parse(&id, &fs::read_to_string(path).map_err(failed)?)
        });
        scenarios.collect()
    }

    fn validate(&self) -> Result<(), String> {
        let places = self.origins.iter().map(|origin| &origin.at).chain(self.faults.iter().map(|fault| &fault.at));
        let places = places.chain(self.resolvers.iter().map(|resolver| &resolver.at)).chain(self.symptoms.iter().flat_map(|symptom| &symptom.from));
        if let Some(place) = places.into_iter().find(|place| !topology::is_node(place)) {
            return Err(format!("the lab has no namespace {place:?}"));
        }
        let is_vantage = |name: &String| topology::VANTAGES.iter().any(|point| point.name == name);
        let blamed =
            self.probes.iter().flat_map(|probe| &probe.findings).flat_map(|finding| finding.vantages.iter().flatten().chain(&finding.optional_vantages));
        if let Some(name) = self.vantages.iter().chain(self.environment.keys()).chain(blamed).find(|name| !is_vantage(name)) {
            return Err(format!("the lab has no vantage {name:?}"));
        }
        let known = |id: &str| id == "www" || self.certificates.iter().any(|certificate| certificate.id == id);
        if let Some(origin) = self.origins.iter().find(|origin| !known(&origin.certificate)) {
            return Err(format!("there is no certificate {:?}", origin.certificate));
        }
        if self.probes.is_empty() {
            return Err("nothing is probed".to_owned());
        }
        let causes = self.probes.iter().flat_map(|probe| probe.allowed.iter().chain(probe.findings.iter().flat_map(|finding| &finding.causes)));
        match causes.into_iter().find(|cause| cause.parse::<parallax_model::verdict::Cause>().is_err()) {
            Some(cause) => Err(format!("{cause:?} is not a cause")),
            None => Ok(()),
        }
    }
}

fn all_vantages() -> Vec<String> {
    topology::VANTAGES.iter().map(|point| point.name.to_owned()).collect()
}

fn default_origins() -> Vec<Origin> {
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

fn default_resolvers() -> Vec<Resolver> {
    let addresses = vec!["192.0.2.11".to_owned(), "2001:db8:5::11".to_owned()];
    vec![Resolver { at: resolver_node(), port: dns_port(), records: BTreeMap::from([(www_name(), addresses)]) }]
}

fn leaf_and_intermediate() -> Vec<ChainPart> {
    vec![ChainPart::Leaf, ChainPart::Intermediate]
}

fn first_server() -> String {
    "s1".to_owned()
}

fn resolver_node() -> String {
    topology::RESOLVER.0.to_owned()
}

fn www_addresses() -> Vec<String> {
    WWW_ADDRESSES.iter().map(|&address| address.to_owned()).collect()
}

fn www_certificate() -> String {
    "www".to_owned()
}

fn www_name() -> String {
    "www.example.test".to_owned()
}

fn www_names() -> Vec<String> {
    vec![www_name()]
}

fn answer_ok() -> String {
    r#"return 200 "ok\n";"#.to_owned()
}

const fn dns_port() -> u16 {
    53
}

const fn once() -> usize {
    1
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_scenario_is_the_healthy_lab() {
        let scenario = Scenario::parse("x", "title = 'nothing'\n[[probe]]\n").unwrap();
        assert_eq!(scenario.vantages, ["a", "b", "c", "d", "i"]);
        assert_eq!(scenario.origins[0].listen, WWW_ADDRESSES);
        assert_eq!(scenario.probes[0].target, "www.example.test");
    }

    #[test]
    fn what_does_not_exist_is_named() {
        let refusal = |text: &str| Scenario::parse("x", text).unwrap_err().to_string();
        assert!(refusal("title=''\n[[fault]]\nat='mb-z'\n[[probe]]\n").contains("no namespace \"mb-z\""));
        assert!(refusal("title=''\nvantages=['q']\n[[probe]]\n").contains("no vantage \"q\""));
        assert!(refusal("title=''\n[[origin]]\ncertificate='gone'\n[[probe]]\n").contains("no certificate \"gone\""));
        assert!(refusal("title=''\n[[probe]]\n[[probe.finding]]\ncauses=['path.magic']\n").contains("path.magic"));
        assert!(refusal("title=''\ntypo=1\n[[probe]]\n").contains("does not parse"));
    }

    #[test]
    fn the_scenarios_of_this_folder_parse_and_their_twins_exist() {
        let scenarios = Scenario::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")).unwrap();
        for scenario in &scenarios {
            for twin in &scenario.twins {
                let other = scenarios.iter().find(|other| &other.id == twin);
                assert!(other.is_some_and(|other| other.twins.contains(&scenario.id)), "{}: twin {twin} does not answer", scenario.id);
            }
        }
    }
}
