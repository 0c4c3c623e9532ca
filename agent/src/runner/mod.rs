//! Running shares: queues, deadlines, interruption, and the note of what runs.

mod book;
mod follow;
mod journal;
mod look;
mod pace;
mod row;
mod share;
#[cfg(test)]
mod tests;

use std::{
    rc::Rc,
    sync::{Arc, Mutex, RwLock},
    time::Duration,
};

use parallax_model::{
    assignment::{Assignment, Work},
    facts::NotCompleted,
    id::{RoundId, VantageName},
    vantage::Responder,
};
use parallax_proto::v1::session_request::Message;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    time::{Instant, timeout_at},
};
use tracing::{debug, warn};

use book::Rounds;
pub(crate) use journal::{Begun, Journal};
pub(crate) use look::{Look, SystemLook};
use pace::Manners;
use share::{Share, Tools};

use crate::{fleet_clock::FleetClock, guard::Guard, server_log::ServerLog, spool::Spool, witness::Witness};

/// Runs shares, each to its end or to its deadline.
pub(crate) struct Runner<L> {
    tools: Rc<Tools<L>>,
    journal: Journal,
    rounds: Mutex<Rounds>,
    scheduled: Semaphore,
    ad_hoc: Semaphore,
    running: watch::Sender<u32>,
}

/// Which queue a share waits in: whoever watches an ad-hoc round never waits behind the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Rounds of the schedule.
    Scheduled,
    /// Rounds on request, and follow-ups.
    AdHoc,
}

/// What a runner works with.
pub(crate) struct Parts<L> {
    /// The seam to the probe engine.
    pub(crate) look: L,
    /// The witness, where this agent is one.
    pub(crate) witness: Option<Rc<Witness>>,
    /// The server's own log, where this agent reads it.
    pub(crate) log: Option<Rc<ServerLog>>,
    /// The site owner's policy.
    pub(crate) guard: Arc<Guard>,
    /// The coordinator's time.
    pub(crate) clock: Arc<FleetClock>,
    /// Where every attempt goes.
    pub(crate) spool: Spool,
    /// Where progress goes that somebody watches.
    pub(crate) outgoing: mpsc::Sender<Message>,
    /// This vantage.
    pub(crate) vantage: VantageName,
    /// The note of what runs.
    pub(crate) journal: Journal,
    /// The site owner's cap on connections a second to one target.
    pub(crate) max_rate: Option<u32>,
}

impl<L: Look> Runner<L> {
    /// Makes a runner that does nothing yet.
    pub(crate) fn new(parts: Parts<L>) -> Rc<Self> {
        let Parts { look, witness, log, guard, clock, spool, outgoing, vantage, journal, max_rate } = parts;
        let tools = Tools { look, witness, log, guard, clock, spool, outgoing, vantage, responders: RwLock::default(), manners: Manners::new(max_rate) };
        Rc::new(Self {
            tools: Rc::new(tools),
            journal,
            rounds: Mutex::default(),
            scheduled: Semaphore::new(SCHEDULED_SHARES),
            ad_hoc: Semaphore::new(AD_HOC_SHARES),
            running: watch::Sender::new(0),
        })
    }

    /// Starts a share in the background, on this thread; one that was begun before is not begun again.
    pub(crate) fn start(self: &Rc<Self>, assignment: Assignment, queue: Queue) {
        let Some((book, call_off)) = self.rounds().enter(&assignment) else {
            debug!(round = %assignment.round, "share was begun before");
            return;
        };
        self.running.send_modify(|running| *running += 1);
        let runner = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let share = Rc::new(Share::new(Rc::clone(&runner.tools), assignment, book));
            runner.run(&share, queue, call_off).await;
            runner.running.send_modify(|running| *running -= 1);
        });
    }

    /// Records a share whose window passed before it could begin.
    pub(crate) async fn skip_late(&self, assignment: &Assignment) {
        self.not_run(assignment, NotCompleted::SkippedLate).await;
    }

    /// Reports a share that is not begun at all.
    pub(crate) async fn decline(&self, round: RoundId, follow_up: bool, reason: NotCompleted) {
        self.tools.keep_done(round, follow_up, Some(reason)).await;
    }

    /// Records shares that an earlier run of the agent had begun and not ended.
    pub(crate) async fn report_interrupted(&self, left: Vec<Begun>) {
        for Begun { round, check, profile, follow_up } in left {
            warn!(%round, "share was interrupted by the agent's end");
            self.tools.keep_not_completed(round, check, &profile, NotCompleted::Interrupted);
            self.tools.keep_done(round, follow_up, Some(NotCompleted::Interrupted)).await;
        }
        self.journal.clear();
    }

    /// Gives up the shares of a round.
    pub(crate) fn cancel(&self, round: RoundId) {
        self.rounds().call_off(round, NotCompleted::Cancelled);
    }

    /// Gives up everything that runs; it is reported as interrupted.
    pub(crate) fn interrupt(&self) {
        self.rounds().call_off_all(NotCompleted::Interrupted);
    }

    /// Sets the coordinator's cap on connections a second to one target; 0 lifts it.
    pub(crate) fn throttle(&self, connections_per_second: u32) {
        self.tools.manners.throttle(connections_per_second);
    }

    /// Replaces the fleet's responders.
    pub(crate) fn set_responders(&self, responders: Vec<Responder>) {
        self.tools.guard.set_responders(responders.iter().flat_map(|responder| responder.addresses.iter().copied()));
        *self.tools.responders.write().expect("no code panics while it holds this lock") = responders;
    }

    /// Returns how many shares run or wait.
    pub(crate) fn running(&self) -> watch::Receiver<u32> {
        self.running.subscribe()
    }

    async fn run(&self, share: &Rc<Share<L>>, queue: Queue, mut call_off: watch::Receiver<Option<NotCompleted>>) {
        let assignment = &share.assignment;
        let place = match queue {
            Queue::Scheduled => &self.scheduled,
            Queue::AdHoc => &self.ad_hoc,
        };
        let _place = place.acquire().await.ok();
        let now = self.tools.clock.now();
        let Ok(left_us @ 1..) = u64::try_from(assignment.deadline.micros_since(now)) else {
            return self.not_run(assignment, NotCompleted::SkippedLate).await;
        };
        let ticket = self.journal.begin(begun(assignment));
        let left = Duration::from_micros(left_us);
        let ends = Instant::now() + left - MARGIN.min(left / 10);
        let reason = tokio::select! {
            biased;
            reason = called_off(&mut call_off) => Some(reason),
            done = timeout_at(ends, work(share, left)) => done.err().map(|_| NotCompleted::OverLimit),
        };
        if let Some(reason @ (NotCompleted::Interrupted | NotCompleted::Cancelled)) = reason {
            self.tools.keep_not_completed(assignment.round, assignment.check.id, &begun(assignment).profile, reason);
        }
        self.tools.keep_done(assignment.round, matches!(assignment.work, Work::FollowUp(_)), reason).await;
        self.journal.end(ticket);
    }

    async fn not_run(&self, assignment: &Assignment, reason: NotCompleted) {
        let Begun { round, check, profile, follow_up } = begun(assignment);
        self.tools.keep_not_completed(round, check, &profile, reason);
        self.tools.keep_done(round, follow_up, Some(reason)).await;
    }

    fn rounds(&self) -> std::sync::MutexGuard<'_, Rounds> {
        self.rounds.lock().expect("no code panics while it holds this lock")
    }
}

async fn work<L: Look>(share: &Rc<Share<L>>, left: Duration) {
    let begun = Instant::now();
    match &share.assignment.work {
        Work::Row => {
            let seen = row::look(share).await;
            // What a row on request has is its own; of a scheduled round the coordinator needs the rest for comparison and verdict.
            let explain_share = if share.assignment.live { LIVE_EXPLAIN_SHARE } else { EXPLAIN_SHARE };
            let until = begun + left.mul_f64(explain_share);
            // Of attempts side by side, those that pass end first: cut off there, only they would be told.
            let grace = Duration::from_millis(share.assignment.check.limits.attempt_ms).min(left.mul_f64(GRACE_SHARE));
            let _ = timeout_at(until + grace, follow::explain(share, seen, until)).await;
        }
        Work::FollowUp(tasks) => follow::run(share, tasks).await,
    }
}

async fn called_off(call_off: &mut watch::Receiver<Option<NotCompleted>>) -> NotCompleted {
    match call_off.wait_for(Option::is_some).await.map(|reason| *reason) {
        Ok(Some(reason)) => reason,
        // The round was forgotten for newer ones, nobody can call it off any more.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

fn begun(assignment: &Assignment) -> Begun {
    let check = &assignment.check;
    let first = check.profiles.first().cloned();
    let profile = first.unwrap_or_else(|| parallax_model::profile::REQUIRED_PROFILE.parse().expect("built-in names are names"));
    Begun { round: assignment.round, check: check.id, profile, follow_up: matches!(assignment.work, Work::FollowUp(_)) }
}

const SCHEDULED_SHARES: usize = 32;
const AD_HOC_SHARES: usize = 16;
/// The report must reach the coordinator before the deadline.
const MARGIN: Duration = Duration::from_secs(1);
/// How much of a scheduled round is spent on its row and the explanation of failures.
const EXPLAIN_SHARE: f64 = 0.6;
/// How much of a row on request, whose deadline leaves the coordinator its time, is.
const LIVE_EXPLAIN_SHARE: f64 = 0.8;
/// How much more of it at most what is under way by then may take to end.
const GRACE_SHARE: f64 = 0.15;
