//! Sessions that may resume one before them: the only place where the library is allowed to remember anything.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use parallax_model::profile::HelloRecipe;
use rustls::{
    NamedGroup,
    client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls12Resumption, Tls13ClientSessionValue},
    pki_types::ServerName,
};

use super::full::{Parts, Session};

/// Sessions with one server, of which the second can resume the first.
pub(crate) struct Resumable {
    parts: Parts,
    memory: Arc<Memory>,
}

impl Resumable {
    /// Prepares sessions; without `tickets`, TLS 1.2 resumes by session id alone. None when the library cannot send what the recipe says.
    pub(crate) fn of(recipe: &HelloRecipe, server_name: Option<&str>, address: IpAddr, tickets: bool) -> Option<Self> {
        let mut parts = Parts::of(recipe, server_name, address)?;
        let memory = Arc::new(Memory::default());
        let tls12 = if tickets { Tls12Resumption::SessionIdOrTickets } else { Tls12Resumption::SessionIdOnly };
        Arc::make_mut(&mut parts.config).resumption = Resumption::store(Arc::clone(&memory) as _).tls12_resumption(tls12);
        Some(Self { parts, memory })
    }

    /// Starts a session, which resumes what an earlier one left.
    pub(crate) fn session(&self) -> Option<Session> {
        self.parts.clone().session()
    }

    /// Starts a session under another name, which may resume what was left under this one; none when that is no name.
    pub(crate) fn session_as(&self, server_name: &str) -> Option<Session> {
        let mut parts = self.parts.clone();
        Arc::make_mut(&mut parts.config).enable_sni = true;
        parts.name = ServerName::try_from(server_name.to_owned()).ok()?;
        parts.session()
    }

    /// Tells whether something is left to resume.
    pub(crate) fn has_left(&self) -> bool {
        let left = self.memory.lock();
        left.tls12.is_some() || !left.tls13.is_empty()
    }

    /// Returns how many tickets of TLS 1.3 came.
    pub(crate) fn tickets(&self) -> u8 {
        self.memory.lock().tickets
    }

    /// Returns the lifetime of the last ticket of TLS 1.3, seconds; none without a ticket.
    pub(crate) fn lifetime_seconds(&self) -> Option<u32> {
        self.memory.lock().lifetime_seconds
    }

    /// Returns the early data that the last ticket of TLS 1.3 allows, bytes; none without a ticket.
    pub(crate) fn max_early_data(&self) -> Option<u32> {
        self.memory.lock().max_early_data
    }
}

/// Reads the lifetime of a ticket, which the library tells in no other form than this one.
fn lifetime_seconds(value: &Tls13ClientSessionValue) -> Option<u32> {
    let text = format!("{value:?}");
    let (_, behind) = text.split_once("lifetime_secs: ")?;
    behind.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
}

/// Remembers what one server left.
#[derive(Debug, Default)]
struct Memory(Mutex<Left>);

#[derive(Debug, Default)]
struct Left {
    tls12: Option<Tls12ClientSessionValue>,
    tls13: Vec<Tls13ClientSessionValue>,
    tickets: u8,
    max_early_data: Option<u32>,
    lifetime_seconds: Option<u32>,
}

impl Memory {
    fn lock(&self) -> std::sync::MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Memory {
    // A remembered group would change the second hello for another reason than the session.
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.lock().tls12 = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.lock().tls12.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.lock().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut left = self.lock();
        left.tickets = left.tickets.saturating_add(1);
        left.max_early_data = Some(value.max_early_data_size());
        left.lifetime_seconds = lifetime_seconds(&value);
        if left.tls13.len() < MOST_TICKETS {
            left.tls13.push(value);
        }
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.lock().tls13.pop()
    }
}

/// Tickets that are kept of one server; each is good for one connection.
const MOST_TICKETS: usize = 8;
