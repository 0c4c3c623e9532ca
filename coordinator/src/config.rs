//! The effective options: flag, then environment, then file, then default, and where each came from.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use serde::Deserialize;

use crate::args::Options;

/// Everything that `serve` needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where authority, credentials and the embedded store are kept.
    pub data_dir: PathBuf,
    /// Where agents and operators connect.
    pub listen: SocketAddr,
    /// How others reach this coordinator, best first; empty for this host's own addresses.
    pub advertise: Vec<HostPort>,
    /// Where the web page is served, none for nowhere.
    pub http: Option<SocketAddr>,
    /// Where control responders listen.
    pub responders: Vec<SocketAddr>,
    /// Where history is kept.
    pub store: StoreKind,
    /// How long history is kept.
    pub retention: Duration,
    /// How long an agent's certificate is valid.
    pub certificate_life: Duration,
}

/// Where history is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// In the data directory.
    Sqlite,
    /// In a PostgreSQL-compatible database.
    Postgres(String),
}

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Says what is wrong with the options.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing says where to keep data.
    #[error("say where the coordinator keeps its data: --data-dir DIR (or PARALLAX_DATA_DIR)")]
    NoDataDir,
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: check that it exists and that this user may read it", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not valid.
    #[error("the configuration file {} is not valid: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        message: String,
    },
    /// A value cannot be used.
    #[error("{name} ({origin}): {given:?} is not {due}")]
    Value {
        /// The option's name.
        name: &'static str,
        /// Where the value came from.
        origin: Origin,
        /// The value.
        given: String,
        /// What was due.
        due: &'static str,
    },
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// The environment.
    Environment,
    /// The configuration file.
    File,
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// An option's name, its values in words and where they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The option's name, as in the file.
    pub name: &'static str,
    /// Its values.
    pub values: Vec<String>,
    /// Where they came from.
    pub origin: Origin,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = if self.values.is_empty() { "-".to_owned() } else { self.values.join(", ") };
        write!(f, "{:<18} {values}  ({})", self.name, self.origin)
    }
}

/// The configuration file: the same names as the flags.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOptions {
    data_dir: Option<String>,
    listen: Option<String>,
    advertise: Option<Vec<String>>,
    http: Option<String>,
    responder: Option<Vec<String>>,
    store: Option<String>,
    retention: Option<String>,
    certificate_life: Option<String>,
}

impl Config {
    /// Puts the options together; `environment` looks a variable up.
    pub fn resolve(options: &Options, environment: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::of_texts(&Self::effective(options, environment)?)
    }

    /// Returns every option with where its value came from, not yet held to what it may be.
    pub fn effective(options: &Options, environment: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Shown>, ConfigError> {
        let file = read_file(options, environment)?;
        let texts = |path: &Option<PathBuf>| path.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
        let many = |value: &Option<Vec<String>>| value.clone().unwrap_or_default();
        let pick = |name: &'static str, flag: Vec<String>, file: Vec<String>, default: &[&str]| {
            let variable = format!("PARALLAX_{}", name.to_uppercase());
            let given = environment(&variable).filter(|text| !text.is_empty());
            let split = given.map(|text| text.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>()).unwrap_or_default();
            let defaults = default.iter().map(|text| (*text).to_owned()).collect();
            let (values, origin) = [(flag, Origin::Flag), (split, Origin::Environment), (file, Origin::File)]
                .into_iter()
                .find(|(values, _)| !values.is_empty())
                .unwrap_or((defaults, Origin::Default));
            Shown { name, values, origin }
        };
        Ok(vec![
            pick("data_dir", texts(&options.data_dir), one(&file.data_dir), &[]),
            pick("listen", one(&options.listen), one(&file.listen), &["[::]:7443"]),
            pick("advertise", options.advertise.clone(), many(&file.advertise), &[]),
            pick("http", one(&options.http), one(&file.http), &["127.0.0.1:7480"]),
            pick("responder", options.responder.clone(), many(&file.responder), &["[::]:7444"]),
            pick("store", one(&options.store), one(&file.store), &["sqlite"]),
            pick("retention", one(&options.retention), one(&file.retention), &["30d"]),
            pick("certificate_life", one(&options.certificate_life), one(&file.certificate_life), &["7d"]),
        ])
    }

    fn of_texts(shown: &[Shown]) -> Result<Self, ConfigError> {
        let [data_dir, listen, advertise, http, responder, store, retention, certificate_life] = shown else { return Err(ConfigError::NoDataDir) };
        let first = |option: &Shown| option.values.first().cloned().unwrap_or_default();
        let address = |option: &Shown, text: &String| parsed(option, text, "an address and port such as [::]:7443 or 127.0.0.1:7480");
        let unless_off = |option: &Shown| option.values.iter().filter(|text| *text != "off").map(|text| address(option, text)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            data_dir: data_dir.values.first().map(PathBuf::from).ok_or(ConfigError::NoDataDir)?,
            listen: address(listen, &first(listen))?,
            advertise: advertise.values.iter().map(|text| parsed(advertise, text, "HOST:PORT")).collect::<Result<_, _>>()?,
            http: unless_off(http)?.first().copied(),
            responders: unless_off(responder)?,
            store: parsed(store, &first(store), "sqlite or postgres://…")?,
            retention: duration(retention, Duration::from_secs(86_400))?,
            certificate_life: duration(certificate_life, Duration::from_secs(10))?,
        })
    }
}

fn read_file(options: &Options, environment: &dyn Fn(&str) -> Option<String>) -> Result<FileOptions, ConfigError> {
    let from_environment = || environment("PARALLAX_CONFIG").filter(|text| !text.is_empty()).map(PathBuf::from);
    let Some(path) = options.config.clone().or_else(from_environment) else { return Ok(FileOptions::default()) };
    let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::File { path: path.clone(), source })?;
    toml::from_str(&text).map_err(|error| ConfigError::Syntax { path, message: error.message().to_owned() })
}

fn parsed<T: FromStr>(option: &Shown, text: &str, due: &'static str) -> Result<T, ConfigError> {
    text.parse().map_err(|_| ConfigError::Value { name: option.name, origin: option.origin, given: text.to_owned(), due })
}

fn duration(option: &Shown, least: Duration) -> Result<Duration, ConfigError> {
    let text = option.values.first().cloned().unwrap_or_default();
    let found = humantime::parse_duration(&text).ok().filter(|span| *span >= least);
    found.ok_or(ConfigError::Value { name: option.name, origin: option.origin, given: text, due: "a duration such as 7d or 12h that is long enough" })
}

impl FromStr for StoreKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "sqlite" => Ok(Self::Sqlite),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => Ok(Self::Postgres(url.to_owned())),
            _ => Err(()),
        }
    }
}

impl FromStr for HostPort {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { host: address.ip().to_string(), port: address.port() });
        }
        let (host, port) = text.rsplit_once(':').ok_or(())?;
        let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(())?;
        if host.len() > 253 || !host.split('.').all(label) { Err(()) } else { Ok(Self { host: host.to_ascii_lowercase(), port }) }
    }
}

impl HostPort {
    /// Returns the address when the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(options: Options, variables: &[(&str, &str)]) -> Result<(Config, Vec<Shown>), ConfigError> {
        let variables: Vec<(String, String)> = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = move |name: &str| variables.iter().find(|row| row.0 == name).map(|row| row.1.clone());
        Ok((Config::resolve(&options, &environment)?, Config::effective(&options, &environment)?))
    }

    #[test]
    fn a_flag_wins_over_environment_file_and_default() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "data_dir = \"/from-file\"\nlisten = \"127.0.0.1:1\"\nretention = \"2d\"\n").unwrap();
        let options = Options { listen: Some("127.0.0.1:3".into()), config: Some(path), ..Options::default() };
        let (config, shown) = resolve(options, &[("PARALLAX_LISTEN", "127.0.0.1:2"), ("PARALLAX_ADVERTISE", "a.example:1, [::1]:2")]).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.data_dir, PathBuf::from("/from-file"));
        assert_eq!(config.advertise.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a.example:1", "[::1]:2"]);
        let origins: Vec<Origin> = shown.iter().map(|option| option.origin).collect();
        use Origin::{Default, Environment, File, Flag};
        assert_eq!(origins, [File, Flag, Environment, Default, Default, Default, File, Default]);
        assert_eq!(config.http, Some("127.0.0.1:7480".parse().unwrap()));
        assert_eq!(config.responders, ["[::]:7444".parse().unwrap()]);
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_origin() {
        let with = |listen: &str| Options { data_dir: Some("/x".into()), listen: Some(listen.into()), ..Options::default() };
        assert_eq!(
            resolve(with("nowhere"), &[]).unwrap_err().to_string(),
            "listen (flag): \"nowhere\" is not an address and port such as [::]:7443 or 127.0.0.1:7480"
        );
        assert!(resolve(with("[::]:1"), &[("PARALLAX_RETENTION", "1s")]).unwrap_err().to_string().starts_with("retention (environment)"));
        assert!(matches!(resolve(Options::default(), &[]), Err(ConfigError::NoDataDir)));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.toml");
        std::fs::write(&path, "lisen = \"x\"\n").unwrap();
        let error = resolve(Options { config: Some(path), ..with("[::]:1") }, &[]).unwrap_err().to_string();
        assert!(error.contains("c.toml is not valid: unknown field `lisen`"), "{error}");
    }

    #[test]
    fn the_responder_can_be_switched_off() {
        let options = Options { data_dir: Some("/x".into()), responder: vec!["off".into()], http: Some("off".into()), ..Options::default() };
        let (config, _) = resolve(options, &[]).unwrap();
        assert!(config.responders.is_empty() && config.http.is_none());
    }
}
