//! The thin edge: hellos over connections, within the caps on connections, time, bytes and pace.

use std::{
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use parallax_model::facts::{AuditAnswer, AuditStop, ClientCertificateFacts, ConnectEnd, Ssl2Facts, TcpFacts, UpgradeEnd};
use parallax_tls::{error::DecodeErrorKind, server_flight::ServerKeyExchange, ssl2};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};

use super::{
    ask::{Ask, Cut, Question, Reply},
    features,
};
use crate::{
    capture::micros,
    net::{Dial, Net},
    plan::Plan,
    starttls, tcp,
    tls::{self, Exchange},
};

/// Carries the questions of one audit to the server.
pub(super) struct Driver<'a, N> {
    pub(super) plan: &'a Plan,
    net: &'a N,
    gate: Semaphore,
    started: Instant,
    account: Mutex<Account>,
}

/// What an audit has cost and seen so far.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) connections: u32,
    pub(super) bytes_read: u64,
    pub(super) stopped: Option<AuditStop>,
    /// The first connection.
    pub(super) tcp: Option<TcpFacts>,
    /// The ephemeral values of all connections.
    pub(super) exchanges: Vec<ServerKeyExchange>,
    /// The first request for a client certificate.
    pub(super) client_certificate: Option<ClientCertificateFacts>,
    /// A hello that the server has answered.
    answered: Option<Ask>,
    failures_in_a_row: u32,
    slowest_answer: Duration,
    next_turn: Option<Instant>,
}

/// Leave to make one connection.
struct Leave {
    turn: Instant,
    patience: Duration,
}

impl<'a, N: Net> Driver<'a, N> {
    pub(super) fn new(plan: &'a Plan, net: &'a N) -> Self {
        let gate = Semaphore::new(plan.manners.at_once.max(1));
        Self { plan, net, gate, started: Instant::now(), account: Mutex::default() }
    }

    /// Asks a question to its end, or as far as the caps allow.
    pub(super) async fn settle<Q: Question>(&self, mut question: Q) -> Q::Finding {
        while let Some(ask) = question.next() {
            let Some(reply) = self.ask(&ask).await else { break };
            question.learn(&reply);
        }
        question.finding()
    }

    /// Sends several hellos side by side.
    pub(super) async fn each(&self, asks: Vec<Ask>) -> Vec<Option<Reply>> {
        join_all(asks.iter().map(|ask| self.ask(ask))).await
    }

    /// Sends a hello, a second time when nothing was said in return, so that one lost packet is no finding; none when a cap is reached.
    pub(super) async fn ask(&self, ask: &Ask) -> Option<Reply> {
        let mut reply = self.once(ask).await?;
        if is_worth_another_try(reply.end) {
            sleep(BEFORE_ANOTHER_TRY).await;
            reply = self.once(ask).await.unwrap_or(reply);
        }
        if reply.is_spoken() {
            let mut account = self.account();
            account.failures_in_a_row = 0;
            if reply.end == AuditAnswer::Hello {
                account.answered.get_or_insert_with(|| ask.clone());
            }
        } else {
            self.look_whether_it_is_still_there().await;
        }
        Some(reply)
    }

    /// After many failures in a row, says the one thing that was answered before, and stops when even that is not.
    async fn look_whether_it_is_still_there(&self) {
        let known = {
            let mut account = self.account();
            account.failures_in_a_row += 1;
            let is_time = account.failures_in_a_row.is_multiple_of(FAILURES_IN_A_ROW);
            account.answered.clone().filter(|_| is_time)
        };
        let Some(known) = known else { return };
        let reply = self.once(&known).await;
        if reply.is_some_and(|reply| !reply.is_spoken()) {
            self.account().stopped.get_or_insert(AuditStop::Vanished);
        }
    }

    async fn once(&self, ask: &Ask) -> Option<Reply> {
        let _place = self.gate.acquire().await.ok()?;
        let Some((mut exchange, until)) = self.connect().await? else { return Some(Reply::not_connected()) };
        let wire = ask.wire();
        let bytes_sent = u32::try_from(wire.len()).unwrap_or(u32::MAX);
        let begun = Instant::now();
        match ask.cut {
            Cut::Middle => {
                exchange.send_in_two(&wire, wire.len() / 2).await;
            }
            Cut::Nowhere | Cut::Name | Cut::NameRecords => {
                exchange.deliver(wire, ask.cut.delivery(), None).await;
            }
        }
        let end = tls::answer(&mut exchange).await;
        let elapsed = begun.elapsed();
        let noted = exchange.finish();
        let reply = Reply { bytes_sent, elapsed_us: micros(elapsed), ..Reply::of(end, noted.answer, &ask.hello.offered_versions()) };
        self.note(&reply, noted.bytes_read, elapsed.min(until));
        Some(reply)
    }

    /// Says CLIENT-HELLO in the format of SSL 2.
    pub(super) async fn ssl2(&self) -> Option<Ssl2Facts> {
        let _place = self.gate.acquire().await.ok()?;
        let nothing = |answer| Some(Ssl2Facts { answer, cipher_kinds: Vec::new() });
        let Some((mut exchange, _)) = self.connect().await? else { return nothing(AuditAnswer::NotConnected) };
        exchange.send(&ssl2::client_hello(&tls::random())).await;
        let mut received = Vec::new();
        let end = loop {
            if let Err(end) = exchange.receive().await {
                break end;
            }
            received.extend_from_slice(exchange.received());
            match ssl2::ServerHello::decode(&received) {
                Ok(hello) => return Some(Ssl2Facts { answer: AuditAnswer::Hello, cipher_kinds: hello.cipher_kinds }),
                Err(error) if error.kind == DecodeErrorKind::Truncated && received[0] != ALERT => {}
                Err(_) => break tls::answer(&mut exchange).await,
            }
        };
        nothing(Reply::of(end, exchange.finish().answer, &[]).end)
    }

    /// Takes leave, connects, and says in clear what must come before TLS; the inner none is a connection that did not come up.
    pub(super) async fn connect(&self) -> Option<Option<(Exchange<N::Connection>, Duration)>> {
        self.connect_to(self.plan.address, 0).await
    }

    /// Like [`Driver::connect`], to any address of the target, keeping so many bytes of what goes both ways.
    pub(super) async fn connect_to(&self, address: SocketAddr, transcript_bytes: u32) -> Option<Option<(Exchange<N::Connection>, Duration)>> {
        let Leave { turn, patience } = self.leave()?;
        sleep_until(turn).await;
        let dial = Dial::to(address, self.plan.connect_timeout().min(patience));
        let dialled = self.net.dial(&dial).await;
        let tcp = tcp::facts(&dial, &dialled);
        self.account().tcp.get_or_insert(tcp);
        let Some(mut connection) = dialled.connection.filter(|_| dialled.end == ConnectEnd::Connected) else { return Some(None) };
        if self.plan.manners.resets {
            crate::net::Connection::reset_on_close(&connection);
        }
        let deadline = Instant::now() + patience;
        let upgrade = starttls::before_tls(&mut connection, self.plan, deadline).await;
        if upgrade.is_some_and(|upgrade| upgrade.end != UpgradeEnd::Ready) {
            return Some(None);
        }
        Some(Some((Exchange::new(connection, deadline, self.plan.limits.read_bytes, transcript_bytes), patience)))
    }

    /// Counts one connection, or says no when a cap is reached.
    fn leave(&self) -> Option<Leave> {
        let elapsed = self.started.elapsed();
        let mut account = self.account();
        let reached = [
            (account.connections >= self.plan.limits.audit_connections, AuditStop::Connections),
            (elapsed >= self.plan.manners.time, AuditStop::Time),
            (account.bytes_read >= MOST_BYTES, AuditStop::Bytes),
        ];
        let stopped = reached.into_iter().find_map(|(is_reached, stop)| is_reached.then_some(stop));
        account.stopped = account.stopped.or(stopped);
        if account.stopped.is_some() {
            return None;
        }
        account.connections += 1;
        let now = Instant::now();
        let turn = account.next_turn.map_or(now, |next| next.max(now));
        account.next_turn = self.plan.manners.per_second.map(|cap| turn + Duration::from_secs(1) / cap.max(1));
        let usual = if account.answered.is_some() { LEAST_PATIENCE.max(account.slowest_answer * 10) } else { FIRST_PATIENCE };
        let left = self.plan.manners.time.saturating_sub(turn - self.started);
        Some(Leave { turn, patience: usual.min(self.plan.attempt_time()).min(left) })
    }

    fn note(&self, reply: &Reply, bytes_read: u64, elapsed: Duration) {
        let mut account = self.account();
        account.bytes_read += bytes_read;
        if reply.is_spoken() {
            account.slowest_answer = account.slowest_answer.max(elapsed);
        }
        account.exchanges.extend(reply.answer.server_key_exchange.clone());
        if account.client_certificate.is_none() {
            account.client_certificate = features::client_certificate(&reply.answer);
        }
    }

    /// Adds bytes that were read on a connection that [`Driver::connect`] gave out.
    pub(super) fn note_bytes(&self, bytes_read: u64) {
        self.account().bytes_read += bytes_read;
    }

    /// Returns a place among the connections at a time.
    pub(super) fn gate(&self) -> &Semaphore {
        &self.gate
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn elapsed_us(&self) -> u64 {
        micros(self.started.elapsed())
    }
}

impl Cut {
    fn delivery(self) -> parallax_model::profile::Delivery {
        use parallax_model::profile::Delivery;
        match self {
            Self::Nowhere | Self::Middle => Delivery::Whole,
            Self::Name => Delivery::SplitInName,
            Self::NameRecords => Delivery::SplitRecords,
        }
    }
}

fn is_worth_another_try(end: AuditAnswer) -> bool {
    matches!(end, AuditAnswer::Closed | AuditAnswer::Reset | AuditAnswer::Silence | AuditAnswer::Broken | AuditAnswer::NotConnected)
}

/// Longer than a burst of losses.
const BEFORE_ANOTHER_TRY: Duration = Duration::from_millis(200);
/// So many hellos without any word in return make it doubtful that the server still talks to this vantage.
const FAILURES_IN_A_ROW: u32 = 6;
/// How long a hello may stay unanswered as long as no answer was seen.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);
/// How long a hello may stay unanswered by a server that answers at once.
const LEAST_PATIENCE: Duration = Duration::from_millis(800);
/// Some two hundred answers with a long chain in each.
const MOST_BYTES: u64 = 4 << 20;
const ALERT: u8 = 21;
