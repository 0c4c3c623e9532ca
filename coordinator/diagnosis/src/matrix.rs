//! The matrix that people look at first: one cell per vantage, address and profile.

use parallax_model::{
    outcome::Outcome,
    verdict::{MatrixCell, Negotiated},
};

use crate::{
    cell::{Look, commonest},
    scene::Scene,
    survey,
};

/// Writes every cell, and a row for each vantage that resolved nothing.
pub(crate) fn cells(scene: &Scene<'_>) -> Vec<MatrixCell> {
    let mut cells = Vec::with_capacity(scene.seats.len() * scene.places.len() * scene.profiles.len());
    let addresses: Vec<String> = scene.places.iter().map(ToString::to_string).collect();
    for seat in 0..scene.seats.len() {
        let before = cells.len();
        for (place, address) in addresses.iter().enumerate() {
            for profile in 0..scene.profiles.len() {
                let looks = scene.cell(seat, place, profile);
                if !looks.is_empty() {
                    let refuses = looks.iter().rev().find_map(|look| survey::refusal(scene, profile, look)).map(|refusal| refusal.to_string());
                    let seen = cell(scene.seats[seat].name, address, scene.profiles[profile], looks);
                    cells.push(MatrixCell { client_refuses: refuses, ..seen });
                }
            }
        }
        if cells.len() == before {
            cells.extend(unconnected(scene, seat));
        }
    }
    cells
}

fn cell(vantage: &str, address: &str, profile: &str, looks: &[Look<'_>]) -> MatrixCell {
    let failures = looks.iter().filter(|look| look.outcome.is_failure()).count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    MatrixCell {
        vantage: vantage.to_owned(),
        address: address.to_owned(),
        profile: profile.to_owned(),
        outcome: commonest(looks.iter().map(|look| look.outcome)),
        attempts: count(looks.len()),
        failures: count(failures),
        handshake_ms: median_ms(looks),
        client_refuses: None,
        negotiated: looks.iter().rev().filter(|look| look.reach.is_ok()).find_map(|look| Negotiated::of(look.attempt.facts.tls.as_ref()?)),
    }
}

fn median_ms(looks: &[Look<'_>]) -> Option<f64> {
    let passed = looks.iter().filter(|look| look.reach.is_ok()).filter_map(|look| look.attempt.facts.tls.as_ref());
    let mut times: Vec<u64> = passed.map(|tls| tls.handshake.as_ref().map_or(tls.end_us, |handshake| handshake.elapsed_us)).collect();
    times.sort_unstable();
    let median = *times.get(times.len() / 2)?;
    Some((median as f64 / 10.0).round() / 100.0)
}

/// What stands in the row of a vantage that connected nowhere: its lookup, or why nothing was tried.
fn unconnected(scene: &Scene<'_>, seat: usize) -> Option<MatrixCell> {
    let seat = &scene.seats[seat];
    let profile = scene.profiles.first()?;
    let lookup = seat.lookups.iter().map(|attempt| Outcome::of(attempt)).find(|outcome| outcome.is_failure());
    let missing = seat.missing.first().map(|(_, kind)| Outcome::NotCompleted(*kind));
    let outcome = lookup.or(missing)?;
    let lookups = u32::try_from(seat.lookups.len()).unwrap_or(u32::MAX);
    let (attempts, failures) = if lookup.is_some() { (lookups, lookups) } else { (0, 0) };
    Some(MatrixCell {
        vantage: seat.name.to_owned(),
        address: scene.round.check.target.authority(),
        profile: (*profile).to_owned(),
        outcome,
        attempts,
        failures,
        handshake_ms: None,
        negotiated: None,
        client_refuses: None,
    })
}
