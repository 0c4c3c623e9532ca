use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    verdict::{Cause, Locus, Tier},
};

use super::Asks;
use crate::{
    cell::{Layer, State, commonest, family},
    draft::Draft,
    route::{self, Extent},
    rules::trickles,
    scene::Scene,
    suspicion::{Shape, Suspicion},
};

const WHY_FAILING: &str = "a failure is not explained yet";
const WHY_COMPARED: &str = "vantages that pass show the server's own way, for comparison";

/// Where a failure has no confirmed cause, the experiments that its face calls for.
pub(super) fn failing(asks: &mut Asks<'_, '_>, drafts: &[Draft]) {
    let scene = asks.scene;
    let settled = |seat: usize, place: usize| {
        let mine = |draft: &&Draft| draft.seats.contains(&seat) && draft.places.contains(&place);
        // Advice about what passes beside it explains no failure.
        let faults = drafts.iter().filter(|draft| !draft.cause.is_informational());
        faults.filter(mine).any(|draft| draft.tier == Tier::Confirmed || (draft.tier == Tier::Likely && draft.cause.locus() == Locus::Server))
    };
    let remembering = remembered_sources(asks);
    for (place, profile, layer) in cells(asks) {
        let suspicion = column(asks, place, profile, layer);
        let blamed: Vec<usize> = suspicion.failing.iter().chain(&suspicion.thin).copied().collect();
        let open: Vec<usize> =
            blamed.iter().copied().filter(|seat| !settled(*seat, place) && !remembering.contains(seat) && !trickles(scene, *seat, place)).collect();
        for seat in &open {
            asks.until(*seat, profile, scene.places[place], LEAST_FAILURES, WHY_FAILING);
            if !scene.is_required(profile)
                && let Some(base) = asks.base()
            {
                asks.until(*seat, base, scene.places[place], LEAST_FAILURES, WHY_FAILING);
            }
        }
        let in_depth = if suspicion.shape() == Shape::Some { open.clone() } else { asks.one_of_each(&open, 3) };
        for seat in in_depth {
            experiments(asks, &suspicion, seat);
        }
        // What the server can do is worth knowing also where its refusal is plain.
        let outcome = commonest(suspicion.failures(&blamed).iter().map(|look| look.reach));
        if matches!(outcome, Outcome::TlsAlert(40 | 47 | 70 | 71 | 80) | Outcome::TlsUnsupported) {
            for seat in asks.one_of_each(&blamed, 2) {
                asks.once(seat, Experiment::LegacyHello, profile, place, 1, "what the server can do is not known yet");
                asks.once(seat, Experiment::WideHello, profile, place, 1, "what the server can do is not known yet");
                asks.once(seat, Experiment::ControlName, profile, place, 2, "what the server can do is not known yet");
            }
        }
    }
}

/// Where a source connects now and then and never gets through, something may remember it: the wanted name again would only remind it, so that nothing but controls are asked
/// for, often enough to outlast its memory.
fn remembered_sources(asks: &mut Asks<'_, '_>) -> Vec<usize> {
    let scene = asks.scene;
    let mut found = Vec::new();
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        for profile in (0..scene.profiles.len()).filter(|profile| scene.is_required(*profile)) {
            for seat in (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && scene.is_cut_now_and_then(*seat, place, profile)) {
                asks.once(seat, Experiment::ControlName, profile, place, 8, "controls outlast what a filter remembers");
                found.push(seat);
            }
        }
    }
    found
}

/// Where a fault is placed at a hop whose router nobody has named, a walk of SYNs names it.
pub(super) fn routers(asks: &mut Asks<'_, '_>, drafts: &[Draft]) {
    let unnamed = drafts.iter().filter(|draft| draft.location.as_ref().is_some_and(|location| location.router.is_none()));
    for draft in unnamed {
        let seats: Vec<usize> = draft.seats.iter().copied().collect();
        for seat in asks.one_of_each(&seats, 1) {
            for place in draft.places.iter().copied() {
                if let Some(base) = asks.base() {
                    asks.once(seat, Experiment::SynWalk, base, place, 1, "the router before the fault has no name yet");
                }
            }
        }
    }
}

/// Where something on the way fails on large hellos and nobody has walked yet, walks with full segments place it: a vantage by itself cannot know whether others differ.
pub(super) fn unplaced(asks: &mut Asks<'_, '_>, drafts: &[Draft]) {
    const WHY: &str = "the hop at which large hellos are lost is not known yet";
    let scene = asks.scene;
    let outward = |draft: &&Draft| draft.cause == Cause::PathHelloSize || draft.evidence.iter().any(|evidence| evidence.rule == "large-non-tls");
    let by_size = drafts.iter().filter(|draft| matches!(draft.cause, Cause::PathHelloSize | Cause::PathMtuBlackhole) && draft.location.is_none());
    for draft in by_size.filter(outward) {
        let is_large = |profile: &usize| scene.recipe(*profile).is_some_and(|recipe| recipe.hello.exceeds_one_segment());
        let Some(profile) = draft.profiles.iter().copied().find(is_large) else { continue };
        let seats: Vec<usize> = draft.seats.iter().copied().collect();
        for seat in asks.one_of_each(&seats, 4) {
            for place in draft.places.iter().copied() {
                asks.once(seat, Experiment::ControlWalk, profile, place, 1, WHY);
                asks.once(seat, Experiment::HelloWalk, profile, place, 1, WHY);
            }
        }
    }
}

fn experiments(asks: &mut Asks<'_, '_>, suspicion: &Suspicion<'_, '_>, seat: usize) {
    use Experiment::{ControlName, ControlWalk, HelloWalk, LargeNonTls, NoName, NonTls, ReplyTtl, SmallHello, SmallMss, SplitName, SynWalk};
    let (place, profile) = (suspicion.place, suspicion.profile);
    let outcome = commonest(suspicion.failures(&[seat]).iter().map(|look| look.reach));
    let variant = !asks.scene.is_required(profile);
    let path_is_possible = suspicion.shape() == Shape::Some || suspicion.shape() == Shape::Alone;
    if matches!(outcome, Outcome::TcpTimeout | Outcome::TcpUnreachable) && matches!(route::extent(asks.scene, seat, place), Some(Extent::ShortOnce)) {
        asks.up_to(seat, SynWalk, profile, place, 2, "a walk that ends early may have lost one answer");
    }
    if outcome == Outcome::TcpTimeout && route::lost_early(asks.scene, seat, place).is_some() {
        asks.walk_to_responder(seat, profile, place, "whether the next router answers at all shows that SYNs are lost before it");
    }
    let mut list: Vec<(Experiment, u32)> = match family(outcome) {
        Outcome::TcpRefused | Outcome::TcpUnreachable => vec![(ReplyTtl, 1), (SynWalk, 1)],
        Outcome::TcpTimeout => vec![(SynWalk, 1)],
        Outcome::TlsTimeout if variant => vec![(SmallMss, 3), (LargeNonTls, 2), (Experiment::LargeHello, 2)],
        Outcome::TlsTimeout => vec![(ControlName, 3), (NoName, 1), (SmallMss, 3), (SplitName, 3), (SmallHello, 1)],
        Outcome::TlsReset if variant => vec![(LargeNonTls, 2), (Experiment::LargeHello, 2), (ReplyTtl, 1)],
        Outcome::TlsReset | Outcome::TlsAlert(_) => vec![(ControlName, 3), (NoName, 1), (SplitName, 3), (ReplyTtl, 1), (SmallHello, 1)],
        _ => Vec::new(),
    };
    if path_is_possible && suspicion.layer == Layer::Tls && !variant {
        list.extend([(NonTls, 1), (SynWalk, 1), (ControlWalk, 1), (HelloWalk, 1)]);
    }
    if path_is_possible && variant && asks.scene.recipe(profile).is_some_and(|profile| profile.hello.exceeds_one_segment()) {
        list.extend([(ControlWalk, 1), (HelloWalk, 1)]);
    }
    for (experiment, repeat) in list {
        asks.once(seat, experiment, profile, place, repeat, WHY_FAILING);
    }
}

/// The same experiments at vantages that pass, where the reading of a failure depends on them: what a control yields, and where the walk ends.
pub(super) fn comparison(asks: &mut Asks<'_, '_>) {
    for (place, profile, layer) in cells(asks) {
        let suspicion = column(asks, place, profile, layer);
        if suspicion.failing.is_empty() || !matches!(suspicion.shape(), Shape::Some | Shape::Outside | Shape::OnlyInsidePasses) {
            continue;
        }
        let neighbours: Vec<usize> = suspicion.failing.iter().filter_map(|seat| suspicion.neighbour_passes(*seat)).collect();
        let outside: Vec<usize> = suspicion.passing.iter().copied().filter(|seat| !asks.scene.seats[*seat].inside).collect();
        let compared = asks.one_of_each(&outside, 2);
        for seat in compared.into_iter().chain(neighbours.into_iter().take(1)) {
            if layer == Layer::Tls && asks.scene.is_required(profile) {
                asks.once(seat, Experiment::ControlName, profile, place, 2, WHY_COMPARED);
                asks.once(seat, Experiment::NoName, profile, place, 1, WHY_COMPARED);
            }
            asks.once(seat, Experiment::SynWalk, profile, place, 1, WHY_COMPARED);
        }
        // A vantage's own walk to an address that answers shows what its routers tell.
        for seat in suspicion.failing.iter().take(4).filter(|_| layer == Layer::Tcp) {
            let same_family = |other: &usize| asks.scene.places[*other].is_ipv4() == asks.scene.places[place].is_ipv4();
            let answered = (0..asks.scene.places.len()).filter(same_family).find(|other| asks.scene.state(*seat, *other, profile, Layer::Tcp) == State::Pass);
            match answered {
                Some(other) => asks.once(*seat, Experiment::SynWalk, profile, other, 1, WHY_COMPARED),
                None => asks.walk_to_responder(*seat, profile, place, WHY_COMPARED),
            }
        }
    }
}

fn cells(asks: &Asks<'_, '_>) -> Vec<(usize, usize, Layer)> {
    let scene = asks.scene;
    let places = (0..scene.places.len()).filter(|place| !scene.ignored.contains(place));
    places
        .flat_map(|place| scene.profiles_by_need().into_iter().map(move |profile| (place, profile)))
        .filter(|(place, profile)| !is_turned_down(scene, *place, *profile))
        .flat_map(|(place, profile)| [Layer::Tcp, Layer::Tls].map(|layer| (place, profile, layer)))
        .collect()
}

/// Tells whether a client gets an alert wherever it fails, passes nowhere, and other profiles pass beside it: then its own offer is what is turned down, and a look at
/// the path brings nothing.
fn is_turned_down(scene: &Scene<'_>, place: usize, profile: usize) -> bool {
    let suspicion = Suspicion::at(scene, place, profile, Layer::Tls, &|_| false);
    let beside = |seat: &usize| (0..scene.profiles.len()).any(|other| other != profile && scene.state(*seat, place, other, Layer::Tls) == State::Pass);
    let alerted = |seat: &usize| matches!(suspicion.class(&[*seat]), Some((Outcome::TlsAlert(_), _)));
    let is_client = scene.recipe(profile).is_some_and(|profile| profile.client.is_some());
    is_client && suspicion.passing.is_empty() && suspicion.mixed.is_empty() && suspicion.failing.iter().all(|seat| alerted(seat) && beside(seat))
}

/// Who fails in a column, narrowed for optional profiles to those where a required one passes.
fn column<'s, 'a>(asks: &Asks<'s, 'a>, place: usize, profile: usize, layer: Layer) -> Suspicion<'s, 'a> {
    let scene = asks.scene;
    let mut suspicion = Suspicion::at(scene, place, profile, layer, &|_| false);
    if !scene.is_required(profile) {
        let base_passes = |seat: &usize| {
            (0..scene.profiles.len()).filter(|other| scene.is_required(*other)).any(|other| scene.state(*seat, place, other, layer) == State::Pass)
        };
        suspicion.failing.retain(base_passes);
        suspicion.thin.clear();
        // Refused everywhere, an optional profile is the server's choice or its intolerance: nothing more is asked.
        if suspicion.passing.is_empty() {
            suspicion.failing.clear();
        }
    }
    suspicion
}

/// Failures that a contrast needs (methods 3.3, the evidence floor).
const LEAST_FAILURES: u32 = 4;
