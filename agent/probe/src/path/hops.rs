//! Where packets stop: walks with a growing hop limit (M9, M10).

use std::{
    io,
    net::IpAddr,
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::Duration,
};

use aws_lc_rs::rand;
use futures_util::future::join_all;
use parallax_model::{
    facts::{ConnectEnd, Facts, StepEnd, TlsEnd, WalkFacts, WalkPayload, WalkStep},
    profile::Delivery,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    capture::micros,
    net::{Connection, Dial, Dialled, IcmpKind, Net, stream_end},
    plan::Plan,
    starttls,
    tls::{self, Exchange},
};

/// Sends SYNs with a growing hop limit from one source port; the routers' addresses come from their own ICMP.
///
/// Where the path falls silent the rest is asked several hops at a time, from the ports that follow.
pub(crate) async fn syn_walk<N: Net>(plan: &Plan, net: &N) -> Facts {
    let mut walk = Walk::new(plan, net, WalkPayload::Syn);
    let mut silent = 0;
    let mut hop_limit = 1;
    while hop_limit <= MAX_HOPS && !walk.is_over() {
        let at_once = if silent < SILENT_BEFORE_HURRY { 1 } else { HURRY };
        let limits = hop_limit..(hop_limit + at_once).min(MAX_HOPS + 1);
        hop_limit = limits.end;
        let mut steps = join_all(limits.enumerate().map(|(offset, limit)| walk.syn(limit, offset))).await;
        if let [only] = steps.as_mut_slice()
            && only.end == StepEnd::Silent
            && walk.takes_longer_than_waited().await
        {
            *only = walk.syn(only.hop_limit, 0).await;
        }
        for step in steps {
            silent = if step.end == StepEnd::Silent { silent + 1 } else { 0 };
            walk.note(step);
        }
    }
    walk.into_facts()
}

/// Sends ClientHellos of one segment with a growing hop limit, each on a connection made at the full one; where the profile's own hello takes more, the segment is filled.
pub(crate) async fn hello_walk<N: Net>(plan: &Plan, net: &N) -> Facts {
    let recipe = plan.one_segment_recipe();
    let name = plan.name_in(&recipe).map(str::to_owned);
    let mut walk = Walk::new(plan, net, WalkPayload::Hello(name));
    for hop_limit in 1..=MAX_HOPS {
        if walk.is_over() || walk.tail(|end| end == StepEnd::Silent) >= SILENT_AT_END {
            break;
        }
        let step = walk.hello(hop_limit).await;
        walk.note(step);
    }
    walk.into_facts()
}

/// A walk under way.
struct Walk<'a, N> {
    plan: &'a Plan,
    net: &'a N,
    /// 0 when the host would not pin one.
    source_port: AtomicU16,
    payload: WalkPayload,
    steps: Vec<WalkStep>,
    slowest: Duration,
    /// Whether the way to the target was timed.
    is_timed: bool,
    started: Instant,
}

impl<'a, N: Net> Walk<'a, N> {
    fn new(plan: &'a Plan, net: &'a N, payload: WalkPayload) -> Self {
        let source_port = AtomicU16::new(plan.source_port.unwrap_or_else(any_port));
        Self { plan, net, source_port, payload, steps: Vec::new(), slowest: Duration::ZERO, is_timed: false, started: Instant::now() }
    }

    /// Connects from the walk's port; while there is no step yet, a port that the host refuses is changed for another.
    async fn dial(&self, dial: Dial, port_offset: u16) -> Dialled<N::Connection> {
        for _ in 1..PORT_TRIES {
            let port = self.source_port.load(Relaxed).saturating_add(port_offset);
            let dialled = self.net.dial(&Dial { source_port: Some(port), ..dial.clone() }).await;
            let refused = matches!(dialled.end, ConnectEnd::LocalError(_));
            if !refused || !self.steps.is_empty() || self.plan.source_port.is_some() {
                return dialled;
            }
            self.source_port.store(any_port(), Relaxed);
        }
        self.source_port.store(0, Relaxed);
        self.net.dial(&dial).await
    }

    fn note(&mut self, step: WalkStep) {
        if !matches!(step.end, StepEnd::Silent | StepEnd::NotConnected) {
            self.slowest = self.slowest.max(Duration::from_micros(step.elapsed_us));
        }
        if !self.has_answer() {
            self.steps.push(step);
        }
    }

    fn has_answer(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.end, StepEnd::Answered | StepEnd::Refused | StepEnd::Alert(_)))
    }

    /// Counts how many of the last steps ended so.
    fn tail(&self, which: impl Fn(StepEnd) -> bool) -> usize {
        self.steps.iter().rev().take_while(|step| which(step.end)).count()
    }

    /// Further steps would show the same, or the time is up.
    fn is_over(&self) -> bool {
        let stopped = |end| matches!(end, StepEnd::Reset | StepEnd::Closed | StepEnd::Prohibited(_) | StepEnd::NotConnected);
        self.has_answer() || self.tail(stopped) >= SAME_AT_END || self.started.elapsed() > WALK_TIME
    }

    fn wait(&self) -> Duration {
        STEP_WAIT.max(self.slowest * 2 + STEP_MARGIN)
    }

    /// Times the whole way once, at the first silence: behind a slow link (a satellite's takes 600 ms) routers answer later than the nearer ones let expect.
    async fn takes_longer_than_waited(&mut self) -> bool {
        if std::mem::replace(&mut self.is_timed, true) {
            return false;
        }
        let waited = self.wait();
        let dialled = self.net.dial(&Dial::to(self.plan.address, WHOLE_WAY)).await;
        if let Some(connection) = &dialled.connection {
            connection.reset_on_close();
            self.slowest = self.slowest.max(dialled.elapsed);
        }
        dialled.connection.is_some() && dialled.elapsed > waited
    }

    async fn syn(&self, hop_limit: u8, port_offset: usize) -> WalkStep {
        let wait = self.wait();
        let dial = Dial { hop_limit: Some(hop_limit), ..Dial::to(self.plan.address, wait) };
        let dialled = self.dial(dial, u16::try_from(port_offset).unwrap_or(0)).await;
        if let Some(connection) = &dialled.connection {
            // Otherwise the port stays taken, and the reset would die on the way.
            connection.set_hop_limit(None);
            connection.reset_on_close();
        }
        WalkStep { hop_limit, end: syn_end(&dialled), elapsed_us: micros(dialled.elapsed) }
    }

    /// The order matters: connect at the full limit, heed ICMP, lower the limit, write, wait, give the limit back before closing.
    async fn hello(&self, hop_limit: u8) -> WalkStep {
        let dialled = self.dial(Dial::to(self.plan.address, self.plan.connect_timeout().min(CONNECT_WAIT)), 0).await;
        let not_connected = WalkStep { hop_limit, end: StepEnd::NotConnected, elapsed_us: micros(dialled.elapsed) };
        let Some(mut connection) = dialled.connection else { return not_connected };
        if !starttls::to_tls(&mut connection, self.plan, Instant::now() + CONNECT_WAIT).await {
            return not_connected;
        }
        connection.heed_icmp();
        connection.set_hop_limit(Some(hop_limit));
        let round_trip = dialled.elapsed;
        let wait = HELLO_WAIT + round_trip * 2;
        let recipe = self.plan.one_segment_recipe();
        let name = self.plan.name_in(&recipe);
        let least = connection.info().filter(|_| self.plan.walks_with_a_full_segment()).map_or(0, |info| info.send_mss as usize);
        let until = Instant::now() + wait;
        let mut exchange = Exchange::new(connection, until, self.plan.limits.read_bytes, 0);
        exchange.deliver(tls::craft(&recipe, name, least), Delivery::Whole, name).await;
        let _ = timeout_at(until, exchange.connection().stirs()).await;
        let mut end = match exchange.connection().take_error() {
            // Bytes that came before the reset still count.
            Some(libc::ECONNRESET) => Some(tls::answer(&mut exchange).await).filter(|end| *end != TlsEnd::Closed).unwrap_or(TlsEnd::Reset),
            Some(errno) => stream_end(&io::Error::from_raw_os_error(errno)),
            None => tls::answer(&mut exchange).await,
        };
        let mut elapsed_us = exchange.elapsed_us();
        if hello_end(end) == StepEnd::Expired(None) {
            let word = word_after(&mut exchange, (Instant::now() + round_trip + LATE_WORD).min(until)).await;
            (end, elapsed_us) = word.map_or((end, elapsed_us), |word| (word, exchange.elapsed_us()));
        }
        let connection = exchange.connection();
        connection.set_hop_limit(None);
        connection.reset_on_close();
        WalkStep { hop_limit, end: hello_end(end), elapsed_us }
    }

    fn into_facts(self) -> Facts {
        let walk = WalkFacts { payload: self.payload, source_port: self.source_port.load(Relaxed), steps: self.steps };
        Facts { walk: Some(walk), ..Facts::default() }
    }
}

/// Waits for what somebody who reads along says after the router's ICMP: it saw the hello as well, and is slower than the router.
async fn word_after<C: Connection>(exchange: &mut Exchange<C>, until: Instant) -> Option<TlsEnd> {
    let end = match exchange.receive_until(until).await {
        Ok(()) => tls::answer(exchange).await,
        Err(end) => end,
    };
    matches!(hello_end(end), StepEnd::Reset | StepEnd::Closed | StepEnd::Alert(_) | StepEnd::Answered).then_some(end)
}

fn syn_end<C>(dialled: &Dialled<C>) -> StepEnd {
    let from: Option<IpAddr> = dialled.icmp.and_then(|icmp| icmp.from);
    match (dialled.end, dialled.icmp.map(|icmp| icmp.kind)) {
        (_, Some(IcmpKind::Expired)) => StepEnd::Expired(from),
        (_, Some(IcmpKind::PortUnreachable | IcmpKind::Unreachable)) => StepEnd::Prohibited(from),
        (ConnectEnd::Connected, None) => StepEnd::Answered,
        (ConnectEnd::Refused, None) => StepEnd::Refused,
        (ConnectEnd::Reset, None) => StepEnd::Reset,
        (ConnectEnd::TimedOut, None) => StepEnd::Silent,
        (ConnectEnd::Unreachable(libc::EHOSTUNREACH), None) => StepEnd::Expired(None),
        (ConnectEnd::Unreachable(_) | ConnectEnd::LocalError(_), None) => StepEnd::NotConnected,
    }
}

fn hello_end(end: TlsEnd) -> StepEnd {
    match end {
        TlsEnd::Unreachable(libc::EHOSTUNREACH) => StepEnd::Expired(None),
        TlsEnd::Unreachable(_) => StepEnd::Prohibited(None),
        TlsEnd::Alert(number) => StepEnd::Alert(number),
        TlsEnd::Reset => StepEnd::Reset,
        TlsEnd::Closed => StepEnd::Closed,
        TlsEnd::TimedOut => StepEnd::Silent,
        TlsEnd::LocalError(_) => StepEnd::NotConnected,
        TlsEnd::Established | TlsEnd::Answered | TlsEnd::NotTls | TlsEnd::Malformed | TlsEnd::LocalRefusal(_) | TlsEnd::OverCap => StepEnd::Answered,
    }
}

fn any_port() -> u16 {
    let mut bytes = [0; 2];
    // Without randomness every walk starts at the same port, which does no harm.
    let _ = rand::fill(&mut bytes);
    FIRST_PORT + u16::from_be_bytes(bytes) % PORTS
}

const MAX_HOPS: u8 = 20;
/// A router's ICMP is slow work for it: not below this.
const STEP_WAIT: Duration = Duration::from_millis(350);
const STEP_MARGIN: Duration = Duration::from_millis(100);
/// The kernel sends again after 200 ms, and on some links the error shows only then.
const HELLO_WAIT: Duration = Duration::from_millis(300);
/// A program that injects takes longer than a router's ICMP; on a busy host, this much.
const LATE_WORD: Duration = Duration::from_millis(50);
const CONNECT_WAIT: Duration = Duration::from_millis(1_500);
const WHOLE_WAY: Duration = Duration::from_millis(1_000);
const WALK_TIME: Duration = Duration::from_secs(10);
const SILENT_BEFORE_HURRY: usize = 3;
const HURRY: u8 = 6;
const SILENT_AT_END: usize = 5;
const SAME_AT_END: usize = 2;
const PORT_TRIES: usize = 4;
const FIRST_PORT: u16 = 33_000;
const PORTS: u16 = 27_000;
