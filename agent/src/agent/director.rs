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

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::BTreeMap};

    use parallax_model::{
        cadence::Cadence,
        check::Check,
        clock::{Clock, ManualClock},
        facts::{DnsFacts, Facts, ResolverKind},
        id::{BootId, RoundId},
        target::Target,
    };
    use parallax_probe::{Plan, Resolver};
    use parallax_proto::wire;
    use tokio::{sync::oneshot, task::LocalSet};

    use super::*;
    use crate::{
        fleet_clock::Exchange,
        guard::Guard,
        runner::{Journal, Parts},
        spool::{Caps, Piece, Spool},
        testing::fleet::Fleet,
    };

    /// Resolves nothing, and notes when it was asked.
    #[derive(Default, Clone)]
    struct Lookups(Rc<RefCell<Vec<Timestamp>>>, Option<Arc<FleetClock>>);

    impl Look for Lookups {
        async fn resolve(&self, target: &Target, _resolver: &Resolver, _limit: Duration) -> DnsFacts {
            self.0.borrow_mut().extend(self.1.as_ref().map(|clock| clock.now()));
            DnsFacts::empty(target.host.to_string(), ResolverKind::System)
        }

        async fn run(&self, _plan: &Plan) -> Facts {
            Facts::default()
        }
    }

    struct World {
        lookups: Lookups,
        director: Director<Lookups>,
        orders: mpsc::UnboundedSender<Order>,
        inbox: mpsc::UnboundedReceiver<Order>,
        outgoing: mpsc::Receiver<Message>,
        clock: Arc<FleetClock>,
        spool: Spool,
        fleet: Fleet,
        _dir: tempfile::TempDir,
    }

    const START: i64 = 1_800_000_000_000_000;

    fn check(every_s: u64) -> Check {
        let mut check = Check::once("shop.example.test".parse().unwrap(), Timestamp::from_micros(0));
        check.cadence = Cadence::every(Duration::from_secs(every_s)).unwrap();
        check
    }

    fn set(checks: &[Check]) -> v1::AssignmentSet {
        let checks = checks.iter().map(|check| v1::ScheduledCheck { check: Some(check.into()), rank: 0, vantages: 1 }).collect();
        v1::AssignmentSet { revision: 5, checks, responders: vec![], vantage: "fra-1".to_owned() }
    }

    /// An agent whose wall clock stands still, as a coordinator that it once heard is all it needs.
    fn world(cached: &[Check]) -> World {
        let dir = tempfile::tempdir().unwrap();
        let fleet = Fleet::new();
        let name: VantageName = "fra-1".parse().unwrap();
        let sealed = || Sealed::new(dir.path(), fleet.assignment_key(), "fra-1".parse().unwrap());
        sealed().accept(&fleet.sign(&set(cached))).unwrap();
        let wall: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::from_micros(7)));
        let clock = Arc::new(FleetClock::new(wall, None));
        let stated = Timestamp::from_micros(START);
        clock.learn(&Exchange { sent: Instant::now(), received: stated, answered: stated, arrived: Instant::now() });
        let spool = Spool::open(&dir.path().join("spool"), BootId::new(), Caps::default()).unwrap();
        let (outgoing, sent) = mpsc::channel(64);
        let lookups = Lookups(Rc::default(), Some(Arc::clone(&clock)));
        let runner = Runner::new(Parts {
            look: lookups.clone(),
            witness: None,
            log: None,
            guard: Arc::new(Guard::new(vec![], vec![])),
            clock: Arc::clone(&clock),
            spool: spool.clone(),
            outgoing: outgoing.clone(),
            vantage: name.clone(),
            journal: Journal::open(dir.path()).unwrap().0,
            max_rate: None,
        });
        let director = Director::new(sealed(), name, Arc::clone(&clock), runner, outgoing);
        let (orders, inbox) = mpsc::unbounded_channel();
        World { lookups, director, orders, inbox, outgoing: sent, clock, spool, fleet, _dir: dir }
    }

    async fn ends(spool: &Spool) -> BTreeMap<String, u32> {
        let (mut at, mut reasons) = (0, BTreeMap::new());
        while let Some(piece) = spool.read(at).await {
            at = piece.next();
            if let Piece::ShareDone { payload, .. } = piece {
                *reasons.entry(wire::decode::<v1::ShareDone>(&payload).unwrap().not_completed).or_insert(0) += 1;
            }
        }
        reasons
    }

    #[tokio::test(start_paused = true)]
    async fn a_day_without_the_coordinator_loses_no_round() {
        LocalSet::new()
            .run_until(async {
                let world = world(&[check(600)]);
                assert_eq!(*world.director.revision().borrow(), 5);
                let ended = world.director.run(world.inbox, sleep(Duration::from_secs(86_430))).await;
                assert!(matches!(ended, Ended::Stopped));
                assert_eq!(ends(&world.spool).await, BTreeMap::from([(String::new(), 144)]));
                let lookups = world.lookups.0.borrow();
                let begins: Vec<i64> = lookups.iter().map(|at| at.as_micros() % 600_000_000).collect();
                assert!(begins.iter().all(|begin| *begin < 1_000_000), "every share began with its round: {begins:?}");
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_correction_of_the_clock_bunches_nothing() {
        LocalSet::new()
            .run_until(async {
                let world = world(&[check(600)]);
                let clock = Arc::clone(&world.clock);
                tokio::task::spawn_local(async move {
                    sleep(Duration::from_secs(1_000)).await;
                    let a_year_on = Timestamp::from_micros(START + 365 * 86_400_000_000);
                    clock.learn(&Exchange { sent: Instant::now(), received: a_year_on, answered: a_year_on, arrived: Instant::now() });
                });
                world.director.run(world.inbox, sleep(Duration::from_secs(3_000))).await;
                let ends = ends(&world.spool).await;
                assert_eq!(ends.keys().collect::<Vec<_>>(), [""], "nothing counts as late: {ends:?}");
                assert!((4..=5).contains(&ends[""]), "{ends:?}");
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn orders_are_followed_and_a_drain_ends_the_agent() {
        LocalSet::new()
            .run_until(async {
                let mut world = world(&[]);
                let order = |order| world.orders.send(order).unwrap();
                order(Order::Assignments(world.fleet.sign(&set(&[check(600), check(60)]))));
                order(Order::Assignments(Fleet::new().sign(&set(&[]))));
                let run = |round: RoundId, check: v1::Check| {
                    let round_id = round.0.as_bytes().to_vec();
                    Order::Run(Box::new(v1::Assignment {
                        round_id,
                        check: Some(check),
                        start_us: START,
                        deadline_us: START + 60_000_000,
                        ..Default::default()
                    }))
                };
                order(run(RoundId::new(), (&check(60)).into()));
                order(run(RoundId::new(), v1::Check { profiles: vec!["from-the-future".to_owned()], ..(&check(60)).into() }));
                let (stop, stopped) = oneshot::channel::<()>();
                let revision = world.director.revision();
                let orders = world.orders.clone();
                tokio::task::spawn_local(async move {
                    sleep(Duration::from_secs(30)).await;
                    orders.send(Order::Drain).unwrap();
                });
                let ended = world.director.run(world.inbox, async { drop(stopped.await) }).await;
                assert!(matches!(ended, Ended::Drained), "{ended:?}");
                drop(stop);
                assert_eq!(*revision.borrow(), 5);
                assert!(matches!(world.outgoing.try_recv(), Ok(Message::AssignmentAck(ack)) if ack.revision == 5));
                assert!(world.outgoing.try_recv().is_err(), "what another fleet signed is not acknowledged");
                let ends = ends(&world.spool).await;
                assert_eq!(ends["unsupported"], 1, "what cannot be run is said: {ends:?}");
                assert!(ends[""] >= 1, "{ends:?}");
            })
            .await;
    }
}
