//! The probe engine alone: one attempt, and its facts.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use clap::Args;
use parallax_model::{assignment::Experiment, check::Limits, facts::Facts, profile::Profile, target::Target};
use parallax_probe::{AuditManners, Plan, Resolver, SystemNet, resolve, run, server_name_for};

/// What is tried.
#[derive(Debug, Args)]
pub struct Attempt {
    /// The target.
    target: Target,
    /// Where to connect.
    address: SocketAddr,
    /// What is varied.
    experiment: Experiment,
    /// The recipe.
    #[arg(long, default_value = "modern")]
    profile: String,
    /// Another door of the same server.
    #[arg(long)]
    sibling: Vec<SocketAddr>,
    /// The source port.
    #[arg(long)]
    source_port: Option<u16>,
}

impl Attempt {
    /// Makes the attempt.
    pub async fn make(self) -> anyhow::Result<Facts> {
        if self.experiment == Experiment::Resolve {
            let dns = resolve(&self.target, &Resolver::System, Duration::from_millis(ATTEMPT_MS)).await;
            return Ok(Facts { dns: Some(dns), ..Facts::default() });
        }
        let plan = Plan {
            profile: Profile::builtin(&self.profile).with_context(|| format!("no profile is called {}", self.profile))?,
            experiment: self.experiment,
            address: self.address,
            server_name: server_name_for(self.experiment, &self.target),
            limits: Limits { attempt_ms: ATTEMPT_MS, ..Limits::default() },
            source_port: self.source_port,
            http: false,
            pinned_responder: false,
            siblings: self.sibling,
            manners: AuditManners::default(),
            target: self.target,
        };
        Ok(run(&plan, &SystemNet).await)
    }
}

/// Long enough for a retransmission.
const ATTEMPT_MS: u64 = 2_500;
