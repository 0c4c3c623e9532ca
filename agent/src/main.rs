//! The agent's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    parallax_agent::run(std::env::args_os())
}
