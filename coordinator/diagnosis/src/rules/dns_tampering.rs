use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use parallax_model::{
    facts::DnsRecord,
    outcome::{NotCompletedKind, Outcome},
    target::Host,
    verdict::{Cause, Tier},
};

use crate::{
    cell::Look,
    draft::Draft,
    explain::{COUNT, WHO, count, row, seats as named},
    opinion::Opinion,
    route,
    scene::Scene,
};

/// `dns.tampering`: a vantage's resolver gives addresses where nobody authenticates the server, while those that other groups are given authenticate, or are at
/// least all the same and not a stranger's.
///
/// Excluded by any vantage that authenticates the server there (then it is geo-DNS), by a certificate for another name of the same domain, or by a resolver that gives the address beside one that authenticates. Counter:
/// `server.default-certificate`; a handshake at the address from another network separates the two.
pub(super) fn test(scene: &Scene<'_>) -> Vec<Draft> {
    // A vantage whose policy refuses an address has resolved the name all the same.
    let heard = |seat: &usize| scene.health[*seat].discarded.as_deref().is_none_or(|reason| reason == NotCompletedKind::PolicyDenied.as_str());
    let proof = Proof::of(scene);
    let asked: Vec<usize> = (0..scene.seats.len()).filter(|seat| heard(seat) && !scene.seats[*seat].resolved.is_empty()).collect();
    let mut givers: BTreeMap<IpAddr, BTreeSet<usize>> = BTreeMap::new();
    let mut well_served: BTreeSet<usize> = BTreeSet::new();
    for seat in asked.iter().map(|seat| &scene.seats[*seat]) {
        for address in &seat.resolved {
            givers.entry(*address).or_default().insert(seat.group);
        }
        if seat.resolved.iter().any(|address| proof.is_served_at(scene, *address)) {
            well_served.insert(seat.group);
        }
    }
    let may_be_false = |address: &&IpAddr| givers[address].len() == 1 || givers[address].is_disjoint(&well_served);
    let suspects = |seat: usize| scene.seats[seat].resolved.iter().filter(may_be_false).copied().collect::<BTreeSet<IpAddr>>();
    asked.iter().filter_map(|seat| lies(scene, proof, &asked, *seat, &suspects(*seat))).collect()
}

/// By what the target is known at an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// A trusted authority vouches for it at one address at least: nothing less will do.
    Authority,
    /// It has a fault of its own at every address, and a proven key whose certificate is for its name: the most that a lie cannot have by chance.
    Name,
    /// It shows no certificate anywhere: all that is left is how many networks are given an address, and that a stranger answers at the other.
    Agreement,
}

impl Proof {
    fn of(scene: &Scene<'_>) -> Self {
        let places = || 0..scene.places.len();
        if places().any(|place| scene.is_authenticated_at(place)) {
            Self::Authority
        } else if places().any(|place| shows_a_certificate(scene, place, Whose::Targets)) {
            Self::Name
        } else {
            Self::Agreement
        }
    }

    /// Tells whether the target is found at an address.
    fn is_served_at(self, scene: &Scene<'_>, address: IpAddr) -> bool {
        let Some(place) = scene.place_at(address) else { return false };
        let given_to = || scene.seats.iter().filter(|seat| seat.resolved.contains(&address)).map(|seat| seat.group).collect::<BTreeSet<usize>>();
        match self {
            Self::Authority => scene.is_authenticated_at(place),
            Self::Name => shows_a_certificate(scene, place, Whose::Targets),
            Self::Agreement => given_to().len() > 1 && !shows_a_certificate(scene, place, Whose::Strangers),
        }
    }

    /// Tells whether this is enough to call an address a lie that others are not given: agreement alone also takes a stranger there.
    fn suffices_against(self, scene: &Scene<'_>, address: IpAddr) -> bool {
        self != Self::Agreement || scene.place_at(address).is_some_and(|place| shows_a_certificate(scene, place, Whose::Strangers))
    }

    /// Says what is known of the addresses that the others are given.
    fn of_the_others(self) -> &'static str {
        match self {
            Self::Authority => "the others' addresses work",
            Self::Name => "the others' addresses lead to a certificate for it",
            Self::Agreement => "the others are all given another address",
        }
    }
}

/// Whose name a certificate is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Targets,
    Strangers,
}

/// Tells whether anybody at a place proves the key of a certificate for the target's name, or for others alone.
fn shows_a_certificate(scene: &Scene<'_>, place: usize, whose: Whose) -> bool {
    let host = scene.round.check.target.host.to_string();
    scene.looks_at(place).filter(|look| look.authenticated).any(|look| {
        let leaf = look.chain.and_then(|at| scene.chains[at].judgement.leaf.as_ref());
        leaf.is_some_and(|leaf| leaf.covers(&host) == (whose == Whose::Targets))
    })
}

/// Tells whether a trusted authority vouches at an address for another name of the target's own domain: then it is another host of the same owner.
fn is_the_owners(scene: &Scene<'_>, address: IpAddr) -> bool {
    let Host::Name(host) = &scene.round.check.target.host else { return false };
    let parent = host.split_once('.').map_or("", |(_, parent)| parent);
    let domain = if parent.contains('.') { parent } else { host.as_str() };
    let is_own = |name: &String| name.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'));
    let vouched = |look: &Look<'_>| {
        let judged = look.chain.filter(|_| look.reach.is_ok()).map(|at| &scene.chains[at].judgement).filter(|judged| judged.anchored);
        judged.and_then(|judged| judged.leaf.as_ref()).is_some_and(|leaf| leaf.names.iter().any(is_own))
    };
    scene.place_at(address).is_some_and(|place| scene.looks_at(place).any(vouched))
}

fn lies(scene: &Scene<'_>, proof: Proof, asked: &[usize], seat: usize, suspects: &BTreeSet<IpAddr>) -> Option<Draft> {
    let nobody_vouches = |address: &IpAddr| proof.suffices_against(scene, *address) && !proof.is_served_at(scene, *address) && !is_the_owners(scene, *address);
    let unproven: Vec<IpAddr> = suspects.iter().copied().filter(nobody_vouches).collect();
    if unproven.is_empty() {
        return None;
    }
    let group = scene.seats[seat].group;
    // Whoever is given the same lie is no witness against it.
    let is_other = |other: &usize| scene.seats[*other].group != group && scene.seats[*other].resolved.is_disjoint(suspects);
    let others: Vec<usize> = asked.iter().copied().filter(is_other).collect();
    // What every network outside is told is the public zone's word, whatever the inside is told.
    if others.iter().all(|other| scene.seats[*other].inside) {
        return None;
    }
    let given_to_others: BTreeSet<IpAddr> = others.iter().flat_map(|other| scene.seats[*other].resolved.iter().copied()).collect();
    let place_of = |address: &IpAddr| scene.place_at(*address);
    let good: Vec<usize> = given_to_others.iter().filter(|address| proof.is_served_at(scene, **address)).filter_map(place_of).collect();
    let false_ones: Vec<IpAddr> = unproven.into_iter().filter(|address| !given_to_others.contains(address)).collect();
    if false_ones.is_empty() || good.is_empty() {
        return None;
    }
    let nowhere = |address: &IpAddr| address.to_canonical().is_unspecified() || address.to_canonical().is_loopback();
    let may_be_wanted = !false_ones.iter().all(nowhere) || given_to_others.iter().any(nowhere);
    if scene.health[seat].discarded.is_some() && may_be_wanted {
        return None;
    }
    let places: Vec<usize> = false_ones.iter().filter_map(place_of).collect();
    let tried: Vec<Look<'_>> = places.iter().flat_map(|place| scene.looks_at(*place)).copied().collect();
    let is_bogus = false_ones.iter().all(|address| is_special(*address)) && !given_to_others.iter().any(|address| is_special(*address));
    let strangers: Vec<usize> = others.iter().copied().filter(|other| places.iter().any(|place| scene.looks_of(*other, *place).next().is_some())).collect();
    let reaches: Vec<Look<'_>> = good.iter().flat_map(|place| scene.looks_of(seat, *place)).filter(|look| scene.is_authentic(look)).copied().collect();
    let injected = race(scene, seat, &false_ones, &given_to_others);
    // Who lies does not give the truth beside it: an address too many is the zone's, left over or not in every cache yet.
    let is_told_the_truth = scene.seats[seat].resolved.iter().any(|address| proof.is_served_at(scene, *address));
    if injected.is_none() && (is_told_the_truth || (!is_bogus && stand_beside(&false_ones, &given_to_others))) {
        return None;
    }
    // An address that is dead, distant or out of order may be a site of the owner's: only a certificate that proves to be a stranger's settles it.
    let stranger_answers = places.iter().any(|place| shows_a_certificate(scene, *place, Whose::Strangers));
    let groups = scene.count_groups(&others);
    let settled = injected.is_some() || (!reaches.is_empty() && !strangers.is_empty() && (stranger_answers || is_bogus));
    let other_words: Vec<&Opinion<'_>> = scene.seats[seat].opinions.iter().filter(|opinion| agrees(opinion, &false_ones, &given_to_others)).collect();
    let same_server = other_words.iter().any(|opinion| opinion.same_server && opinion.vouched);
    let tier = match (settled, groups) {
        (true, _) => Tier::Confirmed,
        (false, 0) => return None,
        (false, _) if proof == Proof::Agreement => Tier::Suspected,
        (false, 1) if !same_server => Tier::Suspected,
        (false, _) => Tier::Likely,
    };
    let who = named(scene, &[seat]);
    let shown: Vec<String> = false_ones.iter().map(ToString::to_string).collect();
    let host = &scene.round.check.target.host;
    let mut draft = Draft::new(Cause::DnsTampering, tier).blaming(&[seat]).by(Outcome::DnsNoAnswer, None);
    draft.mechanism = Some(if is_bogus { "dns.injection.bogon" } else { "dns.injection.other" }.to_owned());
    draft.places.extend(places);
    draft.add_lookups(
        "lookup",
        format!("the resolver of {WHO} gives {} for {host}; the resolvers of {} do not ({})", row(&shown), named(scene, &others), count(groups, "other group")),
        &[seat],
        &scene.seats[seat].lookups,
    );
    if !tried.is_empty() {
        let also = if strangers.is_empty() { String::new() } else { format!(", {} included", named(scene, &strangers)) };
        draft.add(
            "nobody-authenticates",
            format!("at {} nobody gets a trusted certificate for {host} ({}{also})", row(&shown), count(tried.len(), "attempt")),
            &tried,
        );
    }
    if !reaches.is_empty() {
        draft.add("others-address", format!("the server at the address that the others were given proves to {WHO} who it is ({COUNT})"), &reaches);
    }
    if let Some(race) = injected {
        let second = race.records_of_second.join(", ");
        draft.add("second-answer", format!("one query of {who} got two answers: {}, and then {second}", race.records_of_first.join(", ")), &[]);
    }
    for opinion in other_words {
        draft.add_opinion(opinion, host, "as the others are given");
    }
    let draft = draft.unless(Cause::ServerDefaultCertificate, "ask the zone's own servers whether the address is theirs");
    let others = proof.of_the_others();
    Some(draft.in_words(format!("the resolver of {WHO} gives {} for {host}, where nobody authenticates the server; {others}", row(&shown))))
}

/// Tells whether all of these addresses are of the others' own network: a host that is down, or serves something else, stands there; who answers in the owner's stead does not.
fn stand_beside(false_ones: &[IpAddr], given_to_others: &BTreeSet<IpAddr>) -> bool {
    false_ones.iter().all(|address| given_to_others.iter().any(|other| route::same_network(*address, *other)))
}

/// Tells whether somebody beside the vantage's own resolver gives it what the others are given, and nothing of the lie.
fn agrees(opinion: &Opinion<'_>, false_ones: &[IpAddr], given_to_others: &BTreeSet<IpAddr>) -> bool {
    opinion.addresses.iter().any(|address| given_to_others.contains(address)) && !false_ones.iter().any(|address| opinion.addresses.contains(address))
}

/// Two answers to one query, of which one holds an address that nobody authenticates and the other one that others are given too.
struct Race {
    records_of_first: Vec<String>,
    records_of_second: Vec<String>,
}

fn race(scene: &Scene<'_>, seat: usize, false_ones: &[IpAddr], given_to_others: &BTreeSet<IpAddr>) -> Option<Race> {
    let answers = scene.seats[seat].lookups.iter().filter_map(|attempt| attempt.facts.dns.as_ref()).flat_map(|dns| &dns.answers);
    answers.filter(|answer| answer.second_answer).find_map(|answer| {
        let [first, second] = [&answer.records, &answer.second_records].map(|records| addresses(records));
        let is_false = |addresses: &[IpAddr]| addresses.iter().any(|address| false_ones.contains(address));
        let is_common = |addresses: &[IpAddr]| addresses.iter().any(|address| given_to_others.contains(address));
        let differ = (is_false(&first) && is_common(&second)) || (is_common(&first) && is_false(&second));
        let shown = |addresses: &[IpAddr]| addresses.iter().map(ToString::to_string).collect();
        differ.then(|| Race { records_of_first: shown(&first), records_of_second: shown(&second) })
    })
}

fn addresses(records: &[DnsRecord]) -> Vec<IpAddr> {
    records.iter().filter_map(|record| record.data.parse().ok()).collect()
}

/// Addresses that no public name leads to: private, loopback, unspecified, documentation.
fn is_special(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_unspecified() || address.is_link_local() || address.is_broadcast(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unspecified() || (address.segments()[0] & 0xfe00) == 0xfc00 || (address.segments()[0] & 0xffc0) == 0xfe80
        }
    }
}
