//! What the server's own log says of a vantage's attempts: joined by source and time, and by the source's port where the log has it.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use parallax_model::{
    attempt::Attempt,
    clock::Timestamp,
    facts::{LogEvent, LogFacts, LogLine},
    id::AttemptId,
    outcome::Outcome,
};

use super::{Fate, LEAST, Testimony};
use crate::{
    cell::Look,
    explain::{count, seats as named},
    scene::Scene,
};

/// Returns the act of the server that its log has for most of a seat's failed attempts at a place: one line for each of them, and the same in each.
pub(crate) fn logged<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Testimony<'a>> {
    let mut records = records(scene, seat, place).peekable();
    records.peek()?;
    let failed: Vec<Look<'a>> = scene.looks_of(seat, place).filter(|look| look.reach.is_failure()).copied().collect();
    records.find_map(|record| {
        let lines = record.lines_of_attempts(scene, seat, place);
        let told: Vec<(Look<'a>, LogEvent)> = failed.iter().filter_map(|look| Some((*look, *lines.get(&look.attempt.id)?))).collect();
        let event = told.first()?.1;
        let same: Vec<Look<'a>> = told.iter().filter(|(_, other)| *other == event).map(|(look, _)| *look).collect();
        if same.len() < LEAST || same.len() * 5 < failed.len() * 4 {
            return None;
        }
        let witness = &scene.seats[record.look.seat].name;
        let text = format!(
            "the server's log, which {witness} reads, has a line of its own for {} from {}: {}",
            count(same.len(), "attempt"),
            named(scene, &[seat]),
            event.in_words()
        );
        Some(Testimony { fate: Fate::Logged(event), rule: "witness-log", text, looks: same.into_iter().chain([record.look]).collect() })
    })
}

/// Says that the server's log has no line about a seat's failed attempts, and lines about others': a hint, because many things keep a line from being written.
pub(crate) fn silence<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<(String, Vec<Look<'a>>)> {
    let failed: Vec<Look<'a>> = scene.looks_of(seat, place).filter(|look| look.reach.is_failure()).copied().collect();
    let own: BTreeSet<IpAddr> = failed.iter().filter_map(|look| source(look.attempt)).collect();
    // A source that is translated on the way stands in the log under another address.
    let egress = scene.seats[seat].view.egress;
    if failed.len() < LEAST || own.is_empty() || own.iter().any(|address| Some(*address) != egress) {
        return None;
    }
    records(scene, seat, place).find_map(|record| {
        let LogFacts { since, until, lost, lines, .. } = record.facts;
        let followed = failed.iter().all(|look| look.attempt.started_at >= *since && end(look.attempt) <= *until);
        if !followed || *lost > 0 || lines.iter().any(|line| own.contains(&line.client)) {
            return None;
        }
        let heard: Vec<usize> = (0..scene.seats.len())
            .filter(|other| {
                *other != seat && scene.looks_of(*other, place).any(|look| source(look.attempt).is_some_and(|ip| lines.iter().any(|line| line.client == ip)))
            })
            .collect();
        let text = format!(
            "the server's log, which {} reads, has no line of {} from {}, and lines of connections from {}",
            scene.seats[record.look.seat].name,
            count(failed.len(), "attempt"),
            named(scene, &[seat]),
            named(scene, &heard)
        );
        (!heard.is_empty()).then(|| (text, failed.iter().copied().chain([record.look]).collect()))
    })
}

/// A witness's reading of the server's log.
struct Record<'a> {
    look: Look<'a>,
    facts: &'a LogFacts,
}

fn records<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> impl Iterator<Item = Record<'a>> {
    scene.records_beside(seat, place).filter_map(|look| {
        let facts: &'a LogFacts = look.attempt.facts.witness.as_deref()?.log.as_deref()?;
        Some(Record { look: *look, facts })
    })
}

impl Record<'_> {
    /// Joins lines about the server's acts to the seat's attempts that they can be about, one to one, in the order of time.
    ///
    /// Every failed attempt takes part, at other addresses and of other experiments too: a line may be about any of them.
    fn lines_of_attempts(&self, scene: &Scene<'_>, seat: usize, place: usize) -> BTreeMap<AttemptId, LogEvent> {
        let attempts = self.attempts(scene, seat, place);
        let mut lines: Vec<&LogLine> = self.facts.lines.iter().filter(|line| line.event.is_an_act()).collect();
        // An experiment of many connections may have caused any number of lines, but none with the port of another attempt.
        let has_port_of = |line: &LogLine, attempt: &Attempt| local(attempt).is_some_and(|own| (line.client, line.client_port) == (own.ip(), Some(own.port())));
        let is_of_one = |line: &LogLine| attempts.iter().any(|attempt| !is_many(attempt) && has_port_of(line, attempt));
        lines.retain(|line| is_of_one(line) || !attempts.iter().any(|attempt| is_many(attempt) && within(line, attempt)));
        let egress = lone_egress(scene, seat);
        let mut joined = BTreeMap::new();
        for attempt in attempts {
            let fits = |line: &&LogLine| is_about(line, attempt, egress) && agrees(line.event, Outcome::of(attempt));
            if let Some(found) = lines.iter().position(fits) {
                joined.insert(attempt.id, lines.remove(found).event);
            }
        }
        joined
    }

    /// Returns the seat's failed attempts of the place's family, by their end.
    fn attempts<'s>(&self, scene: &Scene<'s>, seat: usize, place: usize) -> Vec<&'s Attempt> {
        let name = &scene.seats[seat].view.name;
        let family = |attempt: &&Attempt| attempt.address.is_some_and(|address| address.is_ipv4() == scene.places[place].is_ipv4());
        let failed = |attempt: &&Attempt| is_many(attempt) || Outcome::of(attempt).is_failure();
        let mut attempts: Vec<&Attempt> = scene.round.attempts.iter().filter(|attempt| attempt.vantage == *name).filter(family).filter(failed).collect();
        attempts.sort_by_key(|attempt| end(attempt));
        attempts
    }
}

fn source(attempt: &Attempt) -> Option<IpAddr> {
    local(attempt).map(|local| local.ip())
}

fn local(attempt: &Attempt) -> Option<SocketAddr> {
    let local = attempt.facts.tcp.as_ref()?.local?;
    Some(SocketAddr::new(local.ip().to_canonical(), local.port()))
}

fn end(attempt: &Attempt) -> Timestamp {
    attempt.started_at + Duration::from_micros(attempt.elapsed_us)
}

/// Tells whether the attempt makes connections that are no attempts of their own.
fn is_many(attempt: &Attempt) -> bool {
    attempt.facts.audit.is_some() || attempt.facts.walk.is_some() || attempt.facts.reply_ttl.is_some()
}

fn within(line: &LogLine, attempt: &Attempt) -> bool {
    line.at.micros_since(attempt.started_at) >= -EARLIER_US && line.at.micros_since(end(attempt)) <= LATER_US
}

/// Returns the address that the seat's connections come from behind a translation, where no other seat shares it.
fn lone_egress(scene: &Scene<'_>, seat: usize) -> Option<IpAddr> {
    let egress = scene.seats[seat].view.egress?;
    let shared = (0..scene.seats.len()).any(|other| other != seat && scene.seats[other].view.egress == Some(egress));
    (!shared).then(|| egress.to_canonical())
}

fn is_about(line: &LogLine, attempt: &Attempt, egress: Option<IpAddr>) -> bool {
    let Some(local) = local(attempt) else { return false };
    let direct = line.client == local.ip() && line.client_port.is_none_or(|port| port == local.port());
    let translated = line.client != local.ip() && Some(line.client) == egress;
    (direct || translated) && within(line, attempt)
}

/// Tells whether the vantage saw what the server does with it: what it did not see may have been somebody else's.
fn agrees(event: LogEvent, seen: Outcome) -> bool {
    match (event, seen) {
        (LogEvent::HandshakeFailed(_), Outcome::TlsAlert(number)) => event.alert().is_none_or(|sent| sent == number),
        (LogEvent::ProxyHeaderMissing | LogEvent::Denied | LogEvent::Limited | LogEvent::UpstreamFailed, seen) => {
            matches!(seen, Outcome::TlsReset | Outcome::TlsClosed)
        }
        _ => false,
    }
}

/// A log that counts whole seconds is up to one early, and two clocks differ by a little.
const EARLIER_US: i64 = 1_500_000;
const LATER_US: i64 = 1_500_000;
