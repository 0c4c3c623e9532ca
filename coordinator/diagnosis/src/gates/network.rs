use parallax_model::verdict::{Cause, Tier};

use super::{Contact, Report, contacts};
use crate::{cell::Layer, draft::Draft, scene::Scene};

/// G1: a seat that reaches neither the target nor any responder, while others reach a responder, has no network.
///
/// TCP that comes about at a responder while TLS fails there is something on the path, and is left to the rules.
pub(super) fn run(scene: &mut Scene<'_>, report: &mut Report) {
    if scene.round.responders.is_empty() {
        return;
    }
    let asked: Vec<usize> = (0..scene.seats.len()).filter(|seat| contacts(scene, *seat).next().is_some()).collect();
    if asked.is_empty() {
        report.not_run.push("no vantage tried a responder: nothing proves that the vantages' own networks are fine".to_owned());
        return;
    }
    let reaches = |seat: usize| contacts(scene, seat).any(|(_, contact, _)| !matches!(contact, Contact::NoTcp { .. }));
    let refused = |seat: usize| contacts(scene, seat).any(|(_, contact, _)| contact == Contact::NoTcp { refused: true });
    let connects = |seat: usize| (0..scene.places.len()).any(|place| scene.looks_of(seat, place).any(|look| look.passes(Layer::Tcp)));
    let tried = |seat: usize| (0..scene.places.len()).any(|place| scene.looks_of(seat, place).next().is_some());
    let anybody = asked.iter().any(|seat| reaches(*seat));
    if !anybody && (scene.count_groups(&asked) > 1 || asked.iter().any(|seat| refused(*seat) || connects(*seat))) {
        report.not_run.push("no vantage reached any responder: they prove nothing in this round".to_owned());
        return;
    }
    // One lost packet discards no vantage that a resolver answered.
    let is_sure = |seat: usize| contacts(scene, seat).nth(1).is_some() || scene.seats[seat].resolved.is_empty();
    let down: Vec<usize> = asked.iter().copied().filter(|seat| !reaches(*seat) && !connects(*seat) && tried(*seat) && is_sure(*seat)).collect();
    for seat in down {
        let looks: Vec<_> = contacts(scene, seat).map(|(_, _, look)| *look).collect();
        let text = format!(
            "{} reached neither the target nor any of the fleet's responders ({} attempts){}",
            scene.seats[seat].name,
            looks.len(),
            if anybody { ", which other vantages reached" } else { "" }
        );
        report.findings.push(Draft::of_vantage(Cause::VantageNetworkDown, Tier::Confirmed, seat).because("responder", text, &looks));
        scene.health[seat].discarded = Some(Cause::VantageNetworkDown.to_string());
    }
}
