//! What a witness on the server's host says of a vantage's attempts: what arrived there, and what left.

mod log;

use std::net::IpAddr;

use parallax_model::{
    attempt::Attempt,
    facts::{EndKind, LogEvent, Sender, WitnessFacts, WitnessedFlow},
    outcome::Outcome,
};

use crate::{
    cell::{Layer, Look},
    explain::{count, seats as named},
    scene::Scene,
};

pub(crate) use log::{logged, silence};

/// What became of an attempt at the server's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It got no connection, and no SYN of it arrived.
    NeverArrived,
    /// It connected, and no SYN of it arrived: a proxy, or a second host with the same address.
    AnsweredElsewhere,
    /// Its SYNs arrived, and the host answered none.
    Unanswered,
    /// It connected, and no whole ClientHello arrived.
    HelloLost,
    /// Another ClientHello arrived than was sent.
    HelloChanged,
    /// The ClientHello arrived as it was sent, and the host sent nothing.
    Mute,
    /// The host answered, and the vantage did not hear it.
    AnswerLost,
    /// The host ended it, before anybody else did.
    EndedByServer(EndKind),
    /// The host never sent what ended it.
    EndedByAnother,
    /// The server's own log says that it ended it.
    Logged(LogEvent),
}

/// The same word of a witness on most of a vantage's failed attempts at a place.
#[derive(Debug, Clone)]
pub(crate) struct Testimony<'a> {
    pub(crate) fate: Fate,
    /// The rule that it is evidence by.
    pub(crate) rule: &'static str,
    /// The sentence for a person.
    pub(crate) text: String,
    /// The attempts, and the witness's own record.
    pub(crate) looks: Vec<Look<'a>>,
}

impl Fate {
    /// Tells whether it shows that somebody before the server's host failed the attempt.
    pub(crate) fn clears_the_server(self) -> bool {
        matches!(self, Self::NeverArrived | Self::HelloLost | Self::HelloChanged | Self::EndedByAnother)
    }

    /// Tells whether it is the act of the server's host, or its lack of one.
    pub(crate) fn is_the_servers(self) -> bool {
        matches!(self, Self::Unanswered | Self::Mute | Self::EndedByServer(_) | Self::Logged(_))
    }

    /// Tells whether it is the server's own doing whatever came: a hello that was changed on the way fails by the server's hand too.
    pub(crate) fn is_the_servers_will(self) -> bool {
        matches!(self, Self::EndedByServer(_) | Self::Logged(LogEvent::Denied | LogEvent::Limited))
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::NeverArrived => "no SYN of them arrived there",
            Self::AnsweredElsewhere => "they connected, and no SYN of them arrived there",
            Self::Unanswered => "their SYNs arrived there, and nothing was sent back",
            Self::HelloLost => "they connected, and their ClientHello did not arrive there whole",
            Self::HelloChanged => "another ClientHello arrived there than was sent",
            Self::Mute => "their ClientHello arrived there as it was sent, and nothing was sent back",
            Self::AnswerLost => "the answer was sent there, and did not get back",
            Self::EndedByServer(EndKind::Reset) => "the reset was sent there",
            Self::EndedByServer(EndKind::Close) => "the close was sent there",
            Self::EndedByServer(EndKind::Alert(_)) => "the alert was sent there",
            Self::EndedByAnother => "what ended them was never sent there",
            Self::Logged(_) => "the server's log says that it ended them",
        }
    }
}

/// Returns what the witnesses of a place say of a seat's plain attempts that failed there; none when they cannot tell, or tell of different things.
///
/// What was seen of packets goes before what a log says.
pub(crate) fn of<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Testimony<'a>> {
    heard(scene, seat, place, |look| look.reach.is_failure()).or_else(|| logged(scene, seat, place))
}

/// Returns what the witnesses say of attempts that got through, where it shows that somebody stands between.
pub(crate) fn of_successes<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Testimony<'a>> {
    heard(scene, seat, place, |look| look.reach.is_ok()).filter(|testimony| testimony.fate.clears_the_server())
}

fn heard<'a>(scene: &Scene<'a>, seat: usize, place: usize, wanted: impl Fn(&Look<'a>) -> bool) -> Option<Testimony<'a>> {
    let records: Vec<Record<'a>> = records(scene, seat, place);
    let told: Vec<(Look<'a>, Fate, Look<'a>)> = scene
        .looks_of(seat, place)
        .filter(|look| wanted(look))
        .filter_map(|look| records.iter().find_map(|record| Some((*look, record.fate(look)?, record.look))))
        .collect();
    let (_, fate, record) = *told.first()?;
    let same: Vec<Look<'a>> = told.iter().filter(|(_, other, ..)| *other == fate).map(|(look, ..)| *look).collect();
    if same.len() < LEAST || same.len() * 5 < told.len() * 4 {
        return None;
    }
    let attempts = count(same.len(), "attempt");
    let text = format!("{} witnessed {attempts} from {} on the server's host: {}", scene.seats[record.seat].name, named(scene, &[seat]), fate.in_words());
    Some(Testimony { fate, rule: "witness", text, looks: same.into_iter().chain([record]).collect() })
}

/// A witness's record of a place, as far as it speaks of one seat.
struct Record<'a> {
    look: Look<'a>,
    facts: &'a WitnessFacts,
    /// Addresses of the seat that arrive there untranslated.
    untranslated: Vec<IpAddr>,
}

fn records<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Vec<Record<'a>> {
    let egress = scene.seats[seat].view.egress;
    let record = |look: &Look<'a>| {
        let facts: &'a WitnessFacts = look.attempt.facts.witness.as_deref()?;
        let own = |attempt: &Attempt| attempt.facts.tcp.as_ref().and_then(|tcp| tcp.local);
        let joined = scene.looks_of(seat, place).filter_map(|look| Some((own(look.attempt)?.ip(), flow(facts, look.attempt)?)));
        let untranslated = joined.filter(|(address, flow)| flow.client.ip() == *address).map(|(address, _)| address).chain(egress).collect();
        Some(Record { look: *look, facts, untranslated })
    };
    scene.records_beside(seat, place).filter_map(record).collect()
}

/// Finds the connection of an attempt: by the hash of its ClientHello, else by its ends and its time.
fn flow<'f>(facts: &'f WitnessFacts, attempt: &Attempt) -> Option<&'f WitnessedFlow> {
    let sent = attempt.facts.tls.as_ref().map(|tls| &tls.hello.sha256).filter(|sha256| !sha256.0.is_empty());
    let by_hello = facts.flows.iter().find(|flow| flow.hello.as_ref().is_some_and(|hello| Some(&hello.sha256) == sent));
    by_hello.or_else(|| {
        let local = attempt.facts.tcp.as_ref()?.local?;
        let apart = |flow: &&WitnessedFlow| flow.begun_at.micros_since(attempt.started_at).unsigned_abs();
        facts.flows.iter().filter(|flow| flow.client == local).min_by_key(apart).filter(|flow| apart(flow) < SAME_MOMENT_US)
    })
}

impl Record<'_> {
    fn fate(&self, look: &Look<'_>) -> Option<Fate> {
        match flow(self.facts, look.attempt) {
            None if !self.would_have_seen(look.attempt) => None,
            None if look.passes(Layer::Tcp) => Some(Fate::AnsweredElsewhere),
            None => Some(Fate::NeverArrived),
            Some(flow) => self.fate_of(look, flow),
        }
    }

    /// What was not seen did not happen only while nothing was missed.
    fn misses_nothing(&self) -> bool {
        self.facts.lost_packets == 0
    }

    /// What the host did not send says something only where its answers pass the witness: behind some balancers they leave by another way.
    fn hears_answers(&self) -> bool {
        self.misses_nothing() && self.facts.flows.iter().any(|flow| flow.syn_acks > 0)
    }

    /// Tells whether a SYN of the attempt, had it arrived, were in the record.
    fn would_have_seen(&self, attempt: &Attempt) -> bool {
        let Some(local) = attempt.facts.tcp.as_ref().and_then(|tcp| tcp.local) else { return false };
        let (Some(since), Some(until)) = (self.facts.since, self.facts.until) else { return false };
        let watched = attempt.started_at.micros_since(since) > CLOCK_MARGIN_US && until.micros_since(attempt.started_at) > CLOCK_MARGIN_US;
        let asked = self.facts.sources.contains(&local.ip()) && self.facts.flows.len() < MOST_FLOWS;
        let hears = self.facts.on_host || !self.facts.flows.is_empty();
        watched && asked && hears && self.misses_nothing() && self.untranslated.contains(&local.ip())
    }

    fn fate_of(&self, look: &Look<'_>, flow: &WitnessedFlow) -> Option<Fate> {
        let first = flow.ends.first();
        let ended_by_server = first.filter(|end| end.by == Sender::Server).map(|end| Fate::EndedByServer(end.kind));
        let unless_unheard = |fate: Fate| self.hears_answers().then_some(fate);
        match look.reach {
            Outcome::TcpTimeout | Outcome::TcpUnreachable if flow.syn_acks == 0 && ended_by_server.is_none() => unless_unheard(Fate::Unanswered),
            Outcome::TcpTimeout | Outcome::TcpUnreachable => Some(Fate::AnswerLost),
            Outcome::TcpRefused | Outcome::TcpReset => ended_by_server.or_else(|| unless_unheard(Fate::EndedByAnother)),
            reach => {
                let sent = look.attempt.facts.tls.as_ref().map(|tls| &tls.hello).filter(|hello| !hello.sha256.0.is_empty())?;
                let is_short = flow.client_bytes < u64::from(sent.bytes);
                match &flow.hello {
                    Some(hello) if hello.sha256 != sent.sha256 => Some(Fate::HelloChanged),
                    None if reach.is_ok() => None,
                    None => ended_by_server.or_else(|| (is_short && self.misses_nothing()).then_some(Fate::HelloLost)),
                    Some(_) => self.fate_behind_hello(reach, flow, ended_by_server),
                }
            }
        }
    }

    fn fate_behind_hello(&self, reach: Outcome, flow: &WitnessedFlow, ended_by_server: Option<Fate>) -> Option<Fate> {
        let unless_unheard = |fate: Fate| self.hears_answers().then_some(fate);
        match reach {
            Outcome::TlsTimeout | Outcome::TlsUnreachable if flow.server_bytes > 0 || ended_by_server.is_some() => Some(Fate::AnswerLost),
            Outcome::TlsTimeout | Outcome::TlsUnreachable => unless_unheard(Fate::Mute),
            Outcome::TlsReset | Outcome::TlsClosed | Outcome::TlsAlert(_) => ended_by_server.or_else(|| unless_unheard(Fate::EndedByAnother)),
            _ => None,
        }
    }
}

/// One record alone may be a coincidence of ports.
const LEAST: usize = 2;
/// Ports are used again, but not so soon.
const SAME_MOMENT_US: u64 = 10_000_000;
/// Two clocks differ by less, or the vantage is told to set its own.
const CLOCK_MARGIN_US: i64 = 500_000;
/// A record of so many connections was cut.
const MOST_FLOWS: usize = 256;
