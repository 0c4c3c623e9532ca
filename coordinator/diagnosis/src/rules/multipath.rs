use std::collections::{BTreeMap, BTreeSet};

use parallax_model::{assignment::Experiment, facts::Reply, outcome::Outcome, verdict::Cause};

use super::Board;
use crate::{
    bench::tally,
    cell::{Layer, Look, agreed},
    contrast::{BEYOND_CHANCE, at_least, row_by_chance, tier_beside},
    draft::Draft,
    explain::{WHERE, WHO, count, fate, seats as named},
    route::{self, Author},
    scene::Scene,
};

/// `path.multipath-leg`: from one group each source port gives always the same, some pass and some fail, and other groups pass.
///
/// Excluded by ports that give both as often as chance would, by an end that comes from the server's own distance, and by other groups that fail at times too, which a backend explains. Counter: `server.overloaded`; the same ports from another group
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

pub(super) type Ports<'a> = BTreeMap<u16, Vec<Look<'a>>>;

/// Sorts what the source ports of a seat gave at a place.
pub(super) fn ports<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Ports<'a> {
    let mut ports = Ports::new();
    for look in scene.bench(seat, Experiment::SourcePort, place) {
        let pinned = look.attempt.facts.tcp.as_ref().filter(|tcp| tcp.source_port_pinned).and_then(|tcp| tcp.local);
        if let Some(local) = pinned {
            ports.entry(local.port()).or_default().push(*look);
        }
    }
    ports
}

/// Counts the ports that were tried again, and those of them that gave the same each time.
fn agreement(ports: &Ports<'_>) -> (usize, usize) {
    let again: Vec<_> = ports.values().filter(|looks| looks.len() > 1).collect();
    (again.iter().filter(|looks| looks.iter().all(|look| look.reach.is_ok() == looks[0].reach.is_ok())).count(), again.len())
}

/// Tells whether the ports decide, here and wherever else the group's attempts waver: chance that looks like a leg at one place does not at the next.
fn ports_decide(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    agree_beyond_chance(scene, &[(seat, place)]) && ports_of_the_group_decide(scene, seat)
}

/// Tells whether the ports decide over all places where the attempts of the seat's group waver.
pub(super) fn ports_of_the_group_decide(scene: &Scene<'_>, seat: usize) -> bool {
    let group = scene.seats[seat].group;
    let beside = (0..scene.seats.len()).filter(|other| scene.seats[*other].group == group);
    let all = beside.flat_map(|other| (0..scene.places.len()).map(move |at| (other, at)));
    let mixed: Vec<(usize, usize)> = all
        .filter(|(other, at)| {
            let tries = tally(scene, *other, *at, Experiment::SourcePort);
            !tries.passed.is_empty() && !tries.failed.is_empty()
        })
        .collect();
    agree_beyond_chance(scene, &mixed)
}

/// Tells whether more ports gave the same again than chance lets expect.
fn agree_beyond_chance(scene: &Scene<'_>, cells: &[(usize, usize)]) -> bool {
    agreement_by_chance(scene, cells) <= PORTS_BEYOND_CHANCE
}

/// Returns how likely as many ports as did would have given the same again if ports did not matter.
fn agreement_by_chance(scene: &Scene<'_>, cells: &[(usize, usize)]) -> f64 {
    let tables: Vec<Ports<'_>> = cells.iter().map(|(seat, place)| ports(scene, *seat, *place)).collect();
    let looks = || tables.iter().flat_map(BTreeMap::values).flatten();
    let failing = looks().filter(|look| !look.reach.is_ok()).count() as f64 / looks().count().max(1) as f64;
    // Two tries agree by chance this often when ports do not matter.
    let by_chance = failing.powi(2) + (1.0 - failing).powi(2);
    let (same, again) = tables.iter().map(agreement).fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    at_least(same, again, by_chance)
}

fn test(scene: &Scene<'_>, seat: usize, place: usize) -> Option<Draft> {
    let ports = ports(scene, seat, place);
    let always = |passes: bool| ports.iter().filter(move |(_, looks)| looks.iter().all(|look| look.reach.is_ok() == passes)).collect::<Vec<_>>();
    let (pass, fail) = (always(true), always(false));
    let repeated = |rows: &[(&u16, &Vec<Look<'_>>)]| rows.iter().filter(|(_, looks)| looks.len() > 1).count();
    if repeated(&pass) < 2 || repeated(&fail) < 2 || !ports_decide(scene, seat, place) || pauses_tell_more(scene, seat, place, &ports) {
        return None;
    }
    let group = scene.seats[seat].group;
    let others: Vec<usize> = (0..scene.seats.len())
        .filter(|other| scene.seats[*other].group != group && scene.is_scored(*other, place) && scene.looks_of(*other, place).next().is_some())
        .collect();
    // An optional recipe that wavers here may do so from everywhere.
    let tried: BTreeSet<usize> = ports.values().flatten().filter_map(|look| look.profile).collect();
    let counts = |look: &&Look<'_>| look.profile.is_some_and(|profile| scene.is_required(profile) || tried.contains(&profile));
    let passes = |seat: usize| scene.looks_of(seat, place).filter(counts).all(|look| look.passes(Layer::Tls));
    if others.iter().any(|other| !passes(*other)) {
        return None;
    }
    // A leg of the path does not speak from where the server stands: then it is a backend that is chosen by source.
    if matches!(route::author(scene, seat, place, &[Reply::Refusal, Reply::Reset, Reply::Close, Reply::Alert]), Some(Author::AsFarAsServer { .. })) {
        return None;
    }
    let tier = tier_beside(scene.count_groups(&others))?;
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
    draft.add_profiles_of(&scene.failures_of(seat, place));
    let controls: Vec<Look<'_>> = scene.bench(seat, Experiment::ControlName, place).copied().collect();
    if !controls.is_empty() && controls.iter().all(|look| look.reach.is_ok() || matches!(look.reach, Outcome::TlsAlert(_))) {
        // On the legs that pass, another name passes whatever the failing ones mind.
        let share = draft.share;
        let by_luck = controls.iter().fold(1.0, |chance, _| chance * (1.0 - share));
        let so = if by_luck > PORTS_BEYOND_CHANCE { "they may all have taken the legs that pass" } else { "the failing leg reacts to the name" };
        draft.add("control-name", format!("another name passed in all {}: {so}", count(controls.len(), "attempt")), &controls);
    }
    draft.add("other-groups", format!("{} pass every time", named(scene, &others)), &[]);
    let draft = draft.unless(Cause::ServerOverloaded, "repeat the same source ports from another group");
    Some(draft.in_words(format!("one of several legs on the path of {WHO} to {WHERE} fails, fixed by source port: there a connection {}", fate(outcome))))
}

/// Tells whether the seat's attempts after pauses all passed, and by less luck than its ports agree: a limit on rate cuts two series of ports at the same turns.
fn pauses_tell_more(scene: &Scene<'_>, seat: usize, place: usize, ports: &Ports<'_>) -> bool {
    let looks = || ports.values().flatten();
    let passing = looks().filter(|look| look.reach.is_ok()).count() as f64 / looks().count().max(1) as f64;
    let slow = scene.everywhere(seat, Experiment::Slow);
    let luck = row_by_chance(passing, slow.len());
    slow.iter().all(|look| look.reach.is_ok()) && luck <= BEYOND_CHANCE && luck <= agreement_by_chance(scene, &[(seat, place)])
}

/// Ports that agree with themselves by less luck than this show that they decide: a limit on rate looks much the same.
const PORTS_BEYOND_CHANCE: f64 = 0.02;
