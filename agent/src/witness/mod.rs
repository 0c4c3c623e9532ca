//! The witness on the server's host: what arrives there of the fleet's connections, and what leaves (M16).
//!
//! It listens only while a share runs, to the share's target only, and tells of connections only to whom it is asked about.

mod filter;
mod ledger;
#[cfg(test)]
mod ledger_tests;
mod packet;
mod tap;

use std::{
    cell::RefCell,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use parallax_model::{
    clock::Timestamp,
    facts::{Sender, WitnessFacts, WitnessedFlow},
};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error};

use crate::{fleet_clock::FleetClock, vantage::host_addresses};
use ledger::Ledger;
use tap::Tap;

/// Returns what a witness of this server would have recorded of packets, each from its IP header on, that came and left at one moment.
pub fn follow<'p>(packets: impl IntoIterator<Item = &'p [u8]>, server: SocketAddr, now: Timestamp) -> Vec<WitnessedFlow> {
    let mut ledger = Ledger::default();
    for segment in packets.into_iter().filter_map(packet::decode) {
        if segment.to == server {
            ledger.note(&segment, Sender::Client, now);
        } else if segment.from == server {
            ledger.note(&segment, Sender::Server, now);
        }
    }
    ledger.flows(|_| true, |_| true, MOST_FLOWS)
}

/// A witness that listens.
pub(crate) struct Witness {
    state: RefCell<State>,
    clock: Arc<FleetClock>,
}

struct State {
    tap: Tap,
    ledger: Ledger,
    watched: Vec<Watched>,
    /// The host's own addresses.
    own: Vec<IpAddr>,
    /// Packets lost since the tap was opened; wraps.
    lost: u32,
}

/// An address under watch.
#[derive(Debug, Clone, Copy)]
struct Watched {
    server: SocketAddr,
    since: Timestamp,
    ends: Timestamp,
    lost_before: u32,
}

impl Witness {
    /// Opens the packet socket, which needs CAP_NET_RAW, and listens in the background of this thread.
    pub(crate) fn open(clock: Arc<FleetClock>) -> io::Result<Rc<Self>> {
        let tap = Tap::open()?;
        let waiter = tap.waiter()?;
        let state = State { tap, ledger: Ledger::default(), watched: Vec::new(), own: host_addresses(), lost: 0 };
        let witness = Rc::new(Self { state: RefCell::new(state), clock });
        let listening = Rc::clone(&witness);
        tokio::task::spawn_local(async move {
            let mut second = Instant::now();
            let mut taken = 0;
            loop {
                // Ended watches are noticed also when nothing comes.
                let ready = tokio::select! {
                    ready = waiter.readable() => Some(ready),
                    () = sleep(QUIET) => None,
                };
                let caught = listening.listen(BATCH);
                match ready {
                    Some(Ok(mut guard)) if caught < BATCH => guard.clear_ready(),
                    Some(Err(problem)) => return error!(%problem, "the witness hears nothing any more"),
                    Some(Ok(_)) | None => {}
                }
                if second.elapsed() > SECOND {
                    (second, taken) = (Instant::now(), 0);
                }
                taken += caught;
                if taken > MOST_A_SECOND {
                    // A host under load has better things to do; what the kernel drops meanwhile is counted.
                    sleep_until(second + SECOND).await;
                }
                tokio::task::yield_now().await;
            }
        });
        Ok(witness)
    }

    /// Watches these addresses, and the host's own for the case that the target's are translated on the way, on this port until then.
    pub(crate) fn watch(&self, port: u16, addresses: &[IpAddr], until: Timestamp) {
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        let State { watched, own, lost, .. } = &mut *state;
        let ends = until + LINGER;
        let mut grown = false;
        for address in addresses.iter().chain(own.iter()) {
            let server = SocketAddr::new(*address, port);
            if let Some(known) = watched.iter_mut().find(|known| known.server == server) {
                known.ends = known.ends.max(ends);
            } else if watched.len() < filter::MAX_WATCHED {
                watched.push(Watched { server, since: now, ends, lost_before: *lost });
                grown = true;
            } else {
                debug!(%server, "the witness watches as many addresses as it can");
            }
        }
        if grown {
            state.keep_watched();
        }
    }

    /// Tells what was seen of connections from these sources to a target's address.
    pub(crate) fn testify(&self, address: SocketAddr, sources: &[IpAddr]) -> WitnessFacts {
        self.listen(MOST_A_SECOND);
        let now = self.clock.now();
        let state = self.state.borrow();
        let on_host = state.own.contains(&address.ip());
        // A target whose address is translated on the way arrives at one of the host's own.
        let is_server = |server: SocketAddr| server == address || (!on_host && server.port() == address.port() && state.own.contains(&server.ip()));
        let watch = state.watched.iter().filter(|watched| is_server(watched.server)).max_by_key(|watched| watched.since);
        WitnessFacts {
            sources: sources.to_vec(),
            since: watch.map(|watch| state.ledger.forgotten().map_or(watch.since, |forgotten| forgotten.max(watch.since))),
            until: watch.map(|_| now),
            on_host,
            lost_packets: watch.map_or(0, |watch| u64::from(state.lost.wrapping_sub(watch.lost_before))),
            flows: state.ledger.flows(is_server, |source| sources.contains(&source), MOST_FLOWS),
            log: None,
        }
    }

    /// Takes in what has come, at most so many packets; returns how many.
    fn listen(&self, most: usize) -> usize {
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        let mut caught = 0;
        while caught < most && state.take_one(now) {
            caught += 1;
        }
        state.end_watches(now);
        caught
    }
}

impl State {
    fn take_one(&mut self, now: Timestamp) -> bool {
        let Self { tap, ledger, watched, own, lost } = self;
        let Some(caught) = tap.next() else { return false };
        *lost = caught.lost.unwrap_or(*lost);
        let Some(segment) = packet::decode(caught.packet) else { return true };
        let is_watched = |end: SocketAddr| watched.iter().any(|watched| watched.server == end);
        if is_watched(segment.to) {
            ledger.note(&segment, Sender::Client, now);
        } else if is_watched(segment.from) && (caught.outgoing || !own.contains(&segment.from.ip())) {
            // What comes in with an address of this host as its source, this host never sent.
            ledger.note(&segment, Sender::Server, now);
        }
        true
    }

    fn end_watches(&mut self, now: Timestamp) {
        let before = self.watched.len();
        self.watched.retain(|watched| watched.ends > now);
        if self.watched.len() < before {
            self.keep_watched();
        }
        if self.watched.is_empty() && before > 0 {
            self.ledger = Ledger::default();
        }
    }

    fn keep_watched(&self) {
        let servers: Vec<SocketAddr> = self.watched.iter().map(|watched| watched.server).collect();
        if let Err(problem) = self.tap.watch(&servers) {
            error!(%problem, "the witness cannot watch another address");
        }
    }
}

const BATCH: usize = 256;
/// About a twentieth of one core.
const MOST_A_SECOND: usize = 20_000;
const SECOND: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_secs(1);
/// A question about a share may come a little after its end.
const LINGER: Duration = Duration::from_secs(5);
/// What one record holds.
const MOST_FLOWS: usize = 256;
