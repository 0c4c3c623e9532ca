//! The round, indexed: seats (vantages), places (addresses), profiles, cells and experiments.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    net::{IpAddr, SocketAddr},
};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    clock::Timestamp,
    facts::Facts,
    outcome::{CertificateFault, NotCompletedKind, Outcome},
    profile::Profile,
    target::{Host, Scheme},
    vantage::is_inside,
};

use crate::{
    arrival::{self, Arrival, Audited, Chain},
    cell::{Layer, Look, State, is_http, state},
    doubt, foreign,
    gates::Health,
    opinion::{self, Opinion},
    route,
    trust::Trust,
    view::{History, RoundView, VantageView},
};

/// Everything that the rules look at.
pub(crate) struct Scene<'a> {
    pub(crate) round: &'a RoundView,
    pub(crate) history: &'a History,
    /// The instant of the judgement.
    pub(crate) now: Timestamp,
    pub(crate) seats: Vec<Seat<'a>>,
    pub(crate) places: Vec<SocketAddr>,
    pub(crate) profiles: Vec<&'a str>,
    recipes: Vec<Option<Profile>>,
    required: Vec<bool>,
    pub(crate) chains: Vec<Chain<'a>>,
    /// The chains that audits were shown for one type of key each.
    pub(crate) audited: Vec<Audited<'a>>,
    /// What the gates say about each seat.
    pub(crate) health: Vec<Health>,
    /// Places that are not the server's: answers of a lying resolver, or a family that a loopback name does not serve.
    pub(crate) ignored: BTreeSet<usize>,
    /// Profiles whose template is at fault: that they fail says nothing about anybody.
    pub(crate) broken_templates: BTreeSet<usize>,
    cells: Vec<Vec<Look<'a>>>,
    /// What each cell says about each layer, in the order of the cells.
    states: Vec<[State; 3]>,
    /// Whether who passes in a cell is no contrast, in the order of the cells.
    doubtful: Vec<bool>,
    /// Whether a place is none of a seat's affair, by seat and place.
    foreign: Vec<bool>,
    /// Whether a seat's walks say nothing, by seat; see [`route::walks_mislead`].
    misled: Vec<bool>,
    /// Seats that kept a record on the server's host.
    witnesses: Vec<usize>,
    /// By seat, then by experiment in the order of [`Experiment::ALL`].
    bench: Vec<Vec<Look<'a>>>,
}

/// A vantage in its place.
pub(crate) struct Seat<'a> {
    pub(crate) view: &'a VantageView,
    pub(crate) name: &'a str,
    /// The group that it counts in, by number.
    pub(crate) group: usize,
    pub(crate) inside: bool,
    /// Attempts that looked the target's name up.
    pub(crate) lookups: Vec<&'a Attempt>,
    /// The addresses that its resolver gave, across these lookups.
    pub(crate) resolved: BTreeSet<IpAddr>,
    /// Lookups of other names: they show that the resolver lives.
    pub(crate) other_lookups: Vec<&'a Attempt>,
    /// What others say of the target's name there.
    pub(crate) opinions: Vec<Opinion<'a>>,
    /// Attempts that were asked for and not completed.
    pub(crate) missing: Vec<(&'a Attempt, NotCompletedKind)>,
    pub(crate) attempts: u32,
}

impl<'a> Scene<'a> {
    /// Indexes a round; the gates are filled in by [`crate::gates::run`].
    pub(crate) fn new(round: &'a RoundView, history: &'a History, trust: &Trust, now: Timestamp) -> Self {
        let (arrivals, mut chains) = arrival::read(round);
        let baseline = || arrivals.iter().filter(|arrival| arrival.experiment == Experiment::Baseline);
        let places = places(baseline());
        let profiles: Vec<&str> = profiles(round, baseline());
        let trust = trust.with(&round.check.trust);
        let audited = arrival::audited(&arrivals, &mut chains);
        arrival::judge(&mut chains, round, &trust, now);
        let mut scene = Self {
            round,
            history,
            now,
            seats: round.vantages.iter().map(|view| Seat::new(round, view)).collect(),
            places,
            recipes: profiles.iter().map(|name| round.check.profile(name)).collect(),
            required: profiles.iter().map(|name| is_required(round, name)).collect(),
            profiles,
            chains,
            audited,
            health: vec![Health::default(); round.vantages.len()],
            ignored: BTreeSet::new(),
            broken_templates: BTreeSet::new(),
            cells: Vec::new(),
            states: Vec::new(),
            doubtful: Vec::new(),
            foreign: Vec::new(),
            misled: vec![false; round.vantages.len()],
            witnesses: Vec::new(),
            bench: vec![Vec::new(); round.vantages.len() * Experiment::ALL.len()],
        };
        // Each with room for what the check plans, and one behind the other: the rules walk through them again and again.
        let planned = (round.check.limits.attempts as usize).min(MOST_PLANNED);
        scene.cells = (0..scene.seats.len() * scene.places.len() * scene.profiles.len()).map(|_| Vec::with_capacity(planned)).collect();
        scene.foreign = vec![false; scene.seats.len() * scene.places.len()];
        let first = &round.check.asked_resolvers()[0];
        let is_beside = |arrival: &Arrival<'_>| arrival.lookup.is_some_and(|dns| opinion::is_beside(dns, first));
        let mut beside: Vec<Vec<&Attempt>> = vec![Vec::new(); scene.seats.len()];
        for arrival in arrivals {
            if is_beside(&arrival) {
                beside[arrival.seat].push(arrival.attempt);
            } else {
                scene.add(arrival);
            }
        }
        scene.witnesses = (0..scene.seats.len()).filter(|seat| !scene.everywhere(*seat, Experiment::Witness).is_empty()).collect();
        for (seat, others) in scene.seats.iter_mut().zip(&beside) {
            seat.opinions = Opinion::of_seat(seat, others, &trust, now);
        }
        scene.forgive_common_denials();
        scene.count_unanswered_requests();
        scene.states = scene.cells.iter().map(|cell| [Layer::Tcp, Layer::Tls, Layer::Http].map(|layer| state(cell.iter(), layer))).collect();
        scene.doubtful = doubt::of(&scene);
        scene.foreign = foreign::of(&scene);
        scene.misled = (0..scene.seats.len()).map(|seat| route::walks_mislead(&scene, seat)).collect();
        scene.ignore_unserved_loopback();
        scene.ignore_mere_opinions();
        scene
    }

    fn add(&mut self, arrival: Arrival<'a>) {
        let Arrival { seat, attempt, experiment, address, .. } = arrival;
        self.seats[seat].attempts += 1;
        if let Some(dns) = arrival.lookup {
            let same = dns.name.trim_end_matches('.').eq_ignore_ascii_case(&self.round.check.target.host.to_string());
            let seat = &mut self.seats[seat];
            if same {
                seat.lookups.push(attempt);
                seat.resolved.extend(&dns.addresses);
            } else {
                seat.other_lookups.push(attempt);
            }
        }
        let look = self.look(arrival);
        if let Outcome::NotCompleted(kind) = look.outcome {
            self.seats[seat].missing.push((attempt, kind));
            return;
        }
        match (experiment, address) {
            (Experiment::Baseline, Some(address)) => {
                let place = self.places.binary_search(&address).ok();
                if let (Some(place), Some(profile)) = (place, look.profile) {
                    let at = self.cell_index(seat, place, profile);
                    self.cells[at].push(look);
                }
            }
            (Experiment::Resolve | Experiment::Baseline, _) => {}
            (experiment, _) => self.bench[seat * Experiment::ALL.len() + experiment as usize].push(look),
        }
    }

    fn look(&self, arrival: Arrival<'a>) -> Look<'a> {
        let Arrival { seat, attempt, raw, chain, alpn, unanswered, authenticated, .. } = arrival;
        let reach = handshake_outcome(raw);
        let chain_seen = chain.map(|at| &self.chains[at]).filter(|_| reach.is_ok());
        let fault = chain_seen.and_then(|chain| chain.judgement.faults.first().copied().filter(|_| chain.named && is_verified(attempt)));
        let outcome = match fault {
            Some(fault) => Outcome::Certificate(fault),
            None if is_http(raw) => status(raw, &attempt.facts, self.round.check.target.scheme),
            None => raw,
        };
        let reach = if matches!(outcome, Outcome::TlsAlert(_)) { outcome } else { reach };
        let profile = arrival.profile.or_else(|| self.profiles.iter().position(|name| *name == attempt.profile.as_str()));
        Look { seat, attempt, profile, outcome, reach, chain, alpn, unanswered, authenticated }
    }

    /// A server that answers 403 to everybody denies nobody in particular.
    fn forgive_common_denials(&mut self) {
        for place in 0..self.places.len() {
            let indices: Vec<usize> = (0..self.seats.len())
                .flat_map(|seat| (0..self.profiles.len()).map(move |profile| (seat, profile)))
                .map(|(seat, profile)| self.cell_index(seat, place, profile))
                .collect();
            let any = |wanted: fn(&Look<'_>) -> bool| indices.iter().any(|at| self.cells[*at].iter().any(wanted));
            let denied = any(|look| look.outcome == Outcome::Http(403));
            if !denied || any(|look| look.outcome.is_ok() && look.attempt.facts.http.is_some()) {
                continue;
            }
            for at in indices {
                self.cells[at].iter_mut().filter(|look| look.outcome == Outcome::Http(403)).for_each(|look| look.outcome = Outcome::Ok);
            }
        }
    }

    /// Where two other groups are answered over HTTP, a request that is never answered has failed, whatever ALPN left open.
    fn count_unanswered_requests(&mut self) {
        if self.round.check.target.scheme != Scheme::Https {
            return;
        }
        let is_answered = |look: &Look<'_>| look.attempt.facts.http.as_ref().is_some_and(|http| http.status.is_some());
        let is_unanswered = |look: &Look<'_>| look.outcome.is_ok() && matches!(Outcome::of(look.attempt), Outcome::HttpClosed | Outcome::HttpTimeout);
        for place in 0..self.places.len() {
            let answered: BTreeSet<usize> =
                (0..self.seats.len()).filter(|seat| self.looks_of(*seat, place).any(is_answered)).map(|seat| self.seats[seat].group).collect();
            if answered.len() < 2 {
                continue;
            }
            for seat in (0..self.seats.len()).filter(|seat| !answered.contains(&self.seats[*seat].group)) {
                for profile in 0..self.profiles.len() {
                    let at = self.cell_index(seat, place, profile);
                    self.cells[at].iter_mut().filter(|look| is_unanswered(look)).for_each(|look| look.outcome = Outcome::of(look.attempt));
                }
            }
        }
    }

    /// `localhost` stands for both loopback addresses on every host (RFC 6761 section 6.3): nobody published that both are served.
    fn ignore_unserved_loopback(&mut self) {
        let Host::Name(name) = &self.round.check.target.host else { return };
        if name != "localhost" && !name.ends_with(".localhost") {
            return;
        }
        let served = |place: usize| self.looks_at(place).any(|look| look.passes(Layer::Tcp));
        let unserved: Vec<usize> = (0..self.places.len()).filter(|place| self.places[*place].ip().is_loopback() && !served(*place)).collect();
        if unserved.len() < self.places.len() {
            self.ignored.extend(unserved);
        }
    }

    /// Numbers the cells.
    pub(crate) fn cell_index(&self, seat: usize, place: usize, profile: usize) -> usize {
        (seat * self.places.len() + place) * self.profiles.len() + profile
    }

    /// Returns the plain attempts of a cell in the order of time.
    pub(crate) fn cell(&self, seat: usize, place: usize, profile: usize) -> &[Look<'a>] {
        &self.cells[self.cell_index(seat, place, profile)]
    }

    /// Returns what the plain attempts of a cell say about a layer.
    pub(crate) fn state(&self, seat: usize, place: usize, profile: usize, layer: Layer) -> State {
        self.states[self.cell_index(seat, place, profile)][layer as usize]
    }

    /// Tells whether who passes in a cell is no contrast, since nobody knows whom they reach; see [`doubt`].
    pub(crate) fn is_doubtful(&self, seat: usize, place: usize, profile: usize) -> bool {
        self.doubtful[self.cell_index(seat, place, profile)]
    }

    /// Returns all plain attempts at a place.
    pub(crate) fn looks_at(&self, place: usize) -> impl Iterator<Item = &Look<'a>> {
        (0..self.seats.len()).flat_map(move |seat| self.looks_of(seat, place))
    }

    /// Returns all plain attempts of a seat at a place.
    pub(crate) fn looks_of(&self, seat: usize, place: usize) -> impl Iterator<Item = &Look<'a>> {
        (0..self.profiles.len()).flat_map(move |profile| self.cell(seat, place, profile))
    }

    /// Returns those of them that failed.
    pub(crate) fn failures_of(&self, seat: usize, place: usize) -> Vec<Look<'a>> {
        self.looks_of(seat, place).filter(|look| look.reach.is_failure()).copied().collect()
    }

    /// Returns a seat's attempts of one experiment at one address.
    pub(crate) fn bench(&self, seat: usize, experiment: Experiment, place: usize) -> impl Iterator<Item = &Look<'a>> {
        let address = self.places[place];
        self.everywhere(seat, experiment).iter().filter(move |look| look.attempt.address == Some(address))
    }

    /// Returns a seat's attempts of one experiment at all addresses, responders included.
    pub(crate) fn everywhere(&self, seat: usize, experiment: Experiment) -> &[Look<'a>] {
        &self.bench[seat * Experiment::ALL.len() + experiment as usize]
    }

    /// Returns what witnesses on the server's host recorded at a place, a seat's own word aside.
    pub(crate) fn records_beside(&self, seat: usize, place: usize) -> impl Iterator<Item = &Look<'a>> {
        self.witnesses.iter().filter(move |witness| **witness != seat).flat_map(move |witness| self.bench(*witness, Experiment::Witness, place))
    }

    /// Tells whether none of a cell's plain attempts finished a handshake, some did not even connect, and some did and then failed.
    pub(crate) fn is_cut_now_and_then(&self, seat: usize, place: usize, profile: usize) -> bool {
        let cell = self.cell(seat, place, profile);
        let connected = cell.iter().any(|look| look.passes(Layer::Tcp));
        cell.len() > 1 && connected && cell.iter().any(|look| look.fails(Layer::Tcp)) && !cell.iter().any(|look| look.reach.is_ok())
    }

    /// Tells whether no plain attempt of a seat at a place with a required profile fails.
    pub(crate) fn always_passes(&self, seat: usize, place: usize) -> bool {
        let required = (0..self.profiles.len()).filter(|profile| self.is_required(*profile));
        required.into_iter().all(|profile| self.cell(seat, place, profile).iter().all(|look| look.passes(Layer::Tls)))
    }

    /// Tells whether any scored seat made a plain attempt with a required profile.
    pub(crate) fn is_anything_judged(&self) -> bool {
        let cells =
            (0..self.seats.len()).flat_map(|seat| (0..self.places.len()).map(move |place| (seat, place))).filter(|(seat, place)| self.is_scored(*seat, *place));
        cells.into_iter().any(|(seat, place)| (0..self.profiles.len()).any(|profile| self.is_required(profile) && !self.cell(seat, place, profile).is_empty()))
    }

    /// Tells whether a seat's observations at a place are scored.
    pub(crate) fn is_scored(&self, seat: usize, place: usize) -> bool {
        !self.ignored.contains(&place) && !self.is_foreign(seat, place) && self.health[seat].scores(self.places[place].ip())
    }

    /// Tells whether a place is none of a seat's affair: only others are sent there; see [`foreign`].
    pub(crate) fn is_foreign(&self, seat: usize, place: usize) -> bool {
        self.foreign[seat * self.places.len() + place]
    }

    /// Tells whether a seat's walks say nothing about where anything is.
    pub(crate) fn walks_mislead(&self, seat: usize) -> bool {
        self.misled[seat]
    }

    /// Tells whether a failure of the profile everywhere is a fault by itself.
    pub(crate) fn is_required(&self, profile: usize) -> bool {
        self.required[profile]
    }

    /// Returns what a profile sends; none for one that this build does not know.
    pub(crate) fn recipe(&self, profile: usize) -> Option<&Profile> {
        self.recipes[profile].as_ref()
    }

    /// Returns what the profile of an attempt sends.
    pub(crate) fn recipe_of(&self, look: &Look<'_>) -> Option<&Profile> {
        self.recipe(look.profile?)
    }

    /// An address that only resolvers beside the vantages' own give counts where somebody authenticates the server there: else it may well be their lie.
    fn ignore_mere_opinions(&mut self) {
        let resolved = |address: &IpAddr| self.seats.iter().any(|seat| seat.resolved.contains(address));
        let mere: BTreeSet<IpAddr> = self.seats.iter().flat_map(|seat| &seat.opinions).flat_map(|opinion| &opinion.addresses).copied().collect();
        let is_mere = |place: &usize| {
            let address = self.places[*place].ip();
            mere.contains(&address) && !resolved(&address) && !self.is_authenticated_at(*place)
        };
        let ignored: Vec<usize> = (0..self.places.len()).filter(is_mere).collect();
        self.ignored.extend(ignored);
    }

    /// Returns the profiles that are scored, required ones first.
    pub(crate) fn profiles_by_need(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.profiles.len()).filter(|profile| !self.broken_templates.contains(profile)).collect();
        order.sort_by_key(|profile| !self.is_required(*profile));
        order
    }

    /// Tells whether a path leads from the chain to a trusted anchor and it covers the wanted name, dates aside; whatever came after its key was proven.
    pub(crate) fn is_authentic(&self, look: &Look<'_>) -> bool {
        let judged = look.chain.map(|at| &self.chains[at].judgement);
        (look.reach.is_ok() || look.authenticated) && judged.is_some_and(|judged| judged.anchored && !judged.faults.contains(&CertificateFault::NameMismatch))
    }

    /// Tells whether anybody authenticates the server at a place.
    pub(crate) fn is_authenticated_at(&self, place: usize) -> bool {
        self.looks_at(place).any(|look| self.is_authentic(look))
    }

    /// Returns the place with an address, on the port that was tried first.
    pub(crate) fn place_at(&self, address: IpAddr) -> Option<usize> {
        self.places.iter().position(|place| place.ip() == address)
    }

    /// Groups seats by the unit of independence.
    pub(crate) fn groups(&self, seats: &[usize]) -> BTreeMap<usize, Vec<usize>> {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for seat in seats {
            groups.entry(self.seats[*seat].group).or_default().push(*seat);
        }
        groups
    }

    /// Counts the groups that seats are of.
    pub(crate) fn count_groups(&self, seats: &[usize]) -> usize {
        let mut seen = vec![false; self.seats.len()];
        seats.iter().filter(|seat| !mem::replace(&mut seen[self.seats[**seat].group], true)).count()
    }

    /// Returns the distinct keys that anybody was shown at a place in a handshake that came about.
    pub(crate) fn keys_at(&self, place: usize) -> Vec<&Bytes> {
        let mut seen = vec![false; self.chains.len()];
        self.looks_at(place).filter(|look| look.reach.is_ok()).filter_map(|look| look.chain).for_each(|chain| seen[chain] = true);
        let mut keys: Vec<&Bytes> = self.chains.iter().zip(seen).filter(|(_, seen)| *seen).filter_map(|(chain, _)| chain.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl<'a> Seat<'a> {
    fn new(round: &'a RoundView, view: &'a VantageView) -> Self {
        let group = round.vantages.iter().position(|other| other.group == view.group).unwrap_or_default();
        Self {
            view,
            name: view.name.as_str(),
            group,
            inside: is_inside(&view.labels),
            lookups: Vec::new(),
            resolved: BTreeSet::new(),
            other_lookups: Vec::new(),
            opinions: Vec::new(),
            missing: Vec::new(),
            attempts: 0,
        }
    }
}

/// Tells whether the check requires the profile of this name.
fn is_required(round: &RoundView, name: &str) -> bool {
    round.check.profiles.iter().find(|known| known.as_str() == name).is_some_and(|known| round.check.requires(known))
}

/// Returns the addresses of the completed ones of these attempts, in order.
fn places<'s, 'a: 's>(arrivals: impl Iterator<Item = &'s Arrival<'a>>) -> Vec<SocketAddr> {
    let mut places: Vec<SocketAddr> = Vec::new();
    for (address, attempt) in arrivals.filter_map(|arrival| Some((arrival.address?, arrival.attempt))) {
        if let Err(at) = places.binary_search(&address)
            && attempt.facts.not_completed.is_none()
        {
            places.insert(at, address);
        }
    }
    places
}

/// Returns the names of the check's profiles, and then of others that these attempts were made with.
fn profiles<'s, 'a: 's>(round: &'a RoundView, arrivals: impl Iterator<Item = &'s Arrival<'a>>) -> Vec<&'a str> {
    let mut names: Vec<&str> = round.check.profiles.iter().map(|name| name.as_str()).collect();
    for attempt in arrivals.filter(|arrival| arrival.profile.is_none()).map(|arrival| arrival.attempt) {
        if !names.contains(&attempt.profile.as_str()) {
            names.push(attempt.profile.as_str());
        }
    }
    names
}

/// Returns what the handshake itself came to: a status or a close after it does not undo it.
fn handshake_outcome(raw: Outcome) -> Outcome {
    if is_http(raw) { Outcome::Ok } else { raw }
}

/// Returns what the exchange after the handshake means: a missing page is no fault of the connection.
fn status(raw: Outcome, facts: &Facts, scheme: Scheme) -> Outcome {
    let requested = facts.tls.as_ref().is_some_and(|tls| tls.answer.certificate_requested);
    let server = facts.http.as_ref().and_then(|http| http.server.as_deref()).unwrap_or_default();
    let in_body = facts.http.as_ref().is_some_and(|http| http.body.is_some());
    match raw {
        Outcome::HttpTimeout | Outcome::HttpClosed if in_body => raw,
        Outcome::Http(400) | Outcome::HttpClosed if requested => Outcome::TlsAlert(CERTIFICATE_REQUIRED),
        Outcome::Http(403 | 429 | 451 | 502..=504 | 520..=527) => raw,
        // Apache's proxy answers 500 when the handshake with its own backend fails.
        Outcome::Http(500) if server.starts_with("Apache") => raw,
        Outcome::Http(_) | Outcome::HttpNotHttp => Outcome::Ok,
        // Where no HTTP was agreed upon by ALPN, silence on a request says nothing about TLS.
        Outcome::HttpTimeout | Outcome::HttpClosed if scheme != Scheme::Https || !speaks_http(facts) => Outcome::Ok,
        other => other,
    }
}

fn speaks_http(facts: &Facts) -> bool {
    let handshake = facts.tls.as_ref().and_then(|tls| tls.handshake.as_ref());
    handshake.and_then(|handshake| handshake.alpn.as_deref()).is_some_and(|protocol| protocol.starts_with("http/") || protocol == "h2")
}

/// nginx as a client does not verify what it gets unless told to.
fn is_verified(attempt: &Attempt) -> bool {
    attempt.profile.as_str() != "nginx-upstream"
}

/// No check plans more attempts of a cell.
const MOST_PLANNED: usize = 16;

/// The alert that a server sends when it insists on a client certificate (RFC 8446 section 6.2).
pub(crate) const CERTIFICATE_REQUIRED: u8 = 116;
