//! Turns orders and the passing of time into shares.

use std::{future::Future, pin::pin, rc::Rc, sync::Arc, time::Duration};

use parallax_model::{assignment::Assignment, clock::Timestamp, facts::NotCompleted, id::VantageName, vantage::Responder};
use parallax_proto::{
    convert::round_id,
    v1::{self, session_request::Message},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tracing::{error, info, warn};

use crate::{
    fleet_clock::FleetClock,
    runner::{Look, Queue, Runner},
    schedule::{Schedule, Sealed, open_set},
    session::Order,
    telemetry::with_sources,
};

/// How the agent's work ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// A signal came.
    Stopped,
    /// The operator drained the vantage, and everything that ran has ended.
    Drained,
    /// The coordinator banned it.
    Revoked(String),
}

/// Holds the schedule and gives work to the runner.
pub(super) struct Director<L> {
    sealed: Sealed,
    schedule: Schedule,
    clock: Arc<FleetClock>,
    runner: Rc<Runner<L>>,
    outgoing: mpsc::Sender<Message>,
    revision: watch::Sender<u64>,
    last: (Instant, Timestamp),
    is_draining: bool,
}

impl<L: Look> Director<L> {
    /// Starts with the assignments on disk.
    pub(super) fn new(sealed: Sealed, vantage: VantageName, clock: Arc<FleetClock>, runner: Rc<Runner<L>>, outgoing: mpsc::Sender<Message>) -> Self {
        let last = (Instant::now(), clock.now());
        let revision = watch::Sender::new(0);
        let mut director = Self { schedule: Schedule::new(vantage), sealed, clock, runner, outgoing, revision, last, is_draining: false };
        match director.sealed.load() {
            Ok(Some(set)) => drop(director.adopt(&set)),
            Ok(None) => {}
            Err(problem) => warn!("the assignments on disk are not used, the coordinator will send them again: {}", with_sources(&problem)),
        }
        director
    }

    /// Returns the revision of the assignments that are held.
    pub(super) fn revision(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Works until `stop` is ready or an order ends the agent.
    pub(super) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>, stop: impl Future<Output = ()>) -> Ended {
        let mut stop = pin!(stop);
        let mut running = self.runner.running();
        loop {
            self.begin_due().await;
            let pause = self.pause();
            tokio::select! {
                biased;
                () = &mut stop => return Ended::Stopped,
                order = orders.recv() => match order {
                    Some(Order::Revoked(reason)) => return Ended::Revoked(reason),
                    Some(order) => self.follow(order).await,
                    None => return Ended::Stopped,
                },
                _ = running.wait_for(|running| *running == 0), if self.is_draining => return Ended::Drained,
                () = sleep(pause) => {}
            }
        }
    }

    async fn begin_due(&mut self) {
        let now = self.clock.now();
        if self.clock_was_corrected(now) {
            self.schedule.rebase(now);
        }
        for due in self.schedule.due(now) {
            if due.is_late {
                self.runner.skip_late(&due.assignment).await;
            } else if !self.is_draining {
                self.runner.start(due.assignment, Queue::Scheduled);
            }
        }
    }

    /// Returns how long nothing is due; at most a second, so that a correction of the clock is soon noticed.
    fn pause(&self) -> Duration {
        let until = self.schedule.next_begin().map(|begin| begin.micros_since(self.clock.now()));
        Duration::from_micros(until.map_or(u64::MAX, |micros| u64::try_from(micros).unwrap_or(0))).min(MOST_PAUSE)
    }

    fn clock_was_corrected(&mut self, now: Timestamp) -> bool {
        let expected = self.last.1 + self.last.0.elapsed();
        self.last = (Instant::now(), now);
        now.micros_since(expected).unsigned_abs() > u64::try_from(CORRECTION.as_micros()).unwrap_or(u64::MAX)
    }

    async fn follow(&mut self, order: Order) {
        match order {
            Order::Assignments(sealed) => match self.sealed.accept(&sealed) {
                Ok(set) => {
                    let rejections = self.adopt(&set);
                    let ack = v1::AssignmentAck { revision: set.revision, rejections };
                    let _ = self.outgoing.try_send(Message::AssignmentAck(ack));
                }
                Err(problem) => error!("assignments are not taken: {}", with_sources(&problem)),
            },
            Order::Responders(responders) => self.adopt_responders(responders),
            Order::Run(message) => self.begin(*message).await,
            Order::Cancel(round) => self.runner.cancel(round),
            Order::Throttle(connections_per_second) => self.runner.throttle(connections_per_second),
            Order::Drain => {
                info!("draining: finishing what runs, then stopping");
                self.is_draining = true;
            }
            Order::Revoked(_) => {}
        }
    }

    async fn begin(&self, message: v1::Assignment) {
        let round = round_id(&message.round_id, "round_id");
        let follow_up = message.follow_up;
        match (Assignment::try_from(message), round) {
            (Ok(assignment), _) if !self.is_draining => self.runner.start(assignment, Queue::AdHoc),
            (Ok(assignment), _) => self.runner.decline(assignment.round, follow_up, NotCompleted::Cancelled).await,
            (Err(problem), Ok(round)) => {
                warn!(%round, %problem, "a share cannot be run by this build");
                self.runner.decline(round, follow_up, NotCompleted::Unsupported).await;
            }
            (Err(problem), Err(_)) => warn!(%problem, "a share cannot be read"),
        }
    }

    fn adopt(&mut self, set: &v1::AssignmentSet) -> Vec<v1::Rejection> {
        let (checks, rejections) = open_set(set);
        self.schedule.replace(checks, self.clock.now());
        self.adopt_responders(set.responders.clone());
        self.revision.send_replace(set.revision);
        info!(revision = set.revision, checks = self.schedule.len(), "schedule in force");
        rejections
    }

    fn adopt_responders(&self, messages: Vec<v1::Responder>) {
        let readable = |message| Responder::try_from(message).inspect_err(|problem| warn!(%problem, "a responder cannot be read")).ok();
        self.runner.set_responders(messages.into_iter().filter_map(readable).collect());
    }
}

const MOST_PAUSE: Duration = Duration::from_secs(1);
/// A larger difference between two clocks than a second of rounding and drift is a correction, not a delay.
const CORRECTION: Duration = Duration::from_secs(2);
