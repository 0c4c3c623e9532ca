//! The coordinator's time as the agent knows it: the schedule and every stamp follow it, not the host's wall clock.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use parallax_model::clock::{Clock, Timestamp};
use tokio::time::Instant;

/// One exchange of four timestamps (RFC 5905 section 8).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange {
    /// When the agent sent, on its monotonic clock.
    pub(crate) sent: Instant,
    /// When the coordinator received, by its wall clock.
    pub(crate) received: Timestamp,
    /// When the coordinator answered, by its wall clock.
    pub(crate) answered: Timestamp,
    /// When the answer arrived, on the agent's monotonic clock.
    pub(crate) arrived: Instant,
}

/// Tells the coordinator's time, also while the coordinator is away.
///
/// The base is the monotonic clock, so that a step of the host's wall clock moves nothing. Before the first exchange of this run, the wall clock corrected
/// with the last known offset stands in.
pub(crate) struct FleetClock {
    wall: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    last_known_offset_us: Option<i64>,
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    round_trip: Duration,
    at: Instant,
    coordinator: Timestamp,
}

impl FleetClock {
    /// Starts from the host's wall clock and the offset (agent minus coordinator, microseconds) that an earlier run measured.
    pub(crate) fn new(wall: Arc<dyn Clock>, last_known_offset_us: Option<i64>) -> Self {
        Self { wall, state: Mutex::new(State { last_known_offset_us, samples: VecDeque::new() }) }
    }

    /// Takes a measurement in; of the last eight the one with the shortest round trip counts.
    pub(crate) fn learn(&self, exchange: &Exchange) {
        let elapsed = exchange.arrived.saturating_duration_since(exchange.sent);
        let inside = Duration::from_micros(u64::try_from(exchange.answered.micros_since(exchange.received)).unwrap_or(0));
        let round_trip = elapsed.saturating_sub(inside);
        let sample = Sample { round_trip, at: exchange.arrived, coordinator: exchange.answered + round_trip / 2 };
        let mut state = self.lock();
        let agrees = |old: &Sample| {
            let expected = old.coordinator + sample.at.saturating_duration_since(old.at);
            let distance = Duration::from_micros(expected.micros_since(sample.coordinator).unsigned_abs());
            distance <= (old.round_trip + sample.round_trip) / 2 + DRIFT
        };
        // A coordinator whose clock was stepped, or a host that was suspended, makes the older samples worthless.
        if !state.samples.iter().all(agrees) {
            state.samples.clear();
        }
        if state.samples.len() == KEPT {
            state.samples.pop_front();
        }
        state.samples.push_back(sample);
        drop(state);
        let offset = self.offset_us();
        self.lock().last_known_offset_us = offset;
    }

    /// Returns the present instant by the coordinator's clock, as well as it is known.
    pub(crate) fn now(&self) -> Timestamp {
        let state = self.lock();
        match best(&state) {
            Some(sample) => sample.coordinator + sample.at.elapsed(),
            None => Timestamp::from_micros(self.wall.now().as_micros().saturating_sub(state.last_known_offset_us.unwrap_or(0))),
        }
    }

    /// Returns the host's own wall clock.
    pub(crate) fn wall(&self) -> Timestamp {
        self.wall.now()
    }

    /// Returns agent's clock minus coordinator's in microseconds; none when it was never measured.
    pub(crate) fn offset_us(&self) -> Option<i64> {
        let state = self.lock();
        match best(&state) {
            Some(sample) => Some(self.wall.now().micros_since(sample.coordinator + sample.at.elapsed())),
            None => state.last_known_offset_us,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds this lock")
    }
}

fn best(state: &State) -> Option<Sample> {
    state.samples.iter().min_by_key(|sample| sample.round_trip).copied()
}

const KEPT: usize = 8;
const DRIFT: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use parallax_model::clock::ManualClock;

    use super::*;

    const YEAR: i64 = 365 * 86_400 * 1_000_000;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    async fn exchange(coordinator: Timestamp, there: u64, back: u64) -> Exchange {
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(there)).await;
        tokio::time::advance(Duration::from_millis(back)).await;
        Exchange { sent, received: coordinator, answered: coordinator, arrived: Instant::now() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_a_year_off_is_corrected() {
        let wall = Arc::new(ManualClock::at(at(2 * YEAR)));
        let clock = FleetClock::new(Arc::clone(&wall) as Arc<dyn Clock>, None);
        assert_eq!((clock.now(), clock.offset_us()), (at(2 * YEAR), None));
        clock.learn(&exchange(at(YEAR), 10, 10).await);
        assert_eq!(clock.now(), at(YEAR + 10_000));
        assert_eq!(clock.offset_us(), Some(YEAR - 10_000));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(clock.now(), at(YEAR + 60_010_000), "the wall clock stood still and moved nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn the_shortest_round_trip_counts() {
        let clock = FleetClock::new(Arc::new(ManualClock::at(at(0))), None);
        clock.learn(&exchange(at(1_000_000), 1, 1).await);
        let good = clock.now();
        clock.learn(&exchange(at(1_000_000), 0, 900).await);
        assert_eq!(clock.now(), good + Duration::from_millis(900), "a lopsided round trip is not believed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stepped_coordinator_is_followed() {
        let clock = FleetClock::new(Arc::new(ManualClock::at(at(0))), Some(7));
        assert_eq!(clock.now(), at(-7), "the last known offset stands in");
        clock.learn(&exchange(at(1_000_000), 1, 1).await);
        clock.learn(&exchange(at(YEAR), 20, 20).await);
        assert_eq!(clock.now(), at(YEAR + 20_000));
    }
}
