//! Whether a server resumes sessions, by full handshakes: the same twice over.

use std::{net::SocketAddr, time::Duration};

use parallax_model::{
    bytes::Bytes,
    facts::{CertificateAsk, ElsewhereFacts, HttpEnd, Resumption, SessionFacts, TlsEnd, VersionFacts},
    profile::{Delivery, HelloRecipe, Profile},
};
use parallax_tls::{
    registry::{ProtocolVersion, SignatureScheme},
    server_flight::NewSessionTicket,
};
use rustls::HandshakeKind;
use tokio::{sync::SemaphorePermit, time::Instant};

use super::{caller::Caller, certificates, driver::Driver};
use crate::{
    http,
    net::{Connection, Net},
    tls::{self, Channel, Exchange, Noted, Resumable, Seen, Session},
};

/// One finished handshake.
#[derive(Debug)]
pub(super) struct Full {
    pub(super) seen: Seen,
    pub(super) cipher_suite: Option<u16>,
    /// The protocol that the server chose.
    alpn: Option<String>,
    pub(super) bytes_read: u64,
    is_resumed: bool,
    ticket: Option<NewSessionTicket>,
}

/// Two handshakes, the second of which offered what the first left.
struct Twice {
    first: Full,
    resumption: Option<Resumption>,
    tickets: u8,
    lifetime_seconds: Option<u32>,
    max_early_data: Option<u32>,
    elsewhere: Vec<ElsewhereFacts>,
}

/// Asks for sessions of TLS 1.2 with what the server accepts; nothing where the library cannot speak with it.
pub(super) async fn tls12<N: Net>(driver: &Driver<'_, N>, version: &VersionFacts) -> SessionFacts {
    let mut facts = SessionFacts::default();
    let Some(recipe) = recipe(version) else { return facts };
    if let Some(two) = twice(driver, &recipe, true).await {
        if let Some(NewSessionTicket { lifetime_seconds, ticket }) = two.first.ticket {
            facts.tls12_ticket = two.resumption;
            facts.tls12_lifetime_seconds = Some(lifetime_seconds);
            facts.ticket_key_name = ticket.get(..KEY_NAME).map(|name| Bytes(name.to_vec()));
        } else {
            // Without a ticket the library falls back to the session id, which answers that question too.
            facts.tls12_ticket = Some(Resumption::NotIssued);
            facts.tls12_id = two.resumption;
        }
        facts.elsewhere = two.elsewhere;
    }
    if facts.tls12_id.is_none()
        && let Some(two) = twice(driver, &recipe, false).await
    {
        facts.tls12_id = two.resumption;
        // A node that shares its cache of sessions and not the keys of its tickets resumes nothing for clients, which take the ticket.
        if facts.tls12_ticket != Some(Resumption::Resumed) {
            facts.elsewhere = two.elsewhere;
        }
    }
    facts
}

/// Asks for sessions of TLS 1.3, and returns what the first handshake showed of the server.
pub(super) async fn tls13<N: Net>(driver: &Driver<'_, N>, version: &VersionFacts) -> Option<(SessionFacts, Full)> {
    let recipe = recipe(version)?;
    let twice = twice(driver, &recipe, true).await?;
    let facts = SessionFacts {
        tls13_psk: twice.resumption,
        tls13_tickets: Some(twice.tickets),
        tls13_lifetime_seconds: twice.lifetime_seconds,
        max_early_data_bytes: twice.max_early_data,
        elsewhere: twice.elsewhere,
        ..SessionFacts::default()
    };
    Some((facts, twice.first))
}

/// Begins a session under another name, or under none where that is turned down, and offers it under the target's, which serves no client without a
/// certificate: resumed is what it then serves.
pub(super) async fn across_names<N: Net>(driver: &Driver<'_, N>, caller: &Caller, version: &VersionFacts) -> Option<Resumption> {
    let name = caller.name.as_deref()?;
    let recipe = recipe(version)?;
    if served(driver, tls::session(&recipe, Some(name), driver.plan.address.ip())?).await?.is_some() {
        return None;
    }
    for other in [Some(caller.other_name.as_str()), None] {
        let other_recipe = HelloRecipe { server_name: other.is_some(), ..recipe.clone() };
        let resumable = Resumable::of(&other_recipe, other, driver.plan.address.ip(), true)?;
        let Ok(first) = handshake(driver, driver.plan.address, resumable.session()?, all_tickets(&resumable)).await? else { continue };
        if first.seen.certificate_requested {
            return None;
        }
        if !resumable.has_left() {
            return Some(Resumption::NotIssued);
        }
        let is_resumed = served(driver, resumable.session_as(name)?).await? == Some(HandshakeKind::Resumed);
        return Some(if is_resumed { Resumption::Resumed } else { Resumption::Refused });
    }
    None
}

/// Makes a handshake and returns of which kind it was where the server then serves the client; the inner none is an alert, an end, or a refusal by HTTP.
async fn served<N: Net>(driver: &Driver<'_, N>, session: Session) -> Option<Option<HandshakeKind>> {
    let Ok(mut open) = open(driver, driver.plan.address, session, 0).await? else { return Some(None) };
    let kind = open.session.kind();
    let deadline = Instant::now() + open.patience;
    let mut channel = open.channel();
    let said =
        if driver.plan.http { http::ask(&mut channel, &driver.plan.target, 0, deadline).await } else { http::first_read(&mut channel, true, deadline).await };
    channel.close().await;
    open.finish(driver);
    let is_served = match said.end {
        HttpEnd::Answered => !said.status.is_some_and(|status| (400..500).contains(&status)),
        HttpEnd::Quiet => true,
        _ => false,
    };
    Some(kind.filter(|_| is_served))
}

/// Makes one handshake of TLS 1.3 with the name and the signature schemes of an ask; none when the server does not finish it.
pub(super) async fn tls13_certificate<N: Net>(driver: &Driver<'_, N>, caller: &Caller, version: &VersionFacts, ask: CertificateAsk) -> Option<Full> {
    let name = certificates::server_name(caller, ask);
    let mut recipe = HelloRecipe { server_name: name.is_some(), ..recipe(version)? };
    recipe.signature_schemes.retain(|scheme| certificates::is_for(SignatureScheme(*scheme), ask));
    let session = tls::session(&recipe, name.as_deref(), driver.plan.address.ip())?;
    handshake(driver, driver.plan.address, session, || true).await?.ok()
}

/// Makes one handshake of TLS 1.3 that offers these protocols, and returns the server's choice or how it ended; none without a connection.
pub(super) async fn tls13_protocol<N: Net>(driver: &Driver<'_, N>, version: &VersionFacts, offer: Vec<String>) -> Option<Result<Option<String>, TlsEnd>> {
    let recipe = HelloRecipe { alpn: offer, ..recipe(version)? };
    let session = tls::session(&recipe, driver.plan.name_in(&recipe), driver.plan.address.ip())?;
    Some(handshake(driver, driver.plan.address, session, || true).await?.map(|full| full.alpn))
}

async fn twice<N: Net>(driver: &Driver<'_, N>, recipe: &HelloRecipe, tickets: bool) -> Option<Twice> {
    let own = driver.plan.address;
    let name = driver.plan.server_name.as_deref().filter(|_| recipe.server_name);
    let resumable = Resumable::of(recipe, name, own.ip(), tickets)?;
    let first = handshake(driver, own, resumable.session()?, all_tickets(&resumable)).await?.ok()?;
    let (tickets, lifetime_seconds, max_early_data) = (resumable.tickets(), resumable.lifetime_seconds(), resumable.max_early_data());
    let resumption = if resumable.has_left() {
        handshake(driver, own, resumable.session()?, || true).await.and_then(Result::ok).map(|second| resumption(&second))
    } else {
        Some(Resumption::NotIssued)
    };
    let elsewhere = if resumption == Some(Resumption::Resumed) { elsewhere(driver, &resumable, recipe).await } else { Vec::new() };
    Some(Twice { first, resumption, tickets, lifetime_seconds, max_early_data, elsewhere })
}

/// Offers what is left of a server's sessions to the target's other addresses, after another handshake where nothing is left.
async fn elsewhere<N: Net>(driver: &Driver<'_, N>, resumable: &Resumable, recipe: &HelloRecipe) -> Vec<ElsewhereFacts> {
    let mut seen = Vec::new();
    for address in driver.plan.siblings.iter().copied().take(MOST_SIBLINGS) {
        if !resumable.has_left() {
            let Some(session) = resumable.session() else { break };
            let _ = handshake(driver, driver.plan.address, session, all_tickets(resumable)).await;
        }
        if !resumable.has_left() {
            break;
        }
        // A session takes its ticket at once.
        let Some(session) = resumable.session() else { break };
        if let Some(Ok(full)) = handshake(driver, address, session, || true).await {
            let version = recipe.versions.first().copied().unwrap_or_default();
            seen.push(ElsewhereFacts { address, version, resumption: resumption(&full) });
        }
    }
    seen
}

fn resumption(second: &Full) -> Resumption {
    if second.is_resumed { Resumption::Resumed } else { Resumption::Refused }
}

/// Says at each call whether no further ticket has come since the last one.
fn all_tickets(resumable: &Resumable) -> impl FnMut() -> bool + Send {
    let mut before = resumable.tickets();
    let known = before;
    move || {
        let settled = std::mem::replace(&mut before, resumable.tickets()) == resumable.tickets();
        (resumable.tickets() > known || resumable.has_left()) && settled
    }
}

/// A finished handshake on a connection that is still open, and holds one of the places that the plan allows at a time.
pub(super) struct Open<'d, C> {
    pub(super) session: Session,
    pub(super) exchange: Exchange<C>,
    pub(super) patience: Duration,
    place: SemaphorePermit<'d>,
}

impl<C: Connection> Open<'_, C> {
    /// Returns the stream of application data.
    pub(super) fn channel(&mut self) -> Channel<'_, C> {
        Channel::new(&mut self.session, &mut self.exchange)
    }

    /// Closes the connection, gives its place back and gives out what was noted.
    pub(super) fn finish<N: Net>(self, driver: &Driver<'_, N>) -> Noted {
        let noted = self.exchange.finish();
        driver.note_bytes(noted.bytes_read);
        drop(self.place);
        noted
    }
}

/// Makes a full handshake at an address of the target, keeping so many bytes of it; the error is its other end.
pub(super) async fn open<'d, N: Net>(
    driver: &'d Driver<'_, N>,
    address: SocketAddr,
    session: Session,
    transcript_bytes: u32,
) -> Option<Result<Open<'d, N::Connection>, TlsEnd>> {
    let place = driver.gate().acquire().await.ok()?;
    let (mut exchange, patience) = driver.connect_to(address, transcript_bytes).await??;
    let done = tls::handshake(session, &mut exchange, Delivery::Whole, None).await;
    if done.end != TlsEnd::Established {
        return Some(Err(done.end));
    }
    Some(Ok(Open { session: done.session, exchange, patience, place }))
}

/// Makes a full handshake and waits a moment for what follows it, unless `has_all` says that everything has come; the error is its other end.
async fn handshake<N: Net>(
    driver: &Driver<'_, N>,
    address: SocketAddr,
    session: Session,
    mut has_all: impl FnMut() -> bool + Send,
) -> Option<Result<Full, TlsEnd>> {
    let mut open = match open(driver, address, session, 0).await? {
        Ok(open) => open,
        Err(end) => return Some(Err(end)),
    };
    let is_resumed = open.session.kind() == Some(HandshakeKind::Resumed);
    let seen = open.session.seen();
    let negotiated = open.session.negotiated(&seen, 0);
    let cipher_suite = negotiated.as_ref().and_then(|negotiated| negotiated.cipher_suite);
    // Before TLS 1.3 everything has come with Finished.
    let is_open = negotiated.as_ref().is_some_and(|negotiated| negotiated.version == Some(ProtocolVersion::TLS13.0));
    let alpn = negotiated.and_then(|negotiated| negotiated.alpn);
    let patience = open.patience;
    let mut channel = open.channel();
    let until = Instant::now() + (channel.round_trip() * 3 + FOR_TICKETS).min(patience);
    while is_open && !has_all() && Instant::now() < until {
        let _ = channel.read(until.min(Instant::now() + STEP)).await;
    }
    channel.close().await;
    let noted = open.finish(driver);
    Some(Ok(Full { seen, cipher_suite, alpn, bytes_read: noted.bytes_read, is_resumed, ticket: noted.answer.session_ticket }))
}

/// Makes a recipe of what both the library and the server can do in a version; none when that is nothing.
pub(super) fn recipe(version: &VersionFacts) -> Option<HelloRecipe> {
    let is_tls13 = version.version == ProtocolVersion::TLS13.0;
    let wide = Profile::builtin(if is_tls13 { "modern" } else { "tls12" })?.hello;
    let in_common = |known: &[u16], accepted: &[u16]| known.iter().copied().filter(|number| accepted.contains(number)).collect::<Vec<u16>>();
    let cipher_suites = in_common(&wide.cipher_suites, &version.suites.numbers);
    let groups = in_common(&LIBRARY_GROUPS, &version.groups.numbers);
    let key_shares = if is_tls13 { groups.first().copied().into_iter().collect() } else { Vec::new() };
    let can_speak = !cipher_suites.is_empty() && !groups.is_empty();
    can_speak.then(|| HelloRecipe { versions: vec![version.version], cipher_suites, groups, key_shares, alpn: Vec::new(), ..wide })
}

/// The groups of the library, the smallest shares first.
const LIBRARY_GROUPS: [u16; 4] = [0x001d, 0x0017, 0x0018, 0x11ec];
/// Bytes that name the key of a ticket in the format that RFC 5077 section 4 recommends.
const KEY_NAME: usize = 16;
/// How long a server may take to write a ticket after Finished, besides the way.
const FOR_TICKETS: Duration = Duration::from_millis(100);
const STEP: Duration = Duration::from_millis(5);
/// Other addresses to which a session is offered.
const MOST_SIBLINGS: usize = 4;

#[cfg(test)]
mod tests {
    use parallax_model::facts::{Accepted, AuditAnswer};

    use super::*;

    fn version(version: u16, suites: &[u16], groups: &[u16]) -> VersionFacts {
        let accepted = |numbers: &[u16]| Accepted { numbers: numbers.to_vec(), ..Accepted::default() };
        VersionFacts {
            version,
            answer: AuditAnswer::Hello,
            suites: accepted(suites),
            prefers_chacha: None,
            groups: accepted(groups),
            signature_schemes: Accepted::default(),
            unoffered_suite: None,
        }
    }

    #[test]
    fn a_recipe_is_what_both_sides_can_do() {
        let tls12 = recipe(&version(0x0303, &[0x002f, 0xc030], &[0x0018, 0x001d])).unwrap();
        assert_eq!((tls12.versions, tls12.cipher_suites, tls12.groups, tls12.key_shares), (vec![0x0303], vec![0xc030], vec![0x001d, 0x0018], vec![]));
        let tls13 = recipe(&version(0x0304, &[0x1301], &[0x11ec, 0x0017])).unwrap();
        assert_eq!((tls13.cipher_suites, tls13.key_shares), (vec![0x1301], vec![0x0017]));
        assert_eq!(recipe(&version(0x0303, &[0x002f], &[0x001d])), None);
        assert_eq!(recipe(&version(0x0304, &[0x1301], &[0x0019])), None);
    }
}
