//! Manners towards a target: how many connections at a time, and how fast once something failed.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

/// Limits of this agent over all its shares.
#[derive(Debug)]
pub(super) struct Manners {
    everything: Arc<Semaphore>,
    targets: Mutex<HashMap<String, Weak<Gate>>>,
    throttle: AtomicU32,
    /// The site owner's cap on connections a second to one target.
    most: Option<u32>,
}

/// Limits towards one target.
#[derive(Debug)]
pub(super) struct Gate {
    in_flight: Arc<Semaphore>,
    next: Mutex<Option<Instant>>,
}

/// Leave to open one connection; the place is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Leave {
    _places: [Option<OwnedSemaphorePermit>; 2],
}

impl Manners {
    /// Makes limits; `most` is the site owner's cap on connections a second to one target.
    pub(super) fn new(most: Option<u32>) -> Self {
        Self { everything: Arc::new(Semaphore::new(PER_AGENT)), targets: Mutex::default(), throttle: AtomicU32::new(0), most }
    }

    /// Sets the coordinator's cap on connections a second to one target; 0 lifts it.
    pub(super) fn throttle(&self, connections_per_second: u32) {
        self.throttle.store(connections_per_second, Ordering::Relaxed);
    }

    /// Returns the gate of a target, the same for all shares that probe it now.
    pub(super) fn gate(&self, authority: &str) -> Arc<Gate> {
        let mut targets = self.targets.lock().expect("no code panics while it holds this lock");
        if let Some(gate) = targets.get(authority).and_then(Weak::upgrade) {
            return gate;
        }
        targets.retain(|_, gate| gate.strong_count() > 0);
        let gate = Arc::new(Gate { in_flight: Arc::new(Semaphore::new(PER_TARGET)), next: Mutex::new(None) });
        targets.insert(authority.to_owned(), Arc::downgrade(&gate));
        gate
    }

    /// Returns the cap on connections a second to one target that holds: the least of the check's, the coordinator's and the site owner's.
    pub(super) fn cap(&self, pace: Option<u32>) -> Option<u32> {
        let throttle = Some(self.throttle.load(Ordering::Relaxed)).filter(|cap| *cap > 0);
        [pace, throttle, self.most].into_iter().flatten().min()
    }

    /// Returns how many turns that nobody took may be made up for: none where it is not the check's own pace that holds.
    fn burst(&self, pace: Option<u32>) -> u32 {
        if self.cap(pace) == pace && self.cap(None) != pace { BURST } else { 0 }
    }

    /// Counts connections beyond the first that an attempt made: where they are capped, what follows waits.
    pub(super) fn charge(&self, gate: &Gate, pace: Option<u32>, connections: u32) {
        if let Some(cap) = self.cap(pace) {
            gate.turns(cap, self.burst(pace), connections);
        }
    }

    /// Waits for leave to open a connection; `pace` is the cap a second that holds since the first failure, none before it.
    pub(super) async fn leave(&self, gate: &Gate, pace: Option<u32>) -> Leave {
        let of_target = Arc::clone(&gate.in_flight).acquire_owned().await.ok();
        let of_agent = Arc::clone(&self.everything).acquire_owned().await.ok();
        if let Some(cap) = self.cap(pace) {
            sleep_until(gate.turns(cap, self.burst(pace), 1)).await;
        }
        Leave { _places: [of_target, of_agent] }
    }
}

impl Gate {
    /// Takes turns and returns when the first of them is due.
    fn turns(&self, connections_per_second: u32, burst: u32, turns: u32) -> Instant {
        let each = Duration::from_secs(1) / connections_per_second.max(1);
        let now = Instant::now();
        let earliest = now.checked_sub(each * burst).unwrap_or(now);
        let mut next = self.next.lock().expect("no code panics while it holds this lock");
        let turn = next.map_or(earliest, |next| next.max(earliest));
        *next = Some(turn + each * turns);
        turn
    }
}

const PER_TARGET: usize = 8;
const PER_AGENT: usize = 128;
/// Connections that may be made at once where turns were left unused: attempts that wait for silence cost no further time, and a drill-down begins at once.
const BURST: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_target_sees_eight_connections_at_a_time() {
        let manners = Manners::new(None);
        let gate = manners.gate("a.test:443");
        let mut held = Vec::new();
        for _ in 0..PER_TARGET {
            held.push(manners.leave(&gate, None).await);
        }
        let ninth = tokio::time::timeout(Duration::from_secs(60), manners.leave(&gate, None)).await;
        assert!(ninth.is_err(), "the ninth waits");
        manners.leave(&manners.gate("b.test:443"), None).await;
        held.pop();
        manners.leave(&gate, None).await;
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_connections_are_paced_over_all_shares() {
        let manners = Manners::new(None);
        let (one, two) = (manners.gate("a.test:443"), manners.gate("a.test:443"));
        let started = Instant::now();
        for _ in 0..10 {
            manners.leave(&one, Some(20)).await;
            manners.leave(&two, Some(20)).await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO, "the first ones were left unused before");
        manners.charge(&one, Some(20), 40);
        manners.leave(&two, Some(20)).await;
        assert_eq!(started.elapsed(), Duration::from_millis(2_000), "a walk of forty connections takes forty turns");
    }

    #[tokio::test(start_paused = true)]
    async fn the_coordinators_cap_holds_from_the_start_and_knows_no_burst() {
        let manners = Manners::new(None);
        let gate = manners.gate("a.test:443");
        manners.throttle(1);
        let started = Instant::now();
        for pace in [Some(20), None, Some(1)] {
            manners.leave(&gate, pace).await;
        }
        assert_eq!(started.elapsed(), Duration::from_millis(2_000));
    }

    #[tokio::test(start_paused = true)]
    async fn the_site_owners_cap_holds_whatever_the_others_allow() {
        let manners = Manners::new(Some(10));
        let gate = manners.gate("a.test:443");
        let started = Instant::now();
        for pace in [None, Some(20), None] {
            manners.leave(&gate, pace).await;
        }
        assert_eq!(started.elapsed(), Duration::from_millis(200));
        manners.charge(&gate, None, 7);
        manners.leave(&gate, None).await;
        assert_eq!(started.elapsed(), Duration::from_millis(1_000), "a walk of eight connections takes eight turns");
        manners.leave(&manners.gate("b.test:443"), None).await;
        assert_eq!(started.elapsed(), Duration::from_millis(1_000), "another target has turns of its own");
        manners.throttle(5);
        assert_eq!((manners.cap(None), manners.cap(Some(2)), manners.cap(Some(50))), (Some(5), Some(2), Some(5)));
    }
}
