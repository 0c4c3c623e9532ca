use std::collections::BTreeSet;

use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    profile::Delivery,
    verdict::{Cause, Locus, Tier},
};

use super::{Board, certificates::describe};
use crate::{
    cell::{Layer, Look, State, commonest},
    draft::Draft,
    explain::{WHERE, WHO, count, fate, groups, seats as named},
    interruption::interruption,
    suspicion::{Shape, Suspicion},
    testimony,
};

/// `undetermined.*`: what no hypothesis explains is said to be open, with the experiment that would tell.
pub(super) fn run(board: &mut Board<'_, '_>) {
    absorb(board);
    for place in 0..board.scene.places.len() {
        for profile in board.scene.profiles_by_need() {
            for layer in [Layer::Tcp, Layer::Tls, Layer::Http] {
                open(board, place, profile, layer);
            }
        }
        unproven_certificates(board, place);
    }
}

/// The same failure of the same vantage at another address has the same cause, where that cause is proven at one; and so has that of its neighbour behind the same path.
fn absorb(board: &mut Board<'_, '_>) {
    let open: Vec<BTreeSet<usize>> = (0..board.scene.places.len()).map(|place| groups_open_at(board, place)).collect();
    for at in 0..board.drafts.len() {
        let blames_a_way = matches!(
            board.drafts[at].cause,
            Cause::PathSniFilter
                | Cause::PathAddressBlock
                | Cause::PathTlsBlock
                | Cause::PathMtuBlackhole
                | Cause::PathThrottling
                | Cause::PolicySourceBlocked
                | Cause::PathHelloSize
                | Cause::PathHelloSplit
        );
        if board.drafts[at].cause == Cause::PathMultipathLeg {
            absorb_neighbours_of_a_leg(board, at);
        }
        if blames_a_way {
            for (place, open) in open.iter().enumerate() {
                let scene = board.scene;
                if board.drafts[at].seats.iter().any(|seat| open.contains(&scene.seats[*seat].group)) {
                    absorb_at(board, at, place);
                }
            }
        }
    }
}

/// A neighbour that wavers with the same failure stands behind the same legs, also where its ports took the failing one only once.
fn absorb_neighbours_of_a_leg(board: &mut Board<'_, '_>, at: usize) {
    let scene = board.scene;
    let wanted = board.drafts[at].clone();
    let groups: BTreeSet<usize> = wanted.seats.iter().map(|seat| scene.seats[*seat].group).collect();
    for place in wanted.places.iter().copied() {
        let neighbours =
            (0..scene.seats.len()).filter(|seat| groups.contains(&scene.seats[*seat].group) && !wanted.seats.contains(seat) && scene.is_scored(*seat, place));
        for seat in neighbours {
            let looks: Vec<Look<'_>> = scene.looks_of(seat, place).copied().collect();
            let same: Vec<Look<'_>> = looks.iter().filter(|look| wanted.mechanism.as_deref() == Some(&look.reach.to_string())).copied().collect();
            let wavers = !same.is_empty() && looks.iter().any(|look| look.reach.is_ok());
            if wavers && same.len() == looks.iter().filter(|look| look.reach.is_failure()).count() {
                let text =
                    format!("{} of {} from {}, behind the same legs, fail in the same way", same.len(), count(looks.len(), "attempt"), scene.seats[seat].name);
                board.drafts[at].add("same-failure", text, &same);
                board.drafts[at].seats.insert(seat);
                board.mark_all(seat, place);
            }
        }
    }
}

fn absorb_at(board: &mut Board<'_, '_>, at: usize, place: usize) {
    let scene = board.scene;
    let Draft { cause, seats, profiles, mechanism, evidence, .. } = &board.drafts[at];
    let (cause, seats, profiles, mechanism) = (*cause, seats.clone(), profiles.clone(), mechanism.clone().unwrap_or_default());
    let remembers = evidence.iter().any(|evidence| evidence.rule == "remembers");
    let class =
        ["sni", "size", "split", "version"].iter().find_map(|suffix| mechanism.strip_suffix(suffix)?.strip_suffix('.')).unwrap_or(&mechanism).to_owned();
    // What remembers a source, or is full, cuts it off in other ways than its first one.
    let silences = remembers || cause == Cause::PathThrottling;
    let groups: BTreeSet<usize> = seats.iter().map(|seat| scene.seats[*seat].group).collect();
    let of_them: Vec<usize> = (0..scene.seats.len()).filter(|seat| groups.contains(&scene.seats[*seat].group)).collect();
    let is_path = cause.locus() == Locus::Path;
    for profile in profiles.iter().copied() {
        for layer in [Layer::Tcp, Layer::Tls, Layer::Http] {
            let is_open = |seat: &usize| !matches!(scene.state(*seat, place, profile, layer), State::Pass | State::Empty);
            if !of_them.iter().any(|seat| is_open(seat) && !board.is_explained(*seat, place, profile)) {
                continue;
            }
            let suspicion = board.suspicion(place, profile, layer);
            let alike = |seat: &usize| {
                let blamed = seats.contains(seat) || (is_path && of_them.contains(seat));
                let outcome = suspicion.class(&[*seat]).map(|(_, outcome)| outcome);
                let in_silence = silences && matches!(outcome, Some(Outcome::TcpTimeout | Outcome::TlsTimeout))
                    || cause == Cause::PathThrottling && outcome == Some(Outcome::HttpTimeout);
                let same = outcome.is_some_and(|outcome| outcome.to_string() == class) && mechanism.starts_with(if layer == Layer::Tcp { "tcp" } else { "t" });
                blamed && (in_silence || same)
            };
            // A filter that answers in the server's place may come too late, or miss some.
            let misses_some = silences || cause == Cause::PathSniFilter;
            let candidates = suspicion.failing.iter().chain(&suspicion.thin).chain(suspicion.mixed.iter().filter(|_| misses_some));
            let same: Vec<usize> = candidates.copied().filter(alike).collect();
            let others_pass = suspicion.passing.iter().any(|seat| !of_them.contains(seat));
            if same.is_empty() || !others_pass {
                continue;
            }
            let text = format!("connections from {WHO} to {WHERE} fail in the same way");
            let failures = suspicion.failures(&same);
            board.drafts[at].add("same-failure", text, &failures);
            board.drafts[at].places.insert(place);
            board.drafts[at].seats.extend(same.iter().copied());
            same.iter().for_each(|seat| board.mark_all(*seat, place));
        }
    }
}

/// Returns the groups of the seats for which something at a place is neither fine nor explained.
fn groups_open_at(board: &Board<'_, '_>, place: usize) -> BTreeSet<usize> {
    let scene = board.scene;
    let is_open = |seat: usize, profile: usize| {
        let states = [Layer::Tcp, Layer::Tls, Layer::Http].map(|layer| scene.state(seat, place, profile, layer));
        states.iter().any(|state| !matches!(state, State::Pass | State::Empty)) && !board.is_explained(seat, place, profile)
    };
    let seats = (0..scene.seats.len()).filter(|seat| (0..scene.profiles.len()).any(|profile| is_open(*seat, profile)));
    seats.map(|seat| scene.seats[seat].group).collect()
}

fn open(board: &mut Board<'_, '_>, place: usize, profile: usize, layer: Layer) {
    let scene = board.scene;
    let required = scene.is_required(profile);
    let mut suspicion = board.suspicion(place, profile, layer);
    if !required {
        let base_passes = |seat: &usize| {
            (0..scene.profiles.len()).filter(|other| scene.is_required(*other)).any(|other| scene.state(*seat, place, other, layer) == State::Pass)
        };
        suspicion.failing.retain(base_passes);
        // One lost attempt of a profile that is tried for the contrast is nothing; many of a plain hello, or of a SYN, are no luck.
        let is_plain =
            layer == Layer::Tcp || scene.recipe(profile).is_some_and(|recipe| recipe.delivery == Delivery::Whole && !recipe.hello.exceeds_one_segment());
        let often = |seat: &usize| is_plain && scene.cell(*seat, place, profile).iter().filter(|look| look.fails(layer)).count() >= LEAST_OFTEN;
        suspicion.mixed.retain(often);
        suspicion.thin.clear();
        // A server need not speak every profile that is tried for the contrast alone.
        if suspicion.passing.is_empty() {
            return;
        }
    }
    let blamed: Vec<usize> = suspicion.failing.iter().chain(&suspicion.mixed).chain(&suspicion.thin).copied().collect();
    if blamed.is_empty() {
        return;
    }
    let nobody_passes_always = suspicion.passing.is_empty() && suspicion.shape() == Shape::Some;
    let draft = if suspicion.failing.is_empty() || nobody_passes_always { mixed_or_thin(&suspicion, &blamed) } else { failing(&suspicion, &blamed) };
    board.claim(draft, &suspicion);
}

fn failing(suspicion: &Suspicion<'_, '_>, blamed: &[usize]) -> Draft {
    let scene = suspicion.scene;
    let place = scene.places[suspicion.place];
    let failures = suspicion.failures(blamed);
    let outcome = commonest(failures.iter().filter_map(|look| look.at(suspicion.layer)));
    let who = named(scene, blamed);
    let seen = format!("from {who} a connection to {place} {} ({})", fate(outcome), count(failures.len(), "attempt"));
    let variant = if scene.is_required(suspicion.profile) { String::new() } else { format!(" with {}", scene.profiles[suspicion.profile]) };
    let (cause, counter, next, gist) = match suspicion.shape() {
        Shape::Some | Shape::OnlyInsidePasses if variant.is_empty() => (
            Cause::UndeterminedGroupBlocked,
            Cause::PolicySourceBlocked,
            "measure the arrival TTL of the answer and walk the path (--deep), or look with a second address behind the same path",
            format!(
                "from {WHO} a connection to {WHERE} {}, from {} not; nothing tells whether the path or the server's side cuts it off",
                fate(outcome),
                named(scene, &suspicion.passing)
            ),
        ),
        Shape::Some | Shape::OnlyInsidePasses => (
            Cause::UndeterminedInsufficient,
            Cause::PathHelloSize,
            "send 1,440 bytes that are not TLS, and the hello with a small MSS, from there and from another network (--deep)",
            format!(
                "from {WHO} a connection to {WHERE}{variant} {}, from {} not; nothing tells yet what on the way reacts to it",
                fate(outcome),
                named(scene, &suspicion.passing)
            ),
        ),
        Shape::Alone if !suspicion.explained.is_empty() => (
            Cause::UndeterminedInsufficient,
            counterpart(outcome),
            "mend what ends the others' connections, and look again: until then nothing passes from anywhere for comparison",
            format!(
                "from {WHO} a connection to {WHERE}{variant} {}, and not as from elsewhere; as long as nobody passes, nothing shows what is wrong on that way alone",
                fate(outcome)
            ),
        ),
        Shape::Alone => (
            Cause::UndeterminedInsufficient,
            counterpart(outcome),
            "look from a vantage in another network; best add one on the server's own segment (role=inside)",
            format!(
                "from {WHO}, the only group that could look, a connection to {WHERE}{variant} {}: a vantage in a second network would tell the server's fault from the path's",
                fate(outcome)
            ),
        ),
        Shape::Everywhere | Shape::Outside if suspicion.majority().is_none() || suspicion.class(blamed).is_none() => (
            Cause::UndeterminedConflicting,
            counterpart(outcome),
            "probe one address and one profile at a time (--deep)",
            format!("{WHERE} fails from {WHO}, and in different ways: most often a connection {}", fate(outcome)),
        ),
        Shape::Everywhere | Shape::Outside => (
            Cause::UndeterminedInsufficient,
            counterpart(outcome),
            untried(suspicion, blamed, outcome),
            format!("{WHERE} fails from {WHO}: a connection {}, and nothing tells the server from what stands before it", fate(outcome)),
        ),
    };
    let mut draft = Draft::new(cause, Tier::Insufficient).blaming(blamed).by(outcome, None).because("open", seen, &failures);
    for testimony in blamed.iter().filter_map(|seat| testimony::of(scene, *seat, suspicion.place)).take(2) {
        draft.add(testimony.rule, testimony.text, &testimony.looks);
    }
    for (text, looks) in blamed.iter().filter_map(|seat| testimony::silence(scene, *seat, suspicion.place)).take(2) {
        draft.add("witness-log", text, &looks);
    }
    draft.unless(counter, next).in_words(gist)
}

/// Says what this round did not try to tell the server from its edge.
fn untried(suspicion: &Suspicion<'_, '_>, blamed: &[usize], outcome: Outcome) -> &'static str {
    let scene = suspicion.scene;
    let looks_inside = (0..scene.seats.len())
        .any(|seat| scene.seats[seat].inside && scene.is_scored(seat, suspicion.place) && scene.looks_of(seat, suspicion.place).next().is_some());
    let small = outcome != Outcome::TlsTimeout || blamed.iter().any(|seat| scene.bench(*seat, Experiment::SmallMss, suspicion.place).next().is_some());
    match (looks_inside, small) {
        (false, false) => "look from a vantage on the server's own segment (role=inside), and try a small MSS (--deep)",
        (false, true) => "look from a vantage on the server's own segment (role=inside)",
        (true, false) => "try a small MSS (--deep)",
        (true, true) => "probe one address and one profile at a time, and watch with a scheduled check",
    }
}

fn mixed_or_thin(suspicion: &Suspicion<'_, '_>, blamed: &[usize]) -> Draft {
    let scene = suspicion.scene;
    let place = scene.places[suspicion.place];
    let looks: Vec<Look<'_>> = blamed.iter().flat_map(|seat| suspicion.looks(*seat)).copied().collect();
    let failed = looks.iter().filter(|look| look.fails(suspicion.layer)).count();
    let outcome = commonest(looks.iter().filter_map(|look| look.at(suspicion.layer)));
    let who = named(scene, blamed);
    let text = format!("{failed} of {} from {who} to {place} failed: a connection {}", count(looks.len(), "attempt"), fate(outcome));
    let interruption = interruption(scene, suspicion.place, outcome);
    if interruption.is_none() && blamed.iter().any(|seat| scene.is_cut_now_and_then(*seat, suspicion.place, suspicion.profile)) && !suspicion.passing.is_empty()
    {
        return failing(suspicion, blamed);
    }
    let (cause, rule, counter, next, gist) = match interruption {
        Some(interruption) => {
            (Cause::UndeterminedFlaky, "interruption", Cause::ServerRefused, "probe again, and watch with a scheduled check", format!("{text}; {interruption}"))
        }
        None if suspicion.mixed.is_empty() => (Cause::UndeterminedInsufficient, "open", Cause::PathMultipathLeg, "make more attempts from there", text),
        None => (
            Cause::UndeterminedFlaky,
            "open",
            Cause::PathMultipathLeg,
            "repeat from fixed source ports and with pauses (--deep), and watch with a scheduled check",
            text,
        ),
    };
    let mut draft = Draft::new(cause, Tier::Insufficient).blaming(blamed).by(outcome, None).because(rule, gist.clone(), &looks);
    draft.share = failed as f64 / looks.len().max(1) as f64;
    draft.unless(counter, next).in_words(gist)
}

/// A bad chain that one group alone sees, and for which no trusted authority vouches, may be the server's or somebody else's.
fn unproven_certificates(board: &mut Board<'_, '_>, place: usize) {
    let scene = board.scene;
    if scene.ignored.contains(&place) {
        return;
    }
    let told = |board: &Board<'_, '_>, seat: usize| {
        board.drafts.iter().any(|draft| {
            draft.places.contains(&place)
                && draft.seats.contains(&seat)
                && draft.mechanism.as_deref().is_some_and(|mechanism| mechanism.starts_with("certificate."))
        })
    };
    let mut open: Vec<(usize, Look<'_>)> = Vec::new();
    for seat in (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && !board.is_intercepted(*seat, place) && !told(board, *seat)) {
        open.extend(scene.looks_of(seat, place).filter(|look| matches!(look.outcome, Outcome::Certificate(_))).map(|look| (seat, *look)));
    }
    let Some((_, first)) = open.first().copied() else { return };
    let (Outcome::Certificate(fault), Some(chain)) = (first.outcome, first.chain) else { return };
    let seats: BTreeSet<usize> = open.iter().map(|(seat, _)| *seat).collect();
    let seats: Vec<usize> = seats.into_iter().collect();
    let looks: Vec<Look<'_>> = open.iter().map(|(_, look)| *look).collect();
    let what = describe(scene, fault, chain);
    let who = named(scene, &seats);
    let trying: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && scene.looks_of(*seat, place).next().is_some()).collect();
    let seen = groups(scene.count_groups(&seats), scene.count_groups(&trying));
    let text = format!("{what}; seen at {} by {who} alone, in {} ({seen})", scene.places[place], count(looks.len(), "attempt"));
    let gist = format!(
        "{what} at {}, seen by {who} ({seen}): a vantage in a second network would show whether it is the server's or somebody's on the way",
        scene.places[place]
    );
    let draft = Draft::new(Cause::UndeterminedInsufficient, Tier::Insufficient)
        .blaming(&seats)
        .at(place)
        .by(Outcome::Certificate(fault), None)
        .because("certificate", text, &looks)
        .unless(super::certificates::cause_of(fault), "look from a vantage in another network, and compare the key with the one on the server's disk")
        .in_words(gist);
    board.drafts.push(draft);
}

fn counterpart(outcome: Outcome) -> Cause {
    match outcome {
        Outcome::TcpRefused | Outcome::QuicRefused => Cause::ServerRefused,
        Outcome::TcpTimeout | Outcome::TcpUnreachable | Outcome::QuicTimeout | Outcome::QuicUnreachable => Cause::ServerUnreachable,
        Outcome::TlsTimeout => Cause::ServerSlowHandshake,
        Outcome::TlsAlert(112) => Cause::ServerSniRejected,
        Outcome::TlsNotTls | Outcome::StartTlsNotProtocol => Cause::ServerNotTls,
        Outcome::StartTlsNotOffered | Outcome::StartTlsRefused => Cause::ServerStarttlsNotOffered,
        _ => Cause::ServerClosesHandshake,
    }
}

/// Failures of an optional profile in a cell that passes as well, from which on they are told.
const LEAST_OFTEN: usize = 3;
