//! What must hold over all shares of one round: the numbering of tries and the budget of connections.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use parallax_model::{
    assignment::{Assignment, Experiment, Work},
    facts::NotCompleted,
    id::{ProfileName, RoundId},
};
use tokio::sync::watch;

type Cell = (ProfileName, Experiment, Option<SocketAddr>);

/// The account of one round.
#[derive(Debug)]
pub(super) struct RoundBook {
    tries: Mutex<HashMap<Cell, u32>>,
    connections_left: AtomicI64,
    has_failed: AtomicBool,
}

impl RoundBook {
    fn new(connections: u32) -> Arc<Self> {
        Arc::new(Self { tries: Mutex::default(), connections_left: AtomicI64::new(i64::from(connections)), has_failed: AtomicBool::new(false) })
    }

    /// Returns the number of the next try of a cell and experiment, from 0.
    pub(super) fn number(&self, profile: &ProfileName, experiment: Experiment, address: Option<SocketAddr>) -> u32 {
        let mut tries = self.tries.lock().expect("no code panics while it holds this lock");
        let next = tries.entry((profile.clone(), experiment, address)).or_insert(0);
        *next += 1;
        *next - 1
    }

    /// Returns how many connections the round may still open.
    pub(super) fn connections_left(&self) -> u32 {
        u32::try_from(self.connections_left.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Takes one connection out of the budget; false when it is used up.
    pub(super) fn take_connection(&self) -> bool {
        self.connections_left.fetch_sub(1, Ordering::Relaxed) > 0
    }

    /// Takes out what an attempt used beyond its first connection.
    pub(super) fn charge(&self, connections: u32) {
        self.connections_left.fetch_sub(i64::from(connections), Ordering::Relaxed);
    }

    /// Notes that something failed at the target, from when on connections are paced.
    pub(super) fn note_failure(&self) {
        self.has_failed.store(true, Ordering::Relaxed);
    }

    /// Tells whether something failed at the target.
    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

/// The rounds that were begun lately, so that nothing runs twice and all shares of one count together.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    order: VecDeque<RoundId>,
    known: HashMap<RoundId, Known>,
}

#[derive(Debug)]
struct Known {
    book: Arc<RoundBook>,
    begun: Vec<Work>,
    call_off: watch::Sender<Option<NotCompleted>>,
}

impl Rounds {
    /// Enters a share; none when the same was entered before.
    pub(super) fn enter(&mut self, assignment: &Assignment) -> Option<(Arc<RoundBook>, watch::Receiver<Option<NotCompleted>>)> {
        if !self.known.contains_key(&assignment.round) {
            if self.order.len() == KNOWN_ROUNDS
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
            let book = RoundBook::new(assignment.check.limits.connections);
            self.order.push_back(assignment.round);
            self.known.insert(assignment.round, Known { book, begun: Vec::new(), call_off: watch::Sender::new(None) });
        }
        let known = self.known.get_mut(&assignment.round)?;
        if known.begun.contains(&assignment.work) {
            return None;
        }
        known.begun.push(assignment.work.clone());
        Some((Arc::clone(&known.book), known.call_off.subscribe()))
    }

    /// Calls off the shares of one round.
    pub(super) fn call_off(&self, round: RoundId, reason: NotCompleted) {
        if let Some(known) = self.known.get(&round) {
            known.call_off.send_replace(Some(reason));
        }
    }

    /// Calls off the shares of every round.
    pub(super) fn call_off_all(&self, reason: NotCompleted) {
        for known in self.known.values() {
            known.call_off.send_replace(Some(reason));
        }
    }
}

const KNOWN_ROUNDS: usize = 256;
