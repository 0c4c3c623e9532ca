//! Scenario files: a fault that is really put in place, how it is probed, and the verdict that is right.
//!
//! A file is TOML, named after the scenario; its parts are the fields of [`Scenario`]. What a file leaves out is the healthy
//! lab: `www.example.test` on [`WWW_ADDRESSES`], served by nginx on `s1` with a good certificate, and all vantages.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use super::{catalogue, error::LabError, topology};

mod expected;
mod measure;
mod network;
mod symptom;

pub use expected::{Event, Expected, Probe, Tier};
pub use measure::{Either, Measure};
pub use network::{Certificate, ChainPart, Fault, Origin, Resolver, Server, Validity};
pub use symptom::{Hello, Symptom};

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
    /// Whether the fault draws lots, so that two runs may both be right in different words; their grades are compared, not their texts.
    #[serde(default)]
    pub chance: bool,
    /// Scenarios that show the same face at one vantage and have another party at fault.
    #[serde(default)]
    pub twins: Vec<String>,
    /// The vantages that run; all by default.
    #[serde(default = "all_vantages")]
    pub vantages: Vec<String>,
    /// Environment variables of single agents, by vantage.
    #[serde(default)]
    pub environment: BTreeMap<String, BTreeMap<String, String>>,
    /// Logs of the server's nginx, such as `error.log`, that the witness reads instead of packets, without any capability.
    #[serde(default)]
    pub witness_logs: Vec<String>,
    /// How late frames are on the link between edge and core, in milliseconds each way.
    #[serde(default)]
    pub delay_ms: u64,
    /// How many of a million frames are lost on that link.
    #[serde(default)]
    pub lost_per_million: u32,
    /// Whether hosts and routers limit their ICMP errors as Linux does by default: one a second to each destination after six, and none to spare.
    #[serde(default)]
    pub icmp_limited: bool,
    /// Certificates beside the default `www`.
    #[serde(default, rename = "certificate")]
    pub certificates: Vec<Certificate>,
    /// Certificates that OpenSSL makes, for what is beyond the others; they come from an authority of their own, which is trusted too.
    #[serde(default, rename = "issued")]
    pub issued: Vec<catalogue::Certificate>,
    /// Lines of a shell that run in the folder of the certificates, before any server starts.
    #[serde(default)]
    pub prepare: String,
    /// Virtual hosts of nginx.
    #[serde(default = "network::default_origins", rename = "origin")]
    pub origins: Vec<Origin>,
    /// Other servers.
    #[serde(default, rename = "server")]
    pub servers: Vec<Server>,
    /// Resolvers.
    #[serde(default = "network::default_resolvers", rename = "resolver")]
    pub resolvers: Vec<Resolver>,
    /// What is put in the way.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// What is seen on the wire, checked without the products.
    #[serde(default, rename = "symptom")]
    pub symptoms: Vec<Symptom>,
    /// What the probe engine measures, fact by fact.
    #[serde(default, rename = "measure")]
    pub measures: Vec<Measure>,
    /// What the fleet is asked, and the answer that is right.
    #[serde(rename = "probe")]
    pub probes: Vec<Probe>,
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
        let places = places.chain(self.measures.iter().map(|measure| &measure.from)).chain(self.servers.iter().map(|server| &server.at));
        let places = places.chain(self.probes.iter().flat_map(|probe| &probe.meanwhile).map(|event| &event.at));
        if let Some(place) = places.into_iter().find(|place| !topology::is_node(place)) {
            return Err(format!("the lab has no namespace {place:?}"));
        }
        let is_vantage = |name: &String| topology::vantage_point(name).is_some();
        let blamed =
            self.probes.iter().flat_map(|probe| &probe.findings).flat_map(|finding| finding.vantages.iter().flatten().chain(&finding.optional_vantages));
        if let Some(name) = self.vantages.iter().chain(self.environment.keys()).chain(blamed).find(|name| !is_vantage(name)) {
            return Err(format!("the lab has no vantage {name:?}"));
        }
        let known = |id: &str| {
            id == "www" || self.certificates.iter().any(|certificate| certificate.id == id) || self.issued.iter().any(|certificate| certificate.id == id)
        };
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

fn www_name() -> String {
    "www.example.test".to_owned()
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
