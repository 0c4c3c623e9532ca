//! The coordinator: takes agents in, keeps the schedule, records what they see, judges every round, and answers operators.
//!
//! | module | what is there |
//! |---|---|
//! | [`args`], [`config`] | what an operator says on the command line, in the environment and in a file |
//! | [`serve`] | from options to a running coordinator and back |
//! | `pki` | the fleet's authority, certificates, tokens |
//! | `fleet` | who is connected |
//! | `schedule` | who holds which check, when rounds start, what is ordered further |
//! | `round` | one round from its opening to its verdict |
//! | `incidents` | what many rounds of a check say together |
//! | `rpc` | the gRPC services, a file per verb or noun |
//! | `view`, `web` | what people see |
//!
//! Verbs take `&App`; nothing below `rpc` knows who asked.
//!
//! ```no_run
//! # async fn example(config: parallax_coordinator::config::Config) -> Result<(), parallax_coordinator::serve::StartError> {
//! let running = parallax_coordinator::serve::start(&config).await?;
//! println!("agents and operators connect to {}", running.listen());
//! running.stop().await;
//! # Ok(())
//! # }
//! ```

mod app;
pub mod args;
mod bus;
pub mod config;
mod fleet;
mod incidents;
#[cfg(test)]
mod loopback;
mod pki;
mod round;
mod rpc;
mod schedule;
mod secret_file;
pub mod serve;
mod telemetry;
mod view;
mod web;

use std::{error::Error, io::Write as _, process::ExitCode};

use args::{Arguments, Command, ConfigCommand};
use clap::Parser as _;
use config::Config;

/// Runs the program; a failure is one sentence on standard error and exit code 1.
pub fn run() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Serve(options) => Config::resolve(&options, &variable).map_err(Failure::from).and_then(|config| serve_until_signal(&config)),
        Command::Config { command: ConfigCommand::Show(options) } => {
            Config::effective(&options, &variable).map_err(Failure::from).and_then(|shown| show(&shown))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error that is gone leaves nobody to tell.
            let _ = writeln!(std::io::stderr(), "parallax-coordinator: {failure}{}", reason(&*failure));
            ExitCode::FAILURE
        }
    }
}

type Failure = Box<dyn Error>;

/// Returns what the deepest source says, in brackets.
fn reason(failure: &dyn Error) -> String {
    let mut deepest = failure;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    if deepest.to_string() == failure.to_string() { String::new() } else { format!(" ({deepest})") }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn show(shown: &[config::Shown]) -> Result<(), Failure> {
    let lines: String = shown.iter().map(|option| format!("{option}\n")).collect();
    Ok(std::io::stdout().write_all(lines.as_bytes())?)
}

fn serve_until_signal(config: &Config) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    telemetry::start_logging();
    // Whatever is written in the data directory, the store's files included, is for this user alone.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let running = serve::start(config).await?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        running.stop().await;
        Ok(())
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    served
}
