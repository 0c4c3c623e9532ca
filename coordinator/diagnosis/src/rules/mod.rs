//! The hypotheses, one per file, all shaped alike: what each requires, what excludes it, its counter, and the experiment that separates the two.

mod address_block;
mod advice;
mod audit;
mod certificates;
mod default_certificate;
mod dns_blocked;
mod dns_tampering;
mod edge_blocked;
mod edge_filter;
mod edge_mtu;
mod hello_intolerance;
mod hello_size;
mod hello_split;
mod http_denied;
mod interception;
mod ipv6_unserved;
mod leftovers;
mod mtu;
mod multipath;
mod overloaded;
mod quic_blocked;
mod rate;
mod return_loss;
mod rollout;
mod server_answers;
mod server_silence;
mod sni_filter;
mod sni_filter_at_times;
mod sni_rejected;
mod source_blocked;
mod starttls;
mod state_loss;
mod stream_cut;
mod throttled_body;
mod throttling;
mod tls_block;
mod trial;
mod upstream;
mod version_filter;
mod zone_broken;

pub(crate) use throttling::trickles;
pub(crate) use trial::Trial;

use parallax_model::{
    facts::Reply,
    outcome::Outcome,
    target::Scheme,
    verdict::{Cause, Counter, Locus, Tier},
};

use crate::{
    cell::{Layer, Silence, State, agreed, family},
    draft::Draft,
    route::{self, Author},
    scene::Scene,
    suspicion::{Shape, Suspicion},
};

/// A hypothesis about failures at one place.
pub(crate) struct Hypothesis {
    /// What it says.
    pub(crate) cause: Cause,
    /// What it requires, all of it.
    pub(crate) requires: &'static str,
    /// What excludes it.
    pub(crate) excluded_by: &'static str,
    /// The best competing explanation.
    pub(crate) counter: Cause,
    /// The experiment that would separate the two.
    pub(crate) next: &'static str,
    /// Tells whether it can hold at all for a target of this scheme.
    pub(crate) concerns: fn(Scheme) -> bool,
    /// Tests it for these failing seats.
    pub(crate) test: fn(&Suspicion<'_, '_>, &[usize]) -> Option<Draft>,
}

/// Most hypotheses are about failures of whatever is spoken.
fn every_scheme(_: Scheme) -> bool {
    true
}

/// What a hypothesis about failures at one address says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// What it says.
    pub cause: Cause,
    /// What it requires, all of it.
    pub requires: &'static str,
    /// What excludes it.
    pub excluded_by: &'static str,
    /// The best competing explanation.
    pub counter: Cause,
    /// The experiment that would separate the two.
    pub next: &'static str,
}

/// Returns what each hypothesis about failures at one address requires, in the order in which they are tried.
pub fn requirements() -> Vec<Requirement> {
    let all: [&[&Hypothesis]; 6] = [&PATH, &PATH_OF_VARIANT, &SERVER, &SERVER_OF_VARIANT, &EDGE, &HTTP];
    let mut told: Vec<Requirement> = Vec::new();
    for &&Hypothesis { cause, requires, excluded_by, counter, next, .. } in all.iter().copied().flatten() {
        let requirement = Requirement { cause, requires, excluded_by, counter, next };
        if !told.contains(&requirement) {
            told.push(requirement);
        }
    }
    told
}

const PATH: [&Hypothesis; 10] = [
    &starttls::STRIPPED,
    &quic_blocked::HYPOTHESIS,
    &mtu::HYPOTHESIS,
    &sni_filter::HYPOTHESIS,
    &tls_block::HYPOTHESIS,
    &address_block::HYPOTHESIS,
    &source_blocked::HYPOTHESIS,
    &return_loss::HYPOTHESIS,
    &state_loss::HYPOTHESIS,
    &version_filter::HYPOTHESIS,
];
const PATH_OF_VARIANT: [&Hypothesis; 4] = [&mtu::HYPOTHESIS, &hello_split::HYPOTHESIS, &hello_size::HYPOTHESIS, &version_filter::HYPOTHESIS];
const SERVER: [&Hypothesis; 17] = [
    &ipv6_unserved::HYPOTHESIS,
    &server_silence::UNREACHABLE,
    &server_silence::FULL_QUEUE,
    &server_silence::REFUSED,
    &edge_mtu::HYPOTHESIS,
    &server_answers::CLIENT_CERTIFICATE,
    &sni_rejected::HYPOTHESIS,
    &server_answers::APPLICATION_PROTOCOL,
    &server_answers::VERSION,
    &server_answers::NEGOTIATION,
    &server_answers::NOT_TLS,
    &hello_intolerance::HYPOTHESIS,
    &starttls::NOT_OFFERED,
    &server_silence::SLOW,
    &server_silence::CLOSES,
    &edge_filter::HYPOTHESIS,
    &edge_blocked::HYPOTHESIS,
];
const SERVER_OF_VARIANT: [&Hypothesis; 2] = [&edge_mtu::HYPOTHESIS, &hello_intolerance::HYPOTHESIS];
const EDGE: [&Hypothesis; 4] = [&starttls::STRIPPED_AT_THE_EDGE, &edge_mtu::HYPOTHESIS, &edge_filter::HYPOTHESIS, &edge_blocked::HYPOTHESIS];
const HTTP: [&Hypothesis; 3] = [&http_denied::HYPOTHESIS, &upstream::HYPOTHESIS, &stream_cut::HYPOTHESIS];

/// The findings so far, and the cells that they explain.
pub(crate) struct Board<'s, 'a> {
    pub(crate) scene: &'s Scene<'a>,
    pub(crate) drafts: Vec<Draft>,
    /// By seat, place and profile, as the scene numbers them.
    explained: Vec<bool>,
    /// What was tried and how it ended, where somebody wants to know.
    journal: Option<Vec<Trial>>,
}

/// Explains the matrix by the smallest set of causes: names and certificates first, then patterns in time and ports, then each layer from below.
pub(crate) fn explain(scene: &mut Scene<'_>) -> Vec<Draft> {
    solve(scene, None).drafts
}

/// Explains the matrix and notes each hypothesis that was tried on the way.
pub(crate) fn explain_noting(scene: &mut Scene<'_>) -> (Vec<Draft>, Vec<Trial>) {
    let board = solve(scene, Some(Vec::new()));
    (board.drafts, board.journal.unwrap_or_default())
}

fn solve<'s, 'a>(scene: &'s mut Scene<'a>, journal: Option<Vec<Trial>>) -> Board<'s, 'a> {
    let lies = dns_tampering::test(scene);
    scene.ignored.extend(lies.iter().flat_map(|draft| draft.places.iter().copied()));
    scene.ignored.extend(zone_broken::strangers(scene));
    let mut board = Board { scene, drafts: lies, explained: Vec::new(), journal };
    board.explained = vec![false; board.scene.seats.len() * board.scene.places.len() * board.scene.profiles.len()];
    for run in [
        zone_broken::run,
        dns_blocked::run,
        interception::run,
        certificates::run,
        rollout::run,
        multipath::run,
        rate::run,
        throttling::run,
        sni_filter::run_remembering,
        sni_filter_at_times::run,
    ] {
        run(&mut board);
    }
    for layer in [Layer::Tcp, Layer::Tls, Layer::Http] {
        for place in 0..board.scene.places.len() {
            for profile in board.scene.profiles_by_need() {
                board.settle(place, profile, layer);
            }
        }
    }
    for run in [overloaded::run, leftovers::run, advice::run, audit::run] {
        run(&mut board);
    }
    board.name_the_edge();
    board
}

/// Joins findings of one cause, worst first.
pub(crate) fn join(scene: &Scene<'_>, drafts: Vec<Draft>) -> Vec<Draft> {
    let mut joined: Vec<Draft> = Vec::new();
    for draft in drafts {
        match joined.iter_mut().find(|known| known.joins(&draft, scene)) {
            Some(known) => known.absorb(draft),
            None => joined.push(draft),
        }
    }
    joined.sort_by_key(|draft| (rank(draft.cause), std::cmp::Reverse(draft.tier)));
    joined
}

impl<'s, 'a> Board<'s, 'a> {
    pub(crate) fn suspicion(&self, place: usize, profile: usize, layer: Layer) -> Suspicion<'s, 'a> {
        let mut suspicion = Suspicion::at(self.scene, place, profile, layer, &|seat| self.is_explained(seat, place, profile));
        // Who reaches somebody else says nothing about the server.
        if !self.drafts.iter().any(|draft| draft.cause == Cause::PathInterception) {
            return suspicion;
        }
        let (elsewhere, passing) = std::mem::take(&mut suspicion.passing).into_iter().partition(|seat| self.is_intercepted(*seat, place));
        suspicion.passing = passing;
        suspicion.explained.extend::<Vec<usize>>(elsewhere);
        suspicion
    }

    /// Finds the causes of one cell column at one layer.
    fn settle(&mut self, place: usize, profile: usize, layer: Layer) {
        let required = self.scene.is_required(profile);
        let narrowed = |board: &Self| {
            let mut suspicion = board.suspicion(place, profile, layer);
            if !required {
                // What fails with a required profile too is explained there.
                let base_passes = |seat: &usize| board.base_passes(*seat, place, layer);
                suspicion.failing.retain(base_passes);
                suspicion.thin.clear();
                suspicion.mixed.clear();
            }
            suspicion
        };
        let is_variant =
            |suspicion: &Suspicion<'_, '_>| !required || suspicion.failing.iter().all(|seat| self.other_required_passes(*seat, place, profile, layer));
        let first = narrowed(self);
        if first.failing.is_empty() {
            return;
        }
        let variant = is_variant(&first);
        let path: &[&Hypothesis] = match (layer, variant) {
            (Layer::Http, _) => &HTTP,
            (_, true) => &PATH_OF_VARIANT,
            (_, false) => &PATH,
        };
        // No path leads from the server's own segment to the server.
        let outside = |seat: &usize| layer == Layer::Http || !self.scene.seats[*seat].inside;
        for seat in first.failing.iter().copied().filter(outside).collect::<Vec<usize>>() {
            self.try_each(&first, &[seat], path, |draft| draft.tier == Tier::Confirmed);
        }
        let rest = narrowed(self);
        match rest.shape() {
            // What an optional recipe meets now and then from others is a share, and no failure from everywhere.
            _ if !required && self.wavers_somewhere(place, profile, layer) => {}
            Shape::Everywhere if !required && version_only(self.scene, profile) => {}
            Shape::Everywhere | Shape::Alone => {
                if let Some((_, seats)) = rest.majority() {
                    let common: &[&Hypothesis] = if variant { &SERVER_OF_VARIANT } else { &SERVER };
                    let settled = (!variant || required) && self.try_each(&rest, &seats, answers_of(layer), |_| true);
                    if !settled && layer != Layer::Http {
                        self.try_each(&rest, &seats, common, |_| true);
                    }
                }
            }
            Shape::Outside if layer != Layer::Http => {
                // What the server itself says to everybody outside is its own.
                if let Some((_, seats)) = rest.majority()
                    && !self.try_each(&rest, &seats, answers_of(layer), |draft| draft.tier == Tier::Confirmed)
                {
                    self.try_each(&rest, &seats, &EDGE, |_| true);
                }
            }
            Shape::Outside | Shape::Some | Shape::OnlyInsidePasses => {}
        }
        for seat in narrowed(self).failing {
            let rest = narrowed(self);
            let acts = || if layer == Layer::Tls { answers_of(layer) } else { &[] };
            let path = if layer == Layer::Http || !self.scene.seats[seat].inside { path } else { &[] };
            if !self.try_each(&rest, &[seat], path, |_| true) {
                self.try_each(&rest, &[seat], acts(), |draft| draft.tier == Tier::Confirmed);
            }
        }
    }

    fn wavers_somewhere(&self, place: usize, profile: usize, layer: Layer) -> bool {
        let scored = (0..self.scene.seats.len()).filter(|seat| self.scene.is_scored(*seat, place));
        scored.into_iter().any(|seat| self.scene.state(seat, place, profile, layer) == State::Mixed)
    }

    /// Takes the first hypothesis that holds and is welcome.
    fn try_each(&mut self, suspicion: &Suspicion<'_, '_>, seats: &[usize], hypotheses: &[&Hypothesis], welcome: impl Fn(&Draft) -> bool) -> bool {
        if seats.iter().all(|seat| self.is_explained(*seat, suspicion.place, suspicion.profile)) {
            return false;
        }
        let scheme = suspicion.scene.round.check.target.scheme;
        for hypothesis in hypotheses.iter().filter(|hypothesis| (hypothesis.concerns)(scheme)) {
            let found = (hypothesis.test)(suspicion, seats);
            if let Some(journal) = &mut self.journal {
                journal.push(Trial::of(hypothesis, suspicion, seats, found.as_ref()));
            }
            let Some(mut draft) = found.filter(&welcome) else { continue };
            if draft.counter.is_none() {
                draft = draft.unless(hypothesis.counter, hypothesis.next);
            }
            self.claim(draft, suspicion);
            return true;
        }
        false
    }

    /// Notes a finding about a suspicion and marks what it explains: the cell, and the same seat's other profiles that fail there as well.
    pub(crate) fn claim(&mut self, mut draft: Draft, suspicion: &Suspicion<'_, '_>) {
        let place = suspicion.place;
        draft.places.insert(place);
        draft.profiles.insert(suspicion.profile);
        let class = suspicion.class(&draft.seats.iter().copied().filter(|seat| suspicion.failing.contains(seat)).collect::<Vec<_>>()).map(|class| class.0);
        let blamed: Vec<usize> = draft.seats.iter().copied().collect();
        for seat in blamed {
            self.mark(seat, place, suspicion.profile);
            for profile in 0..self.scene.profiles.len() {
                if self.worst_state(seat, place, profile) == State::Pass || (self.scene.is_required(profile) && !self.fails_alike(seat, place, profile, class))
                {
                    continue;
                }
                if self.fails_alike(seat, place, profile, class) {
                    draft.profiles.insert(profile);
                }
                if self.scene.is_required(suspicion.profile) {
                    self.mark(seat, place, profile);
                }
            }
        }
        self.drafts.push(draft);
    }

    /// Where nobody looks from inside, what rests on no act of the server may be its edge's as well.
    fn name_the_edge(&mut self) {
        let scene = self.scene;
        for draft in self.drafts.iter_mut().filter(|draft| draft.cause.locus() == Locus::Server && draft.tier == Tier::Likely) {
            let looks_inside = |seat: usize| scene.seats[seat].inside && draft.places.iter().any(|place| scene.is_scored(seat, *place));
            let names_edge = draft.counter.as_ref().is_some_and(|counter| counter.cause.locus() == Locus::Edge);
            if draft.places.is_empty() || names_edge || (0..scene.seats.len()).any(looks_inside) {
                continue;
            }
            let before_tls = draft.mechanism.as_ref().is_none_or(|mechanism| mechanism.starts_with("tcp"));
            let cause = if before_tls { Cause::EdgeBlocked } else { Cause::EdgeFilter };
            draft.counter = Some(Counter { cause, next: "look from a vantage on the server's own segment (role=inside)".to_owned() });
        }
    }

    /// Marks a cell as explained.
    pub(crate) fn mark(&mut self, seat: usize, place: usize, profile: usize) {
        let at = self.scene.cell_index(seat, place, profile);
        self.explained[at] = true;
    }

    pub(crate) fn is_explained(&self, seat: usize, place: usize, profile: usize) -> bool {
        self.explained[self.scene.cell_index(seat, place, profile)]
    }

    /// Tells whether a seat's TLS at a place is terminated by somebody else.
    pub(crate) fn is_intercepted(&self, seat: usize, place: usize) -> bool {
        self.drafts.iter().any(|draft| draft.cause == Cause::PathInterception && draft.seats.contains(&seat) && draft.places.contains(&place))
    }

    /// Tells whether bytes trickle to somebody behind the same path, from that place or another of its family.
    pub(crate) fn is_throttled(&self, seat: usize, place: usize) -> bool {
        let group = self.scene.seats[seat].group;
        let same_family = |other: &usize| self.scene.places[*other].is_ipv4() == self.scene.places[place].is_ipv4();
        self.drafts
            .iter()
            .filter(|draft| draft.cause == Cause::PathThrottling)
            .any(|draft| draft.seats.iter().any(|other| self.scene.seats[*other].group == group) && draft.places.iter().any(same_family))
    }

    /// Marks every cell of a seat at a place as explained.
    pub(crate) fn mark_all(&mut self, seat: usize, place: usize) {
        for profile in 0..self.scene.profiles.len() {
            self.mark(seat, place, profile);
        }
    }

    fn fails_alike(&self, seat: usize, place: usize, profile: usize, class: Option<Outcome>) -> bool {
        let failures = self.scene.cell(seat, place, profile).iter().map(|look| look.reach).filter(|outcome| outcome.is_failure());
        let own = agreed(failures).map(|(family, _)| family);
        own.is_some() && own == class.map(family)
    }

    fn worst_state(&self, seat: usize, place: usize, profile: usize) -> State {
        let states = [Layer::Tcp, Layer::Tls, Layer::Http].map(|layer| self.scene.state(seat, place, profile, layer));
        states.into_iter().find(|state| !matches!(state, State::Pass | State::Empty)).unwrap_or(State::Pass)
    }

    fn base_passes(&self, seat: usize, place: usize, layer: Layer) -> bool {
        (0..self.scene.profiles.len())
            .filter(|profile| self.scene.is_required(*profile))
            .any(|profile| self.scene.state(seat, place, profile, layer) == State::Pass)
    }

    fn other_required_passes(&self, seat: usize, place: usize, profile: usize, layer: Layer) -> bool {
        let others = (0..self.scene.profiles.len()).filter(|other| *other != profile && self.scene.is_required(*other));
        others.into_iter().any(|other| self.scene.state(seat, place, other, layer) == State::Pass)
    }
}

/// Worst first: what the owner can mend, then what others do, then the open questions.
fn rank(cause: Cause) -> u8 {
    if cause == Cause::ServerHsts {
        // A header of HTTP comes behind what the handshake itself shows.
        return 10;
    }
    if cause.is_informational() {
        return 9;
    }
    match cause.locus() {
        Locus::Server => 0,
        Locus::Edge => 1,
        Locus::Dns => 2,
        Locus::Policy => 3,
        Locus::Path => 4,
        Locus::Undetermined => 5,
        Locus::Vantage => 6,
    }
}

/// A profile that differs from the baseline by what versions it offers: a server need not speak them all.
fn version_only(scene: &Scene<'_>, profile: usize) -> bool {
    scene.recipe(profile).is_some_and(|profile| !profile.hello.versions.contains(&0x0304))
}

/// Tells whether a seat's failure with one variant is more than a mixture that happens to look like one: four failures, and no cell beside it that wavers.
fn is_settled(suspicion: &Suspicion<'_, '_>, seat: usize) -> bool {
    let scene = suspicion.scene;
    let wavers = (0..scene.profiles.len()).any(|profile| scene.state(seat, suspicion.place, profile, Layer::Tls) == State::Mixed);
    suspicion.failures(&[seat]).len() >= 4 && !wavers && !trickles(scene, seat, suspicion.place)
}

/// Tells whether a seat's ClientHello got as far as the server in all that shows: acknowledged whole, or ended from as far away, by who answers its SYNs
/// from the server's distance.
fn got_to_the_server(suspicion: &Suspicion<'_, '_>, seat: usize) -> bool {
    let (scene, place) = (suspicion.scene, suspicion.place);
    let ended = match suspicion.class(&[seat]).map(|(family, _)| family) {
        Some(Outcome::TlsTimeout) => suspicion.silence(&[seat]) == Some(Silence::Acknowledged),
        Some(Outcome::TlsReset | Outcome::TlsAlert(_)) => {
            matches!(route::author(scene, seat, place, &[Reply::Reset, Reply::Close, Reply::Alert]), Some(Author::AsFarAsServer { .. }))
        }
        _ => false,
    };
    ended && route::is_answered_by_the_server(scene, seat, place)
}

/// Hypotheses that rest on what the server answers, whatever the variant.
fn answers_of(layer: Layer) -> &'static [&'static Hypothesis] {
    match layer {
        Layer::Tcp => &[],
        Layer::Tls => {
            const ANSWERS: [&Hypothesis; 5] = [
                &server_answers::CLIENT_CERTIFICATE,
                &sni_rejected::HYPOTHESIS,
                &server_answers::APPLICATION_PROTOCOL,
                &server_answers::VERSION,
                &server_answers::NEGOTIATION,
            ];
            &ANSWERS
        }
        Layer::Http => &HTTP,
    }
}
