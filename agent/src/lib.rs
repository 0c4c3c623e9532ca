//! The agent at a vantage: enrols, stays connected, probes by a schedule or on request, and keeps every result until the coordinator has it.
//!
//! | module | what it does |
//! |---|---|
//! | `args`, `config` | flags, environment, file; where each value comes from |
//! | `identity` | key, certificate and the pinned authority; enrolment and renewal |
//! | `session` | the one stream to the coordinator: instructions in, results out |
//! | `fleet_clock`, `memory` | the coordinator's time, and what of it outlives a restart |
//! | `schedule` | which round starts when, also while the coordinator is away |
//! | `runner` | shares: row, follow-ups, interruption |
//! | `witness` | on the server's host: what arrives there of the fleet's connections, and what leaves |
//! | `server_log` | on the server's host: what its own log says of the fleet's connections |
//! | `guard` | the site owner's say on every resolved address |
//! | `spool` | results on disk until they are acknowledged |
//! | `agent` | all of it put together |

mod agent;
mod args;
mod config;
mod files;
mod fleet_clock;
mod guard;
mod identity;
mod memory;
mod runner;
mod schedule;
pub mod server_log;
mod session;
mod spool;
mod telemetry;
#[cfg(test)]
mod testing;
mod vantage;
pub mod witness;

use std::{ffi::OsString, process::ExitCode};

use anyhow::Context as _;
use clap::{CommandFactory as _, FromArgMatches as _};
use parallax_model::attempt::Attempt;

use crate::{
    args::{Cli, Command, ConfigCommand, Options},
    config::Settings,
};

/// Runs the program with these arguments; a failure is one sentence on standard error and exit code 1.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = Cli::command().try_get_matches_from(arguments).unwrap_or_else(|error| error.exit());
    match execute(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            telemetry::say(&format!("parallax-agent: {}", telemetry::with_sources(error.as_ref())));
            ExitCode::FAILURE
        }
    }
}

fn execute(matches: &clap::ArgMatches) -> anyhow::Result<()> {
    let cli = Cli::from_arg_matches(matches)?;
    let inner = matches.subcommand().context("a subcommand is required")?.1;
    match cli.command {
        Command::Config { command: ConfigCommand::Show(options) } => {
            let inner = inner.subcommand().context("a subcommand is required")?.1;
            telemetry::show(&settings(*options, inner)?.to_table()).context("cannot write to standard output")
        }
        Command::Spool(options) => list_spool(&settings(*options, inner)?),
        Command::Run(options) => in_runtime(agent::run(&settings(*options, inner)?)),
        Command::Enroll(options) => in_runtime(agent::enroll_only(&settings(*options, inner)?)),
    }
}

fn settings(options: Options, matches: &clap::ArgMatches) -> anyhow::Result<Settings> {
    Ok(Settings::resolve(options, matches, &vantage::host_name())?)
}

fn list_spool(settings: &Settings) -> anyhow::Result<()> {
    let folder = settings.data_dir.value.join(spool::FOLDER);
    let held = spool::held_attempts(&folder)
        .with_context(|| format!("cannot read the spool in {}: is this the data directory of an agent that has run?", folder.display()))?;
    let line = |attempt: &Attempt| format!("{} {} {} {}", attempt.id, attempt.round, attempt.profile, attempt.experiment);
    held.iter().try_for_each(|attempt| telemetry::show(&line(attempt))).context("cannot write to standard output")
}

/// One thread carries everything but the spool's writing, which keeps an idle agent small.
fn in_runtime(work: impl Future<Output = Result<(), agent::AgentError>>) -> anyhow::Result<()> {
    telemetry::start_logging();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let result = tokio::task::LocalSet::new().block_on(&runtime, work);
    // A lookup of a coordinator's name may still hang in the system's resolver.
    runtime.shutdown_background();
    Ok(result?)
}
