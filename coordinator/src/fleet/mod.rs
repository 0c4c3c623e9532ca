//! The vantages that are connected now: how to reach each, and when one of them has to go.

mod manners;
mod responders;

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

pub(crate) use manners::TargetCaps;
use parallax_model::{
    clock::Timestamp,
    id::VantageName,
    vantage::{Responder, Standing, Vantage, VantageState},
};
use parallax_proto::v1::{SessionResponse, session_response::Message};
pub(crate) use responders::{Advertised, reachable, told_to};
use tokio::sync::{mpsc, watch};
use tonic::Status;

/// Every live session, one per vantage.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    links: Mutex<BTreeMap<VantageName, Link>>,
    left: Mutex<BTreeMap<VantageName, Instant>>,
}

/// One live session, as others see it.
#[derive(Debug)]
pub(crate) struct Link {
    /// Grows with every session of the vantage.
    pub(crate) epoch: u64,
    /// What is sent to the agent.
    pub(crate) outbox: Outbox,
    /// Tells the session to end.
    pub(crate) ending: watch::Sender<Option<Ending>>,
    /// What the agent can do.
    pub(crate) capabilities: Vec<String>,
    /// Build of the agent.
    pub(crate) version: String,
    /// Agent's clock minus coordinator's, microseconds.
    pub(crate) clock_offset_us: Option<i64>,
    /// The responder that it runs.
    pub(crate) responder: Option<Responder>,
    /// Where its session comes from.
    pub(crate) egress: Option<IpAddr>,
    /// When it was last heard.
    pub(crate) last_heard: Timestamp,
    /// Digest of the assignments that it was sent last.
    pub(crate) assigned: Option<[u8; 32]>,
}

/// Where messages to one agent are queued; an error ends its stream.
pub(crate) type Outbox = mpsc::Sender<Result<SessionResponse, Status>>;

/// Why a session is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// A newer session of the same vantage came.
    Superseded,
    /// The vantage was banned or deleted.
    Revoked,
    /// The agent does not read what it is sent.
    Stalled,
    /// The coordinator stops.
    Stopping,
}

impl Fleet {
    /// Takes a session in, unless a newer one of the same vantage is there; an older one is told to end. Tells whether it took it.
    pub(crate) fn join(&self, name: &VantageName, link: Link) -> bool {
        let mut links = self.links();
        if links.get(name).is_some_and(|present| present.epoch > link.epoch) {
            return false;
        }
        if let Some(older) = links.insert(name.clone(), link) {
            older.ending.send_replace(Some(Ending::Superseded));
        }
        true
    }

    /// Forgets a session, unless a newer one took its place; tells whether it was the present one.
    pub(crate) fn leave(&self, name: &VantageName, epoch: u64) -> bool {
        let mut links = self.links();
        let present = links.get(name).is_some_and(|link| link.epoch == epoch);
        if present {
            links.remove(name);
            lock(&self.left).insert(name.clone(), Instant::now());
        }
        present
    }

    /// Sends to a vantage; tells whether it has a session that takes it.
    pub(crate) fn send(&self, name: &VantageName, message: Message) -> bool {
        let links = self.links();
        let Some(link) = links.get(name) else { return false };
        let sent = link.outbox.try_send(Ok(SessionResponse { message: Some(message) }));
        if matches!(sent, Err(mpsc::error::TrySendError::Full(_))) {
            link.ending.send_replace(Some(Ending::Stalled));
        }
        sent.is_ok()
    }

    /// Looks at a live session.
    pub(crate) fn with<T>(&self, name: &VantageName, look: impl FnOnce(&mut Link) -> T) -> Option<T> {
        self.links().get_mut(name).map(look)
    }

    /// Tells whether a vantage has a session.
    pub(crate) fn is_online(&self, name: &VantageName) -> bool {
        self.links().contains_key(name)
    }

    /// Tells whether a vantage has a session or had one until less than `grace` ago.
    pub(crate) fn is_near(&self, name: &VantageName, grace: Duration) -> bool {
        self.is_online(name) || lock(&self.left).get(name).is_some_and(|left| left.elapsed() < grace)
    }

    /// Returns the names of the vantages that have a session.
    pub(crate) fn online(&self) -> Vec<VantageName> {
        self.links().keys().cloned().collect()
    }

    /// Returns how many vantages have a session.
    pub(crate) fn len(&self) -> usize {
        self.links().len()
    }

    /// Ends the session of one vantage.
    pub(crate) fn end(&self, name: &VantageName, ending: Ending) {
        if let Some(link) = self.links().get(name) {
            link.ending.send_replace(Some(ending));
        }
    }

    /// Ends every session.
    pub(crate) fn end_all(&self, ending: Ending) {
        for link in self.links().values() {
            link.ending.send_replace(Some(ending));
        }
    }

    /// Returns the responders that vantages announced.
    pub(crate) fn responders(&self) -> Vec<Responder> {
        self.links().values().filter_map(|link| link.responder.clone()).collect()
    }

    /// Returns what a vantage is doing, as operators see it.
    pub(crate) fn state(&self, vantage: &Vantage) -> VantageState {
        match vantage.standing {
            Standing::Banned => VantageState::Banned,
            Standing::Draining => VantageState::Draining,
            Standing::Cordoned => VantageState::Cordoned,
            Standing::Active if self.is_online(&vantage.name) => VantageState::Online,
            Standing::Active => VantageState::Silent,
        }
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<VantageName, Link>> {
        lock(&self.links)
    }
}

/// Locks; a panic elsewhere leaves the map whole, because every change of it is one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(epoch: u64) -> (Link, watch::Receiver<Option<Ending>>, mpsc::Receiver<Result<SessionResponse, Status>>) {
        let (outbox, sent) = mpsc::channel(1);
        let (ending, ended) = watch::channel(None);
        let link = Link {
            epoch,
            outbox,
            ending,
            capabilities: Vec::new(),
            version: String::new(),
            clock_offset_us: None,
            responder: None,
            egress: None,
            last_heard: Timestamp::default(),
            assigned: None,
        };
        (link, ended, sent)
    }

    #[test]
    fn the_newer_session_wins_whichever_comes_last() {
        let fleet = Fleet::default();
        let name: VantageName = "north".parse().unwrap();
        let (first, first_ended, _first_sent) = link(1);
        let (second, second_ended, _second_sent) = link(2);
        let (late, _, _late_sent) = link(1);
        assert!(fleet.join(&name, first) && fleet.join(&name, second));
        assert_eq!(*first_ended.borrow(), Some(Ending::Superseded));
        assert!(!fleet.join(&name, late));
        assert_eq!(*second_ended.borrow(), None);
        assert!(!fleet.leave(&name, 1) && fleet.is_online(&name));
        assert!(fleet.leave(&name, 2) && !fleet.is_online(&name));
        assert!(fleet.is_near(&name, Duration::from_secs(60)));
    }

    #[test]
    fn an_agent_that_does_not_read_is_ended() {
        let fleet = Fleet::default();
        let name: VantageName = "north".parse().unwrap();
        let (session, ended, _sent) = link(1);
        fleet.join(&name, session);
        let drain = || Message::Drain(parallax_proto::v1::Drain {});
        assert!(fleet.send(&name, drain()) && !fleet.send(&name, drain()));
        assert_eq!(*ended.borrow(), Some(Ending::Stalled));
        assert!(!fleet.send(&"south".parse().unwrap(), drain()));
    }
}
