use parallax_model::{
    facts::StartTlsFacts,
    outcome::Outcome,
    target::Scheme,
    verdict::{Cause, Tier},
};

use super::{Hypothesis, edge_filter::before};
use crate::{
    cell::{Layer, Look},
    draft::Draft,
    explain::{WHERE, WHO, count, groups, seats as named},
    route::{self, Answerer},
    suspicion::{Shape, Suspicion},
};

fn upgrades(scheme: Scheme) -> bool {
    matches!(scheme, Scheme::StartTls(_))
}

pub(super) const NOT_OFFERED: Hypothesis = Hypothesis {
    cause: Cause::ServerStarttlsNotOffered,
    requires: "in every group the server does not list STARTTLS, or refuses it",
    excluded_by: "a group to which it is offered; a line of the server's list that is overwritten with X",
    counter: Cause::EdgeFilter,
    next: "look from a vantage on the server's own segment (role=inside)",
    concerns: upgrades,
    test: not_offered,
};

pub(super) const STRIPPED: Hypothesis = Hypothesis {
    cause: Cause::PathStarttlsStripped,
    requires: "STARTTLS is not listed, or not known, for some groups, and TLS comes about after it in others at the same address; and a line of the list is overwritten, a listed command arrives as another, or somebody nearer than the server answers",
    excluded_by: "a neighbour of the same group to which it is offered",
    counter: Cause::PolicySourceBlocked,
    next: "ask the server's owner whether STARTTLS is hidden from these sources (Postfix: smtpd_discard_ehlo_keyword_address_maps), and compare the server's log of the commands that arrived",
    concerns: upgrades,
    test: stripped,
};

pub(super) const STRIPPED_AT_THE_EDGE: Hypothesis = Hypothesis {
    cause: Cause::EdgeFilter,
    requires: "STARTTLS is missing in two outside groups or more, with a sign that what is said is changed on the way, and the inside vantage is offered it",
    excluded_by: "an outside group to which it is offered",
    counter: Cause::ServerStarttlsNotOffered,
    next: "ask the server's owner whether STARTTLS is hidden from outside sources (Postfix: smtpd_discard_ehlo_keyword_address_maps)",
    concerns: upgrades,
    test: stripped_at_the_edge,
};

/// Tells whether nothing but the offer is missing.
fn is_missing(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> bool {
    suspicion.layer == Layer::Tls
        && match suspicion.class(seats) {
            Some((Outcome::StartTlsNotOffered, _)) => true,
            // The list passed, and the command did not arrive as it was sent.
            Some((Outcome::StartTlsRefused, _)) => words(suspicion, seats).all(|facts| facts.reply.as_deref().is_some_and(is_unknown_command)),
            _ => false,
        }
}

fn is_unknown_command(reply: &str) -> bool {
    ["500 ", "502 "].iter().any(|code| reply.starts_with(code))
}

fn words<'a>(suspicion: &Suspicion<'_, 'a>, seats: &[usize]) -> impl Iterator<Item = &'a StartTlsFacts> + use<'a> {
    suspicion.failures(seats).into_iter().filter_map(|look| look.attempt.facts.starttls.as_ref())
}

/// Returns a line of the server's list that somebody has overwritten: inspecting firewalls keep its length.
fn overwritten<'a>(suspicion: &Suspicion<'_, 'a>, seats: &[usize]) -> Option<&'a str> {
    let is_mask = |line: &&str| line.len() >= "STARTTLS".len() && line.starts_with(MASK);
    words(suspicion, seats).flat_map(|facts| &facts.capabilities).map(String::as_str).find(is_mask)
}

/// What inspecting firewalls write over STARTTLS; they add a letter of their own.
const MASK: &str = "XXXXXXX";

fn not_offered(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let (family, outcome) = suspicion.class(seats)?;
    let fits = suspicion.layer == Layer::Tls && matches!(family, Outcome::StartTlsNotOffered | Outcome::StartTlsRefused);
    if !fits || overwritten(suspicion, seats).is_some() {
        return None;
    }
    let tier = suspicion.server_tier(seats, false)?;
    let scene = suspicion.scene;
    let failures = suspicion.failures(seats);
    let reply = words(suspicion, seats).find_map(|facts| facts.reply.as_deref()).map(|reply| format!(": \"{reply}\"")).unwrap_or_default();
    let what = if family == Outcome::StartTlsNotOffered { "does not offer STARTTLS" } else { "refuses STARTTLS" };
    let text = format!(
        "{} {what} in {} ({}, {}){reply}",
        scene.places[suspicion.place],
        groups(scene.count_groups(seats), suspicion.groups_judged()),
        named(scene, seats),
        count(failures.len(), "attempt"),
    );
    let draft = Draft::new(Cause::ServerStarttlsNotOffered, tier).blaming(seats).by(outcome, None).because("groups", text, &failures);
    Some(draft.in_words(format!("the server at {WHERE} {what}{reply}")))
}

fn stripped(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let &[seat] = seats else { return None };
    if suspicion.shape() != Shape::Some || !is_missing(suspicion, seats) || suspicion.neighbour_passes(seat).is_some() {
        return None;
    }
    let tier = suspicion.tier(seats, false)?;
    let draft = missing(suspicion, seats, Draft::new(Cause::PathStarttlsStripped, tier))?;
    Some(draft.in_words(format!("something on the path of {WHO} takes STARTTLS out of what {WHERE} says: others are offered it")))
}

fn stripped_at_the_edge(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.shape() != Shape::Outside || !is_missing(suspicion, seats) {
        return None;
    }
    let inside: Vec<Look<'_>> = suspicion.passing.iter().flat_map(|seat| suspicion.looks(*seat)).copied().collect();
    let draft = missing(suspicion, seats, Draft::new(Cause::EdgeFilter, Tier::Likely))?;
    let draft = draft.because("before-the-server", before(suspicion.scene, suspicion), &inside);
    Some(draft.in_words(format!("the owner's own edge before {WHERE} takes STARTTLS out of what the server says")))
}

/// Adds what shows that the offer is missing for some and there for others, and whose hand it is; none without such a sign, since a server may well hide the offer from
/// some of its clients.
fn missing(suspicion: &Suspicion<'_, '_>, seats: &[usize], draft: Draft) -> Option<Draft> {
    let scene = suspicion.scene;
    let who = named(scene, seats);
    let failures = suspicion.failures(seats);
    let (_, outcome) = suspicion.class(seats)?;
    let (rule, text, looks) = hand(suspicion, seats)?;
    let mut draft = draft.blaming(seats).by(outcome, None);
    draft.add("not-offered", format!("STARTTLS is not offered to {who} ({})", count(failures.len(), "attempt")), &failures);
    let passed: Vec<Look<'_>> = suspicion.passing.iter().flat_map(|seat| suspicion.looks(*seat)).filter(|look| look.reach.is_ok()).copied().collect();
    draft.add("other-groups", format!("the same address offers it to {}, and TLS comes about", named(scene, &suspicion.passing)), &passed);
    draft.add(rule, text, &looks);
    Some(draft)
}

/// Returns a sign that somebody between changes what is said.
fn hand<'a>(suspicion: &Suspicion<'_, 'a>, seats: &[usize]) -> Option<(&'static str, String, Vec<Look<'a>>)> {
    let who = named(suspicion.scene, seats);
    let failures = suspicion.failures(seats);
    if let Some(line) = overwritten(suspicion, seats) {
        let text = format!("a line of the server's list reached {who} as \"{line}\", which inspecting firewalls write over STARTTLS");
        return Some(("overwritten", text, failures));
    }
    // A server may refuse in so many words what it lists; what it quotes in its answer is what arrived.
    if words(suspicion, seats).all(|facts| facts.offered == Some(true) && facts.reply.as_deref().is_some_and(|reply| reply.contains(MASK))) {
        let text = format!("STARTTLS is listed for {who}, and the server quotes another command than was sent");
        return Some(("overwritten", text, failures));
    }
    let nearer = seats.iter().find_map(|seat| match route::answerer(suspicion.scene, *seat, suspicion.place) {
        Answerer::Proxy(text, looks) => Some((text, looks)),
        Answerer::Server | Answerer::Unknown => None,
    })?;
    Some(("answered-from-nearer", nearer.0, nearer.1))
}
