use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
};

use parallax_model::{
    assignment::{Experiment, Task},
    id::ProfileName,
};

use super::Wanted;
use crate::scene::Scene;

/// Collects what is asked for, without what was tried already.
pub(super) struct Asks<'s, 'a> {
    pub(super) scene: &'s Scene<'a>,
    tried: HashMap<(usize, Experiment, &'s str, SocketAddr), u32>,
    wanted: Vec<(usize, Task, &'static str)>,
}

impl<'s, 'a> Asks<'s, 'a> {
    pub(super) fn new(scene: &'s Scene<'a>) -> Self {
        let index: HashMap<&str, usize> = scene.seats.iter().enumerate().map(|(at, seat)| (seat.name, at)).collect();
        let mut tried: HashMap<(usize, Experiment, &str, SocketAddr), u32> = HashMap::new();
        for attempt in &scene.round.attempts {
            if let (Some(seat), Some(address)) = (index.get(attempt.vantage.as_str()), attempt.address) {
                *tried.entry((*seat, attempt.experiment, attempt.profile.as_str(), address)).or_default() += 1;
            }
        }
        Self { scene, tried, wanted: Vec::new() }
    }

    /// Returns how often something was tried, completed or not, by address.
    pub(super) fn tried(&self, seat: usize, experiment: Experiment, profile: &str, address: SocketAddr) -> u32 {
        self.tried.get(&(seat, experiment, profile, address)).copied().unwrap_or(0)
    }

    /// Tells whether something was tried with any profile, completed or not.
    pub(super) fn was_tried(&self, seat: usize, experiment: Experiment, place: usize) -> bool {
        let address = self.scene.places[place];
        self.tried.iter().any(|((by, what, _, at), _)| *by == seat && *what == experiment && *at == address)
    }

    /// Asks for plain attempts until there are so many.
    pub(super) fn until(&mut self, seat: usize, profile: usize, address: SocketAddr, total: u32, why: &'static str) {
        let tried = self.tried(seat, Experiment::Baseline, self.scene.profiles[profile], address);
        if let Some(repeat) = total.checked_sub(tried).filter(|repeat| *repeat > 0) {
            self.push(seat, Experiment::Baseline, profile, address, repeat, why);
        }
    }

    /// Asks for an experiment until there are so many.
    pub(super) fn up_to(&mut self, seat: usize, experiment: Experiment, profile: usize, place: usize, total: u32, why: &'static str) {
        let address = self.scene.places[place];
        let tried: u32 = self.scene.profiles.iter().map(|name| self.tried(seat, experiment, name, address)).sum();
        if let Some(repeat) = total.checked_sub(tried).filter(|repeat| *repeat > 0) {
            self.push(seat, experiment, profile, address, repeat, why);
        }
    }

    /// Asks for a walk to a responder, which shows what the vantage's routers tell of themselves.
    pub(super) fn walk_to_responder(&mut self, seat: usize, profile: usize, place: usize, why: &'static str) {
        let same_family = |address: &&SocketAddr| address.is_ipv4() == self.scene.places[place].is_ipv4();
        let responder = self.scene.round.responders.iter().flat_map(|responder| &responder.addresses).find(same_family).copied();
        let walked = |address: SocketAddr| self.tried.iter().any(|((by, what, _, at), _)| *by == seat && *what == Experiment::SynWalk && *at == address);
        if let Some(responder) = responder.filter(|address| !walked(*address)) {
            self.push(seat, Experiment::SynWalk, profile, responder, 1, why);
        }
    }

    /// Asks for an experiment, unless it was tried there at all.
    pub(super) fn once(&mut self, seat: usize, experiment: Experiment, profile: usize, place: usize, repeat: u32, why: &'static str) {
        let address = self.scene.places[place];
        let any_profile = !matches!(experiment, Experiment::SmallMss);
        let tried = if any_profile { self.was_tried(seat, experiment, place) } else { self.tried(seat, experiment, self.scene.profiles[profile], address) > 0 };
        if !tried {
            self.push(seat, experiment, profile, address, repeat, why);
        }
    }

    /// Asks a witness about connections from these addresses, unless it was asked.
    pub(super) fn witness(&mut self, seat: usize, profile: usize, place: usize, sources: Vec<IpAddr>, why: &'static str) {
        let before = self.wanted.len();
        self.once(seat, Experiment::Witness, profile, place, 1, why);
        if let Some((_, task, _)) = self.wanted.get_mut(before) {
            task.sources = sources;
        }
    }

    fn push(&mut self, seat: usize, experiment: Experiment, profile: usize, address: SocketAddr, repeat: u32, why: &'static str) {
        let view = self.scene.seats[seat].view;
        let Some(profile) = self.scene.profiles[profile].parse::<ProfileName>().ok().filter(|_| view.reported) else { return };
        if self.scene.health[seat].discarded.is_some() {
            return;
        }
        let task = Task { profile, experiment, address: Some(address), repeat: repeat.clamp(1, MAX_REPEAT), sources: Vec::new() };
        let same = self
            .wanted
            .iter_mut()
            .find(|(by, known, _)| *by == seat && known.experiment == task.experiment && known.profile == task.profile && known.address == task.address);
        match same {
            Some((_, known, _)) => known.repeat = known.repeat.max(task.repeat),
            None => self.wanted.push((seat, task, why)),
        }
    }

    /// Returns the first required profile, which comparisons use.
    pub(super) fn base(&self) -> Option<usize> {
        (0..self.scene.profiles.len()).find(|profile| self.scene.is_required(*profile))
    }

    /// Returns one seat of each group, outside ones first, at most `most`.
    pub(super) fn one_of_each(&self, seats: &[usize], most: usize) -> Vec<usize> {
        let mut firsts: Vec<usize> = self.scene.groups(seats).values().filter_map(|seats| seats.first().copied()).collect();
        firsts.sort_by_key(|seat| (self.scene.seats[*seat].inside, *seat));
        firsts.truncate(most);
        firsts
    }

    pub(super) fn finish(self) -> Vec<Wanted> {
        let mut all: Vec<Wanted> = Vec::new();
        for (seat, task, why) in self.wanted {
            let vantage = &self.scene.seats[seat].view.name;
            match all.iter_mut().find(|wanted| wanted.vantage == *vantage) {
                Some(wanted) => {
                    wanted.tasks.push(task);
                    if !wanted.why.contains(why) {
                        wanted.why = format!("{}; {why}", wanted.why);
                    }
                }
                None => all.push(Wanted { vantage: vantage.clone(), tasks: vec![task], why: why.to_owned() }),
            }
        }
        all
    }
}

/// An assignment's own limit.
const MAX_REPEAT: u32 = 16;
