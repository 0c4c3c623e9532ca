//! Effective values: flag, then environment, then file, then default.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::{ArgMatches, parser::ValueSource};
use ipnet::IpNet;
use parallax_model::{
    id::VantageName,
    vantage::{LabelError, Labels, parse_label},
};
use parallax_proto::join::JoinString;
use serde::Deserialize;

use crate::{
    args::Options,
    files::{TomlError, parse_toml},
    guard::parse_range,
};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The command line.
    Flag,
    /// An environment variable.
    Environment,
    /// The configuration file.
    File,
    /// Nobody said anything.
    Default,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// The effective value.
    pub(crate) value: T,
    /// Where it comes from.
    pub(crate) origin: Origin,
}

/// Everything that can be set.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Read only when it is needed: on an enrolled folder it is ignored, whatever it says.
    pub(crate) join: Setting<Option<String>>,
    pub(crate) data_dir: Setting<PathBuf>,
    /// None when nobody named the vantage and the host's name cannot name one.
    pub(crate) name: Setting<Option<VantageName>>,
    pub(crate) label: Setting<Labels>,
    pub(crate) allow: Setting<Vec<IpNet>>,
    pub(crate) deny: Setting<Vec<IpNet>>,
    /// Most connections a second to one target.
    pub(crate) max_rate: Setting<Option<u32>>,
    pub(crate) responder: Setting<Vec<SocketAddr>>,
    pub(crate) advertise: Setting<Vec<IpAddr>>,
    /// Whether to witness, where the host allows it.
    pub(crate) witness: Setting<bool>,
    /// Logs of the server on this host.
    pub(crate) witness_log: Setting<Vec<PathBuf>>,
    pub(crate) coordinator: Setting<Vec<String>>,
}

/// Says which value is unusable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the configuration file {} is not usable", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said, with the line.
        source: TomlError,
    },
}

/// The file: the same names as the flags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct File {
    join: Option<String>,
    data_dir: Option<PathBuf>,
    name: Option<VantageName>,
    #[serde(deserialize_with = "labels")]
    label: Option<Vec<(String, String)>>,
    #[serde(deserialize_with = "ranges")]
    allow: Option<Vec<IpNet>>,
    #[serde(deserialize_with = "ranges")]
    deny: Option<Vec<IpNet>>,
    #[serde(deserialize_with = "rate")]
    max_rate: Option<u32>,
    responder: Option<Vec<SocketAddr>>,
    advertise: Option<Vec<IpAddr>>,
    witness: Option<bool>,
    witness_log: Option<Vec<PathBuf>>,
    coordinator: Option<Vec<String>>,
}

fn each<'de, D, T, E>(deserializer: D, read: impl Fn(&str) -> Result<T, E>) -> Result<Option<Vec<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    E: Display,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| read(text).map_err(serde::de::Error::custom)).collect::<Result<_, _>>().map(Some)
}

fn rate<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let rate = u32::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom(format!("{rate} connections a second are not from 1 to 1000"));
    if (1..=1_000).contains(&rate) { Ok(Some(rate)) } else { Err(wrong()) }
}

fn labels<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<(String, String)>>, D::Error> {
    each::<_, _, LabelError>(deserializer, parse_label)
}

fn ranges<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpNet>>, D::Error> {
    each(deserializer, parse_range)
}

impl Settings {
    /// Puts flags, environment and file together; `matches` are those of the subcommand, `host_name` stands in for a name.
    pub(crate) fn resolve(options: Options, matches: &ArgMatches, host_name: &str) -> Result<Self, ConfigError> {
        let file = options.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let of = |id: &str| match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Some(Origin::Flag),
            Some(ValueSource::EnvVariable) => Some(Origin::Environment),
            _ => None,
        };
        let name = pick(of("name"), options.name, file.name);
        let name = Setting { value: name.value.or_else(|| host_name.parse().ok()), origin: name.origin };
        let label = pick(of("label"), Some(options.label), file.label);
        Ok(Self {
            join: pick(of("join"), options.join, file.join),
            data_dir: or(pick(of("data_dir"), options.data_dir, file.data_dir), || PathBuf::from(DATA_DIR)),
            name,
            label: Setting { value: label.value.unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>(), origin: label.origin },
            allow: or(pick(of("allow"), Some(options.allow), file.allow), Vec::new),
            deny: or(pick(of("deny"), Some(options.deny), file.deny), Vec::new),
            max_rate: pick(of("max_rate"), options.max_rate, file.max_rate),
            responder: or(pick(of("responder"), Some(options.responder), file.responder), Vec::new),
            advertise: or(pick(of("advertise"), Some(options.advertise), file.advertise), Vec::new),
            witness: or(pick(of("witness"), Some(options.witness), file.witness), || false),
            witness_log: or(pick(of("witness_log"), Some(options.witness_log), file.witness_log), Vec::new),
            coordinator: or(pick(of("coordinator"), Some(options.coordinator), file.coordinator), Vec::new),
        })
    }

    /// Writes one line a value: name, value, origin. Of a join string only the part that may be shown.
    pub(crate) fn to_table(&self) -> String {
        let join = self.join.value.as_ref().map_or_else(String::new, |join| match join.parse::<JoinString>() {
            Ok(join) => format!("plx1.… (token {})", join.token_id),
            Err(_) => "(not a join string)".to_owned(),
        });
        let labels: Vec<String> = self.label.value.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let rows = [
            ("join", join, self.join.origin),
            ("data-dir", self.data_dir.value.display().to_string(), self.data_dir.origin),
            ("name", self.name.value.as_ref().map_or_else(String::new, ToString::to_string), self.name.origin),
            ("label", labels.join(","), self.label.origin),
            ("allow", listed(&self.allow.value), self.allow.origin),
            ("deny", listed(&self.deny.value), self.deny.origin),
            ("max-rate", self.max_rate.value.map_or_else(String::new, |rate| rate.to_string()), self.max_rate.origin),
            ("responder", listed(&self.responder.value), self.responder.origin),
            ("advertise", listed(&self.advertise.value), self.advertise.origin),
            ("witness", self.witness.value.to_string(), self.witness.origin),
            ("witness-log", self.witness_log.value.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(","), self.witness_log.origin),
            ("coordinator", listed(&self.coordinator.value), self.coordinator.origin),
        ];
        let width = rows.iter().map(|row| row.1.chars().count()).max().unwrap_or(0);
        let lines = rows.iter().map(|(name, value, origin)| format!("{name:<12} {value:<width$}  {origin}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    parse_toml(&text).map_err(|source| ConfigError::Parse { path: path.to_owned(), source })
}

fn pick<T>(given: Option<Origin>, value: Option<T>, file: Option<T>) -> Setting<Option<T>> {
    match (given, file) {
        (Some(origin), _) => Setting { value, origin },
        (None, Some(value)) => Setting { value: Some(value), origin: Origin::File },
        (None, None) => Setting { value: None, origin: Origin::Default },
    }
}

fn or<T>(setting: Setting<Option<T>>, default: impl FnOnce() -> T) -> Setting<T> {
    Setting { value: setting.value.unwrap_or_else(default), origin: setting.origin }
}

fn listed<T: Display>(values: &[T]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

const DATA_DIR: &str = "/var/lib/parallax-agent";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, FromArgMatches as _};

    use super::*;
    use crate::args::Cli;

    fn settings(line: &str, host_name: &str) -> Result<Settings, ConfigError> {
        let matches = Cli::command().try_get_matches_from(line.split_whitespace()).unwrap();
        let (_, matches) = matches.subcommand().unwrap();
        Settings::resolve(Options::from_arg_matches(matches).unwrap(), matches, host_name)
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_defaults() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, "name = \"from-file\"\nallow = [\"10.0.0.0/8\", \"::1\"]\nlabel = [\"site=fra\"]\ndata-dir = \"/x\"\n").unwrap();
        let settings = settings(&format!("parallax-agent run --name from-flag --config {}", path.display()), "host").unwrap();
        assert_eq!((settings.name.value.as_ref().unwrap().as_str(), settings.name.origin), ("from-flag", Origin::Flag));
        assert_eq!((settings.data_dir.value.to_str(), settings.data_dir.origin), (Some("/x"), Origin::File));
        assert_eq!(settings.allow.value.len(), 2);
        assert_eq!((settings.deny.value.len(), settings.deny.origin), (0, Origin::Default));
        let table = settings.to_table();
        assert!(table.contains("from-flag") && table.contains("site=fra") && table.lines().count() == 12, "{table}");
    }

    #[test]
    fn a_wrong_file_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        for wrong in ["nmae = \"x\"", "max-rate = 0", "allow = [\"10.0.0.0/99\"]", "label = [\"x\"]"] {
            std::fs::write(&path, wrong).unwrap();
            let error = settings(&format!("parallax-agent run --config {}", path.display()), "host").unwrap_err();
            let text = crate::telemetry::with_sources(&error);
            assert!(text.contains("agent.toml") && text.contains("line 1"), "{text}");
        }
        assert!(matches!(settings("parallax-agent run --config /no/such/file", "host"), Err(ConfigError::Read { .. })));
    }

    #[test]
    fn the_host_name_stands_in_for_a_name() {
        let settings_of = |host: &str| settings("parallax-agent run", host);
        assert_eq!(settings_of("fra-1").unwrap().name, Setting { value: "fra-1".parse().ok(), origin: Origin::Default });
        assert_eq!(settings_of("(none)").unwrap().name.value, None, "it is missed only where a name is needed");
    }
}
