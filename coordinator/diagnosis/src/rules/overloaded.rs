use parallax_model::{
    assignment::Experiment,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::Board;
use crate::{
    cell::{Layer, Look, State, agreed, family},
    contrast::{fisher, row_by_chance},
    draft::Draft,
    explain::{WHERE, count, fate, groups, seats as named},
    interruption::{self, interruption},
    route::is_by_somebody_nearer,
    suspicion::Suspicion,
};

/// `server.overloaded`, and a fault of one backend of several that shows as a share (an optional ClientHello that one does not bear among them): successes and failures mix in two groups or more and in more than half of all, at similar rates.
///
/// Excluded by groups that pass too often for that rate, by a pause that cures it (then a limit on rate explains it), by failures in one group only, by silences where segments of the server get lost as well, and by failures that all came first, or at one moment. Counter: `undetermined.flaky`; more attempts separate the two.
pub(super) fn run(board: &mut Board<'_, '_>) {
    for place in 0..board.scene.places.len() {
        for profile in board.scene.profiles_by_need() {
            for layer in [Layer::Tcp, Layer::Tls, Layer::Http] {
                let suspicion = board.suspicion(place, profile, layer);
                if let Some(draft) = test(&suspicion).filter(|_| board.scene.is_required(profile) || fails_beside_others(&suspicion)) {
                    board.claim(draft, &suspicion);
                }
            }
        }
    }
}

fn test(suspicion: &Suspicion<'_, '_>) -> Option<Draft> {
    let scene = suspicion.scene;
    let mixture = Mixture::of(suspicion);
    let wavering = suspicion.passing.iter().filter(|seat| mixture.wavers(**seat));
    let blamed: Vec<usize> = suspicion.mixed.iter().chain(&suspicion.failing).chain(&suspicion.thin).chain(wavering).copied().collect();
    if suspicion.mixed.is_empty() || scene.count_groups(&blamed) < 2 || blamed.iter().all(|seat| came_up(suspicion, *seat)) {
        return None;
    }
    let looks = |seats: &[usize]| seats.iter().flat_map(|seat| mixture.looks(*seat)).copied().collect::<Vec<Look<'_>>>();
    let everybody: Vec<usize> = blamed.iter().chain(suspicion.passing.iter().filter(|seat| !mixture.wavers(**seat))).copied().collect();
    let failed: Vec<Look<'_>> = looks(&blamed).into_iter().filter(|look| look.fails(suspicion.layer)).collect();
    let reached = looks(&everybody).into_iter().filter(|look| look.at(suspicion.layer).is_some()).count();
    let (class, outcome) = agreed(failed.iter().filter_map(|look| look.at(suspicion.layer)))?;
    // What a restart cuts off on its way is of the same moment as what it refuses.
    if [outcome, Outcome::TcpRefused, Outcome::TlsReset].into_iter().any(|outcome| interruption(scene, suspicion.place, outcome).is_some()) {
        return None;
    }
    let slow: Vec<Look<'_>> = blamed.iter().flat_map(|seat| scene.bench(*seat, Experiment::Slow, suspicion.place)).copied().collect();
    let share = failed.len() as f64 / reached.max(1) as f64;
    // So many successes in a row after pauses are no luck, given how often attempts fail without them.
    let luck = row_by_chance(1.0 - share, slow.len());
    let cured = slow.len() >= 4 && slow.iter().all(|look| look.passes(suspicion.layer)) && luck <= LUCK;
    let tried: Vec<usize> = blamed.iter().copied().filter(|seat| mixture.looks(*seat).count() >= ENOUGH).collect();
    if scene.count_groups(&tried) < 2 || !is_alike_everywhere(&mixture, &blamed) {
        return None;
    }
    // What ends some connections from before the server is no load of its own.
    if blamed.iter().filter(|seat| is_by_somebody_nearer(scene, **seat, suspicion.place)).count() * 2 > blamed.len() {
        return None;
    }
    if matches!(family(class), Outcome::TcpTimeout | Outcome::TlsTimeout) && segments_get_lost(&looks(&everybody)) {
        return None;
    }
    let cause = match family(class) {
        _ if !scene.is_required(suspicion.profile) => Cause::ServerHelloIntolerance,
        _ if cured => Cause::PolicyRateLimited,
        Outcome::TlsNotTls | Outcome::StartTlsNotProtocol => Cause::ServerNotTls,
        Outcome::StartTlsNotOffered | Outcome::StartTlsRefused => Cause::ServerStarttlsNotOffered,
        Outcome::TlsAlert(112) => Cause::ServerSniRejected,
        Outcome::TlsAlert(70) => Cause::ServerProtocolVersion,
        Outcome::TlsAlert(40 | 71) => Cause::ServerCipherSuites,
        Outcome::TlsAlert(120) => Cause::ServerAlpn,
        Outcome::TlsAlert(116) => Cause::ServerClientCertificateRequired,
        Outcome::Http(429) => Cause::PolicyRateLimited,
        Outcome::Http(500..=599) => Cause::ServerUpstreamFailure,
        _ => Cause::ServerOverloaded,
    };
    let place = scene.places[suspicion.place];
    let text = format!(
        "{} of {reached} attempts at {place} fail, in {} ({}): a connection {}",
        failed.len(),
        groups(scene.count_groups(&blamed), suspicion.groups_judged()),
        named(scene, &blamed),
        fate(outcome)
    );
    let mut draft = Draft::new(cause, Tier::Likely).blaming(&everybody).by(outcome, None).because("mixture", text, &failed);
    draft.share = share;
    if cured {
        draft.seats = blamed.iter().copied().collect();
        draft.add("slow", format!("after a pause, all {} passed", count(slow.len(), "attempt")), &slow);
    }
    let seats_per_rate: Vec<String> = blamed
        .iter()
        .filter(|seat| mixture.wavers(**seat) || scene.state(**seat, suspicion.place, suspicion.profile, suspicion.layer) != State::Pass)
        .map(|seat| {
            format!(
                "{}: {} of {}",
                scene.seats[*seat].name,
                mixture.looks(*seat).filter(|look| look.fails(suspicion.layer)).count(),
                mixture.looks(*seat).count()
            )
        })
        .collect();
    draft.add("rates", format!("failures per vantage: {}", seats_per_rate.join(", ")), &[]);
    let gist = format!("{:.0} % of the attempts at {WHERE} fail, in every group alike: a connection {}", share * 100.0, fate(outcome));
    Some(draft.unless(Cause::UndeterminedFlaky, "make more attempts from each group, and watch with a scheduled check").in_words(gist))
}

/// Tells whether many of those that get through miss segments of the server: a full queue loses SYNs and what follows them, and nothing that the server has begun to send.
fn segments_get_lost(looks: &[Look<'_>]) -> bool {
    let passed: Vec<&Look<'_>> = looks.iter().filter(|look| look.reach.is_ok()).collect();
    let missing = passed.iter().filter(|look| look.misses_segments()).count();
    missing >= LOST_IN && missing * 4 >= passed.len()
}

/// Tells whether the ClientHello of an optional profile is ended or left without an answer now and then where required ones always pass: one backend of several does not bear it.
fn fails_beside_others(suspicion: &Suspicion<'_, '_>) -> bool {
    let scene = suspicion.scene;
    let is_of_a_client = scene.recipe(suspicion.profile).is_none_or(|profile| profile.client.is_some());
    let ends = || suspicion.mixed.iter().flat_map(|seat| suspicion.looks(*seat)).filter(|look| look.fails(Layer::Tls));
    let is_abrupt = ends().all(|look| matches!(family(look.reach), Outcome::TlsReset | Outcome::TlsTimeout));
    suspicion.layer == Layer::Tls && !is_of_a_client && is_abrupt && suspicion.mixed.iter().all(|seat| scene.always_passes(*seat, suspicion.place))
}

/// The attempts with the profile in question and with every other one that somebody both passes and fails with: chance does not mind which of them it hits.
struct Mixture<'m, 's, 'a> {
    suspicion: &'m Suspicion<'s, 'a>,
    profiles: Vec<usize>,
}

impl<'m, 's, 'a> Mixture<'m, 's, 'a> {
    fn of(suspicion: &'m Suspicion<'s, 'a>) -> Self {
        let scene = suspicion.scene;
        let is_mixed = |profile: usize, seat: usize| scene.state(seat, suspicion.place, profile, suspicion.layer) == State::Mixed;
        let wavers = |profile: &usize| (0..scene.seats.len()).any(|seat| scene.is_scored(seat, suspicion.place) && is_mixed(*profile, seat));
        let profiles = (0..scene.profiles.len()).filter(|profile| *profile == suspicion.profile || wavers(profile)).collect();
        Self { suspicion, profiles }
    }

    fn looks(&self, seat: usize) -> impl Iterator<Item = &'s Look<'a>> + '_ {
        let (scene, place) = (self.suspicion.scene, self.suspicion.place);
        self.profiles.iter().flat_map(move |profile| scene.cell(seat, place, *profile))
    }

    /// The same with what came from fixed ports and after pauses, which chance hits like the rest: a group that was lucky shows there that it is no exception.
    fn looks_with_repeats(&self, seat: usize) -> impl Iterator<Item = &'s Look<'a>> + '_ {
        let repeated = [Experiment::SourcePort, Experiment::Slow].into_iter();
        self.looks(seat).chain(repeated.flat_map(move |experiment| self.suspicion.scene.bench(seat, experiment, self.suspicion.place)))
    }

    /// Tells whether a seat, whatever it shows with the profile in question, fails more than once and passes as well.
    fn wavers(&self, seat: usize) -> bool {
        let layer = self.suspicion.layer;
        self.looks(seat).filter(|look| look.fails(layer)).count() >= 2 && self.looks(seat).any(|look| look.passes(layer))
    }
}

/// Tells whether the groups that pass every time are the fewer ones and may do so by luck: what hits some groups only sits on their way, or minds where they come from, and what spares the
/// inside vantage sits before the server.
fn is_alike_everywhere(mixture: &Mixture<'_, '_, '_>, blamed: &[usize]) -> bool {
    let suspicion = mixture.suspicion;
    let scene = suspicion.scene;
    let groups = scene.groups(blamed);
    let count = |seats: &[usize], fails: bool| {
        let looks = seats.iter().flat_map(|seat| mixture.looks_with_repeats(*seat));
        looks.filter(|look| if fails { look.fails(suspicion.layer) } else { look.passes(suspicion.layer) }).count()
    };
    let is_other = |seat: &usize| !groups.contains_key(&scene.seats[*seat].group);
    let others: Vec<usize> = suspicion.passing.iter().copied().filter(is_other).collect();
    if groups.len() <= scene.count_groups(&others) {
        return false;
    }
    let among: Vec<usize> = blamed.iter().chain(suspicion.passing.iter().filter(|seat| groups.contains_key(&scene.seats[**seat].group))).copied().collect();
    fisher(count(&among, true), count(&among, false), count(&others, true), count(&others, false)) > ALIKE
}

/// Tells whether all failures of a seat came before its first success: a server that is being started, and neither a load nor a limit.
fn came_up(suspicion: &Suspicion<'_, '_>, seat: usize) -> bool {
    let started = |fails: bool| {
        let looks = suspicion.looks(seat).iter().filter(move |look| if fails { look.fails(suspicion.layer) } else { look.passes(suspicion.layer) });
        looks.map(|look| look.attempt.started_at)
    };
    interruption::came_up(started(true), started(false))
}

/// Below this, luck is no good reason for groups that pass every time.
const ALIKE: f64 = 0.2;
/// Attempts in a cell below which a mixture says nothing of a rate (methods 3.3 wants eight).
const ENOUGH: usize = 6;
/// How likely a row of successes by chance may be to count as a cure: many vantages may show one, so that it must be rarer than a single contrast.
const LUCK: f64 = 0.01;
/// Attempts that miss segments, below which a single loss explains them.
const LOST_IN: usize = 3;
