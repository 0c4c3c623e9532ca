use std::collections::HashSet;

use parallax_model::{
    attempt::Attempt,
    facts::LookupEnd,
    verdict::{Cause, Tier},
};

use super::{
    Board,
    zone_broken::{outcome, resolver_answers, resolves},
};
use crate::{
    draft::Draft,
    explain::{WHO, count, seats as named},
    scene::Scene,
};

/// `dns.blocked`: a vantage's resolver has no address for the name while it answers for something, and other groups resolve it.
///
/// Excluded by a resolver that answers nothing at all, or nothing by UDP, which is the vantage's own trouble; undetermined where it answers every name with the same error. Counter: `vantage.resolver`; another name at the same resolver separates the two.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    let asked: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.health[*seat].discarded.is_none() && !scene.seats[*seat].lookups.is_empty()).collect();
    let (given, fail): (Vec<usize>, Vec<usize>) = asked.into_iter().partition(|seat| !scene.seats[*seat].resolved.is_empty());
    let resolve: Vec<usize> = given.into_iter().filter(|seat| resolves(scene, *seat)).collect();
    if resolve.is_empty() {
        return;
    }
    let host = &scene.round.check.target.host;
    for seat in fail {
        let Some(outcome) = outcome(scene, seat) else { continue };
        let own = scene.seats[seat].group;
        let others = scene.groups(&resolve).into_keys().filter(|group| *group != own).count();
        let neighbour = resolve.iter().any(|other| scene.seats[*other].group == own);
        let fails_all = resolver_fails_all(scene, seat);
        let alive = resolver_answers(scene, seat);
        let opinions = &scene.seats[seat].opinions;
        let by_tcp = opinions.iter().any(|opinion| opinion.same_server);
        let same_server = opinions.iter().any(|opinion| opinion.same_server && opinion.vouched);
        let mut draft = if !alive {
            Draft::new(Cause::VantageResolver, Tier::Likely).unless(Cause::DnsBlocked, "resolve another name at the same resolver")
        } else if fails_all {
            // A resolver that serves nobody here, and one that knows a few names and not this one, look alike.
            Draft::new(Cause::UndeterminedInsufficient, Tier::Insufficient)
                .unless(Cause::VantageResolver, "resolve a name that it must know at the same resolver")
        } else if neighbour || others == 0 {
            Draft::new(Cause::UndeterminedConflicting, Tier::Insufficient).unless(Cause::DnsBlocked, "resolve the name again from both vantages of the group")
        } else {
            let tier = if others > 1 || same_server { Tier::Likely } else { Tier::Suspected };
            Draft::new(Cause::DnsBlocked, tier).unless(Cause::DnsZoneBroken, "resolve the name at the zone's own servers from that vantage")
        };
        draft = draft.blaming(&[seat]).by(outcome, None);
        let what = match (fails_all, alive, by_tcp) {
            (true, ..) => "resolves no name, neither others nor",
            (false, true, _) => "does not resolve the name",
            (false, false, true) => "does not answer by UDP for",
            (false, false, false) => "does not answer at all for",
        };
        draft.add_lookups(
            "lookup",
            format!("the resolver of {WHO} {what} {host} ({outcome}), while {} do, in {}", named(scene, &resolve), count(others, "other group")),
            &[seat],
            &scene.seats[seat].lookups,
        );
        for opinion in opinions {
            draft.add_opinion(opinion, host, "which it did not give");
        }
        board.drafts.push(draft.in_words(format!("the resolver of {WHO} {what} {host} ({outcome}); others resolve it")));
    }
}

/// Tells whether the seat's resolver is of no use for any name that it was asked: the same error for all of them, of which there are others than the target's.
fn resolver_fails_all(scene: &Scene<'_>, seat: usize) -> bool {
    let seat = &scene.seats[seat];
    let ends = |lookups: &[&Attempt]| -> HashSet<LookupEnd> {
        lookups.iter().filter_map(|attempt| attempt.facts.dns.as_ref()).flat_map(|dns| &dns.answers).map(|answer| answer.end).collect()
    };
    let (own, others) = (ends(&seat.lookups), ends(&seat.other_lookups));
    let is_error = |end: &LookupEnd| matches!(end, LookupEnd::Response(SERVER_FAILURE | REFUSED));
    !others.is_empty() && own.iter().all(is_error) && own == others
}

/// RCODEs (RFC 1035 section 4.1.1).
const SERVER_FAILURE: u16 = 2;
const REFUSED: u16 = 5;
