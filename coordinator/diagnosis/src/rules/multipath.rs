use std::collections::BTreeMap;

use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::Board;
use crate::{
    cell::{Layer, Look, agreed},
    contrast::at_least,
    draft::Draft,
    explain::{WHERE, WHO, count, fate, seats as named},
    scene::Scene,
};

/// `path.multipath-leg`: from one group each source port gives always the same, some pass and some fail, and other groups pass.
///
/// Excluded by ports that give both as often as chance would, and by other groups that fail at times too, which a backend explains. Counter: `server.overloaded`; the same ports from another group
/// separate the two.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        for seat in (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place)) {
            if board.is_intercepted(seat, place) {
                continue;
            }
            if let Some(draft) = test(scene, seat, place) {
                board.mark_all(seat, place);
                board.drafts.push(draft);
            }
        }
    }
}

fn test(scene: &Scene<'_>, seat: usize, place: usize) -> Option<Draft> {
    let mut ports: BTreeMap<u16, Vec<Look<'_>>> = BTreeMap::new();
    for look in scene.bench(seat, Experiment::SourcePort, place) {
        let port = look.attempt.facts.tcp.as_ref().filter(|tcp| tcp.source_port_pinned).and_then(|tcp| tcp.local).map(|local| local.port());
        ports.entry(port?).or_default().push(*look);
    }
    let always = |passes: bool| ports.iter().filter(move |(_, looks)| looks.iter().all(|look| look.reach.is_ok() == passes)).collect::<Vec<_>>();
    let (pass, fail) = (always(true), always(false));
    let repeated = |rows: &[(&u16, &Vec<Look<'_>>)]| rows.iter().filter(|(_, looks)| looks.len() > 1).count();
    let agree = ports.values().filter(|looks| looks.len() > 1);
    let same = agree.clone().filter(|looks| looks.iter().all(|look| look.reach.is_ok() == looks[0].reach.is_ok())).count();
    let tries = ports.values().map(Vec::len).sum::<usize>().max(1) as f64;
    let failing = ports.values().flatten().filter(|look| !look.reach.is_ok()).count() as f64 / tries;
    // Two tries agree by chance this often when ports do not matter.
    let by_chance = failing.powi(2) + (1.0 - failing).powi(2);
    let size = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    if repeated(&pass) < 2 || repeated(&fail) < 2 || at_least(size(same), size(agree.count()), by_chance) > PORTS_BEYOND_CHANCE {
        return None;
    }
    let group = scene.seats[seat].group;
    let others: Vec<usize> = (0..scene.seats.len())
        .filter(|other| scene.seats[*other].group != group && scene.is_scored(*other, place) && scene.looks_of(*other, place).next().is_some())
        .collect();
    let passes = |seat: usize| {
        scene
            .looks_of(seat, place)
            .filter(|look| scene.profiles.iter().position(|name| *name == look.attempt.profile.as_str()).is_some_and(|profile| scene.is_required(profile)))
            .all(|look| look.passes(Layer::Tls))
    };
    if others.iter().any(|other| !passes(*other)) {
        return None;
    }
    let tier = match scene.groups(&others).len() {
        0 => return None,
        1 => Tier::Suspected,
        _ => Tier::Likely,
    };
    let all: Vec<Look<'_>> = ports.values().flatten().copied().collect();
    let failed: Vec<Look<'_>> = all.iter().filter(|look| !look.reach.is_ok()).copied().collect();
    let (_, outcome) = agreed(failed.iter().map(|look| look.reach))?;
    let who = named(scene, &[seat]);
    let numbers = |rows: &[(&u16, &Vec<Look<'_>>)]| rows.iter().take(6).map(|(port, _)| port.to_string()).collect::<Vec<_>>().join(", ");
    let text = format!(
        "from {who}, {} always pass ({}) and {} always fail ({}), {} in all",
        count(pass.len(), "source port"),
        numbers(&pass),
        count(fail.len(), "source port"),
        numbers(&fail),
        count(all.len(), "attempt")
    );
    let mut draft = Draft::new(Cause::PathMultipathLeg, tier).blaming(&[seat]).at(place).by(outcome, None).because("source-port", text, &all);
    draft.share = failed.len() as f64 / all.len() as f64;
    draft.profiles.extend((0..scene.profiles.len()).filter(|profile| scene.cell(seat, place, *profile).iter().any(|look| look.reach.is_failure())));
    let controls: Vec<Look<'_>> = scene.bench(seat, Experiment::ControlName, place).copied().collect();
    if !controls.is_empty() && controls.iter().all(|look| look.reach.is_ok() || matches!(look.reach, Outcome::TlsAlert(_))) {
        // On the legs that pass, another name passes whatever the failing ones mind.
        let by_luck = controls.iter().fold(1.0, |chance, _| chance * (1.0 - failing));
        let so = if by_luck > PORTS_BEYOND_CHANCE { "they may all have taken the legs that pass" } else { "the failing leg minds the name" };
        draft.add("control-name", format!("another name passed in all {}: {so}", count(controls.len(), "attempt")), &controls);
    }
    draft.add("other-groups", format!("{} pass every time", named(scene, &others)), &[]);
    let draft = draft.unless(Cause::ServerOverloaded, "repeat the same source ports from another group");
    Some(draft.in_words(format!("one of several legs on the path of {WHO} to {WHERE} fails, fixed by source port: there a connection {}", fate(outcome))))
}

/// Ports that agree with themselves by less luck than this show that they decide: a limit on rate looks much the same.
const PORTS_BEYOND_CHANCE: f64 = 0.02;
