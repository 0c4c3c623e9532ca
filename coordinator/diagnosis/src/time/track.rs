use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parallax_model::{
    id::IncidentId,
    incident::{CauseSpan, Incident, IncidentState, RoundAt, Turn},
    verdict::{Scope, Tier, Verdict},
};

use super::{
    cell::{SUCCESSES, Sample, WINDOW},
    change::{Focus, changes},
    place::Claim,
    snapshot::{Heard, Key, Snapshot},
};

/// An incident that is under way, or was lately.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) incident: Incident,
    /// The cells that failed by it, and how each recovers.
    pub(super) cells: BTreeMap<Key, Recovery>,
    /// Whether it was only ever seen by an audit: rounds without one say nothing of it.
    audits_only: bool,
    /// Failing rounds since it began or came back.
    run: u32,
    /// Rounds that looked since it began.
    looked: u32,
    /// The first of the rounds that pass.
    passing: Option<Arc<Snapshot>>,
    last_bad: Arc<Snapshot>,
    /// The number of the round that ended it.
    pub(super) closed_in: Option<u32>,
}

/// How a cell recovers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Recovery {
    passed: u32,
    heard_in: u32,
}

/// What a track learns from a round in which nobody blames its cells.
pub(super) struct Quiet<'a> {
    pub(super) verdict: &'a Verdict,
    pub(super) number: u32,
    pub(super) snapshot: &'a Arc<Snapshot>,
    pub(super) heard: &'a BTreeMap<Key, &'a Heard>,
    /// Cells that another finding explains.
    pub(super) explained: &'a BTreeSet<&'a Key>,
}

/// Rounds after which a cell that is not heard any more no longer keeps an incident open that ended everywhere else.
const FORGOTTEN: u32 = 20;
/// Turning points that are kept.
const TURNS: usize = 100;
/// Comings and goings that make an incident flap.
const FLAPS: u32 = 3;

impl Track {
    /// Begins an incident; `good` is the last round in which its cells passed.
    pub(super) fn begin(verdict: &Verdict, claim: &Claim<'_>, nth: usize, snapshot: &Arc<Snapshot>, good: Option<&Snapshot>, is_first: bool) -> Self {
        let finding = claim.finding;
        let focus = focus(claim.cells.iter());
        // Verdicts of older coordinators have no digest: nothing can be compared with them.
        let good = good.filter(|good| !good.digest.addresses.is_empty());
        let incident = Incident {
            api_version: Verdict::API_VERSION.to_owned(),
            kind: Incident::KIND.to_owned(),
            id: IncidentId::begun(verdict.round, finding.cause.as_str(), nth),
            check: verdict.check.clone(),
            target: verdict.target.clone(),
            state: IncidentState::Provisional,
            informational: false,
            started_at: verdict.started_at,
            started_round: verdict.round,
            began_before: is_first,
            confirmed_at: None,
            last_failing_at: verdict.started_at,
            ended_at: None,
            locus: finding.locus,
            cause: finding.cause,
            tier: finding.tier,
            mechanism: finding.mechanism.clone(),
            headline: verdict.headline.clone(),
            causes: Vec::new(),
            scope: Scope { share: finding.scope.share, ..Scope::default() },
            rounds: 0,
            heard: 0,
            episodes: 1,
            verdicts: Vec::new(),
            last_good: good.map(|good| RoundAt { round: good.round, at: good.at }),
            changed_at_onset: good.map(|good| changes(good, snapshot, &focus)).unwrap_or_default(),
            changed_at_end: Vec::new(),
        };
        Self { incident, cells: BTreeMap::new(), audits_only: true, run: 0, looked: 0, passing: None, last_bad: Arc::clone(snapshot), closed_in: None }
    }

    /// Takes the findings of one round in that belong to it.
    pub(super) fn fail(&mut self, verdict: &Verdict, claims: &[&Claim<'_>], snapshot: &Arc<Snapshot>, number: u32) {
        let incident = &mut self.incident;
        if self.closed_in.take().is_some() {
            incident.ended_at = None;
            incident.changed_at_end.clear();
            incident.episodes += 1;
            self.run = 0;
        }
        self.run += 1;
        self.looked += 1;
        incident.rounds += 1;
        incident.heard = self.looked;
        incident.last_failing_at = verdict.started_at;
        self.passing = None;
        self.last_bad = Arc::clone(snapshot);
        for claim in claims {
            self.audits_only &= !claim.shows_in_cells && !verdict.audit.is_empty();
            for key in &claim.cells {
                self.cells.insert(key.clone(), Recovery { passed: 0, heard_in: number });
                widen(&mut self.incident.scope, key);
            }
            self.say(verdict, claim);
        }
        self.settle(verdict);
    }

    /// Records what a finding says, and makes it the incident's own word when nothing stronger was said.
    fn say(&mut self, verdict: &Verdict, claim: &Claim<'_>) {
        let (finding, at) = (claim.finding, verdict.started_at);
        let incident = &mut self.incident;
        match incident.causes.iter_mut().find(|span| span.cause == finding.cause) {
            Some(span) => {
                span.tier = span.tier.max(finding.tier);
                span.rounds += u32::from(span.last_at != at);
                span.last_at = at;
            }
            None => incident.causes.push(CauseSpan { cause: finding.cause, tier: finding.tier, first_at: at, last_at: at, rounds: 1 }),
        }
        incident.causes.sort_by(|a, b| (b.tier, b.rounds).cmp(&(a.tier, a.rounds)).then(a.first_at.cmp(&b.first_at)));
        let head = &incident.causes[0];
        if head.cause == finding.cause && (incident.cause != finding.cause || finding.tier >= incident.tier) {
            (incident.locus, incident.cause, incident.tier) = (finding.locus, finding.cause, head.tier);
            (incident.mechanism, incident.scope.share) = (finding.mechanism.clone(), finding.scope.share);
            incident.headline.clone_from(&verdict.headline);
        }
        let turn =
            Turn { at, round: verdict.round, revision: verdict.revision, cause: finding.cause, tier: finding.tier, vantages: finding.scope.vantages.clone() };
        let former = incident.verdicts.iter().rev().find(|former| former.cause == turn.cause);
        let is_new = former.is_none_or(|former| (former.tier, &former.vantages) != (turn.tier, &turn.vantages));
        if is_new && incident.verdicts.len() < TURNS {
            incident.verdicts.push(turn);
        }
    }

    fn settle(&mut self, verdict: &Verdict) {
        let incident = &mut self.incident;
        let is_certain = incident.tier == Tier::Confirmed || self.run > 1 || incident.episodes >= FLAPS;
        if is_certain {
            incident.confirmed_at.get_or_insert(verdict.started_at);
        }
        incident.state = match (incident.confirmed_at, incident.episodes >= FLAPS) {
            (_, true) => IncidentState::Flapping,
            (Some(_), false) => IncidentState::Confirmed,
            (None, false) => IncidentState::Provisional,
        };
    }

    /// Takes one round in that does not blame its cells: it recovers, or was not heard.
    pub(super) fn rest(&mut self, quiet: &Quiet<'_>) {
        if self.audits_only && quiet.verdict.audit.is_empty() {
            return;
        }
        let (mut looked, mut fails) = (false, false);
        let steady = steady(quiet);
        for (key, recovery) in &mut self.cells {
            let passed = match quiet.heard.get(key) {
                Some(heard) if heard.sample == Sample::Pass => heard.passed,
                // A profile that the server need not serve fails in healthy rounds too, and what another finding explains is its affair.
                Some(_) if quiet.verdict.healthy || quiet.explained.contains(key) => SUCCESSES,
                Some(_) => {
                    fails = true;
                    continue;
                }
                // The vantage is there and passes, and the address is no longer tried: it was withdrawn.
                None if steady.contains(&key.0) => 1,
                None => continue,
            };
            looked = true;
            *recovery = Recovery { passed: recovery.passed.saturating_add(passed), heard_in: quiet.number };
        }
        self.looked += u32::from(looked || fails);
        if fails {
            self.passing = None;
            self.cells.values_mut().for_each(|recovery| recovery.passed = 0);
            return;
        }
        if looked {
            self.passing.get_or_insert_with(|| Arc::clone(quiet.snapshot));
            self.end_if_over(quiet.number);
        }
    }

    fn end_if_over(&mut self, number: u32) {
        let is_done = |recovery: &Recovery| recovery.passed >= SUCCESSES;
        let is_forgotten = |recovery: &Recovery| number.saturating_sub(recovery.heard_in) >= FORGOTTEN;
        let over = self.cells.values().any(is_done) && self.cells.values().all(|recovery| is_done(recovery) || is_forgotten(recovery));
        let Some(first) = self.passing.as_ref().filter(|_| over) else { return };
        let incident = &mut self.incident;
        incident.ended_at = Some(first.at);
        incident.state = if incident.confirmed_at.is_some() { IncidentState::Ended } else { IncidentState::Passed };
        incident.changed_at_end = changes(&self.last_bad, first, &focus(self.cells.keys()));
        self.closed_in = Some(number);
    }

    /// Tells whether it ended so long ago that what comes now is something else.
    pub(super) fn is_past(&self, number: u32) -> bool {
        self.closed_in.is_some_and(|closed| usize::try_from(number.saturating_sub(closed)).unwrap_or(usize::MAX) > WINDOW)
    }
}

/// Returns the vantages that connected and have nothing to blame in this round.
fn steady(quiet: &Quiet<'_>) -> BTreeSet<Arc<str>> {
    let connected = quiet.heard.values().filter(|heard| !heard.is_lookup);
    let (passing, failing): (Vec<&Heard>, Vec<&Heard>) = connected.partition(|heard| heard.sample == Sample::Pass || quiet.verdict.healthy);
    let failing: BTreeSet<&Arc<str>> = failing.into_iter().map(|heard| &heard.key.0).collect();
    passing.into_iter().map(|heard| &heard.key.0).filter(|vantage| !failing.contains(vantage)).cloned().collect()
}

fn focus<'a>(cells: impl Iterator<Item = &'a Key> + Clone) -> Focus {
    Focus { vantages: Some(cells.clone().map(|key| Arc::clone(&key.0)).collect()), addresses: Some(cells.map(|key| Arc::clone(&key.1)).collect()) }
}

fn widen(scope: &mut Scope, (vantage, address, profile): &Key) {
    for (list, name) in [(&mut scope.vantages, vantage), (&mut scope.addresses, address), (&mut scope.profiles, profile)] {
        if let Err(place) = list.binary_search_by(|known| known.as_str().cmp(name)) {
            list.insert(place, name.to_string());
        }
    }
}
