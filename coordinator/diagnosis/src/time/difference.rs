use std::collections::{BTreeMap, BTreeSet};

use parallax_model::{
    check::Check,
    clock::Timestamp,
    incident::{CellChange, CellState, Difference, Incident},
    verdict::{Cause, Verdict},
};

use super::{
    change::{Focus, changes},
    fold::Fold,
};

/// Says what differs between the verdicts of two windows: how cells stand at their ends, which incidents came and went, and what was seen.
pub fn difference(check: &Check, earlier: &[Verdict], later: &[Verdict]) -> Difference {
    let (before, after) = (Fold::of(check, earlier), Fold::of(check, later));
    let (came, went) = incidents(check, earlier, later);
    let changed = match (before.last(), after.last()) {
        (Some(then), Some(now)) => changes(then, now, &Focus::default()),
        _ => Vec::new(),
    };
    Difference { cells: cells(&before, &after), came, went, changed, rounds_before: before.rounds(), rounds_after: after.rounds() }
}

/// Incidents are found over both windows together, so that one that spans them is neither new nor gone.
fn incidents(check: &Check, earlier: &[Verdict], later: &[Verdict]) -> (Vec<Incident>, Vec<Incident>) {
    let failing = |window: &[Verdict]| -> BTreeSet<(Timestamp, Cause)> {
        let faults = |verdict: &Verdict| verdict.findings.iter().map(|finding| (verdict.started_at, finding.cause)).collect::<Vec<_>>();
        window.iter().flat_map(faults).collect()
    };
    let (then, now) = (failing(earlier), failing(later));
    let within = |moments: &BTreeSet<(Timestamp, Cause)>, incident: &Incident| {
        incident
            .causes
            .iter()
            .any(|span| moments.range((incident.started_at, Cause::ALL[0])..).any(|(at, cause)| *at <= incident.last_failing_at && *cause == span.cause))
    };
    let all = Fold::of(check, earlier.iter().chain(later)).incidents();
    let (mut came, mut went) = (Vec::new(), Vec::new());
    for incident in all.into_iter().filter(|incident| !incident.informational) {
        match (within(&then, &incident), within(&now, &incident)) {
            (false, true) => came.push(incident),
            (true, false) => went.push(incident),
            _ => {}
        }
    }
    (came, went)
}

fn cells(before: &Fold, after: &Fold) -> Vec<CellChange> {
    let states = |fold: &Fold| -> BTreeMap<(String, String, String), CellState> {
        fold.cells().into_iter().map(|cell| ((cell.vantage, cell.address, cell.profile), settled(cell.state))).collect()
    };
    let (then, now) = (states(before), states(after));
    let keys: BTreeSet<&(String, String, String)> = then.keys().chain(now.keys()).collect();
    let changed = keys.into_iter().map(|key| (key, then.get(key).copied(), now.get(key).copied())).filter(|(_, before, after)| before != after);
    changed
        .map(|((vantage, address, profile), before, after)| CellChange {
            vantage: vantage.clone(),
            address: address.clone(),
            profile: profile.clone(),
            before,
            after,
        })
        .collect()
}

/// Whether a failure was confirmed yet, or a success repeated, depends on where the window was cut.
fn settled(state: CellState) -> CellState {
    match state {
        CellState::Suspect => CellState::Failing,
        CellState::Recovering => CellState::Passing,
        other => other,
    }
}
