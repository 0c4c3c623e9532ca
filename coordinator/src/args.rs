//! The command line. Every option may also stand in the environment or in a file; [`crate::config`] puts them together.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The coordinator of a Parallax fleet.
#[derive(Debug, Parser)]
#[command(
    name = "parallax-coordinator",
    version,
    about = "The coordinator of a Parallax fleet: gRPC for agents and operators, web page, metrics, control responder"
)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve agents and operators until SIGTERM or SIGINT
    Serve(Options),
    /// Look at the configuration
    Config {
        /// What of it.
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the effective values and where each came from
    Show(Options),
}

/// Options as they were typed; precedence is flag, then environment (PARALLAX_…), then file, then default.
#[derive(Debug, Clone, Default, Args)]
pub struct Options {
    /// Where the coordinator keeps its authority, its credentials and the embedded store [env: PARALLAX_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where agents and operators connect.
    #[arg(long, value_name = "ADDRESS:PORT", help = "Where agents and operators connect [env: PARALLAX_LISTEN] [default: [::]:7443]")]
    pub listen: Option<String>,
    /// How others reach this coordinator; repeatable, best first [env: PARALLAX_ADVERTISE, separated by commas] [default: this host's addresses]
    #[arg(long, value_name = "HOST:PORT")]
    pub advertise: Vec<String>,
    /// Web page, /metrics, /healthz and /readyz; 'off' for none [env: PARALLAX_HTTP] [default: 127.0.0.1:7480]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub http: Option<String>,
    /// Control endpoint that vantages probe to prove that they themselves are fine; repeatable.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        help = "Control endpoint that vantages probe to prove that they themselves are fine; repeatable, 'off' for none [env: PARALLAX_RESPONDER] [default: [::]:7444]"
    )]
    pub responder: Vec<String>,
    /// Where history is kept: sqlite (in the data directory) [env: PARALLAX_STORE] [default: sqlite]
    #[arg(long, value_name = "sqlite|postgres://…")]
    pub store: Option<String>,
    /// How long history is kept [env: PARALLAX_RETENTION] [default: 30d]
    #[arg(long, value_name = "DURATION")]
    pub retention: Option<String>,
    /// How long an agent's certificate is valid; it renews at half of that [env: PARALLAX_CERTIFICATE_LIFE] [default: 7d]
    #[arg(long, value_name = "DURATION")]
    pub certificate_life: Option<String>,
    /// File with these options, TOML, keys as the flags with '_' for '-' [env: PARALLAX_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}
