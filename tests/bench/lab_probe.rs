//! How long `parallax probe` of a healthy target takes from four lab vantages, beside the slowest handshake series in it.

use std::{path::Path, time::Instant};

use anyhow::{Context as _, ensure};
use parallax_model::verdict::Verdict;
use parallax_tests::lab::{Lab, Programs, Scenario, sandbox::HOME};

use crate::Row;

const ROUNDS: usize = 5;

/// Measures probes of the healthy scenario.
pub(crate) fn measure(bin: &Path) -> anyhow::Result<Vec<Row>> {
    let scenarios = Scenario::read_all(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios").as_ref())?;
    let mut scenario = scenarios.into_iter().find(|scenario| scenario.id.starts_with("00")).context("no healthy scenario")?;
    scenario.vantages = ["a", "b", "c", "i"].map(str::to_owned).to_vec();
    let mut lab = Lab::start(&scenario, &Programs::in_folder(bin)?)?;
    lab.start_fleet()?;
    let trust = format!("{HOME}/pki/root.pem");
    let mut took_ms = Vec::new();
    let mut series_ms = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let output = lab.parallax(["probe", "www.example.test", "--trust", &trust, "-o", "json"]).output()?;
        took_ms.push(began.elapsed().as_secs_f64() * 1e3);
        let verdict: Verdict = serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        ensure!(verdict.healthy, "the healthy target is not healthy: {}", verdict.headline);
        let series = |cell: &parallax_model::verdict::MatrixCell| f64::from(cell.attempts) * cell.handshake_ms.unwrap_or(0.0);
        series_ms.push(verdict.matrix.iter().map(series).fold(0.0, f64::max));
    }
    took_ms.sort_by(f64::total_cmp);
    series_ms.sort_by(f64::total_cmp);
    Ok(vec![
        Row::new("probe of a healthy target on four lab vantages, median", format!("{:.0} ms", took_ms[ROUNDS / 2]), "1,500 ms"),
        Row::new("slowest series of handshakes in it, median", format!("{:.0} ms", series_ms[ROUNDS / 2]), "the probe ends within 300 ms of it"),
    ])
}
