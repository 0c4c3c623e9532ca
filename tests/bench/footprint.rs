//! How big the agent is: on disk, and in memory while it idles with a hundred checks.

use std::{fs, path::Path, thread, time::Duration};

use anyhow::Context as _;

use crate::{Row, host::Host};

const CHECKS: usize = 100;

/// Measures the agent's size.
pub(crate) fn measure(bin: &Path) -> anyhow::Result<Vec<Row>> {
    let disk = fs::metadata(bin.join("parallax-agent"))?.len() as f64 / 1e6;
    let mut host = Host::start(bin)?;
    let pid = host.start_agent("idle")?;
    for number in 0..CHECKS {
        host.parallax(&["check", "create", &format!("check-{number}"), "--target", "192.0.2.1:443", "--every", "1d"])?;
    }
    thread::sleep(Duration::from_secs(5));
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| rest.split_whitespace().next()).context("no VmRSS")?;
    let resident = resident.parse::<f64>()? * 1_024.0 / 1e6;
    Ok(vec![
        Row::new("agent on disk, stripped", format!("{disk:.1} MB"), "15 MB"),
        Row::new(format!("idle agent with {CHECKS} checks, resident"), format!("{resident:.1} MB"), "15 MB"),
    ])
}
