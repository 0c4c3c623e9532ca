//! Speed and size, each beside a peer or a bare loop of the same run. Prints a table; timing decides nothing here.

mod facts;
mod footprint;
mod handshake;
mod host;
mod judge;
mod lab_probe;
mod load;
mod raw;
mod rejudge;
mod wire;
mod world;

use std::{
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use clap::Parser;

#[derive(Parser)]
#[command(about = "Measures speed and size of the release build and prints a table")]
struct Arguments {
    /// The folder with parallax, parallax-coordinator and parallax-agent.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release"))]
    bin_dir: PathBuf,
    /// Handshakes per loop.
    #[arg(long, default_value_t = 1_000)]
    handshakes: usize,
    /// Seconds of load, on the store and of raw hellos.
    #[arg(long, default_value_t = 8)]
    load_seconds: u64,
    /// Rounds in the store that is judged again.
    #[arg(long, default_value_t = 100_000)]
    stored_rounds: usize,
    /// Only the measurements whose name holds this.
    #[arg(default_value = "")]
    only: String,
}

/// One line of the table.
pub(crate) struct Row {
    what: String,
    measured: String,
    goal: String,
}

impl Row {
    /// Makes a line.
    pub(crate) fn new(what: impl Into<String>, measured: impl Into<String>, goal: impl Into<String>) -> Self {
        Self { what: what.into(), measured: measured.into(), goal: goal.into() }
    }
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut rows = Vec::new();
    let wants = |name: &str| name.contains(&arguments.only);
    if wants("handshake") {
        rows.extend(handshake::measure(arguments.handshakes)?);
    }
    if wants("raw") {
        rows.extend(raw::measure(Duration::from_secs(arguments.load_seconds))?);
    }
    if wants("footprint") {
        rows.extend(footprint::measure(&arguments.bin_dir)?);
    }
    if wants("probe") {
        rows.extend(lab_probe::measure(&arguments.bin_dir)?);
    }
    if wants("wire") {
        rows.push(wire::measure()?);
    }
    if wants("judgement") {
        rows.extend(judge::measure()?);
    }
    if wants("rejudge") {
        rows.push(rejudge::measure(&arguments.bin_dir, arguments.stored_rounds)?);
    }
    if wants("load") {
        let rate = load::run(&arguments.bin_dir, Duration::from_secs(arguments.load_seconds))?;
        rows.push(Row::new("attempts acknowledged after commit, 8 sessions, load and coordinator on this host", format!("{rate:.0} a second"), "25,000"));
    }
    let widest = |pick: fn(&Row) -> &String| rows.iter().map(|row| pick(row).chars().count()).max().unwrap_or(0);
    let (what, measured) = (widest(|row| &row.what), widest(|row| &row.measured));
    for row in &rows {
        writeln!(io::stdout(), "{:what$}  {:>measured$}  goal {}", row.what, row.measured, row.goal)?;
    }
    Ok(())
}
