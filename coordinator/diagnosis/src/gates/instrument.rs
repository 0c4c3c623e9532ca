use std::collections::BTreeSet;

use parallax_model::verdict::{Cause, Tier};

use super::Report;
use crate::{
    cell::{Layer, Look},
    contrast::fisher,
    draft::Draft,
    scene::Scene,
};

/// G5: failures that follow the agent's build across groups are the instrument's, not the network's.
pub(super) fn run(scene: &mut Scene<'_>, report: &mut Report) {
    let seats: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.health[*seat].discarded.is_none() && outcomes(scene, *seat).next().is_some()).collect();
    let builds: BTreeSet<&str> = seats.iter().map(|seat| scene.seats[*seat].view.build.as_str()).collect();
    for build in builds {
        let (with, without): (Vec<usize>, Vec<usize>) = seats.iter().partition(|seat| scene.seats[**seat].view.build == build);
        let fails = |seat: &&usize| outcomes(scene, **seat).all(|look| look.fails(Layer::Tls) || look.fails(Layer::Tcp));
        let count = |seats: &[usize]| seats.iter().filter(fails).count();
        let (failed, other_failed) = (count(&with), count(&without));
        let p = fisher(failed, with.len() - failed, other_failed, without.len() - other_failed);
        let group = |seat: &usize| scene.seats[*seat].group;
        let shared = with.iter().any(|seat| without.iter().any(|other| group(seat) == group(other)));
        if failed < with.len() || other_failed > 0 || p >= 0.01 || !shared || scene.count_groups(&with) < 2 {
            continue;
        }
        let looks: Vec<Look<'_>> = with.iter().flat_map(|seat| outcomes(scene, *seat)).copied().collect();
        let text = format!("all {} vantages with build {build} fail and all {} others pass, in shared groups too (p = {p:.4})", with.len(), without.len());
        let mut draft = Draft::of_vantage(Cause::VantageInstrument, Tier::Confirmed, with[0]).because("build", text, &looks);
        draft.seats.extend(with.iter().copied());
        report.findings.push(draft);
        for seat in with {
            scene.health[seat].discarded = Some(Cause::VantageInstrument.to_string());
        }
    }
}

fn outcomes<'s, 'a>(scene: &'s Scene<'a>, seat: usize) -> impl Iterator<Item = &'s Look<'a>> {
    let required = move || (0..scene.profiles.len()).filter(|profile| scene.is_required(*profile));
    (0..scene.places.len()).flat_map(move |place| required().flat_map(move |profile| scene.cell(seat, place, profile)))
}
