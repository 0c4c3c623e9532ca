//! Whether a vantage itself is fine: what its own host or network does is never the target's fault.

mod clock;
mod family;
mod instrument;
mod network;
mod portal;
mod responder;
mod template;

use std::net::IpAddr;

use parallax_model::{
    outcome::NotCompletedKind,
    verdict::{Cause, Discarded, Participation},
};
pub(crate) use responder::{Contact, contact, contacts};

use crate::{draft::Draft, scene::Scene};

/// What the gates say about one seat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// Why nothing of it is scored: a `vantage.*` cause or the reason for which attempts were not made.
    pub(crate) discarded: Option<String>,
    /// Why it is shown among the discarded ones although some of it is scored.
    pub(crate) noted: Option<Cause>,
    pub(crate) ipv6: Ipv6,
}

/// Whether a seat's IPv6 works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Ipv6 {
    /// A connection over IPv6 came about.
    Proven,
    /// Nothing tells.
    #[default]
    Unknown,
    /// It does not work there.
    Broken,
}

impl Health {
    /// Tells whether observations at an address are scored.
    pub(crate) fn scores(&self, address: IpAddr) -> bool {
        let wrong_family = address.to_canonical().is_ipv6() && self.ipv6 == Ipv6::Broken;
        self.discarded.is_none() && !wrong_family
    }
}

/// What the gates found, beside what they wrote into the scene.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) findings: Vec<Draft>,
    pub(crate) not_run: Vec<String>,
}

/// Runs every gate and writes into the scene which seats are scored.
pub(crate) fn run(scene: &mut Scene<'_>) -> Report {
    let mut report = Report::default();
    discard_unasked(scene);
    if scene.round.responders.is_empty() {
        report.not_run.push("no responder is configured: nothing proves that the vantages' own networks are fine".to_owned());
    }
    for gate in [portal::run, network::run, family::run, clock::run, instrument::run, template::run] {
        gate(scene, &mut report);
    }
    report
}

/// A seat none of whose attempts was completed says nothing.
fn discard_unasked(scene: &mut Scene<'_>) {
    for seat in 0..scene.seats.len() {
        let has_looks = (0..scene.places.len()).any(|place| scene.looks_of(seat, place).next().is_some());
        let resolved = !scene.seats[seat].lookups.is_empty();
        let denied = scene.seats[seat].missing.iter().find(|(_, kind)| *kind == NotCompletedKind::PolicyDenied);
        let reason = denied.or_else(|| scene.seats[seat].missing.first().filter(|_| !resolved)).map(|(_, kind)| kind.as_str().to_owned());
        if let (false, Some(reason)) = (has_looks, reason) {
            scene.health[seat].discarded = Some(reason);
        }
    }
}

/// Writes who took part.
pub(crate) fn participation(scene: &Scene<'_>, report: &Report) -> Participation {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let heard = |seat: usize| scene.seats[seat].attempts > 0 || scene.seats[seat].view.reported;
    let cause = |seat: usize| scene.health[seat].discarded.clone().or_else(|| scene.health[seat].noted.map(|cause| cause.to_string()));
    let seats = 0..scene.seats.len();
    Participation {
        eligible: count(scene.seats.len()),
        reported: count(seats.clone().filter(|seat| heard(*seat)).count()),
        discarded: seats.clone().filter_map(|seat| cause(seat).map(|cause| Discarded { vantage: scene.seats[seat].name.to_owned(), cause })).collect(),
        missing: seats.filter(|seat| !heard(*seat)).map(|seat| scene.seats[seat].name.to_owned()).collect(),
        gates_not_run: report.not_run.clone(),
    }
}
