use std::net::IpAddr;

use parallax_model::{
    attempt::Attempt,
    facts::LookupEnd,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::Board;
use crate::{
    cell::agreed,
    draft::Draft,
    explain::{WHO, count, seats as named},
    scene::Scene,
};

/// `dns.zone-broken`: no vantage resolves the name, in two groups or more, and their resolvers answer at all.
///
/// Excluded by any vantage that resolves it, unless to where nobody authenticates the server while the resolvers of more groups deny the name. Counter: `dns.blocked`; another resolver in a third network separates the two.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    let asked: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.health[*seat].discarded.is_none() && !scene.seats[*seat].lookups.is_empty()).collect();
    let (led_astray, asked): (Vec<usize>, Vec<usize>) = asked.into_iter().partition(|seat| !scene.seats[*seat].resolved.is_empty());
    let outside: Vec<usize> = asked.iter().copied().filter(|seat| !scene.seats[*seat].inside).collect();
    if outside.is_empty() || led_astray.iter().any(|seat| resolves(scene, *seat)) {
        return;
    }
    let lookups: Vec<&Attempt> = asked.iter().flat_map(|seat| &scene.seats[*seat].lookups).copied().collect();
    let outcomes = asked.iter().filter_map(|seat| outcome(scene, *seat));
    let (_, outcome) = agreed(outcomes).unwrap_or((Outcome::DnsFailed, Outcome::DnsFailed));
    let host = &scene.round.check.target.host;
    let groups = scene.count_groups(&asked);
    let dead = asked.iter().all(|seat| !resolver_answers(scene, *seat));
    let text = format!("{host} resolves from no vantage: {outcome} in {} ({})", count(groups, "group"), named(scene, &asked));
    let mut draft = if groups > 1 && !dead {
        Draft::new(Cause::DnsZoneBroken, Tier::Likely).unless(Cause::DnsBlocked, "resolve the name through another resolver, in a third network")
    } else if dead && groups == 1 {
        Draft::new(Cause::VantageResolver, Tier::Likely).unless(Cause::DnsBlocked, "resolve another name at the same resolver")
    } else {
        Draft::new(Cause::UndeterminedInsufficient, Tier::Insufficient).unless(Cause::DnsZoneBroken, "resolve the name from a vantage in another network")
    };
    let but = if led_astray.is_empty() { String::new() } else { format!(" but {}, which is led to a stranger", named(scene, &led_astray)) };
    draft = draft.blaming(&asked).by(outcome, None).in_words(format!("the name {host} does not resolve from any vantage{but} ({outcome})"));
    draft.add_lookups("lookup", text, &asked, &lookups);
    if !led_astray.is_empty() {
        let answers: Vec<&Attempt> = led_astray.iter().flat_map(|seat| &scene.seats[*seat].lookups).copied().collect();
        draft.add_lookups(
            "nobody-authenticates",
            format!("the resolver of {WHO} gives an address, and nobody gets a trusted certificate for {host} there"),
            &led_astray,
            &answers,
        );
    }
    board.drafts.push(draft);
}

/// Tells whether a seat's resolver gives an address that may be the server's.
pub(super) fn resolves(scene: &Scene<'_>, seat: usize) -> bool {
    let is_ignored = |address: &IpAddr| scene.place_at(*address).is_some_and(|place| scene.ignored.contains(&place));
    !scene.seats[seat].resolved.iter().all(is_ignored)
}

/// Returns the places to which the resolvers of few lead although those of more groups deny the name, and where nobody authenticates the server: who answers for names
/// that do not exist leads to his own page.
pub(super) fn strangers(scene: &Scene<'_>) -> Vec<usize> {
    let is_denied =
        |seat: usize| matches!(outcome(scene, seat), Some(Outcome::DnsNxdomain | Outcome::DnsServfail | Outcome::DnsRefused | Outcome::DnsNoAnswer));
    let denies = |seat: &usize| scene.health[*seat].discarded.is_none() && scene.seats[*seat].resolved.is_empty() && is_denied(*seat);
    let denying: Vec<usize> = (0..scene.seats.len()).filter(denies).collect();
    let resolving: Vec<usize> = (0..scene.seats.len()).filter(|seat| !scene.seats[*seat].resolved.is_empty()).collect();
    let places: Vec<usize> =
        (0..scene.places.len()).filter(|place| resolving.iter().any(|seat| scene.seats[*seat].resolved.contains(&scene.places[*place].ip()))).collect();
    let nobody_authenticates = !places.iter().any(|place| scene.is_authenticated_at(*place));
    if nobody_authenticates && scene.count_groups(&denying) > scene.count_groups(&resolving) { places } else { Vec::new() }
}

/// Returns what a seat's lookups came to.
pub(super) fn outcome(scene: &Scene<'_>, seat: usize) -> Option<Outcome> {
    scene.seats[seat]
        .lookups
        .iter()
        .map(|attempt| Outcome::of_facts(&parallax_model::facts::Facts { dns: attempt.facts.dns.clone(), ..Default::default() }))
        .next_back()
}

/// Tells whether the seat's resolver sent any response, to whatever name.
pub(super) fn resolver_answers(scene: &Scene<'_>, seat: usize) -> bool {
    let all = scene.seats[seat].lookups.iter().chain(&scene.seats[seat].other_lookups);
    all.filter_map(|attempt| attempt.facts.dns.as_ref()).flat_map(|dns| &dns.answers).any(|answer| matches!(answer.end, LookupEnd::Response(_)))
}
