//! Makes one attempt and prints its facts as JSON: `probe TARGET ADDRESS EXPERIMENT [PROFILE] [SIBLING…]`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::{process::ExitCode, time::Duration};

use parallax_model::{assignment::Experiment, check::Limits, facts::Facts, profile::Profile, target::Target};
use parallax_probe::{AuditManners, Plan, Resolver, SystemNet, resolve, run, server_name_for};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match look(&arguments).await {
        Ok(facts) => {
            println!("{}", serde_json::to_string_pretty(&facts).expect("facts always serialise"));
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

async fn look(arguments: &[String]) -> Result<Facts, String> {
    let [target, address, experiment, rest @ ..] = arguments else {
        return Err("usage: probe TARGET ADDRESS EXPERIMENT [PROFILE] [SIBLING…]".to_owned());
    };
    let target: Target = target.parse().map_err(|error| format!("{error}"))?;
    let experiment: Experiment = experiment.parse().map_err(|error| format!("{error}"))?;
    if experiment == Experiment::Resolve {
        let resolver = address.parse().map_or(Resolver::System, Resolver::udp);
        return Ok(Facts { dns: Some(resolve(&target, &resolver, Duration::from_secs(5)).await), ..Facts::default() });
    }
    let profile = rest.first().map_or("modern", String::as_str);
    let plan = Plan {
        profile: Profile::builtin(profile).ok_or_else(|| format!("no profile is called {profile}"))?,
        experiment,
        address: address.parse().map_err(|error| format!("{address}: {error}"))?,
        server_name: server_name_for(experiment, &target),
        limits: Limits::default(),
        source_port: None,
        http: matches!(target.scheme, parallax_model::target::Scheme::Https),
        pinned_responder: matches!(experiment, Experiment::Responder | Experiment::NameAtResponder),
        siblings: rest.iter().skip(1).filter_map(|sibling| sibling.parse().ok()).collect(),
        manners: AuditManners::default(),
        target,
    };
    Ok(run(&plan, &SystemNet).await)
}
