use parallax_model::assignment::Experiment;

use super::Asks;
use crate::cell::Layer;

/// What the server can do, where the check wants to know: at each address once from each group that reaches it.
pub(super) fn audits(asks: &mut Asks<'_, '_>) {
    let scene = asks.scene;
    if !scene.round.check.is_audited(scene.round.started_at) {
        return;
    }
    let Some(base) = asks.base() else { return };
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        let reaches = |seat: &usize| scene.looks_of(*seat, place).any(|look| look.passes(Layer::Tcp));
        let seats: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place)).filter(reaches).collect();
        for group in scene.groups(&seats).into_values() {
            let is_asked = group.iter().any(|seat| asks.was_tried(*seat, Experiment::Audit, place));
            if let (Some(seat), false) = (group.first(), is_asked) {
                asks.once(*seat, Experiment::Audit, base, place, 1, "what the server can do");
            }
        }
    }
}
