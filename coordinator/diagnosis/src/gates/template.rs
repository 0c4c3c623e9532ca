use std::collections::BTreeSet;

use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Contact, Report, contacts};
use crate::{
    cell::{Layer, Look, State},
    contrast::fisher,
    draft::Draft,
    explain::count,
    scene::Scene,
};

/// G5: what follows the template of a profile in every group, at the fleet's own responders too, is the instrument's.
///
/// A server may well mind a profile that others bear; that two makes of server turn it down as malformed, from three groups or more, while another profile passes at both, is the template's doing.
pub(super) fn run(scene: &mut Scene<'_>, report: &mut Report) {
    let broken: Vec<(usize, Draft)> = (0..scene.profiles.len()).filter_map(|profile| Some((profile, test(scene, profile)?))).collect();
    for (profile, draft) in broken {
        scene.broken_templates.insert(profile);
        report.findings.push(draft);
    }
}

fn test(scene: &Scene<'_>, profile: usize) -> Option<Draft> {
    let tried = |seat: &usize| scene.health[*seat].discarded.is_none() && (0..scene.places.len()).any(|place| !scene.cell(*seat, place, profile).is_empty());
    let seats: Vec<usize> = (0..scene.seats.len()).filter(tried).collect();
    let fails = |seat: &usize| (0..scene.places.len()).all(|place| scene.cell(*seat, place, profile).iter().all(|look| look.fails(Layer::Tls)));
    let other_passes = |seat: &usize| {
        let passes = |place: usize| (0..scene.profiles.len()).any(|other| other != profile && scene.state(*seat, place, other, Layer::Tls) == State::Pass);
        (0..scene.places.len()).filter(|place| !scene.cell(*seat, *place, profile).is_empty()).all(passes)
    };
    if !seats.iter().all(|seat| fails(seat) && other_passes(seat)) {
        return None;
    }
    let refusals: Vec<(usize, Look<'_>)> =
        seats.iter().flat_map(|seat| at_responders(scene, *seat, profile).into_iter().map(move |look| (*seat, look))).collect();
    let by: BTreeSet<usize> = refusals.iter().map(|(seat, _)| *seat).collect();
    let groups = scene.count_groups(&by.iter().copied().collect::<Vec<_>>());
    let p = fisher(by.len(), 0, 0, by.len());
    if groups < LEAST_GROUPS || p >= BEYOND_CHANCE || !refusals.iter().all(|(_, look)| is_malformed(look.reach)) {
        return None;
    }
    let name = scene.profiles[profile];
    let text = format!(
        "the hello of {name} fails from all {} and is turned down as malformed by the fleet's responders too ({}, {groups} groups), where another passes (p = {p:.4})",
        count(seats.len(), "vantage"),
        count(refusals.len(), "attempt")
    );
    let looks: Vec<Look<'_>> = refusals.iter().map(|(_, look)| *look).collect();
    let mut draft = Draft::of_vantage(Cause::VantageInstrument, Tier::Confirmed, seats[0]).with_profile(profile).because("template", text, &looks);
    draft.seats.extend(seats);
    Some(draft)
}

/// Returns what came of the profile at responders that the seat reaches with the required one.
fn at_responders<'a>(scene: &Scene<'a>, seat: usize, profile: usize) -> Vec<Look<'a>> {
    let good: BTreeSet<_> = contacts(scene, seat).filter(|(_, contact, _)| *contact == Contact::Good).map(|(address, ..)| address).collect();
    let of_profile = scene.everywhere(seat, Experiment::NameAtResponder).iter().filter(|look| look.profile == Some(profile));
    of_profile.filter(|look| look.attempt.address.is_some_and(|address| good.contains(&address))).copied().collect()
}

/// Alerts that say that a hello breaks the protocol: unexpected_message, illegal_parameter, decode_error (RFC 8446 section 6.2); one that says that nothing is in common is an answer.
fn is_malformed(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::TlsAlert(10 | 47 | 50))
}

const LEAST_GROUPS: usize = 3;
const BEYOND_CHANCE: f64 = 0.01;
