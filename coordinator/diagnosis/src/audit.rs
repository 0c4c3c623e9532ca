//! What the server at each address can do, as the round's audits found it.

use std::{cmp::Reverse, collections::BTreeMap, net::SocketAddr};

use parallax_model::{attempt::Attempt, report::AuditReport};

use crate::{certificate::sha256, view::RoundView};

/// Makes one report per address, of the audit there that came furthest.
pub(crate) fn reports(round: &RoundView) -> Vec<AuditReport> {
    let mut best: BTreeMap<SocketAddr, &Attempt> = BTreeMap::new();
    for attempt in &round.attempts {
        let (Some(address), Some(_)) = (attempt.address, &attempt.facts.audit) else { continue };
        let chosen = best.entry(address).or_insert(attempt);
        *chosen = [*chosen, attempt].into_iter().min_by_key(|attempt| merit(attempt)).unwrap_or(attempt);
    }
    best.into_values().filter_map(|attempt| AuditReport::of(attempt, |leaf| sha256(leaf).to_string())).collect()
}

/// Sorts audits: whole ones first, then those that asked more, and by name to come to the same choice each time.
fn merit(attempt: &Attempt) -> (bool, Reverse<u32>, &str) {
    let audit = attempt.facts.audit.as_deref();
    (audit.is_none_or(|audit| audit.stopped.is_some()), Reverse(audit.map_or(0, |audit| audit.connections)), attempt.vantage.as_str())
}
