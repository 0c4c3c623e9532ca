//! One attempt, from plan to facts.

use std::time::Duration;

use parallax_model::{
    assignment::Experiment,
    facts::{
        AlertSeen, Facts, HandshakeFacts, HelloSent, HttpEnd, HttpFacts, LocalRefusal, NotCompleted, StartTlsFacts, TcpFacts, TlsEnd, TlsFacts, UpgradeEnd,
    },
    profile::HelloRecipe,
    target::Scheme,
};
use tokio::time::{Instant, sleep};

use crate::{
    audit, http,
    net::{Connection, Dial, Net},
    path,
    plan::{Payload, Plan, Shape},
    quic, starttls, tcp,
    tls::{self, Channel, Exchange, Seen, Session},
};

/// Makes one attempt. A failed connection is the measurement, so there is no error.
///
/// The experiments of many connections have a place of their own: no plain attempt carries room for them.
pub async fn run<N: Net>(plan: &Plan, net: &N) -> Facts {
    match plan.experiment {
        Experiment::Resolve | Experiment::Witness => unsupported(),
        // A walk of SYNs shows the path of the address, whatever is spoken there.
        Experiment::SynWalk => Box::pin(path::syn_walk(plan, net)).await,
        Experiment::Audit if !plan.target.scheme.speaks_tls_over_tcp() => unsupported(),
        Experiment::Audit => Box::pin(audit::audit(plan, net)).await,
        _ if plan.target.scheme == Scheme::Quic => Box::pin(paced(plan, quic::attempt(plan, net))).await,
        Experiment::ReplyTtl => Box::pin(path::reply_ttl(plan, net)).await,
        Experiment::HelloWalk | Experiment::ControlWalk => Box::pin(path::hello_walk(plan, net)).await,
        _ => paced(plan, attempt(plan, net)).await,
    }
}

/// Makes the attempt, after a pause where the experiment is about one.
async fn paced(plan: &Plan, attempt: impl Future<Output = Facts>) -> Facts {
    if plan.experiment == Experiment::Slow {
        sleep(PAUSE).await;
    }
    attempt.await
}

fn unsupported() -> Facts {
    Facts { not_completed: Some(NotCompleted::Unsupported), ..Facts::default() }
}

/// What goes out first, made before the connection is: keys and configurations take time that is not the target's.
enum First {
    Session(Box<Session>, HelloRecipe),
    Hello(Vec<u8>, HelloRecipe),
    NotTls(usize),
}

impl First {
    fn of(plan: &Plan, payload: Payload) -> Self {
        let (recipe, least) = match payload {
            Payload::NotTls(size) => return Self::NotTls(size),
            Payload::Crafted(recipe, least) => (recipe, least),
            Payload::Client(layout, recipe) => return Self::Hello(tls::imitate(&layout, plan.name_in(&recipe)), recipe),
            Payload::Full(recipe) => match tls::session(&recipe, plan.name_in(&recipe), plan.address.ip()) {
                Some(session) => return Self::Session(Box::new(session), recipe),
                None => (recipe, 0),
            },
        };
        Self::Hello(tls::craft(&recipe, plan.name_in(&recipe), least), recipe)
    }
}

/// Connects, shakes hands, looks once at what follows.
async fn attempt<N: Net>(plan: &Plan, net: &N) -> Facts {
    let Shape { payload, delivery, mss } = plan.shape();
    let first = First::of(plan, payload);
    let deadline = Instant::now() + plan.attempt_time();
    let dial = Dial { source_port: plan.source_port, mss, want_ack_ttl: true, ..Dial::to(plan.address, plan.connect_timeout()) };
    let dialled = net.dial(&dial).await;
    let tcp = tcp::facts(&dial, &dialled);
    let Some(mut connection) = dialled.connection else { return tcp::failed(tcp) };
    if plan.target.scheme == Scheme::Tcp {
        return Facts { tcp: Some(TcpFacts { at_end: connection.info(), ..tcp }), ..Facts::default() };
    }
    if plan.experiment == Experiment::SourcePort {
        // The same port is used again at once, and must not wait for this connection's end.
        connection.reset_on_close();
    }
    let upgrade = starttls::before_tls(&mut connection, plan, deadline).await;
    if upgrade.as_ref().is_some_and(|upgrade| upgrade.end != UpgradeEnd::Ready) {
        return not_upgraded(tcp, &connection, upgrade);
    }
    let exchange = Exchange::new(connection, deadline, plan.limits.read_bytes, plan.limits.transcript_bytes);
    let facts = match first {
        First::Session(session, recipe) => Box::pin(full(plan, tcp, exchange, (*session, &recipe), deadline)).await,
        First::Hello(wire, recipe) => tls::ask(tcp, exchange, wire, delivery, plan.name_in(&recipe)).await,
        First::NotTls(size) => not_tls(tcp, exchange, size).await,
    };
    Facts { starttls: upgrade, ..facts }
}

fn not_upgraded<C: Connection>(tcp: TcpFacts, connection: &C, upgrade: Option<StartTlsFacts>) -> Facts {
    let tcp = TcpFacts { at_end: connection.info(), ack_ttl: connection.ack_ttl(), ..tcp };
    Facts { tcp: Some(tcp), starttls: upgrade, ..Facts::default() }
}

async fn full<C: Connection>(plan: &Plan, tcp: TcpFacts, mut exchange: Exchange<C>, (session, recipe): (Session, &HelloRecipe), deadline: Instant) -> Facts {
    let mut done = tls::handshake(session, &mut exchange, plan.shape().delivery, plan.name_in(recipe)).await;
    let mut end_us = done.elapsed_us;
    let seen = done.session.seen();
    let mut handshake = done.session.negotiated(&seen, done.elapsed_us);
    let mut http = None;
    if done.end == TlsEnd::Established {
        let mut channel = Channel::new(&mut done.session, &mut exchange);
        if plan.pinned_responder {
            let echo = http::echo(&mut channel, deadline).await;
            if let (Some(facts), Some(echo)) = (&mut handshake, echo) {
                facts.echo_sha256 = Some(echo.hello_sha256);
            }
        } else {
            http = Some(look_further(plan, &mut channel, &seen, deadline).await);
        }
        channel.close().await;
    }
    if let Some(HttpEnd::Alert(number)) = http.as_ref().map(|http| http.end) {
        // The server took the handshake back with its first word.
        done.end = TlsEnd::Alert(number);
        end_us = exchange.elapsed_us();
    } else if done.end == TlsEnd::Established && seen.signature == Some(false) {
        done.end = TlsEnd::LocalRefusal(LocalRefusal::Signature);
    }
    let mut facts = tls::assemble(tcp, exchange, done.hello, done.end, end_us);
    if let Some(tls) = &mut facts.tls {
        complete(tls, seen, handshake);
    }
    facts.http = http;
    facts
}

async fn look_further<C: Connection>(plan: &Plan, channel: &mut Channel<'_, C>, seen: &Seen, deadline: Instant) -> HttpFacts {
    // A request to a name that was not asked for would only say how the server treats strangers.
    let own_name = !matches!(
        plan.experiment,
        Experiment::ControlName | Experiment::ControlAfter | Experiment::NoName | Experiment::NameAtResponder | Experiment::Responder
    );
    if plan.http && own_name {
        let body_bytes = if plan.experiment == Experiment::Baseline { plan.limits.body_bytes } else { 0 };
        http::ask(channel, &plan.target, body_bytes, deadline).await
    } else {
        http::first_read(channel, seen.certificate_requested, deadline).await
    }
}

/// Adds what only the full path sees.
fn complete(tls: &mut TlsFacts, seen: Seen, handshake: Option<HandshakeFacts>) {
    tls.answer.certificate_requested |= seen.certificate_requested;
    if !seen.chain.is_empty() {
        tls.certificates = seen.chain;
    }
    if let TlsEnd::Alert(description) = tls.end {
        let in_clear = tls.answer.alerts.iter().any(|alert| alert.description == description);
        if !in_clear {
            tls.answer.alerts.push(AlertSeen { level: FATAL, description, encrypted: true });
        }
    }
    tls.handshake = handshake;
}

/// Sends bytes that are not TLS in one segment; any answer will do.
async fn not_tls<C: Connection>(tcp: TcpFacts, mut exchange: Exchange<C>, size: usize) -> Facts {
    let segment = exchange.connection().info().map_or(size, |info| info.send_mss as usize);
    let size = size.min(segment).max(NOT_TLS_END.len());
    let mut bytes = NOT_TLS.iter().copied().cycle().take(size - NOT_TLS_END.len()).collect::<Vec<u8>>();
    bytes.extend_from_slice(NOT_TLS_END);
    exchange.send(&bytes).await;
    let end = tls::answer(&mut exchange).await;
    let end_us = exchange.elapsed_us();
    let hello = HelloSent { writes: 1, ..HelloSent::default() };
    tls::assemble(tcp, exchange, hello, end, end_us)
}

/// How long nothing is sent before a [`Experiment::Slow`] attempt: longer than the second in which limits usually count.
const PAUSE: Duration = Duration::from_secs(3);
const FATAL: u8 = 2;
/// A line that no protocol starts with, and the end that makes a line-based server answer.
const NOT_TLS: &[u8] = b"PARALLAX ";
const NOT_TLS_END: &[u8] = b"\r\n\r\n";
