use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parallax_model::{
    digest::AddressDigest,
    id::IncidentId,
    incident::{CauseSpan, Change, ChangeKind, Incident, IncidentState, RoundAt, Turn},
    verdict::{Cause, Scope, Tier, Verdict},
};

use super::snapshot::Snapshot;

/// New certificates that take over from old ones.
#[derive(Debug, Default)]
pub(super) struct Rollouts {
    /// The key that each address and profile served alone, and the last round that saw it so.
    single: BTreeMap<(String, String), (String, RoundAt)>,
    open: Vec<Rollout>,
    over: Vec<Incident>,
}

#[derive(Debug)]
struct Rollout {
    incident: Incident,
    from: String,
    to: String,
    /// Rounds in a row in which each address served one key only.
    calm: u32,
}

/// A rollout that lasts longer is stuck (methods 3.3).
const LONGEST_US: i64 = 86_400_000_000;
/// Rounds with one key only that end a rollout: with two attempts a round, chance shows one of two even shares so in less than one case of sixty.
const CALM: u32 = 3;

impl Rollouts {
    /// Takes one round in.
    pub(super) fn step(&mut self, verdict: &Verdict, snapshot: &Arc<Snapshot>) {
        let mut mixed = BTreeSet::new();
        let mut seen = BTreeSet::new();
        for address in &snapshot.digest.addresses {
            for (profile, keys) in keys_by_profile(address) {
                let place = (address.address.clone(), profile.to_owned());
                seen.extend(keys.keys().map(|key| (*key).to_owned()));
                if let [only] = keys.keys().copied().collect::<Vec<_>>()[..] {
                    self.single.insert(place, (only.to_owned(), RoundAt { round: verdict.round, at: verdict.started_at }));
                    continue;
                }
                let Some((from, good)) = self.single.get(&place).cloned() else { continue };
                let acceptable = keys.values().all(|valid| *valid);
                if acceptable && keys.contains_key(from.as_str()) {
                    let to = keys.keys().find(|key| **key != from).map_or_else(String::new, |key| (*key).to_owned());
                    mixed.insert(self.mix(verdict, address, &place.1, &from, &to, good));
                }
            }
        }
        for (at, rollout) in self.open.iter_mut().enumerate() {
            let is_seen = seen.contains(&rollout.from) || seen.contains(&rollout.to);
            rollout.calm = if mixed.contains(&at) || !is_seen { 0 } else { rollout.calm + 1 };
            if rollout.calm == 1 {
                rollout.incident.ended_at = Some(verdict.started_at);
            }
        }
        self.retire();
    }

    fn mix(&mut self, verdict: &Verdict, address: &AddressDigest, profile: &str, from: &str, to: &str, good: RoundAt) -> usize {
        // A round may by chance show the new key alone before the old one is gone.
        let is_it = |rollout: &Rollout| (rollout.from == from && rollout.to == to) || (rollout.from == to && rollout.to == from);
        let at = match self.open.iter().position(is_it) {
            Some(at) => at,
            None => {
                self.open.push(Rollout { incident: begun(verdict, address, from, to, good), from: from.to_owned(), to: to.to_owned(), calm: 0 });
                self.open.len() - 1
            }
        };
        let newer = self.open[at].to.clone();
        let incident = &mut self.open[at].incident;
        incident.ended_at = None;
        if incident.last_failing_at != verdict.started_at || incident.rounds == 0 {
            incident.rounds += 1;
            incident.heard = incident.rounds;
        }
        incident.last_failing_at = verdict.started_at;
        incident.causes[0].last_at = verdict.started_at;
        incident.causes[0].rounds = incident.rounds;
        let vantages = verdict.matrix.iter().filter(|cell| cell.address == address.address).map(|cell| cell.vantage.as_str());
        enter(&mut incident.scope.vantages, vantages);
        enter(&mut incident.scope.addresses, [address.address.as_str()]);
        enter(&mut incident.scope.profiles, [profile]);
        let new: u32 = address.leaves.iter().filter(|leaf| leaf.key == newer).map(|leaf| leaf.attempts).sum();
        let all: u32 = address.leaves.iter().map(|leaf| leaf.attempts).sum();
        incident.scope.share = f64::from(new) / f64::from(all.max(1));
        if verdict.started_at.micros_since(incident.started_at) > LONGEST_US {
            incident.informational = false;
            incident.headline = format!("{} has served two valid certificates for more than 24 hours: the rollout is stuck", verdict.target);
        }
        at
    }

    /// Moves what stayed calm long enough to the ended ones; until then an end is only a guess.
    fn retire(&mut self) {
        let (over, open) = std::mem::take(&mut self.open).into_iter().partition(|rollout: &Rollout| rollout.calm >= CALM);
        self.open = open;
        self.over.extend(Vec::into_iter(over).map(|rollout: Rollout| Incident { state: IncidentState::Ended, ..rollout.incident }));
    }

    /// Returns every rollout.
    pub(super) fn incidents(&self) -> impl Iterator<Item = Incident> + '_ {
        let open = self.open.iter().map(|rollout| Incident { ended_at: None, ..rollout.incident.clone() });
        self.over.iter().cloned().chain(open)
    }
}

/// Returns the keys that each profile was given, and whether their chains are acceptable.
fn keys_by_profile(address: &AddressDigest) -> BTreeMap<&str, BTreeMap<&str, bool>> {
    let mut keys: BTreeMap<&str, BTreeMap<&str, bool>> = BTreeMap::new();
    for leaf in &address.leaves {
        for profile in &leaf.profiles {
            *keys.entry(profile).or_default().entry(leaf.key.as_str()).or_insert(true) &= leaf.valid;
        }
    }
    keys
}

fn begun(verdict: &Verdict, address: &AddressDigest, from: &str, to: &str, good: RoundAt) -> Incident {
    let (at, cause, tier) = (verdict.started_at, Cause::ServerCertificateRollout, Tier::Confirmed);
    let words = |key: &str| address.leaves.iter().find(|leaf| leaf.key == key).map(|leaf| format!("{} until {}", leaf.key, leaf.not_after));
    Incident {
        api_version: Verdict::API_VERSION.to_owned(),
        kind: Incident::KIND.to_owned(),
        id: IncidentId::begun(verdict.round, cause.as_str(), usize::from(to.as_bytes().first().copied().unwrap_or_default())),
        check: verdict.check.clone(),
        target: verdict.target.clone(),
        state: IncidentState::Confirmed,
        informational: true,
        started_at: at,
        started_round: verdict.round,
        began_before: false,
        confirmed_at: Some(at),
        last_failing_at: at,
        ended_at: None,
        locus: cause.locus(),
        cause,
        tier,
        mechanism: None,
        headline: format!("{} serves a new certificate beside the old one", verdict.target),
        causes: vec![CauseSpan { cause, tier, first_at: at, last_at: at, rounds: 0 }],
        scope: Scope::default(),
        rounds: 0,
        heard: 0,
        episodes: 1,
        verdicts: vec![Turn { at, round: verdict.round, revision: verdict.revision, cause, tier, vantages: Vec::new() }],
        last_good: Some(good),
        changed_at_onset: vec![Change { what: ChangeKind::Key, subject: address.address.clone(), before: words(from), after: words(to) }],
        changed_at_end: Vec::new(),
    }
}

fn enter<'a>(list: &mut Vec<String>, names: impl IntoIterator<Item = &'a str>) {
    for name in names {
        if let Err(place) = list.binary_search_by(|known| known.as_str().cmp(name)) {
            list.insert(place, name.to_owned());
        }
    }
}
