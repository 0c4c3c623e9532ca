//! Whole attempts: against a scripted network in paused time, and against small servers on loopback.

mod audit;
mod ends;
mod loopback;
mod paths;
mod quic;
mod rogue;
mod starttls;

use std::time::Duration;

use parallax_model::{assignment::Experiment, check::Limits, profile::Profile};

use crate::{AuditManners, Plan, server_name_for};

/// A plan for `tls://shop.corp.test` at an address of documentation.
fn plan(experiment: Experiment, profile: &str) -> Plan {
    let target = "shop.corp.test:8443".parse().unwrap();
    Plan {
        server_name: server_name_for(experiment, &target),
        profile: Profile::builtin(profile).unwrap(),
        experiment,
        address: "192.0.2.7:8443".parse().unwrap(),
        limits: Limits { read_bytes: 65_536, ..Limits::default() },
        source_port: None,
        http: false,
        pinned_responder: false,
        siblings: Vec::new(),
        manners: AuditManners::default(),
        target,
    }
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
