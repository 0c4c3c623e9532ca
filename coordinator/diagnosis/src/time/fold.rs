use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use parallax_model::{
    check::Check,
    clock::Timestamp,
    incident::{CellStanding, Incident, Timeline},
    verdict::{Tier, Verdict},
};

use super::{
    cell::Cell,
    gap::Gaps,
    place::{Claim, claims, may_replace, same_place, shared},
    rollout::Rollouts,
    snapshot::{Heard, Key, Names, Snapshot, heard},
    track::{Quiet, Track},
};

/// The time line of one check, as far as it was read.
#[derive(Debug)]
pub struct Fold {
    names: Names,
    gaps: Gaps,
    cells: BTreeMap<Key, Cell>,
    /// Incidents that are open or ended lately, in the order of their beginning.
    tracks: Vec<Track>,
    past: Vec<Incident>,
    rollouts: Rollouts,
    /// Rounds read so far.
    number: u32,
    last: Option<Arc<Snapshot>>,
}

impl Fold {
    /// Begins before the first verdict; the cadence of the check says which rounds are missing.
    pub fn new(check: &Check) -> Self {
        Self {
            names: Names::default(),
            gaps: Gaps::of(check),
            cells: BTreeMap::new(),
            tracks: Vec::new(),
            past: Vec::new(),
            rollouts: Rollouts::default(),
            number: 0,
            last: None,
        }
    }

    /// Reads verdicts in any order, of each round the highest revision.
    pub fn of<'a>(check: &Check, verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let mut newest: BTreeMap<(Timestamp, parallax_model::id::RoundId), &Verdict> = BTreeMap::new();
        for verdict in verdicts {
            match newest.entry((verdict.started_at, verdict.round)) {
                Entry::Occupied(mut known) if known.get().revision < verdict.revision => drop(known.insert(verdict)),
                Entry::Occupied(_) => {}
                Entry::Vacant(place) => drop(place.insert(verdict)),
            }
        }
        let mut fold = Self::new(check);
        newest.into_values().for_each(|verdict| fold.push(verdict));
        fold
    }

    /// Tells when the last round started that was read.
    pub fn last_round(&self) -> Option<Timestamp> {
        self.last.as_ref().map(|last| last.at)
    }

    /// Takes the verdict of the next round in; an earlier round wants another fold.
    pub fn push(&mut self, verdict: &Verdict) {
        self.number += 1;
        let snapshot = Arc::new(Snapshot::of(verdict, &mut self.names));
        let heard = heard(verdict, &mut self.names);
        let claims = claims(verdict, &heard);
        let owners = self.assign(verdict, &claims, &snapshot);
        self.step_cells(verdict, &heard, &claims, &snapshot);
        self.step_tracks(verdict, &heard, &claims, &owners, &snapshot);
        self.rollouts.step(verdict, &snapshot);
        self.gaps.step(verdict);
        let (past, tracks) = std::mem::take(&mut self.tracks).into_iter().partition(|track: &Track| track.is_past(self.number));
        self.tracks = tracks;
        self.past.extend(Vec::into_iter(past).map(|track: Track| track.incident));
        self.last = Some(snapshot);
    }

    /// Returns the incident, by its place among the tracks, that each finding belongs to; begins those that are new.
    fn assign(&mut self, verdict: &Verdict, claims: &[Claim<'_>], snapshot: &Arc<Snapshot>) -> Vec<usize> {
        let mut owners: Vec<Option<usize>> = claims.iter().map(|claim| self.continued(verdict, claim)).collect();
        for at in 0..claims.len() {
            if owners[at].is_none() {
                let taken: BTreeSet<usize> = owners.iter().flatten().copied().collect();
                let joined = self.joined(verdict, &claims[at], &taken);
                owners[at] = Some(joined.unwrap_or_else(|| self.begin(verdict, &claims[at], at, snapshot)));
            }
        }
        owners.into_iter().flatten().collect()
    }

    /// Finds the open incident of the same cause that is at the same place, or began within one interval.
    fn continued(&self, verdict: &Verdict, claim: &Claim<'_>) -> Option<usize> {
        let says_so = |track: &Track| track.incident.causes.iter().any(|span| span.cause == claim.finding.cause);
        let fits = |track: &Track| {
            track.closed_in.is_none() && says_so(track) && (same_place(claim, &track.cells, claim.finding.locus) || self.began_now(verdict, track))
        };
        self.best(claim, fits)
    }

    /// Finds the incident that a finding of another cause, or of one that ended lately, belongs to.
    fn joined(&self, verdict: &Verdict, claim: &Claim<'_>, taken: &BTreeSet<usize>) -> Option<usize> {
        let is_another_word = |track: &Track| {
            let common = shared(claim, &track.cells);
            common > 0 && common * 2 >= claim.cells.len().min(track.cells.len()) && may_replace(claim, track.incident.locus, track.incident.tier)
        };
        let together = |track: &Track| {
            let same_cause = track.incident.cause == claim.finding.cause;
            self.began_now(verdict, track) && (same_cause || same_place(claim, &track.cells, track.incident.locus))
        };
        let open = self.tracks.iter().enumerate().filter(|(_, track)| track.closed_in.is_none());
        let found =
            open.filter(|(at, track)| (!taken.contains(at) && is_another_word(track)) || together(track)).max_by_key(|(_, track)| shared(claim, &track.cells));
        let back = |track: &Track| {
            let said = track.incident.causes.iter().any(|span| span.cause == claim.finding.cause);
            track.closed_in.is_some() && (said && same_place(claim, &track.cells, claim.finding.locus) || is_another_word(track))
        };
        found.map(|(at, _)| at).or_else(|| self.best(claim, back))
    }

    fn best(&self, claim: &Claim<'_>, fits: impl Fn(&Track) -> bool) -> Option<usize> {
        let fitting = self.tracks.iter().enumerate().filter(|(_, track)| fits(track));
        fitting.max_by_key(|(_, track)| shared(claim, &track.cells)).map(|(at, _)| at)
    }

    fn began_now(&self, verdict: &Verdict, track: &Track) -> bool {
        let step = self.gaps.step_us();
        verdict.started_at.micros_since(track.incident.started_at) <= step + step / 2
    }

    fn begin(&mut self, verdict: &Verdict, claim: &Claim<'_>, nth: usize, snapshot: &Arc<Snapshot>) -> usize {
        let good = self.last_good(claim);
        self.tracks.push(Track::begin(verdict, claim, nth, snapshot, good.as_deref(), self.number == 1));
        // The cells are entered at once, so that the next finding of the round can see what place this one is about.
        let track = self.tracks.len() - 1;
        self.tracks[track].cells = claim.cells.iter().map(|key| (key.clone(), Default::default())).collect();
        track
    }

    /// Returns the last round in which the blamed cells passed; where they never did, in which their vantages passed anywhere.
    fn last_good(&self, claim: &Claim<'_>) -> Option<Arc<Snapshot>> {
        let newest = |cells: &mut dyn Iterator<Item = &Cell>| cells.filter_map(|cell| cell.good.clone()).max_by_key(|good| good.at);
        let vantages: BTreeSet<&Arc<str>> = claim.cells.iter().map(|key| &key.0).collect();
        newest(&mut claim.cells.iter().filter_map(|key| self.cells.get(key)))
            .or_else(|| newest(&mut self.cells.iter().filter(|(key, _)| vantages.contains(&key.0)).map(|(_, cell)| cell)))
    }

    fn step_cells(&mut self, verdict: &Verdict, heard: &[Heard], claims: &[Claim<'_>], snapshot: &Arc<Snapshot>) {
        let proven: BTreeSet<&Key> = claims.iter().filter(|claim| claim.finding.tier == Tier::Confirmed).flat_map(|claim| &claim.cells).collect();
        let blamed: BTreeSet<&Key> = claims.iter().flat_map(|claim| &claim.cells).collect();
        for heard in heard {
            let cell = self.cells.entry(heard.key.clone()).or_insert_with(|| Cell::new(verdict.started_at));
            cell.step(verdict.started_at, heard.sample, heard.passed, heard.attempts, proven.contains(&heard.key));
            cell.heard_in = self.number;
            if heard.sample == super::cell::Sample::Pass && !blamed.contains(&heard.key) {
                cell.good = Some(Arc::clone(snapshot));
            }
        }
    }

    fn step_tracks(&mut self, verdict: &Verdict, heard: &[Heard], claims: &[Claim<'_>], owners: &[usize], snapshot: &Arc<Snapshot>) {
        let by_key: BTreeMap<Key, &Heard> = heard.iter().map(|heard| (heard.key.clone(), heard)).collect();
        let explained: BTreeSet<&Key> = claims.iter().flat_map(|claim| &claim.cells).collect();
        let number = self.number;
        for (at, track) in self.tracks.iter_mut().enumerate() {
            let own: Vec<&Claim<'_>> = claims.iter().zip(owners).filter(|(_, owner)| **owner == at).map(|(claim, _)| claim).collect();
            if !own.is_empty() {
                track.fail(verdict, &own, snapshot, number);
            } else if track.closed_in.is_none() {
                track.rest(&Quiet { verdict, number, snapshot, heard: &by_key, explained: &explained });
            }
        }
    }

    /// Returns the incidents by their start, open and ended ones.
    pub fn incidents(&self) -> Vec<Incident> {
        let tracked = self.past.iter().chain(self.tracks.iter().map(|track| &track.incident)).cloned();
        let mut incidents: Vec<Incident> = tracked.chain(self.rollouts.incidents()).collect();
        incidents.sort_by_key(|incident| (incident.started_at, incident.cause, incident.id));
        incidents
    }

    /// Returns the whole time line; with `now` also the gap since the last round.
    pub fn timeline(&self, now: Option<Timestamp>) -> Timeline {
        Timeline { incidents: self.incidents(), gaps: self.gaps.all(now), cells: self.cells() }
    }

    /// Returns how the cells stand that the last rounds heard.
    pub(super) fn cells(&self) -> Vec<CellStanding> {
        let lately = |cell: &&Cell| usize::try_from(self.number - cell.heard_in).unwrap_or(usize::MAX) < super::cell::WINDOW;
        let standing = |((vantage, address, profile), cell): (&Key, &Cell)| CellStanding {
            vantage: vantage.to_string(),
            address: address.to_string(),
            profile: profile.to_string(),
            state: cell.state(),
            since: cell.since(),
            rate: cell.rate(),
        };
        self.cells.iter().filter(|(_, cell)| lately(cell)).map(standing).collect()
    }

    /// Returns the last round that was read.
    pub(super) fn last(&self) -> Option<&Arc<Snapshot>> {
        self.last.as_ref()
    }

    /// Returns the number of rounds that were read.
    pub(super) fn rounds(&self) -> u32 {
        self.number
    }
}
