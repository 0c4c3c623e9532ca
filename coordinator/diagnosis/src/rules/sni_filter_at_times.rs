use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{
    Board,
    multipath::{ports, ports_of_the_group_decide},
};
use crate::{
    bench::{Names, Tally, names, tally},
    cell::{Layer, Look, State, agreed, family},
    contrast::{BEYOND_CHANCE, fisher, tier_beside},
    draft::Draft,
    explain::{WHERE, WHO, count, fate, seats as named},
    scene::Scene,
};

/// `path.sni-filter` that misses some: from one group the wanted name fails now and then, another name never, and other groups never fail.
///
/// Excluded by a slow pace that cures it, which a limit on rate explains, and by source ports that give the same again more often than by chance, which a leg explains. Arrival TTLs say nothing
/// here: what is measured over several connections has one author only where all end alike. Counter: `path.multipath-leg`.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        for profile in scene.profiles_by_need().into_iter().filter(|profile| scene.is_required(*profile)) {
            for seat in (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && !scene.seats[*seat].inside) {
                let wavers = scene.state(seat, place, profile, Layer::Tls) == State::Mixed;
                if !wavers || board.is_explained(seat, place, profile) || board.is_intercepted(seat, place) {
                    continue;
                }
                if let Some(mut draft) = test(scene, seat, place, profile) {
                    let neighbours = neighbours(scene, seat, place, profile);
                    board.mark_all(seat, place);
                    neighbours.iter().for_each(|other| board.mark_all(*other, place));
                    for (seat, other) in cut_at_other_places(scene, seat, place, profile) {
                        board.mark_all(seat, other);
                        draft.seats.insert(seat);
                        draft.places.insert(other);
                    }
                    board.drafts.push(draft.blaming(&neighbours));
                }
            }
        }
    }
}

fn test(scene: &Scene<'_>, seat: usize, place: usize, profile: usize) -> Option<Draft> {
    let names = names(scene, seat, place);
    let slow = tally(scene, seat, place, Experiment::Slow);
    let beyond_chance = |wanted: &Tally<'_>, other: usize| fisher(wanted.failed.len(), wanted.passed.len(), 0, other) <= BEYOND_CHANCE;
    if slow.failed.is_empty() || !ports_do_not_matter(scene, seat, place) || !names.control.always(1) || !names.control_cut.is_empty() {
        return None;
    }
    let others = others(scene, seat, place, profile)?;
    let passed: Vec<Look<'_>> = others.iter().flat_map(|other| scene.cell(*other, place, profile)).copied().collect();
    if !beyond_chance(&names.wanted, names.control.passed.len()) || !beyond_chance(&names.wanted, passed.len()) {
        return None;
    }
    let (_, outcome) = agreed(names.wanted.failed.iter().map(|look| look.reach)).filter(|(class, _)| is_of_a_filter(*class))?;
    let tier = tier_beside(scene.count_groups(&others))?;
    let mut draft = draft(scene, seat, place, &names, tier, outcome);
    draft.add("other-groups", format!("{} pass every time ({})", named(scene, &others), count(passed.len(), "attempt")), &passed);
    draft.add("slow", format!("a slow pace cures nothing: {} of {} failed", slow.failed.len(), count(slow.all().len(), "attempt")), &slow.all());
    draft.add_profiles_of(&scene.failures_of(seat, place));
    Some(draft.unless(Cause::PathMultipathLeg, "repeat more source ports, twice each: a leg fixes the outcome of each, a filter that misses some does not"))
}

fn draft(scene: &Scene<'_>, seat: usize, place: usize, names: &Names<'_>, tier: Tier, outcome: Outcome) -> Draft {
    let (failed, all) = (names.wanted.failed.len(), names.wanted.all().len());
    let host = &scene.round.check.target.host;
    let compared = format!(
        "from {}, {host} failed in {failed} of {} and another name or none passed in all {} at {}",
        named(scene, &[seat]),
        count(all, "attempt"),
        names.control.passed.len(),
        scene.places[place]
    );
    let mut rests_on = names.wanted.failed.clone();
    rests_on.extend(&names.control.passed);
    let mut draft =
        Draft::new(Cause::PathSniFilter, tier).blaming(&[seat]).at(place).by(outcome, Some("sni")).because("control-name", compared, &rests_on).in_words(
            format!(
                "something on the path of {WHO} to {WHERE} reacts to the name {host} and misses it at times: where it sees it, a connection {}",
                fate(outcome)
            ),
        );
    draft.share = failed as f64 / all as f64;
    draft
}

/// Returns the seats behind the same path whose attempts waver in the same way: one of a group is asked for all.
fn neighbours(scene: &Scene<'_>, seat: usize, place: usize, profile: usize) -> Vec<usize> {
    let class = |seat: usize| class(scene.cell(seat, place, profile));
    let others =
        (0..scene.seats.len()).filter(|other| *other != seat && scene.seats[*other].group == scene.seats[seat].group && scene.is_scored(*other, place));
    others.filter(|other| scene.state(*other, place, profile, Layer::Tls) == State::Mixed && class(*other) == class(seat)).collect()
}

/// Returns where else the name is cut in the same way behind the same path, and other names pass: what it misses by chance makes a row of failures, too.
fn cut_at_other_places(scene: &Scene<'_>, seat: usize, place: usize, profile: usize) -> Vec<(usize, usize)> {
    let wanted = class(scene.cell(seat, place, profile));
    let beside = (0..scene.seats.len()).filter(|other| scene.seats[*other].group == scene.seats[seat].group);
    let cells = beside.flat_map(|other| (0..scene.places.len()).map(move |at| (other, at)));
    let open = cells.filter(|(other, at)| *at != place && !scene.ignored.contains(at) && scene.is_scored(*other, *at));
    let is_cut_alike = |other: usize, at: usize| (0..scene.profiles.len()).any(|profile| class(scene.cell(other, at, profile)) == wanted);
    open.filter(|(other, at)| is_cut_alike(*other, *at) && names(scene, *other, *at).control.failed.is_empty()).collect()
}

fn class(looks: &[Look<'_>]) -> Option<Outcome> {
    agreed(looks.iter().filter(|look| look.fails(Layer::Tls)).map(|look| look.reach)).map(|(class, _)| class)
}

/// Tells whether no source port differs from another, or some port gave both and those of the group agree no more than by chance: legs change now and then.
fn ports_do_not_matter(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let ports = ports(scene, seat, place);
    let all = |passes: bool| ports.values().flatten().all(|look| look.reach.is_ok() == passes);
    let gave_both = |looks: &Vec<Look<'_>>| looks.iter().any(|look| look.reach.is_ok()) && looks.iter().any(|look| !look.reach.is_ok());
    let alike = ports.len() >= LEAST_PORTS && (all(true) || all(false));
    (alike || ports.values().any(gave_both)) && !ports_of_the_group_decide(scene, seat)
}

/// Returns the seats of other groups, if all of them pass every time.
fn others(scene: &Scene<'_>, seat: usize, place: usize, profile: usize) -> Option<Vec<usize>> {
    let group = scene.seats[seat].group;
    let others: Vec<usize> = (0..scene.seats.len())
        .filter(|other| scene.seats[*other].group != group && scene.is_scored(*other, place))
        .filter(|other| !scene.cell(*other, place, profile).is_empty())
        .collect();
    let all_pass = others.iter().flat_map(|other| scene.cell(*other, place, profile)).all(|look| look.passes(Layer::Tls));
    (all_pass && !others.is_empty()).then_some(others)
}

/// How filters end what they see.
fn is_of_a_filter(class: Outcome) -> bool {
    matches!(family(class), Outcome::TlsReset | Outcome::TlsTimeout | Outcome::TlsAlert(_))
}

/// So many source ports that end alike hardly meet but one of two legs.
const LEAST_PORTS: usize = 8;
