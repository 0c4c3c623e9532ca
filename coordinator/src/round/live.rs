//! Rounds as the coordinator holds them in memory while they matter.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use parallax_model::{
    check::Check,
    clock::Timestamp,
    id::{RoundId, VantageName},
    verdict::Verdict,
};
use parallax_proto::v1;
use parallax_store::{RoundRecord, ShareState};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

/// One round that is under way or was touched lately.
#[derive(Debug)]
pub(crate) struct Live {
    /// The round.
    pub(crate) id: RoundId,
    /// The check as it stood when the round was opened.
    pub(crate) check: Check,
    /// When it started.
    pub(crate) start: Timestamp,
    /// When it has to be over.
    pub(crate) deadline: Timestamp,
    /// Whether an operator asked for it.
    pub(crate) adhoc: bool,
    /// Who takes part.
    pub(crate) members: BTreeSet<VantageName>,
    /// Called off by the operator who asked for it.
    pub(crate) cancelled: CancellationToken,
    progress: Mutex<Progress>,
    changed: watch::Sender<()>,
    events: broadcast::Sender<Event>,
}

#[derive(Debug, Default)]
struct Progress {
    rows_done: BTreeSet<VantageName>,
    follow_ups_due: BTreeSet<VantageName>,
    driven: bool,
    closed: bool,
    results: u64,
}

/// What happens in a round, for those who watch.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// An attempt ended; not durable.
    Attempt(Box<v1::Attempt>),
    /// A share ended.
    Done {
        /// Whose.
        vantage: VantageName,
        /// Whether it was follow-up work.
        follow_up: bool,
    },
    /// A step in words.
    Note(String),
    /// The end: the verdict.
    Verdict(Arc<Verdict>),
    /// The end: every vantage's own policy refuses the target; the addresses that were refused.
    Refused(Vec<String>),
    /// The end: the round could not be judged; why.
    Failed(String),
}

impl Live {
    /// Takes over a round as it is stored.
    pub(crate) fn of_record(record: &RoundRecord) -> Self {
        let rows_done = record.vantages.iter().filter(|vantage| !matches!(vantage.share, ShareState::Assigned | ShareState::Missed));
        let progress =
            Progress { rows_done: rows_done.map(|vantage| vantage.name.clone()).collect(), closed: record.closed_at.is_some(), ..Progress::default() };
        Self {
            id: record.id,
            check: record.check.clone(),
            start: record.started_at,
            deadline: record.deadline,
            adhoc: record.adhoc,
            members: record.vantages.iter().map(|vantage| vantage.name.clone()).collect(),
            cancelled: CancellationToken::new(),
            progress: Mutex::new(progress),
            changed: watch::channel(()).0,
            events: broadcast::channel(EVENTS).0,
        }
    }

    /// Records that a vantage's row is complete.
    pub(crate) fn row_done(&self, vantage: &VantageName) {
        self.progress().rows_done.insert(vantage.clone());
        self.changed.send_replace(());
    }

    /// Records that follow-up work was ordered from a vantage.
    pub(crate) fn follow_up_due(&self, vantage: &VantageName) {
        self.progress().follow_ups_due.insert(vantage.clone());
    }

    /// Records that a vantage's follow-up work is complete.
    pub(crate) fn follow_up_done(&self, vantage: &VantageName) {
        self.progress().follow_ups_due.remove(vantage);
        self.changed.send_replace(());
    }

    /// Tells whether a share is complete.
    pub(crate) fn is_done(&self, vantage: &VantageName, follow_up: bool) -> bool {
        let progress = self.progress();
        if follow_up { !progress.follow_ups_due.contains(vantage) } else { progress.rows_done.contains(vantage) }
    }

    /// Records that something of the round was stored; tells whether somebody is in charge, who will see it.
    pub(crate) fn result_stored(&self) -> bool {
        let mut progress = self.progress();
        progress.results += 1;
        progress.driven
    }

    /// Counts what was recorded as stored.
    pub(crate) fn results(&self) -> u64 {
        self.progress().results
    }

    /// Takes charge of the round; false when somebody else has it or it is closed.
    pub(crate) fn take_charge(&self) -> bool {
        let mut progress = self.progress();
        let free = !progress.driven && !progress.closed;
        progress.driven |= free;
        free
    }

    /// Gives the round back, closed or not.
    pub(crate) fn release(&self, closed: bool) {
        let mut progress = self.progress();
        progress.driven = false;
        progress.closed |= closed;
    }

    /// Tells whether somebody is in charge, who will judge by himself.
    pub(crate) fn is_driven(&self) -> bool {
        self.progress().driven
    }

    /// Returns what changes whenever a share ends.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Tells those who watch.
    pub(crate) fn tell(&self, event: Event) {
        // Nobody watching is no failure.
        let _ = self.events.send(event);
    }

    /// Begins to watch.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rounds that are held in memory, and those among them that got results after they were judged.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    known: Mutex<BTreeMap<RoundId, Arc<Live>>>,
    dirty: Mutex<HashMap<RoundId, Dirty>>,
}

#[derive(Debug, Clone, Copy)]
struct Dirty {
    first: Instant,
    last: Instant,
}

impl Rounds {
    /// Returns a round that is held.
    pub(crate) fn find(&self, id: RoundId) -> Option<Arc<Live>> {
        self.known().get(&id).cloned()
    }

    /// Holds a round; the oldest closed ones make room.
    pub(crate) fn keep(&self, live: Live) -> Arc<Live> {
        let mut known = self.known();
        if known.len() >= HELD {
            let idle: Vec<RoundId> = known.values().filter(|live| !live.is_driven()).map(|live| live.id).take(HELD / 8).collect();
            idle.iter().for_each(|id| drop(known.remove(id)));
        }
        Arc::clone(known.entry(live.id).or_insert_with(|| Arc::new(live)))
    }

    /// Returns how many rounds somebody is in charge of.
    pub(crate) fn under_way(&self) -> usize {
        self.known().values().filter(|live| live.is_driven()).count()
    }

    /// Records that a round got results that no verdict knows.
    pub(crate) fn touch(&self, id: RoundId) {
        let now = Instant::now();
        let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.entry(id).or_insert(Dirty { first: now, last: now }).last = now;
    }

    /// Takes out the rounds that got no further results for `quiet`, or that wait for longer than `patience`.
    pub(crate) fn settled(&self, quiet: Duration, patience: Duration) -> Vec<RoundId> {
        let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ripe: Vec<RoundId> =
            dirty.iter().filter(|(_, since)| since.last.elapsed() >= quiet || since.first.elapsed() >= patience).map(|(id, _)| *id).collect();
        dirty.retain(|id, _| !ripe.contains(id));
        ripe.sort_unstable();
        ripe
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<RoundId, Arc<Live>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events that a slow watcher may lag behind; an ad-hoc round of a hundred vantages makes about so many attempts.
const EVENTS: usize = 4_096;
/// Rounds in memory: an hour of a check every second.
const HELD: usize = 4_096;
