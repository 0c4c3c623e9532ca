//! The entrance of `parallax`.

use std::process::ExitCode;

use clap::Parser;
use parallax_cli::{args, commands, exit, render};

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return render::failure(&exit::Failure::new(exit::ERROR, format!("cannot start: {error}"))),
    };
    let interrupted = async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Err(exit::Failure::new(exit::INTERRUPTED, "interrupted")),
            Err(_) => std::future::pending().await,
        }
    };
    let done = runtime.block_on(async {
        tokio::select! {
            done = commands::run(cli) => done,
            interrupted = interrupted => interrupted,
        }
    });
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => render::failure(&failure),
    }
}
