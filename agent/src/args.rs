//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use ipnet::IpNet;
use parallax_model::{id::VantageName, vantage::parse_label};

use crate::guard::parse_range;

/// The agent at a vantage: probes targets from this host's network and reports what it saw to its coordinator.
#[derive(Debug, Parser)]
#[command(name = "parallax-agent", version, max_term_width = 120)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Enrols on the first start, then runs until it is stopped.
    Run(Box<Options>),
    /// Only enrols.
    Enroll(Box<Options>),
    /// Lists the attempts that this agent holds on disk until the coordinator has them, one line each: attempt, round, profile, experiment.
    Spool(Box<Options>),
    /// Shows the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What to do with the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints every effective value and where it comes from.
    Show(Box<Options>),
}

/// Options of every command; each can also stand in the configuration file, and in the environment variable shown.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Join string from 'parallax vantage token create'; used once, on the first start.
    #[arg(long, env = "PARALLAX_JOIN", hide_env_values = true, value_name = "JOIN")]
    pub(crate) join: Option<String>,
    /// Folder for identity, assignments and results that wait to be sent [default: /var/lib/parallax-agent].
    #[arg(long, env = "PARALLAX_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Name of this vantage [default: the host name].
    #[arg(long, env = "PARALLAX_NAME", value_name = "NAME")]
    pub(crate) name: Option<VantageName>,
    /// Label of this vantage; site, asn, upstream, country and role have a meaning. Repeatable.
    #[arg(long, env = "PARALLAX_LABEL", value_name = "KEY=VALUE", value_parser = parse_label, value_delimiter = ',')]
    pub(crate) label: Vec<(String, String)>,
    /// Opens a range that is closed by default, such as a private one, to probes. Repeatable.
    #[arg(long, env = "PARALLAX_ALLOW", value_name = "CIDR", value_parser = parse_range, value_delimiter = ',')]
    pub(crate) allow: Vec<IpNet>,
    /// Closes a range to probes, whatever else is said. Repeatable.
    #[arg(long, env = "PARALLAX_DENY", value_name = "CIDR", value_parser = parse_range, value_delimiter = ',')]
    pub(crate) deny: Vec<IpNet>,
    /// Most connections a second to one target over all rounds, whatever the coordinator asks for [default: as the coordinator says].
    #[arg(long, env = "PARALLAX_MAX_RATE", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) max_rate: Option<u32>,
    /// Listens there as a control responder for the other vantages. Repeatable.
    #[arg(long, env = "PARALLAX_RESPONDER", value_name = "ADDRESS:PORT", value_delimiter = ',')]
    pub(crate) responder: Vec<std::net::SocketAddr>,
    /// Address under which the other vantages reach a responder that listens on a wildcard address. Repeatable.
    #[arg(long, env = "PARALLAX_ADVERTISE", value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) advertise: Vec<std::net::IpAddr>,
    /// Witnesses on the server's own host what arrives there of the fleet's connections and what leaves; needs CAP_NET_RAW.
    #[arg(long, env = "PARALLAX_WITNESS")]
    pub(crate) witness: bool,
    /// Reads this log of the server on this host (nginx or Apache httpd error or access log, HAProxy log) and tells what it says of the fleet's connections; needs no
    /// capability, only the right to read it. Repeatable.
    #[arg(long, env = "PARALLAX_WITNESS_LOG", value_name = "FILE", value_delimiter = ',')]
    pub(crate) witness_log: Vec<PathBuf>,
    /// Coordinator to connect to instead of those in the join string. Repeatable.
    #[arg(long, env = "PARALLAX_COORDINATOR", value_name = "HOST:PORT", value_delimiter = ',')]
    pub(crate) coordinator: Vec<String>,
    /// Configuration file (TOML) with the same names as these options.
    #[arg(long, env = "PARALLAX_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_that_is_promised_parses() {
        let line = "parallax-agent run --data-dir d --name fra-1 --label site=fra --label asn=64500 --allow 10.0.0.0/8 --allow ::1 --deny 10.1.0.0/16 \
                    --responder [::]:7444 --responder 0.0.0.0:7444 --advertise 192.0.2.7 --max-rate 5 --witness --witness-log error.log --witness-log access.log --coordinator c.test:7443 --config f.toml";
        let Command::Run(options) = Cli::try_parse_from(line.split_whitespace()).unwrap().command else { panic!("it is a run") };
        assert_eq!((options.label.len(), options.allow.len(), options.responder.len(), options.witness_log.len()), (2, 2, 2, 2));
        assert_eq!(options.max_rate, Some(5));
        Cli::try_parse_from(["parallax-agent", "run", "--max-rate", "0"]).unwrap_err();
        Cli::try_parse_from(["parallax-agent", "config", "show", "--name", "x"]).unwrap();
        Cli::try_parse_from(["parallax-agent", "spool", "--data-dir", "d"]).unwrap();
    }
}
