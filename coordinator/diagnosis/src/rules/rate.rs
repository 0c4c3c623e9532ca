use std::collections::BTreeSet;

use parallax_model::{
    assignment::Experiment,
    facts::Reply,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::Board;
use crate::{
    cell::{Layer, Look, agreed},
    contrast::row_by_chance,
    draft::Draft,
    explain::{WHO, count, fate, seats as named},
    interruption::{came_up, interruption},
    route::{self, Author},
    scene::Scene,
};

/// `policy.rate-limited`, `path.rate-limited`, `policy.banned`: the same source passes and fails at one server, by how fast or how long it has tried.
///
/// A pause that brings success back shows a limit on rate; success that ends for good shows a ban. Excluded by a wanted name that never passes, which a filter explains, and
/// by other groups that fail as well at the time and that pauses do not help, and by failures that hit several groups at one moment. A limit whose author nothing shows is left open: a device on the path limits as well as a server. Counter: each other; the arrival TTL of the refusals tells policy from path.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    // A leg that its source ports show cuts whoever comes at any pace.
    let legs: Vec<&Draft> = board.drafts.iter().filter(|draft| draft.cause == Cause::PathMultipathLeg).collect();
    let is_a_leg = |seat: usize, draft: &Draft| legs.iter().any(|leg| leg.seats.contains(&seat) && draft.places.is_subset(&leg.places));
    let drafts = (0..scene.seats.len()).filter_map(|seat| Some((seat, test(scene, seat)?)));
    let found: Vec<(usize, Draft)> = drafts.filter(|(seat, draft)| !is_a_leg(*seat, draft)).collect();
    for (seat, draft) in found {
        for place in draft.places.iter().copied().collect::<Vec<_>>() {
            board.mark_all(seat, place);
        }
        board.drafts.push(draft);
    }
}

fn test(scene: &Scene<'_>, seat: usize) -> Option<Draft> {
    let history = Timeline::of(scene, seat)?;
    let Timeline { passed, cut, slow, places, unaffected } = &history;
    let groups = scene.count_groups(unaffected);
    let (_, outcome) = agreed(cut.iter().map(|look| look.reach))?;
    if history.came_up()
        || places.iter().any(|place| is_ended_by_an_offer(scene, *place))
        || places.iter().all(|place| interruption(scene, *place, outcome).is_some())
    {
        return None;
    }
    let author = places.iter().find_map(|place| route::author(scene, seat, *place, &[Reply::Refusal, Reply::Reset, Reply::Close]));
    // Where SYNs pass now and then, a threshold filters the SYN-ACK as well, and its TTL is what is measured: only refusals that last, or
    // that everybody outside meets, are told from it.
    let everybody = unaffected.iter().all(|other| scene.seats[*other].inside);
    let is_measured = !cut.iter().any(|look| look.reach == Outcome::TcpRefused) || history.ends_for_good() || everybody;
    let by_server = match author {
        Some(Author::AsFarAsServer { .. }) => is_measured,
        Some(Author::Witnessed { by_server, .. }) => by_server,
        _ => false,
    };
    let by_path = match author {
        // The server's last router, and a host that hands what comes for its port on to another one inside, refuse from one hop before it.
        Some(Author::Nearer { reply, server, .. }) => !places.iter().any(|place| route::may_be_the_owners(scene, seat, *place, reply, server)),
        Some(Author::Injector { .. } | Author::Witnessed { by_server: false, .. }) => true,
        _ => false,
    };
    // So many successes in a row after pauses are no luck, given how often attempts fail without them.
    let failing = cut.len() as f64 / (cut.len() + passed.len()) as f64;
    let luck = row_by_chance(1.0 - failing, slow.len());
    let cured = slow.len() >= 2 && slow.iter().all(|look| look.reach.is_ok()) && luck <= LUCK;
    if cured && unaffected.is_empty() && !pauses_cure_everybody(scene, places) {
        return None;
    }
    let cause = match (cured, history.ends_for_good()) {
        (true, _) if by_path => Cause::PathRateLimited,
        (true, _) if by_server || neighbour_passes(scene, seat, places) => Cause::PolicyRateLimited,
        // Where nobody gets through any more, the server's end is nobody's ban.
        (false, true) if !by_path && !unaffected.is_empty() && (by_server || neighbour_passes(scene, seat, places)) => Cause::PolicyBanned,
        _ => return None,
    };
    let tier = match (by_server || by_path, groups) {
        // Whose refusals they are is beyond doubt; that pauses cure them must be as well.
        (true, _) if cured && luck > LITTLE_LUCK => Tier::Likely,
        (true, _) => Tier::Confirmed,
        (false, 0) => return None,
        (false, 1) => Tier::Suspected,
        (false, _) => Tier::Likely,
    };
    let who = named(scene, &[seat]);
    let mut draft = Draft::new(cause, tier).blaming(&[seat]).by(outcome, None);
    draft.places.clone_from(places);
    draft.add_profiles_of(cut);
    draft.share = cut.len() as f64 / (cut.len() + passed.len()) as f64;
    draft.add(
        "mixture",
        format!("from {who} {} passed and {} failed, one after the other: a connection {}", count(passed.len(), "attempt"), cut.len(), fate(outcome)),
        cut,
    );
    if !slow.is_empty() {
        draft.add("slow", format!("after a pause, all {} {}", count(slow.len(), "attempt"), if cured { "passed" } else { "failed" }), slow);
    }
    match author {
        Some(Author::AsFarAsServer { ttl, look }) => {
            draft.add("reply-ttl", format!("the refusals reach {who} with TTL {}, the one that the server's own packets have", ttl.most), &[look])
        }
        Some(Author::Nearer { reply, server, look }) => {
            draft.add("reply-ttl", format!("the refusals reach {who} with TTL {}, the server's own packets with {}", reply.most, server.least), &[look])
        }
        Some(Author::Witnessed { testimony, .. }) => draft.add(testimony.rule, testimony.text, &testimony.looks),
        Some(Author::Injector { look }) => draft.add("reply-ttl", "the refusals come from somebody other than the server".to_owned(), &[look]),
        None => {}
    }
    draft.add("other-groups", format!("{} pass at the same time ({})", named(scene, unaffected), count(groups, "other group")), &[]);
    let (words, counter, next) = match cause {
        Cause::PolicyBanned => {
            (format!("the server's side cut {WHO} off after its first attempts"), Cause::PolicyRateLimited, "try again after a longer pause")
        }
        Cause::PathRateLimited => (format!("a device on the path of {WHO} limits the rate of connections"), Cause::PolicyRateLimited, NEXT_AUTHOR),
        _ => (format!("the server's side limits how fast {WHO} may connect"), Cause::PathRateLimited, NEXT_AUTHOR),
    };
    Some(draft.unless(counter, next).in_words(format!("{words}: beyond that a connection {}", fate(outcome))))
}

/// A seat's attempts in the order of time, where both success and failure are among them.
struct Timeline<'a> {
    passed: Vec<Look<'a>>,
    cut: Vec<Look<'a>>,
    slow: Vec<Look<'a>>,
    places: BTreeSet<usize>,
    /// Seats of other groups that pass at all of these places.
    unaffected: Vec<usize>,
}

impl<'a> Timeline<'a> {
    fn of(scene: &Scene<'a>, seat: usize) -> Option<Self> {
        let scored = || (0..scene.places.len()).filter(|place| scene.is_scored(seat, *place)).flat_map(|place| scene.looks_of(seat, place));
        if !scored().any(is_cut) {
            return None;
        }
        let mut looks: Vec<Look<'a>> = scored().copied().collect();
        looks.sort_by_key(|look| look.attempt.started_at);
        let passed: Vec<Look<'a>> = looks.iter().filter(|look| look.reach.is_ok()).copied().collect();
        let cut: Vec<Look<'a>> = looks.iter().filter(|look| is_cut(look)).copied().collect();
        let slow: Vec<Look<'a>> = scene.everywhere(seat, Experiment::Slow).to_vec();
        if passed.is_empty() || cut.len() < 2 || !passes_with_the_same_profile(scene, &passed, &cut) || spares_what_was_slowed(&passed, &cut, &slow) {
            return None;
        }
        let place_of = |look: &Look<'_>| scene.places.iter().position(|place| Some(*place) == look.attempt.address);
        // An address that never passes has a cause of its own.
        let passing: BTreeSet<usize> = passed.iter().chain(slow.iter().filter(|look| look.reach.is_ok())).filter_map(place_of).collect();
        let places: BTreeSet<usize> = cut.iter().filter_map(place_of).filter(|place| passing.contains(place)).collect();
        let group = scene.seats[seat].group;
        let tries = |other: usize| places.iter().any(|place| scene.looks_of(other, *place).next().is_some());
        let never_cut = |other: usize| places.iter().all(|place| !scene.looks_of(other, *place).any(is_cut));
        let unaffected = (0..scene.seats.len()).filter(|other| scene.seats[*other].group != group && tries(*other) && never_cut(*other)).collect();
        (!places.is_empty()).then_some(Self { passed, cut, slow, places, unaffected })
    }

    /// Tells whether all that was cut came before the first success: no limit is reached by those who have not come yet.
    fn came_up(&self) -> bool {
        let started = |look: &Look<'a>| look.attempt.started_at;
        came_up(self.cut.iter().map(started), self.passed.iter().chain(&self.slow).filter(|look| look.reach.is_ok()).map(started))
    }

    /// Tells whether success ended at some moment and no pause brought it back.
    fn ends_for_good(&self) -> bool {
        let last_pass = self.passed.iter().map(|look| look.attempt.started_at).max();
        let afterwards = self.cut.iter().all(|look| Some(look.attempt.started_at) > last_pass);
        let no_cure = !self.slow.is_empty() && self.slow.iter().all(|look| !look.reach.is_ok());
        // What ends with one profile of several minds that one, and not who comes.
        let profiles = |looks: &[Look<'a>]| looks.iter().filter_map(|look| look.profile).collect::<BTreeSet<usize>>();
        let (cut, passed) = (profiles(&self.cut), profiles(&self.passed));
        let whoever_comes = cut.len() > 1 || cut.union(&passed).count() == 1;
        self.passed.len() >= 2 && self.cut.len() >= 4 && afterwards && no_cure && whoever_comes
    }
}

fn is_cut(look: &Look<'_>) -> bool {
    matches!(look.reach, Outcome::TcpRefused | Outcome::TcpTimeout | Outcome::TcpReset | Outcome::TlsReset | Outcome::TlsClosed)
}

fn neighbour_passes(scene: &Scene<'_>, seat: usize, places: &BTreeSet<usize>) -> bool {
    let neighbours = (0..scene.seats.len()).filter(|other| *other != seat && scene.seats[*other].view.group == scene.seats[seat].view.group);
    neighbours.into_iter().any(|other| {
        places.iter().all(|place| scene.looks_of(other, *place).next().is_some() && scene.looks_of(other, *place).all(|look| look.passes(Layer::Tls)))
    })
}

/// Tells whether no attempt after a pause failed, whoever made it: where connections fail for everybody and pauses do not help all, one vantage's row of successes is luck.
fn pauses_cure_everybody(scene: &Scene<'_>, places: &BTreeSet<usize>) -> bool {
    (0..scene.seats.len()).all(|seat| places.iter().all(|place| scene.bench(seat, Experiment::Slow, *place).all(|look| look.reach.is_ok())))
}

/// Tells whether two groups or more never get through with a profile that is ended abruptly, and nobody does: what cannot bear that offer may be gone for a moment after it.
fn is_ended_by_an_offer(scene: &Scene<'_>, place: usize) -> bool {
    (0..scene.profiles.len()).any(|profile| {
        let passes = |seat: usize| scene.cell(seat, place, profile).iter().any(|look| look.passes(Layer::Tls));
        let is_ended = |seat: &usize| scene.cell(*seat, place, profile).iter().any(|look| matches!(look.reach, Outcome::TlsReset | Outcome::TlsClosed));
        let ended: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place)).filter(is_ended).collect();
        scene.count_groups(&ended) > 1 && !(0..scene.seats.len()).any(passes)
    })
}

/// A profile that always fails beside one that always passes is no matter of rate.
fn passes_with_the_same_profile(scene: &Scene<'_>, passed: &[Look<'_>], cut: &[Look<'_>]) -> bool {
    let is_among = |looks: &[Look<'_>], profile: usize| looks.iter().any(|look| look.profile == Some(profile));
    (0..scene.profiles.len()).any(|profile| is_among(passed, profile) && is_among(cut, profile))
}

/// A profile that passes without a pause as well as after one shows nothing of the others' cure.
fn spares_what_was_slowed(passed: &[Look<'_>], cut: &[Look<'_>], slow: &[Look<'_>]) -> bool {
    let alike = |look: &Look<'_>, other: &Look<'_>| look.attempt.profile == other.attempt.profile && look.attempt.address == other.attempt.address;
    let is_spared = |look: &Look<'_>| passed.iter().any(|other| alike(look, other)) && !cut.iter().any(|other| alike(look, other));
    !slow.is_empty() && slow.iter().all(is_spared)
}

/// How likely a row of successes by chance may be to count all the same.
const LUCK: f64 = 0.05;
/// How likely it may be where nothing is left to doubt.
const LITTLE_LUCK: f64 = 0.01;
const NEXT_AUTHOR: &str = "measure the arrival TTL of the refusals (--deep)";
