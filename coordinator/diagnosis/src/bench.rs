//! What the experiments at one address say to a vantage's failure there.

use std::collections::BTreeSet;

use parallax_model::{assignment::Experiment, facts::Facts, outcome::Outcome, profile::Delivery};

use crate::{
    cell::{Layer, Look, agreed, family, payload_arrived},
    gates::{Contact, contacts},
    scene::Scene,
};

/// The attempts of an experiment, sorted by whether they got through.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally<'a> {
    pub(crate) passed: Vec<Look<'a>>,
    pub(crate) failed: Vec<Look<'a>>,
}

impl<'a> Tally<'a> {
    fn of(looks: impl Iterator<Item = Look<'a>>, passes: impl Fn(&Look<'a>) -> Option<bool>) -> Self {
        let mut tally = Self::default();
        for look in looks {
            match passes(&look) {
                Some(true) => tally.passed.push(look),
                Some(false) => tally.failed.push(look),
                None => {}
            }
        }
        tally
    }

    /// Tells whether it always got through, at least `least` times.
    pub(crate) fn always(&self, least: usize) -> bool {
        self.failed.is_empty() && self.passed.len() >= least
    }

    /// Tells whether it never got through, in at least `least` attempts.
    pub(crate) fn never(&self, least: usize) -> bool {
        self.passed.is_empty() && self.failed.len() >= least
    }

    pub(crate) fn all(&self) -> Vec<Look<'a>> {
        self.passed.iter().chain(&self.failed).copied().collect()
    }
}

/// Sorts the attempts of an experiment with any profile by whether the handshake came about.
pub(crate) fn tally<'a>(scene: &Scene<'a>, seat: usize, place: usize, experiment: Experiment) -> Tally<'a> {
    Tally::of(scene.bench(seat, experiment, place).copied(), |look| Some(look.reach.is_ok()))
}

/// The same for one profile.
pub(crate) fn tally_of<'a>(scene: &Scene<'a>, seat: usize, place: usize, experiment: Experiment, profile: usize) -> Tally<'a> {
    let looks = scene.bench(seat, experiment, place).filter(|look| look.profile == Some(profile)).copied();
    Tally::of(looks, |look| Some(look.reach.is_ok()))
}

/// Sorts attempts with bytes that are not TLS by whether the bytes arrived; a connection that did not come about is neither.
pub(crate) fn payload<'a>(scene: &Scene<'a>, seat: usize, place: usize, experiment: Experiment) -> Tally<'a> {
    let arrived = |look: &Look<'a>| {
        look.passes(Layer::Tcp).then(|| payload_arrived(&look.attempt.facts) && family(look.reach) != Outcome::TlsReset || read_something(&look.attempt.facts))
    };
    Tally::of(scene.bench(seat, experiment, place).copied(), arrived)
}

fn read_something(facts: &Facts) -> bool {
    facts.tls.as_ref().is_some_and(|tls| tls.bytes_read > 0)
}

/// The wanted name against others, on connections that came about.
pub(crate) struct Names<'a> {
    /// Whole ClientHellos with the wanted name.
    pub(crate) wanted: Tally<'a>,
    /// Another name, or none.
    pub(crate) control: Tally<'a>,
    /// Controls that did not even connect.
    pub(crate) control_cut: Vec<Look<'a>>,
}

impl Names<'_> {
    /// Tells whether the name alone decides: with it nothing gets through, without it everything.
    pub(crate) fn decide(&self) -> bool {
        self.wanted.never(2) && self.control.always(2)
    }

    /// Tells whether no name gets through.
    pub(crate) fn do_not_matter(&self) -> bool {
        self.control.never(1)
    }
}

/// Compares the wanted name with others at one address; what a control means is learned from the vantages that pass there.
pub(crate) fn names<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Names<'a> {
    let whole = |look: &&Look<'a>| scene.recipe_of(look).is_none_or(|profile| profile.delivery == Delivery::Whole && profile.hello.server_name);
    let small = |look: &&Look<'a>| look.attempt.facts.tls.as_ref().is_none_or(|tls| u64::from(tls.hello.bytes) < ONE_SEGMENT);
    let plain = scene.looks_of(seat, place).filter(whole).filter(small);
    let repeated = [Experiment::Slow, Experiment::SourcePort, Experiment::SmallHello].into_iter().flat_map(|experiment| scene.bench(seat, experiment, place));
    let wanted = Tally::of(plain.chain(repeated).copied(), |look| look.at(Layer::Tls).map(Outcome::is_ok));
    // A control that ends like the wanted name shows no difference between the two.
    let own: BTreeSet<Outcome> = wanted.failed.iter().filter_map(|look| look.at(Layer::Tls)).map(family).collect();
    let refuses_name = |outcome: Outcome| is_refusal_of_name(outcome) && !own.contains(&family(outcome));
    let mut control = Tally::default();
    let mut control_cut = Vec::new();
    for experiment in [Experiment::ControlName, Experiment::NoName, Experiment::ControlAfter] {
        if scene.bench(seat, experiment, place).next().is_none() {
            continue;
        }
        let like = if experiment == Experiment::ControlAfter { Experiment::ControlName } else { experiment };
        let template = template(scene, place, like);
        if template.is_some_and(|template| !is_answer(template)) {
            continue;
        }
        for look in scene.bench(seat, experiment, place) {
            match look.at(Layer::Tls) {
                None => control_cut.push(*look),
                Some(outcome) if outcome.is_ok() || Some(family(outcome)) == template || (template.is_none() && refuses_name(outcome)) => {
                    control.passed.push(*look)
                }
                Some(_) => control.failed.push(*look),
            }
        }
    }
    Names { wanted, control, control_cut }
}

/// Returns what an experiment yields at the vantages that pass at the place: the server's own way with that variant.
fn template(scene: &Scene<'_>, place: usize, experiment: Experiment) -> Option<Outcome> {
    let passing = |seat: usize| scene.is_scored(seat, place) && scene.looks_of(seat, place).any(|look| look.passes(Layer::Tls));
    let seats: Vec<usize> = (0..scene.seats.len()).filter(|seat| passing(*seat)).collect();
    let outcomes = seats
        .into_iter()
        .filter(|seat| scene.always_passes(*seat, place))
        .flat_map(|seat| scene.bench(seat, experiment, place))
        .filter_map(|look| look.at(Layer::Tls));
    agreed(outcomes).map(|(family, _)| family)
}

fn is_answer(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ok | Outcome::TlsAlert(_) | Outcome::TlsUnsupported)
}

/// Alerts with which servers refuse an unknown or absent name: the path let it through.
fn is_refusal_of_name(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::TlsAlert(40 | 112 | 116) | Outcome::TlsUnsupported)
}

/// The wanted name at the fleet's responders, where nobody but the path can mind it; only at responders that the seat reaches with their own name.
pub(crate) fn name_at_responder<'a>(scene: &Scene<'a>, seat: usize) -> Tally<'a> {
    let good: Vec<_> = contacts(scene, seat).filter(|(_, contact, _)| *contact == Contact::Good).map(|(address, ..)| address).collect();
    let looks = scene.everywhere(seat, Experiment::NameAtResponder).iter().filter(|look| look.attempt.address.is_some_and(|address| good.contains(&address)));
    Tally::of(looks.copied(), |look| look.at(Layer::Tls).map(Outcome::is_ok))
}

/// The hello cut in two inside the name, as an experiment or as a profile.
pub(crate) fn split_in_name<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Tally<'a> {
    let profiles = (0..scene.profiles.len()).filter(|profile| scene.recipe(*profile).is_some_and(|profile| profile.delivery == Delivery::SplitInName));
    let as_profile = profiles.flat_map(|profile| scene.cell(seat, place, profile));
    let looks = scene.bench(seat, Experiment::SplitName, place).chain(as_profile);
    Tally::of(looks.copied(), |look| look.at(Layer::Tls).map(Outcome::is_ok))
}

/// Bytes of a hello that fits one segment on any path of today.
const ONE_SEGMENT: u64 = 1_200;
