//! The lab by hand: list, check, run, bring up, or enter scenarios.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use parallax_tests::lab::{
    Lab, Programs, Scenario,
    accuracy::{self, Order},
    catalogue::{self, Row, RowReport},
    healthy::{self, Watch},
    judge::Grade,
    look, measure, report,
    run::{self, Report},
    topology,
};

#[derive(Parser)]
#[command(about = "A small internet in network namespaces, with a fault in it and a fleet that looks for it")]
struct Arguments {
    /// The folder with parallax, parallax-coordinator and parallax-agent.
    #[arg(long, global = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release"))]
    bin_dir: PathBuf,
    /// The folder with the scenario files.
    #[arg(long, global = true, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios"))]
    scenarios: PathBuf,
    /// How late frames are between edge and core, in milliseconds each way, instead of what the scenario says.
    #[arg(long, global = true)]
    delay_ms: Option<u64>,
    /// How many of a million frames are lost there, instead of what the scenario says.
    #[arg(long, global = true)]
    lost_per_million: Option<u32>,
    /// Has hosts and routers limit their ICMP errors as Linux does by default, in every scenario.
    #[arg(long, global = true)]
    icmp_limited: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the scenarios.
    List,
    /// Shows what each scenario does on the wire and what the probe engine measures of it, without a fleet, and compares with what its file states.
    Check(Chosen),
    /// Runs the fleet in each scenario and judges its verdicts.
    Run {
        #[command(flatten)]
        chosen: Chosen,
        /// Prints the reports, verdicts included, as one JSON array.
        #[arg(long)]
        json: bool,
        /// Where logs of scenarios go whose verdict is not right.
        #[arg(long)]
        logs: Option<PathBuf>,
    },
    /// Runs the fleet in every scenario, in a shuffled order, sums the verdicts up, and fails below the bar.
    Accuracy {
        /// Names, or their beginnings; all by default.
        names: Vec<String>,
        /// What shuffles the order; with several, all must give the same verdicts.
        #[arg(long = "seed", default_values_t = [1])]
        seeds: Vec<u64>,
        /// How many at a time.
        #[arg(long, default_value_t = 4)]
        jobs: usize,
        /// Writes the reports, verdicts included, to a file, as one JSON array for each seed.
        #[arg(long)]
        json: Option<PathBuf>,
        /// Where logs of scenarios go whose verdict is not right.
        #[arg(long)]
        logs: Option<PathBuf>,
    },
    /// Brings a scenario up and leaves it up until Ctrl-C.
    Up {
        /// The scenario, by its name or the beginning of it.
        scenario: String,
        /// Without the products.
        #[arg(long)]
        no_fleet: bool,
    },
    /// Brings a scenario up, runs one command in it, and ends with the command's code.
    Exec {
        /// The scenario, by its name or the beginning of it.
        scenario: String,
        /// The namespace.
        #[arg(long, default_value = topology::CONTROL)]
        at: String,
        /// Without the products.
        #[arg(long)]
        no_fleet: bool,
        /// The command; `parallax` alone means the one under test, with the administrator's context.
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
    /// Makes each misconfiguration of the catalogue, has the fleet find it, and cures it by the remedy's own words.
    Catalogue {
        /// Names, or their beginnings; all by default.
        names: Vec<String>,
        /// The folder with the catalogue's files.
        #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/catalogue"))]
        rows: PathBuf,
        /// How many at a time.
        #[arg(long, default_value_t = 6)]
        jobs: usize,
        /// Prints the reports, verdicts included, as one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Watches a fleet of eight before twenty healthy targets while one packet of a hundred is lost and agents restart, and fails when anything is found.
    Healthy {
        /// Rounds of all targets together.
        #[arg(long, default_value_t = 100)]
        rounds: usize,
        /// Seconds between two rounds of one target.
        #[arg(long, default_value_t = 30)]
        every_seconds: u64,
        /// Seconds between two restarts of an agent.
        #[arg(long, default_value_t = 8)]
        restart_seconds: u64,
    },
    /// Shows the small lab: a filter at one of three sites, and a broken chain at another server.
    Small {
        /// Leaves it up until Ctrl-C.
        #[arg(long)]
        keep: bool,
    },
}

#[derive(Args)]
struct Chosen {
    /// Names, or their beginnings; `all` for every scenario.
    #[arg(required_unless_present = "required")]
    names: Vec<String>,
    /// Only the required ones.
    #[arg(long)]
    required: bool,
    /// How many at a time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

fn main() -> ExitCode {
    match act(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "lab: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn act(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut all = Scenario::read_all(&arguments.scenarios)?;
    for scenario in &mut all {
        scenario.delay_ms = arguments.delay_ms.unwrap_or(scenario.delay_ms);
        scenario.icmp_limited |= arguments.icmp_limited;
        scenario.lost_per_million = arguments.lost_per_million.unwrap_or(scenario.lost_per_million);
    }
    match arguments.command {
        Command::List => list(&all),
        Command::Check(chosen) => check(&choose(&all, &chosen)?, &any_programs(&arguments.bin_dir)?, chosen.jobs),
        Command::Run { chosen, json, logs } => run_chosen(&choose(&all, &chosen)?, &Programs::in_folder(&arguments.bin_dir)?, &chosen, json, logs),
        Command::Accuracy { names, seeds, jobs, json, logs } => {
            let chosen = choose(&all, &Chosen { names, required: false, jobs })?;
            accuracy(&chosen, &Programs::in_folder(&arguments.bin_dir)?, &seeds, jobs, json.as_deref(), logs)
        }
        Command::Up { scenario, no_fleet } => {
            let lab = bring_up(&find(&all, &scenario)?, &arguments.bin_dir, no_fleet)?;
            describe(&lab, no_fleet)?;
            wait_for_interrupt()
        }
        Command::Exec { scenario, at, no_fleet, words } => exec(&bring_up(&find(&all, &scenario)?, &arguments.bin_dir, no_fleet)?, &at, &words),
        Command::Catalogue { names, rows, jobs, json } => catalogue(&names, &rows, &Programs::in_folder(&arguments.bin_dir)?, jobs, json),
        Command::Healthy { rounds, every_seconds, restart_seconds } => {
            let (every, restart_every) = (Duration::from_secs(every_seconds), Duration::from_secs(restart_seconds));
            healthy(&Programs::in_folder(&arguments.bin_dir)?, Watch { rounds, every, restart_every })
        }
        Command::Small { keep } => small(&bring_up(&find(&all, "small")?, &arguments.bin_dir, false)?, keep),
    }
}

fn list(all: &[Scenario]) -> anyhow::Result<ExitCode> {
    for scenario in all {
        writeln!(io::stdout(), "{}{:<34} {}", if scenario.required { " " } else { "~" }, scenario.id, scenario.title)?;
    }
    writeln!(io::stdout(), "\n~ not required yet")?;
    Ok(ExitCode::SUCCESS)
}

fn check(scenarios: &[Scenario], programs: &Programs, jobs: usize) -> anyhow::Result<ExitCode> {
    let mut is_right = true;
    let each = |scenario: &Scenario| {
        let title = format!("{}: {}\n", scenario.id, scenario.title);
        match symptoms(scenario, programs) {
            Ok(text) => (!text.contains(report::DIFFERS), title + &text),
            Err(error) => (false, format!("{title}  FAILED: {error:#}\n")),
        }
    };
    run::side_by_side(scenarios, jobs, each, |(is_as_stated, text)| {
        is_right &= is_as_stated;
        let _ = write!(io::stdout(), "{text}");
    });
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn symptoms(scenario: &Scenario, programs: &Programs) -> anyhow::Result<String> {
    let lab = Lab::start(scenario, programs)?;
    let mut text = String::new();
    for symptom in &scenario.symptoms {
        text.extend(look(&lab, symptom)?.iter().map(|sight| report::sight(symptom, sight)));
    }
    for wanted in &scenario.measures {
        lab.flush_routes()?;
        text.push_str(&report::measured(wanted, &measure(&lab, wanted)?));
    }
    Ok(text)
}

fn run_chosen(scenarios: &[Scenario], programs: &Programs, chosen: &Chosen, json: bool, logs: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    programs.check()?;
    let progress = |report: &Report| {
        let _ = if json { write!(io::stderr(), "{}", report::line(report)) } else { write!(io::stdout(), "{}", report::line(report)) };
    };
    let reports = run::run_all(scenarios, programs, chosen.jobs, logs, progress);
    if json {
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&reports)?)?;
    } else {
        write!(io::stdout(), "{}", report::summary(&reports))?;
    }
    Ok(if report::has_failed(&reports) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn accuracy(scenarios: &[Scenario], programs: &Programs, seeds: &[u64], jobs: usize, json: Option<&Path>, logs: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    programs.check()?;
    let mut runs: Vec<Vec<Report>> = Vec::new();
    let mut shortcomings = Vec::new();
    for &seed in seeds {
        writeln!(io::stdout(), "{} scenarios, {jobs} at a time, in the order of seed {seed}", scenarios.len())?;
        let started = Instant::now();
        let progress = |report: &Report| {
            let _ = write!(io::stdout(), "{}", report::line(report));
        };
        let reports = accuracy::run(scenarios, programs, Order { seed, jobs }, logs.clone(), progress);
        writeln!(io::stdout(), "{}\nseed {seed}: {:.0} seconds", accuracy::text(&reports), started.elapsed().as_secs_f64())?;
        shortcomings.extend(accuracy::shortcomings(&reports));
        shortcomings.extend(runs.first().map(|first| accuracy::differences(first, &reports)).unwrap_or_default());
        runs.push(reports);
    }
    if let Some(path) = json {
        fs::write(path, serde_json::to_string_pretty(&runs)?).with_context(|| path.display().to_string())?;
    }
    for sentence in &shortcomings {
        writeln!(io::stdout(), "below the bar: {sentence}")?;
    }
    Ok(if shortcomings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn catalogue(names: &[String], folder: &Path, programs: &Programs, jobs: usize, json: bool) -> anyhow::Result<ExitCode> {
    programs.check()?;
    let mut rows = Row::read_all(folder)?;
    rows.retain(|row| names.is_empty() || names.iter().any(|name| row.id.starts_with(name)));
    let progress = |report: &RowReport| {
        let _ = if json { write!(io::stderr(), "{}", catalogue::line(report)) } else { write!(io::stdout(), "{}", catalogue::line(report)) };
    };
    let reports = catalogue::run_all(&rows, programs, jobs, progress)?;
    if json {
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&reports)?)?;
    } else {
        write!(io::stdout(), "{}", catalogue::summary(&reports))?;
    }
    Ok(if catalogue::has_failed(&reports) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn healthy(programs: &Programs, watch: Watch) -> anyhow::Result<ExitCode> {
    programs.check()?;
    let watched = healthy::run(programs, watch)?;
    let (seen, lost) = watched.packets;
    let mut out = io::stdout().lock();
    writeln!(out, "{}\n{}", watched.findings, watched.attempts)?;
    writeln!(
        out,
        "{lost} of {seen} packets lost ({:.2} %), {} restarts, {} incidents",
        lost as f64 * 100.0 / seen.max(1) as f64,
        watched.restarts,
        watched.incidents.len()
    )?;
    for incident in &watched.incidents {
        writeln!(out, "  {} {} {}", incident["state"], incident["cause"], incident["scope"])?;
    }
    Ok(if watched.findings.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn exec(lab: &Lab, at: &str, words: &[String]) -> anyhow::Result<ExitCode> {
    let Some((program, rest)) = words.split_first() else { bail!("there is no command") };
    let mut command = if program == "parallax" { lab.parallax([]) } else { lab.command(at, program) };
    let status = command.args(rest).stdin(Stdio::inherit()).status().with_context(|| program.clone())?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

fn small(lab: &Lab, keep: bool) -> anyhow::Result<ExitCode> {
    let mut is_right = true;
    for probe in &lab.scenario().probes {
        writeln!(io::stdout(), "\n$ parallax probe {} --trust root.pem", probe.target)?;
        run::probe_command(lab, probe, &[]).status().context("parallax probe could not be started")?;
        let judged = run::ask(lab, probe);
        if judged.judgement.grade != Grade::Right {
            is_right = false;
            writeln!(io::stdout(), "This verdict is {}: {}", report::word(judged.judgement.grade), judged.judgement.reasons.join("; "))?;
        }
    }
    if keep {
        describe(lab, false)?;
        wait_for_interrupt();
    }
    Ok(if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bring_up(scenario: &Scenario, folder: &Path, no_fleet: bool) -> anyhow::Result<Lab> {
    let programs = if no_fleet { any_programs(folder)? } else { Programs::in_folder(folder)? };
    if !no_fleet {
        programs.check()?;
    }
    let mut lab = Lab::start(scenario, &programs)?;
    if !no_fleet {
        lab.start_fleet()?;
    }
    Ok(lab)
}

fn describe(lab: &Lab, no_fleet: bool) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let scenario = lab.scenario();
    writeln!(out, "\nscenario {} is up: {}", scenario.id, scenario.title)?;
    writeln!(out, "namespaces: {}", topology::nodes().join(" "))?;
    writeln!(out, "a shell at vantage a:\n  {} sh", lab.sandbox().entrance(Some("a")).join(" "))?;
    if !no_fleet {
        let parallax = lab.parallax([]);
        let words: Vec<_> = std::iter::once(parallax.get_program()).chain(parallax.get_args()).map(|word| word.to_string_lossy()).collect();
        for probe in &scenario.probes {
            writeln!(out, "a round of the fleet:\n  {} probe {} --trust /run/lab/pki/root.pem {}", words.join(" "), probe.target, probe.args.join(" "))?;
        }
    }
    writeln!(out, "logs: {}\nCtrl-C ends it all.", lab.sandbox().outside("/run/lab/logs").display())?;
    Ok(())
}

/// Ctrl-C ends this process, and with it the sandbox, whose lifeline it holds.
fn wait_for_interrupt() -> ! {
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// The lab alone does not need the products: any folder stands for theirs.
fn any_programs(folder: &Path) -> anyhow::Result<Programs> {
    Ok(Programs::in_folder(folder).or_else(|_| Programs::in_folder(env::temp_dir().as_path()))?)
}

fn find(all: &[Scenario], name: &str) -> anyhow::Result<Scenario> {
    let exact = all.iter().find(|scenario| scenario.id == name || scenario.id.starts_with(&format!("{name}-")));
    let mut begins = all.iter().filter(|scenario| scenario.id.starts_with(name));
    match (exact, begins.next(), begins.next()) {
        (Some(scenario), _, _) | (None, Some(scenario), None) => Ok(scenario.clone()),
        (None, None, _) => bail!("there is no scenario {name:?}; lab list shows all"),
        (None, Some(first), Some(second)) => bail!("{name:?} can mean {} or {}", first.id, second.id),
    }
}

fn choose(all: &[Scenario], chosen: &Chosen) -> anyhow::Result<Vec<Scenario>> {
    let wanted = |scenario: &&Scenario| chosen.names.is_empty() || chosen.names.iter().any(|name| name == "all" || scenario.id.starts_with(name));
    let list: Vec<_> = all.iter().filter(wanted).filter(|scenario| scenario.required || !chosen.required).cloned().collect();
    for name in chosen.names.iter().filter(|name| *name != "all") {
        if !all.iter().any(|scenario| scenario.id.starts_with(name)) {
            bail!("there is no scenario {name:?}; lab list shows all");
        }
    }
    Ok(list)
}
