//! Boolean tomography: what the paths of failing vantages share and no passing vantage's path does.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use parallax_model::verdict::{Cause, Locus};

use crate::{
    cell::{Layer, Look, State},
    draft::Draft,
    explain::{row, seats as named},
    route,
    scene::Scene,
};

/// A part of the way that several vantages may share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    /// A label of the vantages: its key and its value.
    Label(&'static str, String),
    /// A router that walks met.
    Router(IpAddr),
}

/// What failing vantages share and passing ones do not.
struct Shared {
    segments: BTreeSet<Segment>,
    /// Passing seats whose way was walked: only of those is known which routers they use.
    walked: Vec<usize>,
}

impl Segment {
    fn in_words(&self) -> String {
        match self {
            Self::Label(key, value) => format!("{key} {value}"),
            Self::Router(router) => format!("router {router}"),
        }
    }
}

/// Tells whether two findings of one cause about different groups may come of one fault: one segment is shared by both and by no passing vantage, and they are not placed at
/// different routers.
pub(crate) fn one_fault_explains(scene: &Scene<'_>, one: &Draft, other: &Draft) -> bool {
    let router = |draft: &Draft| draft.location.as_ref().and_then(|location| location.router.clone());
    let apart = router(one).zip(router(other)).is_some_and(|(one, other)| one != other);
    let seats: BTreeSet<usize> = one.seats.union(&other.seats).copied().collect();
    let places: BTreeSet<usize> = one.places.intersection(&other.places).copied().collect();
    one.mechanism == other.mechanism && !apart && !places.is_empty() && !shared(scene, &seats, &places).segments.is_empty()
}

/// Names in each finding about several groups what they share.
pub(crate) fn name(scene: &Scene<'_>, drafts: &mut [Draft]) {
    for draft in drafts {
        let about_a_way = matches!(draft.cause.locus(), Locus::Path | Locus::Policy | Locus::Dns) || draft.cause == Cause::UndeterminedGroupBlocked;
        let outside: Vec<usize> = draft.seats.iter().copied().filter(|seat| !scene.seats[*seat].inside).collect();
        if !about_a_way || scene.count_groups(&outside) < 2 {
            continue;
        }
        let found = shared(scene, &draft.seats, &draft.places);
        if found.segments.is_empty() {
            continue;
        }
        let words: Vec<String> = found.segments.iter().map(Segment::in_words).collect();
        let by_router = found.segments.iter().any(|segment| matches!(segment, Segment::Router(_)));
        let walked = if by_router { format!(" (the ways of {} were walked)", named(scene, &found.walked)) } else { String::new() };
        let text = format!("{} share {}, which no passing vantage uses{walked}", named(scene, &outside), row(&words));
        let looks: Vec<Look<'_>> =
            if by_router { outside.iter().flat_map(|seat| route::met(scene, *seat)).map(|(_, look)| look).collect() } else { Vec::new() };
        let mut seen = BTreeSet::new();
        let looks: Vec<Look<'_>> = looks.into_iter().filter(|look| seen.insert(look.attempt.id)).collect();
        draft.add("shared-segment", text, &looks);
    }
}

fn shared(scene: &Scene<'_>, failing: &BTreeSet<usize>, places: &BTreeSet<usize>) -> Shared {
    let failing: Vec<usize> = failing.iter().copied().filter(|seat| !scene.seats[*seat].inside).collect();
    let passing: Vec<usize> = (0..scene.seats.len()).filter(|seat| !failing.contains(seat) && passes(scene, *seat, places)).collect();
    let by_group: BTreeMap<usize, BTreeSet<Segment>> =
        scene.groups(&failing).into_iter().map(|(group, seats)| (group, seats.iter().flat_map(|seat| segments(scene, *seat)).collect())).collect();
    let mut groups = by_group.into_values();
    let first = groups.next().unwrap_or_default();
    let common = groups.fold(first, |common, group| common.intersection(&group).cloned().collect());
    let walked: Vec<usize> = passing.iter().copied().filter(|seat| !scene.seats[*seat].inside && route::met(scene, *seat).next().is_some()).collect();
    let of_passing: BTreeSet<Segment> = passing.iter().flat_map(|seat| segments(scene, *seat)).collect();
    let known = |segment: &Segment| !matches!(segment, Segment::Router(_)) || !walked.is_empty();
    let outside_passes = passing.iter().any(|seat| !scene.seats[*seat].inside);
    let segments = common.into_iter().filter(|segment| outside_passes && known(segment) && !of_passing.contains(segment)).collect();
    Shared { segments, walked }
}

fn segments(scene: &Scene<'_>, seat: usize) -> BTreeSet<Segment> {
    let labels = &scene.seats[seat].view.labels;
    let named = LABELS.iter().filter_map(|key| Some(Segment::Label(key, labels.get(*key)?.clone())));
    named.chain(route::met(scene, seat).map(|(router, _)| Segment::Router(router))).collect()
}

/// Tells whether a seat passes at all of these places with what is required.
fn passes(scene: &Scene<'_>, seat: usize, places: &BTreeSet<usize>) -> bool {
    let cells =
        || places.iter().flat_map(|place| (0..scene.profiles.len()).filter(|profile| scene.is_required(*profile)).map(move |profile| (*place, profile)));
    let passed = |(place, profile): (usize, usize)| scene.state(seat, place, profile, Layer::Tls) == State::Pass;
    places.iter().all(|place| scene.is_scored(seat, *place)) && cells().next().is_some() && cells().all(passed)
}

const LABELS: [&str; 4] = ["site", "asn", "upstream", "country"];
