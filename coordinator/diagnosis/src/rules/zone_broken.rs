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
    explain::{count, seats as named},
    scene::Scene,
};

/// `dns.zone-broken`: no vantage resolves the name, in two groups or more, and their resolvers answer at all.
///
/// Excluded by any vantage that resolves it. Counter: `dns.blocked`; another resolver in a third network separates the two.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    let asked: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.health[*seat].discarded.is_none() && !scene.seats[*seat].lookups.is_empty()).collect();
    let outside: Vec<usize> = asked.iter().copied().filter(|seat| !scene.seats[*seat].inside).collect();
    if outside.is_empty() || asked.iter().any(|seat| !scene.seats[*seat].resolved.is_empty()) {
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
    draft = draft.blaming(&asked).by(outcome, None).in_words(format!("the name {host} does not resolve from any vantage ({outcome})"));
    draft.add_lookups("lookup", text, &lookups);
    board.drafts.push(draft);
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
