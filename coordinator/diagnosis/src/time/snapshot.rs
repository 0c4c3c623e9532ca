use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parallax_model::{
    clock::Timestamp,
    digest::Digest,
    id::RoundId,
    verdict::{Cause, MatrixCell, Negotiated, Verdict},
};

use super::cell::Sample;

/// Vantage, address, profile.
pub(super) type Key = (Arc<str>, Arc<str>, Arc<str>);

/// What a round leaves behind for comparison.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) round: RoundId,
    pub(super) at: Timestamp,
    pub(super) digest: Digest,
    /// Addresses that each vantage tried.
    pub(super) tried: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// What was negotiated, by address and profile.
    pub(super) negotiated: BTreeMap<(Arc<str>, Arc<str>), BTreeSet<String>>,
}

/// One cell of a round that says something.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) key: Key,
    pub(super) sample: Sample,
    pub(super) passed: u32,
    pub(super) attempts: u32,
    /// Whether an address was reached for, as opposed to a lookup that failed.
    pub(super) is_lookup: bool,
}

/// Names of vantages, addresses and profiles, each kept once: a check repeats the same few in every round.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<Arc<str>>);

impl Names {
    pub(super) fn of(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.0.insert(Arc::clone(&new));
        new
    }
}

impl Snapshot {
    pub(super) fn of(verdict: &Verdict, names: &mut Names) -> Self {
        let mut tried: BTreeMap<Arc<str>, BTreeSet<Arc<str>>> = BTreeMap::new();
        let mut negotiated: BTreeMap<(Arc<str>, Arc<str>), BTreeSet<String>> = BTreeMap::new();
        for cell in verdict.matrix.iter().filter(|cell| cell.attempts > 0 && cell.address != verdict.target) {
            let address = names.of(&cell.address);
            tried.entry(names.of(&cell.vantage)).or_default().insert(Arc::clone(&address));
            if let Some(chosen) = cell.negotiated.as_ref().filter(|_| cell.failures == 0) {
                negotiated.entry((address, names.of(&cell.profile))).or_default().insert(words(chosen));
            }
        }
        Self { round: verdict.round, at: verdict.started_at, digest: verdict.digest.clone().unwrap_or_default(), tried, negotiated }
    }
}

/// Returns the cells that are scored.
pub(super) fn heard(verdict: &Verdict, names: &mut Names) -> Vec<Heard> {
    let discarded: BTreeMap<&str, &str> = verdict.vantages.discarded.iter().map(|discarded| (discarded.vantage.as_str(), discarded.cause.as_str())).collect();
    let counts = |cell: &&MatrixCell| discarded.get(cell.vantage.as_str()).is_none_or(|cause| scores(cause, &cell.address));
    let cells = verdict.matrix.iter().filter(counts).filter_map(|cell| Some((cell, Sample::of(cell.attempts, cell.failures)?)));
    cells
        .map(|(cell, sample)| Heard {
            key: (names.of(&cell.vantage), names.of(&cell.address), names.of(&cell.profile)),
            sample,
            passed: cell.attempts.saturating_sub(cell.failures),
            attempts: cell.attempts,
            is_lookup: cell.address == verdict.target,
        })
        .collect()
}

/// Tells whether a vantage that is named among the discarded ones is silent altogether: a clock that is off and one broken family leave something to score.
pub(super) fn is_silent(cause: &str) -> bool {
    cause != Cause::VantageClock.as_str() && cause != Cause::VantageIpv6.as_str()
}

fn scores(cause: &str, address: &str) -> bool {
    !is_silent(cause) && (cause != Cause::VantageIpv6.as_str() || !address.starts_with('['))
}

fn words(chosen: &Negotiated) -> String {
    [Some(&chosen.version), chosen.cipher_suite.as_ref(), chosen.group.as_ref()].into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" ")
}
