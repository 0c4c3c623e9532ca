//! A finding while it is being put together: seats, places and profiles by index.

use std::{collections::BTreeSet, net::SocketAddr};

use parallax_model::{
    attempt::Attempt,
    outcome::Outcome,
    target::Host,
    verdict::{Cause, Counter, Evidence, Finding, Location, Locus, Scope, Tier},
};

use crate::{
    cell::Look,
    explain::{WHO, row},
    opinion::Opinion,
    reason::Reason,
    remedy,
    route::Ending,
    scene::Scene,
    segments,
};

/// A finding by index.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    pub(crate) cause: Cause,
    pub(crate) tier: Tier,
    pub(crate) mechanism: Option<String>,
    pub(crate) seats: BTreeSet<usize>,
    pub(crate) places: BTreeSet<usize>,
    pub(crate) profiles: BTreeSet<usize>,
    pub(crate) share: f64,
    pub(crate) location: Option<Location>,
    pub(crate) evidence: Vec<Reason>,
    pub(crate) counter: Option<Counter>,
    /// What somebody would see who looks: the words of the headline.
    pub(crate) gist: String,
}

impl Draft {
    pub(crate) fn new(cause: Cause, tier: Tier) -> Self {
        Self {
            cause,
            tier,
            mechanism: None,
            seats: BTreeSet::new(),
            places: BTreeSet::new(),
            profiles: BTreeSet::new(),
            share: 1.0,
            location: None,
            evidence: Vec::new(),
            counter: None,
            gist: String::new(),
        }
    }

    /// Starts a finding about a vantage's own trouble.
    pub(crate) fn of_vantage(cause: Cause, tier: Tier, seat: usize) -> Self {
        Self { seats: BTreeSet::from([seat]), ..Self::new(cause, tier) }
    }

    pub(crate) fn at(mut self, place: usize) -> Self {
        self.places.insert(place);
        self
    }

    pub(crate) fn with_profile(mut self, profile: usize) -> Self {
        self.profiles.insert(profile);
        self
    }

    /// Adds the profiles that these attempts were made with.
    pub(crate) fn add_profiles_of(&mut self, looks: &[Look<'_>]) {
        self.profiles.extend(looks.iter().filter_map(|look| look.profile));
    }

    pub(crate) fn blaming(mut self, seats: &[usize]) -> Self {
        self.seats.extend(seats.iter().copied());
        self
    }

    /// Names the deepest observed node; see [`node`].
    pub(crate) fn by(mut self, outcome: Outcome, suffix: Option<&str>) -> Self {
        self.mechanism = Some(node(outcome, suffix));
        self
    }

    pub(crate) fn because(mut self, rule: &str, text: String, looks: &[Look<'_>]) -> Self {
        self.add(rule, text, looks);
        self
    }

    /// Adds evidence; in its words [`WHO`], [`WHERE`](crate::explain::WHERE) and [`COUNT`](crate::explain::COUNT) stand for the vantages, the
    /// addresses and the number of these attempts.
    pub(crate) fn add(&mut self, rule: &str, text: String, looks: &[Look<'_>]) {
        self.add_beside(rule, text, looks, &[]);
    }

    /// Adds evidence about some attempts that rests on others as well.
    pub(crate) fn add_beside(&mut self, rule: &str, text: String, looks: &[Look<'_>], beside: &[Look<'_>]) {
        self.evidence.push(Reason::new(rule, text, looks, beside));
    }

    /// Adds evidence that rests on lookups of seats.
    pub(crate) fn add_lookups(&mut self, rule: &str, text: String, seats: &[usize], lookups: &[&Attempt]) {
        self.evidence.push(Reason::of_lookups(rule, text, seats, lookups));
    }

    /// Adds what somebody beside the vantage's own resolver says of the name.
    pub(crate) fn add_opinion(&mut self, opinion: &Opinion<'_>, host: &Host, remark: &str) {
        let shown: Vec<String> = opinion.addresses.iter().map(ToString::to_string).collect();
        let key = if opinion.vouched { ", under a key that a trusted authority vouches for" } else { "" };
        let (rule, vantage) = (if opinion.same_server { "other-transport" } else { "other-resolver" }, &opinion.attempt.vantage);
        let text = format!("to {vantage}, {} gives {} for {host}{key}, {remark}", opinion.source, row(&shown));
        self.add_lookups(rule, text, &[], &[opinion.attempt]);
    }

    /// Places the fault where hellos of a full segment no longer get on.
    pub(crate) fn located_by_full_segments(&mut self, scene: &Scene<'_>, seat: usize, place: usize, ending: Ending<'_>) {
        let text = format!(
            "ClientHellos of a full segment from {WHO} get no farther than hop {}, small ones reach the server, {} hops away",
            ending.hop, ending.server
        );
        self.location = Some(ending.location(scene, seat, place));
        self.add("hello-walk", text, &ending.looks);
    }

    pub(crate) fn unless(mut self, cause: Cause, next: &str) -> Self {
        self.counter = Some(Counter { cause, next: next.to_owned() });
        self
    }

    pub(crate) fn in_words(mut self, gist: String) -> Self {
        self.gist = gist;
        self
    }

    /// Tells whether this finding may stand in one with `other`: the same cause, and, where the cause sits with some vantages, seen from a common group,
    /// from behind one segment or by resolvers that say the same.
    pub(crate) fn joins(&self, other: &Self, scene: &Scene<'_>) -> bool {
        let groups = |draft: &Self| draft.seats.iter().map(|seat| scene.seats[*seat].group).collect::<BTreeSet<usize>>();
        let common = || match self.cause.locus() {
            Locus::Server | Locus::Edge | Locus::Policy | Locus::Vantage | Locus::Undetermined => true,
            Locus::Path => !groups(self).is_disjoint(&groups(other)) || segments::one_fault_explains(scene, self, other),
            // Resolvers that say the same are asked about, or lied to, alike.
            Locus::Dns => !groups(self).is_disjoint(&groups(other)) || (self.mechanism == other.mechanism && self.places == other.places),
        };
        self.cause == other.cause && common() && (self.share - other.share).abs() < 0.35
    }

    /// Takes in a finding about further addresses, profiles or seats.
    pub(crate) fn absorb(&mut self, other: Self) {
        self.tier = self.tier.max(other.tier);
        self.seats.extend(other.seats);
        self.places.extend(other.places);
        self.profiles.extend(other.profiles);
        self.location = self.location.take().or(other.location);
        self.counter = self.counter.take().or(other.counter);
        self.share = self.share.max(other.share);
        for evidence in other.evidence {
            match self.evidence.iter_mut().find(|known| known.rule == evidence.rule) {
                Some(known) => known.absorb(evidence),
                None => self.evidence.push(evidence),
            }
        }
    }

    /// Turns indices into names and adds the remedy.
    pub(crate) fn into_finding(self, scene: &Scene<'_>) -> Finding {
        let evidence: Vec<Evidence> = self.evidence.iter().map(|reason| reason.written(scene)).collect();
        let remedy = remedy::of(scene, &self, &evidence);
        let addresses: Vec<String> = self.places.iter().map(|place| scene.places[*place].to_string()).collect();
        let scope = Scope {
            vantages: self.seats.iter().map(|seat| scene.seats[*seat].name.to_owned()).collect(),
            addresses,
            profiles: self.profiles.iter().map(|profile| scene.profiles[*profile].to_owned()).collect(),
            share: (self.share * 1_000.0).round() / 1_000.0,
        };
        Finding {
            locus: self.cause.locus(),
            cause: self.cause,
            tier: self.tier,
            mechanism: self.mechanism,
            scope,
            location: self.location,
            evidence,
            counter: self.counter,
            remedy,
        }
    }

    pub(crate) fn addresses(&self, scene: &Scene<'_>) -> Vec<SocketAddr> {
        self.places.iter().map(|place| scene.places[*place]).collect()
    }
}

/// Returns the name of the deepest observed node, with OONI's suffix where the trigger is known: `tls.reset.sni`.
pub(crate) fn node(outcome: Outcome, suffix: Option<&str>) -> String {
    suffix.map_or_else(|| outcome.to_string(), |suffix| format!("{outcome}.{suffix}"))
}
