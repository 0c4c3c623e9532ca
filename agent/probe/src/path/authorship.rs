//! Who wrote the answer: the arrival TTLs of the SYN-ACK and of what ended the attempt (M11).

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::join_all;
use parallax_model::facts::{ConnectEnd, Facts, Reply, ReplyTtlFacts, Sibling, TlsEnd, TtlRange};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, sleep},
};

use super::search::Search;
use crate::{
    net::{Connection as _, Dial, Net},
    plan::Plan,
    starttls, tcp,
    tls::{self, Exchange},
};

/// Measures the arrival TTLs; the attempt's outcome is that of its first connection, which filters nothing.
pub(crate) async fn reply_ttl<N: Net>(plan: &Plan, net: &N) -> Facts {
    let probe = Probe { plan, net, connections: AtomicU32::new(0), overtaken: AtomicBool::new(false) };
    let (mut facts, first) = probe.first_look().await;
    let mut found = ReplyTtlFacts { syn_ack: None, reply: first.reply, reply_ttl: None, passed_when_filtered: None, siblings: Vec::new(), connections: 0 };
    match first.stage {
        Stage::Connected => {
            let agreed = probe.at_the_acknowledgements_ttl(&first).await;
            let syn_ack = match agreed {
                Some(Agreed { ttl, .. }) => Some(TtlRange::exactly(ttl)),
                None => probe.connect_ttl(plan.address, &first, ConnectEnd::Connected).await,
            };
            found.syn_ack = syn_ack;
            if let Some((reply, syn_ack)) = first.reply.zip(syn_ack) {
                let (ttl, passed) = probe.answer_ttl(reply, syn_ack, &first, agreed).await;
                if !probe.overtaken.load(Relaxed) {
                    found.reply_ttl = ttl;
                    found.passed_when_filtered = passed;
                }
            }
        }
        Stage::Refused => found.reply_ttl = probe.connect_ttl(plan.address, &first, ConnectEnd::Refused).await,
        // An ICMP error carries its sender's TTL, which the threshold does not look at.
        Stage::RefusedByIcmp | Stage::Other => {}
    }
    // Who accepts in the server's stead answers from as near as it ends what it accepted: another port of the address tells where the address itself is.
    let both_alike = found.syn_ack.zip(found.reply_ttl).is_some_and(|(syn_ack, reply)| syn_ack.gap(reply) == 0);
    let connected = matches!(first.stage, Stage::Connected);
    if !connected || both_alike {
        let guess = found.reply_ttl.map(|range| range.least);
        let tells = |sibling: &&SocketAddr| !connected || sibling.ip() == plan.address.ip();
        let siblings: Vec<_> = plan.siblings.iter().filter(tells).copied().take(MAX_SIBLINGS).collect();
        found.siblings = join_all(siblings.into_iter().map(|sibling| probe.sibling(sibling, guess))).await.into_iter().flatten().collect();
    }
    found.connections = probe.connections.load(Relaxed);
    facts.reply_ttl = Some(found);
    facts
}

/// The attempt that all connections belong to.
struct Probe<'a, N> {
    plan: &'a Plan,
    net: &'a N,
    connections: AtomicU32,
    /// Whether a threshold was in force too late again and again: then nothing is known of the reply's TTL.
    overtaken: AtomicBool,
}

/// What the first connection to an address showed.
#[derive(Debug, Clone, Copy)]
struct FirstLook {
    stage: Stage,
    reply: Option<Reply>,
    /// From the hello to the reply.
    reply_after: Duration,
    round_trip: Duration,
    /// What the acknowledgement's TTL makes likely.
    guess: Option<u8>,
    /// The port that it came from, which another connection can take again once a reset has ended this one.
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connected,
    Refused,
    RefusedByIcmp,
    Other,
}

/// What came with the TTL of an acknowledgement, where the SYN-ACK has it too.
#[derive(Debug, Clone, Copy)]
struct Agreed {
    ttl: u8,
    /// What answered the hello with this threshold in force.
    answer: Option<Reply>,
    /// Whether the reply arrives with a higher one.
    nearer: bool,
}

/// What is sent, and what is waited for.
#[derive(Debug, Clone, Copy)]
enum Question {
    Syn { remote: SocketAddr, wanted: ConnectEnd, wait: Duration },
    Hello { reply: Reply, wait: Duration },
}

impl Question {
    fn wait(self) -> Duration {
        match self {
            Self::Syn { wait, .. } | Self::Hello { wait, .. } => wait,
        }
    }
}

impl<N: Net> Probe<'_, N> {
    fn dial(&self, remote: SocketAddr, timeout: Duration) -> Dial {
        self.connections.fetch_add(1, Relaxed);
        Dial::to(remote, timeout)
    }

    /// Connects, asks and reads as an attempt of the raw path does.
    async fn first_look(&self) -> (Facts, FirstLook) {
        let plan = self.plan;
        let deadline = Instant::now() + plan.attempt_time();
        let dial = Dial { want_ack_ttl: true, ..self.dial(plan.address, plan.connect_timeout()) };
        let dialled = self.net.dial(&dial).await;
        let tcp = tcp::facts(&dial, &dialled);
        let mut look = FirstLook {
            stage: match (tcp.end, dialled.icmp) {
                (ConnectEnd::Connected, _) => Stage::Connected,
                (ConnectEnd::Refused, None) => Stage::Refused,
                (ConnectEnd::Refused, Some(_)) => Stage::RefusedByIcmp,
                _ => Stage::Other,
            },
            reply: (tcp.end == ConnectEnd::Refused).then_some(Reply::Refusal),
            reply_after: Duration::ZERO,
            round_trip: dialled.elapsed,
            guess: None,
            port: None,
        };
        let Some(mut connection) = dialled.connection else { return (tcp::failed(tcp), look) };
        if !starttls::to_tls(&mut connection, plan, deadline).await {
            return (Facts { tcp: Some(tcp), ..Facts::default() }, look);
        }
        let exchange = Exchange::new(connection, deadline, plan.limits.read_bytes, plan.limits.transcript_bytes);
        let recipe = plan.recipe();
        let name = plan.name_in(&recipe);
        let facts = tls::ask(tcp, exchange, tls::craft(&recipe, name, 0), plan.profile.delivery, name).await;
        if let Some(tls) = &facts.tls {
            look.reply = reply_of(tls.end);
            look.port = dialled.local.map(|local| local.port()).filter(|_| look.reply == Some(Reply::Reset));
            look.reply_after = Duration::from_micros(tls.end_us);
        }
        look.guess = facts.tcp.as_ref().and_then(|tcp| tcp.ack_ttl);
        if look.guess.is_none() {
            look.guess = self.acknowledgement_ttl(look.round_trip).await;
        }
        (facts, look)
    }

    /// Sends a line that no filter of names minds, to read the arrival TTL of its acknowledgement: one connection that saves many.
    async fn acknowledgement_ttl(&self, round_trip: Duration) -> Option<u8> {
        let dial = Dial { want_ack_ttl: true, ..self.dial(self.plan.address, self.plan.connect_timeout()) };
        let mut connection = self.net.dial(&dial).await.connection?;
        let until = Instant::now() + round_trip * 2 + ACKNOWLEDGEMENT_MARGIN;
        connection.write_all(b"PARALLAX\r\n\r\n").await.ok()?;
        loop {
            let ttl = connection.ack_ttl();
            if ttl.is_some() || Instant::now() >= until {
                return ttl;
            }
            sleep(ACKNOWLEDGEMENT_POLL).await;
        }
    }

    /// Asks for the SYN-ACK and the reply at the TTL of an acknowledgement and above it; none where the SYN-ACK does not have that TTL, or was lost.
    async fn at_the_acknowledgements_ttl(&self, first: &FirstLook) -> Option<Agreed> {
        let (ttl, remote) = (first.guess?, self.plan.address);
        let syn = Question::Syn { remote, wanted: ConnectEnd::Connected, wait: first.connect_wait() };
        let syn_ack = async { ttl < u8::MAX && self.arrives(syn, ttl + 1).await };
        let (at, syn_ack_nearer, nearer) = tokio::join!(self.all_with(ttl, first), syn_ack, self.comes_from_nearer(ttl, first));
        at.filter(|_| !syn_ack_nearer).map(|answer| Agreed { ttl, answer, nearer })
    }

    /// Connects with a threshold in force from the SYN-ACK on and asks: none where no SYN-ACK arrived, else what answered the hello.
    async fn all_with(&self, threshold: u8, first: &FirstLook) -> Option<Option<Reply>> {
        let dial = Dial { least_ttl: Some(threshold), ..self.dial(self.plan.address, first.connect_wait()) };
        let mut connection = self.net.dial(&dial).await.connection?;
        if first.reply.is_none() {
            return Some(None);
        }
        let wait = first.answer_wait();
        if !starttls::to_tls(&mut connection, self.plan, Instant::now() + wait).await {
            return Some(None);
        }
        Some(self.ask(connection, wait).await)
    }

    /// Finds the TTL of what answers a SYN in this way.
    async fn connect_ttl(&self, remote: SocketAddr, first: &FirstLook, wanted: ConnectEnd) -> Option<TtlRange> {
        self.find(Search::within(1, u8::MAX), first.guess, Question::Syn { remote, wanted, wait: first.connect_wait() }).await
    }

    /// Finds the TTL of the answer to a hello, and whether the handshake goes on without it.
    async fn answer_ttl(&self, reply: Reply, syn_ack: TtlRange, first: &FirstLook, agreed: Option<Agreed>) -> (Option<TtlRange>, Option<bool>) {
        let wait = first.answer_wait();
        let question = Question::Hello { reply, wait };
        let above = syn_ack.most.saturating_add(1);
        let (at_syn_ack, nearer) = match agreed {
            Some(Agreed { answer, nearer, .. }) => (answer, nearer),
            None => tokio::join!(self.answer_with(syn_ack.least, wait), self.comes_from_nearer(syn_ack.most, first)),
        };
        if nearer {
            // Somebody on the way is fewer hops away than the server.
            return (self.find(Search::within(above, u8::MAX).of_hops(syn_ack.hops()), None, question).await, None);
        }
        if at_syn_ack == Some(reply) {
            return (Some(syn_ack), None);
        }
        // Farther, or lost just now: only a second look tells.
        let again = self.answer_with(syn_ack.least, wait).await;
        if again == Some(reply) || syn_ack.least == 1 {
            return (Some(TtlRange { least: syn_ack.least.min(syn_ack.most), most: syn_ack.most }), None);
        }
        let passed = [at_syn_ack, again].contains(&Some(Reply::Data));
        if passed && !self.hangs_on_the_threshold(reply, syn_ack.least, wait).await {
            return (None, None);
        }
        (self.find(Search::within(1, syn_ack.least - 1), None, question).await, Some(passed))
    }

    /// Tells whether the reply comes each time without a threshold and never with it: one leg of several, or one backend, lets a handshake go on by itself.
    async fn hangs_on_the_threshold(&self, reply: Reply, threshold: u8, wait: Duration) -> bool {
        let answers = async |threshold| join_all((0..REPEATED_TRIES).map(|_| self.answer_with(threshold, wait))).await;
        let (free, filtered) = tokio::join!(answers(1), answers(threshold));
        free.iter().all(|answer| *answer == Some(reply)) && !filtered.contains(&Some(reply))
    }

    /// Tells whether what is waited for arrives although packets below the threshold are ignored.
    async fn arrives(&self, question: Question, threshold: u8) -> bool {
        match question {
            Question::Syn { remote, wanted, wait } => {
                let dial = Dial { least_ttl: Some(threshold), ..self.dial(remote, wait) };
                self.net.dial(&dial).await.end == wanted
            }
            Question::Hello { reply, wait } => self.answer_with(threshold, wait).await == Some(reply),
        }
    }

    /// Tells whether the first look's reply arrives with a TTL above this one in any of several tries, of which one takes the same way: one leg of several, or one backend, may
    /// answer otherwise.
    async fn comes_from_nearer(&self, ttl: u8, first: &FirstLook) -> bool {
        let Some((reply, above)) = first.reply.zip(ttl.checked_add(1)) else { return false };
        let wait = first.answer_wait();
        let elsewhere = join_all((1..REPEATED_TRIES).map(|_| self.answer_with(above, wait)));
        let (elsewhere, again) = tokio::join!(elsewhere, self.answer_from(first.port, above, wait));
        again == Some(reply) || elsewhere.contains(&Some(reply))
    }

    /// Asks from a port of the host's choice.
    async fn answer_with(&self, threshold: u8, wait: Duration) -> Option<Reply> {
        self.answer_from(None, threshold, wait).await
    }

    /// Connects without a threshold, sets it, asks, and says what arrived.
    async fn answer_from(&self, source_port: Option<u16>, threshold: u8, wait: Duration) -> Option<Reply> {
        for _ in 0..OVERTAKEN_TRIES {
            if self.overtaken.load(Relaxed) {
                return None;
            }
            let dial = Dial { source_port, ..self.dial(self.plan.address, self.plan.connect_timeout()) };
            let mut connection = self.net.dial(&dial).await.connection?;
            if !starttls::to_tls(&mut connection, self.plan, Instant::now() + wait).await {
                return None;
            }
            connection.set_least_ttl(threshold);
            // A peer that ends the connection without waiting for a hello can do so before the threshold counts.
            if connection.info().is_some_and(|info| info.state != ESTABLISHED) {
                continue;
            }
            return self.ask(connection, wait).await;
        }
        self.overtaken.store(true, Relaxed);
        None
    }

    /// Sends the hello and says what arrived.
    async fn ask(&self, connection: N::Connection, wait: Duration) -> Option<Reply> {
        let mut exchange = Exchange::new(connection, Instant::now() + wait, self.plan.limits.read_bytes, 0);
        let recipe = self.plan.recipe();
        let name = self.plan.name_in(&recipe);
        exchange.deliver(tls::craft(&recipe, name, 0), self.plan.profile.delivery, name).await;
        reply_of(tls::answer(&mut exchange).await)
    }

    /// Narrows a search down, and asks once more where only silence set the limit and no guess agrees; none when what is waited for came no more.
    async fn find(&self, mut search: Search, guess: Option<u8>, question: Question) -> Option<TtlRange> {
        let ceiling = search.range().most;
        // Asked one after the other, each question halves what is left; several at a time settle less each, and are for long waits.
        let at_once = if question.wait() > SHORT_WAIT { AT_ONCE } else { 1 };
        let mut unasked = guess;
        for confirmed in [false, true] {
            loop {
                let thresholds = search.next(at_once, unasked.take());
                if thresholds.is_empty() || self.connections.load(Relaxed) >= MAX_CONNECTIONS {
                    break;
                }
                let answers = join_all(thresholds.clone().into_iter().map(|threshold| self.arrives(question, threshold))).await;
                thresholds.iter().zip(answers).for_each(|(threshold, arrived)| search.learn(*threshold, arrived));
            }
            let Some(ttl) = search.exact().filter(|ttl| *ttl < ceiling && !confirmed && Some(*ttl) != guess) else { break };
            if !self.arrives(question, ttl + 1).await {
                break;
            }
            search = Search::within(ttl + 1, ceiling);
        }
        // A search ends at 1 where nothing arrives any more: that TTL itself would be of a host behind 63 routers.
        Some(search.range()).filter(|range| range.most > 1)
    }

    /// Measures what another port or address answers a SYN with.
    async fn sibling(&self, remote: SocketAddr, guess: Option<u8>) -> Option<Sibling> {
        let dialled = self.net.dial(&self.dial(remote, self.plan.connect_timeout().min(SIBLING_WAIT))).await;
        let reply = match dialled.end {
            ConnectEnd::Connected => Reply::SynAck,
            ConnectEnd::Refused if dialled.icmp.is_none() => Reply::Refusal,
            _ => return None,
        };
        let first = FirstLook { stage: Stage::Connected, reply: None, reply_after: Duration::ZERO, round_trip: dialled.elapsed, guess, port: None };
        let ttl = self.connect_ttl(remote, &first, dialled.end).await?;
        Some(Sibling { address: remote.ip(), port: remote.port(), reply, ttl })
    }
}

impl FirstLook {
    fn connect_wait(&self) -> Duration {
        (self.round_trip * 4).clamp(CONNECT_WAIT_LEAST, CONNECT_WAIT_MOST)
    }

    fn answer_wait(&self) -> Duration {
        (self.reply_after * 2 + self.round_trip * 4 + ANSWER_MARGIN).min(ANSWER_WAIT_MOST)
    }
}

fn reply_of(end: TlsEnd) -> Option<Reply> {
    match end {
        TlsEnd::Reset => Some(Reply::Reset),
        TlsEnd::Closed => Some(Reply::Close),
        TlsEnd::Alert(_) => Some(Reply::Alert),
        TlsEnd::Established | TlsEnd::Answered | TlsEnd::NotTls | TlsEnd::Malformed | TlsEnd::LocalRefusal(_) | TlsEnd::OverCap => Some(Reply::Data),
        TlsEnd::TimedOut | TlsEnd::Unreachable(_) | TlsEnd::LocalError(_) => None,
    }
}

/// How often a threshold may be in force too late before the question is given up.
const OVERTAKEN_TRIES: usize = 6;
/// `tcpi_state` of an open connection (include/net/tcp_states.h).
const ESTABLISHED: u8 = 1;
/// Connections that ask at the same time where each would be waited for longer than this.
const AT_ONCE: usize = 3;
const SHORT_WAIT: Duration = Duration::from_millis(600);
/// How often it is asked what one leg of several, or one of several backends, may answer otherwise.
const REPEATED_TRIES: usize = 3;
/// After so many no further question is asked; siblings included.
const MAX_CONNECTIONS: u32 = 40;
const MAX_SIBLINGS: usize = 3;
/// How long a filtered SYN-ACK is waited for; below the second after which the SYN is sent again.
const CONNECT_WAIT_LEAST: Duration = Duration::from_millis(250);
const CONNECT_WAIT_MOST: Duration = Duration::from_millis(950);
const ACKNOWLEDGEMENT_MARGIN: Duration = Duration::from_millis(100);
const ACKNOWLEDGEMENT_POLL: Duration = Duration::from_millis(5);
const ANSWER_MARGIN: Duration = Duration::from_millis(250);
const ANSWER_WAIT_MOST: Duration = Duration::from_millis(2_500);
const SIBLING_WAIT: Duration = Duration::from_millis(1_500);
