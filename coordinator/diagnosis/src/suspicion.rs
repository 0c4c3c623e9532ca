//! Failures at one address, with one profile, at one layer: who fails, who passes, and how independent they are.

use std::{collections::BTreeSet, mem};

use parallax_model::{assignment::Experiment, facts::Reply, outcome::Outcome, verdict::Tier};

use crate::{
    cell::{Layer, Look, Silence, State, agreed, family, nobody},
    contrast::{BEYOND_CHANCE, fisher, row_by_chance},
    route::{Author, author, ended_early, is_by_somebody_nearer},
    scene::Scene,
};

/// Who fails and who passes at one place, profile and layer; only scored seats are in it.
pub(crate) struct Suspicion<'s, 'a> {
    pub(crate) scene: &'s Scene<'a>,
    pub(crate) place: usize,
    pub(crate) profile: usize,
    pub(crate) layer: Layer,
    /// Seats that fail every time and are not yet explained.
    pub(crate) failing: Vec<usize>,
    pub(crate) passing: Vec<usize>,
    pub(crate) mixed: Vec<usize>,
    /// Seats with one failure and nothing else.
    pub(crate) thin: Vec<usize>,
    /// Seats that fail and are explained already, and such whose TLS somebody else terminates: they are no contrast.
    pub(crate) explained: Vec<usize>,
    /// Seats that pass with a key for which nobody vouches, where one is vouched for elsewhere or no second group sees it: who knows whom they reach.
    pub(crate) doubtful: Vec<usize>,
}

/// How the failures are spread over the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Two groups or more fail and nobody passes.
    Everywhere,
    /// Two outside groups or more fail, none of them passes, and the inside vantage does.
    Outside,
    /// One outside group fails, and nobody but the inside vantage passes.
    OnlyInsidePasses,
    /// Some fail and some outside pass.
    Some,
    /// One group fails, and there is no other.
    Alone,
}

impl<'s, 'a> Suspicion<'s, 'a> {
    /// Collects who fails and who passes; `explained` tells which cells have a cause already.
    pub(crate) fn at(scene: &'s Scene<'a>, place: usize, profile: usize, layer: Layer, explained: &dyn Fn(usize) -> bool) -> Self {
        let passing = Vec::with_capacity(scene.seats.len());
        let mut suspicion = Self { scene, place, profile, layer, failing: vec![], passing, mixed: vec![], thin: vec![], explained: vec![], doubtful: vec![] };
        for seat in (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place)) {
            let list = match scene.state(seat, place, profile, layer) {
                State::Empty => continue,
                State::Pass if scene.is_doubtful(seat, place, profile) => &mut suspicion.doubtful,
                State::Pass => &mut suspicion.passing,
                _ if explained(seat) => &mut suspicion.explained,
                State::Fail => &mut suspicion.failing,
                State::Thin => &mut suspicion.thin,
                State::Mixed => &mut suspicion.mixed,
            };
            list.push(seat);
        }
        suspicion.leave_out_proxies();
        suspicion
    }

    /// Where the inside vantage and another group do not connect and nobody gets a word of TLS, whoever connects met something that answers SYNs in the server's stead: it
    /// is no contrast.
    fn leave_out_proxies(&mut self) {
        let (scene, place) = (self.scene, self.place);
        let gets_a_word = |seat: usize| scene.looks_of(seat, place).any(|look| look.passes(Layer::Tls));
        let inside_fails = self.failing.iter().any(|seat| scene.seats[*seat].inside);
        if self.layer == Layer::Tcp && inside_fails && scene.count_groups(&self.failing) > 1 && !(0..scene.seats.len()).any(gets_a_word) {
            self.explained.append(&mut self.passing);
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        let groups = self.scene.count_groups(&self.failing);
        // A connection that comes about now and then and never gets farther may have come to a full queue.
        let gets_through = |seat: &&usize| self.layer != Layer::Tcp || self.scene.looks_of(**seat, self.place).any(|look| look.passes(Layer::Tls));
        let mixed = self.mixed.iter().filter(gets_through);
        let outside_pass = self.passing.iter().chain(mixed).chain(&self.doubtful).any(|seat| !self.scene.seats[*seat].inside);
        let inside_passes = self.passing.iter().any(|seat| self.scene.seats[*seat].inside);
        match (outside_pass, inside_passes) {
            (true, _) => Shape::Some,
            (false, true) if groups > 1 => Shape::Outside,
            (false, true) => Shape::OnlyInsidePasses,
            (false, false) if groups > 1 => Shape::Everywhere,
            (false, false) => Shape::Alone,
        }
    }

    /// Tells whether the owner's edge is to be thought of: the inside vantage passes where everybody outside fails; or, without one, what ends the attempts of two groups
    /// comes from nearer than the server.
    pub(crate) fn is_before_the_server(&self, seats: &[usize]) -> bool {
        let nearer: Vec<usize> = seats.iter().copied().filter(|seat| is_by_somebody_nearer(self.scene, *seat, self.place)).collect();
        match self.shape() {
            Shape::Outside => true,
            Shape::Everywhere => self.scene.count_groups(&nearer) > 1 && !seats.iter().any(|seat| self.scene.seats[*seat].inside),
            Shape::OnlyInsidePasses | Shape::Some | Shape::Alone => false,
        }
    }

    /// Returns how many groups pass that have no failing seat.
    pub(crate) fn other_groups_passing(&self) -> usize {
        let group = |seat: &usize| self.scene.seats[*seat].group;
        let mut uncounted = vec![true; self.scene.seats.len()];
        self.failing.iter().for_each(|seat| uncounted[group(seat)] = false);
        self.passing.iter().filter(|seat| mem::take(&mut uncounted[group(seat)])).count()
    }

    /// Returns how many groups failed or passed at all.
    pub(crate) fn groups_judged(&self) -> usize {
        let all: Vec<usize> = [&self.failing, &self.passing, &self.mixed, &self.explained].into_iter().flatten().copied().collect();
        self.scene.count_groups(&all)
    }

    /// Returns how many groups outside the server's own segment failed or passed at all.
    pub(crate) fn groups_outside(&self) -> usize {
        let all = [&self.failing, &self.passing, &self.mixed, &self.explained].into_iter().flatten().copied();
        self.scene.count_groups(&all.filter(|seat| !self.scene.seats[*seat].inside).collect::<Vec<usize>>())
    }

    /// Returns a seat's plain attempts in this cell.
    pub(crate) fn looks(&self, seat: usize) -> &[Look<'a>] {
        self.scene.cell(seat, self.place, self.profile)
    }

    /// Returns the failed attempts of seats in this cell.
    pub(crate) fn failures(&self, seats: &[usize]) -> Vec<Look<'a>> {
        seats.iter().flat_map(|seat| self.looks(*seat)).filter(|look| look.fails(self.layer)).copied().collect()
    }

    /// Returns the family and the commonest outcome of the failures of seats; none when they disagree.
    pub(crate) fn class(&self, seats: &[usize]) -> Option<(Outcome, Outcome)> {
        let outcomes = seats.iter().flat_map(|seat| self.looks(*seat)).filter_map(|look| look.at(self.layer));
        agreed(outcomes.filter(|outcome| outcome.is_failure()))
    }

    /// Returns the failing seats of the family that most groups share, and that family.
    pub(crate) fn majority(&self) -> Option<(Outcome, Vec<usize>)> {
        let classed: Vec<(usize, Outcome)> = self.failing.iter().filter_map(|seat| Some((*seat, nobody(self.class(&[*seat])?.0)))).collect();
        let seats_of = |wanted: Outcome| classed.iter().filter(|(_, class)| *class == wanted).map(|(seat, _)| *seat).collect::<Vec<usize>>();
        let most = classed.iter().map(|(_, class)| *class).max_by_key(|class| self.scene.count_groups(&seats_of(*class)))?;
        let seats = seats_of(most);
        (self.scene.count_groups(&seats) * 2 > self.scene.count_groups(&self.failing)).then_some((most, seats))
    }

    /// Returns how the silences of a seat look, when four of five agree.
    pub(crate) fn silence(&self, seats: &[usize]) -> Option<Silence> {
        let all: Vec<Silence> = self.failures(seats).iter().filter_map(Look::silence).collect();
        let count = |wanted: Silence| all.iter().filter(|silence| **silence == wanted).count();
        let most = all.iter().copied().max_by_key(|silence| count(*silence))?;
        (count(most) * 5 >= all.len() * 4).then_some(most)
    }

    /// Tells whether a second vantage of the seat's group, with another address, passes here.
    pub(crate) fn neighbour_passes(&self, seat: usize) -> Option<usize> {
        let group = self.scene.seats[seat].group;
        self.passing.iter().copied().find(|other| *other != seat && self.scene.seats[*other].group == group)
    }

    /// Tells whether anybody outside is seen to reach the server: then the server's own edge lets connections through.
    pub(crate) fn passes_outside(&self) -> bool {
        self.shape() == Shape::Some && self.passing.iter().chain(&self.mixed).any(|seat| !self.scene.seats[*seat].inside)
    }

    /// Tells whether the server itself ends the attempts of another group than a seat's here, as their TTL shows: then it may be the one that ends a control.
    pub(crate) fn server_ends_others(&self, seat: usize) -> bool {
        let others = self.failing.iter().chain(&self.explained).filter(|other| self.scene.seats[**other].group != self.scene.seats[seat].group);
        let replies = [Reply::Reset, Reply::Close, Reply::Alert];
        self.passing.is_empty()
            && others.into_iter().any(|other| matches!(author(self.scene, *other, self.place, &replies), Some(Author::AsFarAsServer { .. })))
    }

    /// Tells whether any of these seats connects with whatever profile: a SYN is the same for all.
    pub(crate) fn connects(&self, seats: &[usize]) -> bool {
        seats.iter().any(|seat| self.scene.looks_of(*seat, self.place).any(|look| look.passes(Layer::Tcp)))
    }

    /// Tells whether a seat gets through after a pause: then it is how often it comes, and not who it is or where it goes.
    pub(crate) fn passes_after_a_pause(&self, seat: usize) -> bool {
        self.scene.bench(seat, Experiment::Slow, self.place).any(|look| look.reach.is_ok())
    }

    /// Returns the tier of a contrast: what a path, policy or DNS finding may claim for these seats, none when it may claim nothing.
    ///
    /// An artefact settles it. Without one, two other groups must pass and the difference be beyond chance; one passing group gives no more than a suspicion,
    /// and none at all when that one is inside: then the edge explains it as well.
    pub(crate) fn tier(&self, seats: &[usize], artefact: bool) -> Option<Tier> {
        if artefact {
            return Some(Tier::Confirmed);
        }
        if self.shape() != Shape::Some || self.chance(seats) > BEYOND_CHANCE || self.chance_of_a_row(seats) > BEYOND_CHANCE {
            return None;
        }
        let only_inside = self.passing.iter().all(|seat| self.scene.seats[*seat].inside);
        match self.other_groups_passing() {
            0 => None,
            _ if only_inside => None,
            1 => Some(Tier::Suspected),
            _ => Some(Tier::Likely),
        }
    }

    /// Returns the tier of a server finding: an act of the server settles it, else two groups must fail alike by nobody before the server, and none pass.
    pub(crate) fn server_tier(&self, seats: &[usize], act: bool) -> Option<Tier> {
        if act {
            return Some(Tier::Confirmed);
        }
        // What the inside vantage sees of another kind is the server's, and not what the others see.
        let inside_differs = self.failing.iter().chain(&self.mixed).any(|seat| self.scene.seats[*seat].inside && !seats.contains(seat));
        let is_of_others = self.layer == Layer::Tls && seats.iter().any(|seat| ended_early(self.scene, *seat, self.place).is_some());
        (self.passing.is_empty() && !inside_differs && !is_of_others && self.scene.count_groups(seats) > 1).then_some(Tier::Likely)
    }

    /// Returns the probability that these seats fail so much more often than the passing ones by chance, over all profiles that fail there alike.
    fn chance(&self, seats: &[usize]) -> f64 {
        let class = self.class(seats).map(|class| class.0);
        let profiles: Vec<usize> =
            (0..self.scene.profiles.len()).filter(|profile| *profile == self.profile || self.fails_alike(seats, *profile, class)).collect();
        let (mut failed, mut passed, mut other_failed, mut other_passed) = (0, 0, 0, 0);
        for profile in profiles {
            for look in seats.iter().flat_map(|seat| self.scene.cell(*seat, self.place, profile)) {
                failed += usize::from(look.fails(self.layer));
                passed += usize::from(look.passes(self.layer));
            }
            // Who fails now and then is no proof that the place is fine.
            for look in self.passing.iter().chain(&self.mixed).flat_map(|seat| self.scene.cell(*seat, self.place, profile)) {
                other_failed += usize::from(look.fails(self.layer));
                other_passed += usize::from(look.passes(self.layer));
            }
        }
        fisher(failed, passed, other_failed, other_passed)
    }

    /// Returns the probability that some cell of this place fails in every attempt by chance, given how often the cells fail alike that pass as well.
    fn chance_of_a_row(&self, seats: &[usize]) -> f64 {
        let Some((class, _)) = self.class(seats) else { return 0.0 };
        let (mut failed, mut tried, mut cells, mut shortest) = (0_usize, 0_usize, 0_usize, usize::MAX);
        for seat in (0..self.scene.seats.len()).filter(|seat| self.scene.is_scored(*seat, self.place)) {
            let mut row = 0;
            for profile in 0..self.scene.profiles.len() {
                let looks = self.scene.cell(seat, self.place, profile);
                let alike = looks.iter().filter(|look| look.fails(self.layer) && family(look.reach) == class).count();
                cells += usize::from(!looks.is_empty());
                if alike == looks.len() {
                    row += alike;
                } else {
                    (failed, tried) = (failed + alike, tried + looks.len());
                }
            }
            if seats.contains(&seat) {
                shortest = shortest.min(row);
            }
        }
        // Who passes now and then has no such row.
        if failed == 0 || shortest == 0 || shortest == usize::MAX {
            return 0.0;
        }
        let share = failed as f64 / tried as f64;
        (row_by_chance(share, shortest) * cells as f64).min(1.0)
    }

    fn fails_alike(&self, seats: &[usize], profile: usize, class: Option<Outcome>) -> bool {
        let outcomes = seats.iter().flat_map(|seat| self.scene.cell(*seat, self.place, profile)).filter_map(|look| look.at(self.layer));
        let families: BTreeSet<Outcome> = outcomes.map(family).collect();
        class.is_some_and(|class| families.len() == 1 && families.contains(&class))
    }
}
