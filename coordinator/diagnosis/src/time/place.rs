use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parallax_model::verdict::{Cause, Finding, Locus, Tier, Verdict};

use super::{
    cell::Sample,
    snapshot::{Heard, Key},
};

/// A finding that blames somebody, and the cells that it speaks of.
#[derive(Debug)]
pub(super) struct Claim<'a> {
    pub(super) finding: &'a Finding,
    pub(super) cells: BTreeSet<Key>,
    /// Whether those cells fail; a slow path and what an audit finds leave them passing.
    pub(super) shows_in_cells: bool,
}

/// Returns the findings of a round that say something against the target or the way to it; trouble of a vantage is a gap, and advice is no fault.
pub(super) fn claims<'a>(verdict: &'a Verdict, heard: &[Heard]) -> Vec<Claim<'a>> {
    let faults = verdict.findings.iter().filter(|finding| !finding.cause.is_informational() && finding.locus != Locus::Vantage);
    faults.filter_map(|finding| claim(finding, heard)).collect()
}

fn claim<'a>(finding: &'a Finding, heard: &[Heard]) -> Option<Claim<'a>> {
    let named = |list: &[String], name: &Arc<str>| list.is_empty() || list.iter().any(|listed| **listed == **name);
    let scope = &finding.scope;
    let from_there = |heard: &&Heard| named(&scope.vantages, &heard.key.0);
    let in_scope = |heard: &&Heard| from_there(heard) && (heard.is_lookup || named(&scope.addresses, &heard.key.1)) && named(&scope.profiles, &heard.key.2);
    let failing: BTreeSet<Key> = heard.iter().filter(in_scope).filter(|heard| heard.sample != Sample::Pass).map(|heard| heard.key.clone()).collect();
    if !failing.is_empty() {
        return Some(Claim { finding, cells: failing, shows_in_cells: true });
    }
    // What rests on too little and shows nowhere is a round without an answer.
    if finding.cause == Cause::UndeterminedInsufficient {
        return None;
    }
    let mut cells: BTreeSet<Key> = heard.iter().filter(in_scope).map(|heard| heard.key.clone()).collect();
    if cells.is_empty() {
        cells = heard.iter().filter(from_there).map(|heard| heard.key.clone()).collect();
    }
    (!cells.is_empty()).then_some(Claim { finding, cells, shows_in_cells: false })
}

/// Counts the cells that both speak of.
pub(super) fn shared<V>(claim: &Claim<'_>, cells: &BTreeMap<Key, V>) -> usize {
    claim.cells.iter().filter(|key| cells.contains_key(*key)).count()
}

/// Tells whether two causes lie at one place: the same vantages for what is on their side, the same addresses for what is on the server's.
pub(super) fn same_place<V>(claim: &Claim<'_>, cells: &BTreeMap<Key, V>, locus: Locus) -> bool {
    let other = claim.finding.locus;
    if other == Locus::Undetermined || locus == Locus::Undetermined {
        return shared(claim, cells) > 0;
    }
    other == locus
        && match locus {
            Locus::Server | Locus::Edge => common(claim, cells, |key| &key.1),
            Locus::Policy | Locus::Path | Locus::Dns | Locus::Vantage | Locus::Undetermined => common(claim, cells, |key| &key.0),
        }
}

/// Tells whether a finding may be another word for what the round before said: one of the two was not certain, or both blame the same party.
pub(super) fn may_replace(claim: &Claim<'_>, locus: Locus, tier: Tier) -> bool {
    claim.finding.locus == locus || tier < Tier::Likely || claim.finding.tier < Tier::Likely
}

fn common<V>(claim: &Claim<'_>, cells: &BTreeMap<Key, V>, part: fn(&Key) -> &Arc<str>) -> bool {
    let theirs: BTreeSet<&Arc<str>> = cells.keys().map(part).collect();
    claim.cells.iter().any(|key| theirs.contains(part(key)))
}
