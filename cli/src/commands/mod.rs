//! One file per noun, all shaped alike: take the words, ask the coordinator, hand the answer to `render`.

mod check;
mod compare;
mod context;
mod doctor;
mod explain;
mod export;
mod history;
mod probe;
mod profile;
mod vantage;
mod verdict;
mod watch;

use std::time::Duration;

use clap::CommandFactory;
use parallax_model::{
    clock::{Clock, SystemClock, Timestamp},
    verdict::Verdict,
};

use crate::{
    args::{Cli, Command},
    client::{self, Client},
    config,
    exit::{DONE, ERROR, Failure},
    render::{self, instant},
};

/// Runs the command and returns the exit code.
pub async fn run(cli: Cli) -> Result<u8, Failure> {
    let (global, command) = (cli.global, cli.command);
    let output = global.output;
    match command {
        Command::Explain(words) => return explain::run(&words, output),
        Command::Profile(words) => return profile::run(words, output),
        Command::Completion(words) => return completion(words.shell),
        Command::Context(words) => return context::run(&words, &global),
        Command::Config(_) => return context::show(&global),
        Command::Doctor => return doctor::run(&global).await,
        Command::Version => return doctor::version(&global).await,
        Command::Probe(ref words) => probe::refuse_what_cannot_be_audited(words)?,
        Command::Check(ref words) => check::refuse_what_cannot_be_audited(words)?,
        _ => {}
    }
    let mut client = client::connect(&config::effective(&global)?.context).await?;
    match command {
        Command::Probe(words) => probe::run(&mut client, &words, output).await,
        Command::Check(words) => check::run(&mut client, *words, output).await,
        Command::Vantage(words) => vantage::run(&mut client, words, output).await,
        Command::Compare(words) => compare::run(&mut client, &words, output).await,
        Command::History(words) => history::run(&mut client, &words, output).await,
        Command::Verdict(words) => verdict::run(&mut client, words, output).await,
        Command::Export(words) => export::run(&mut client, &words, output).await,
        Command::Watch(words) => watch::run(&mut client, &words, output).await,
        _ => Ok(DONE),
    }
}

fn completion(shell: clap_complete::Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "parallax", &mut script);
    render::answer(&String::from_utf8_lossy(&script));
    Ok(DONE)
}

/// Reads the verdict document that the coordinator sent.
fn read_verdict(json: &str) -> Result<Verdict, Failure> {
    serde_json::from_str(json).map_err(|error| {
        Failure::new(ERROR, format!("the coordinator sent a verdict that this version cannot read ({error}); use the same version on both sides"))
    })
}

/// Asks for the verdicts of a check or target in a window, oldest first.
async fn verdicts(client: &mut Client, check: &str, target: &str, since: Timestamp, until: Timestamp, limit: u32) -> Result<Vec<Verdict>, Failure> {
    let request = parallax_proto::v1::ListVerdictsRequest {
        check: check.to_owned(),
        target: target.to_owned(),
        since_us: since.as_micros(),
        until_us: until.as_micros(),
        limit,
    };
    let found = client.list_verdicts(request).await?.into_inner().verdicts_json;
    let mut verdicts = found.iter().map(|json| read_verdict(json)).collect::<Result<Vec<_>, _>>()?;
    verdicts.reverse();
    Ok(verdicts)
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn ago(span: Duration) -> Timestamp {
    now() - span
}
