//! Who answered, and from where on the path: arrival TTLs and walks.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use parallax_model::{
    assignment::Experiment,
    facts::{Reply, ReplyTtlFacts, StepEnd, TtlRange, WalkFacts, WalkPayload, WalkStep},
    outcome::Outcome,
    verdict::Location,
};

use crate::{
    bounds::bounds,
    cell::Look,
    explain::WHO,
    scene::Scene,
    testimony::{self, Testimony},
};

/// Who sent the packet that ended an attempt.
#[derive(Debug, Clone)]
pub(crate) enum Author<'a> {
    /// Somebody nearer than the server.
    Nearer { reply: TtlRange, server: TtlRange, look: Look<'a> },
    /// Not the server, since the handshake went on without that packet.
    Injector { look: Look<'a> },
    /// As far away as the server.
    AsFarAsServer { ttl: TtlRange, look: Look<'a> },
    /// The server's host, or somebody else, by the word of a witness there.
    Witnessed { by_server: bool, testimony: Testimony<'a> },
}

/// Returns who sent the replies that ended a seat's attempts at a place, when a witness or their TTL tells.
///
/// A TTL can be copied: what it says is void where a record of what was sent, or a ClientHello that never got as far as the server, speaks against it.
pub(crate) fn author<'a>(scene: &Scene<'a>, seat: usize, place: usize, replies: &[Reply]) -> Option<Author<'a>> {
    let is_copy = || ending(scene, seat, place).is_some_and(|ending| ending.speaks_early());
    told_author(scene, seat, place, replies).filter(|author| !matches!(author, Author::AsFarAsServer { .. }) || !is_copy())
}

fn told_author<'a>(scene: &Scene<'a>, seat: usize, place: usize, replies: &[Reply]) -> Option<Author<'a>> {
    let testimony = testimony::of(scene, seat, place);
    if let Some(testimony) = testimony.filter(|testimony| testimony.fate.clears_the_server() || testimony.fate.is_the_servers_will()) {
        return Some(Author::Witnessed { by_server: !testimony.fate.clears_the_server(), testimony });
    }
    let measured = scene.bench(seat, Experiment::ReplyTtl, place).filter_map(|look| Some((look, look.attempt.facts.reply_ttl.as_ref()?)));
    // Who resets before the ClientHello is sent outruns the threshold that measures a TTL.
    let outruns = scene.looks_of(seat, place).any(|look| look.reach == Outcome::TcpReset);
    let is_measurable = |reply: Reply| replies.contains(&reply) && !(outruns && reply == Reply::Reset);
    let ended = measured.filter(|(_, facts)| facts.reply.is_some_and(is_measurable));
    let mut authors: Vec<Author<'a>> = ended.filter_map(|(look, facts)| read(scene, seat, place, look, facts)).collect();
    authors.sort_by_key(|author| match author {
        Author::Injector { .. } => 0,
        Author::Nearer { .. } => 1,
        Author::AsFarAsServer { .. } | Author::Witnessed { .. } => 2,
    });
    let conflicting = authors.iter().any(|author| matches!(author, Author::AsFarAsServer { .. })) && authors.len() > 1;
    let first = authors.into_iter().next();
    first.filter(|author| !conflicting || matches!(author, Author::AsFarAsServer { .. }))
}

fn read<'a>(scene: &Scene<'a>, seat: usize, place: usize, look: &Look<'a>, facts: &ReplyTtlFacts) -> Option<Author<'a>> {
    if facts.passed_when_filtered == Some(true) {
        return Some(Author::Injector { look: *look });
    }
    let reply = facts.reply_ttl?;
    let server = facts.syn_ack.or_else(|| server_ttl(scene, seat, place, facts)).or_else(|| farther_refusal(scene, place, facts, reply))?;
    if reply.is_nearer_than(server) {
        // A host may start its own packets and its firewall's with different hop limits: where the walk says that the server is no farther than the reply came from,
        // the two TTLs do not tell.
        let contradicted = walked_to_the_server(scene, seat, place).is_some_and(|distance| reply.hops() + 1 >= distance);
        return (!contradicted).then_some(Author::Nearer { reply, server, look: *look });
    }
    let tight = |range: TtlRange| range.most - range.least <= 1;
    // A SYN proxy answers SYNs in the server's stead; what comes from farther away, and as far as the server, is no word of the proxy's.
    let passes_the_proxy = reply.hops() > server.hops() + 1 && expected_distance(scene, seat, place).is_some_and(|distance| reply.hops() + 1 >= distance);
    if passes_the_proxy && tight(reply) {
        return Some(Author::AsFarAsServer { ttl: reply, look: *look });
    }
    (reply.gap(server) == 0 && tight(reply) && tight(server)).then_some(Author::AsFarAsServer { ttl: reply, look: *look })
}

/// Returns the TTL that the server's own packets arrive with, where no SYN-ACK came: from another port of the address, from an attempt that got through, from
/// another address of the target in the same network, or from a neighbour behind the same path.
///
/// Only a SYN-ACK is the server's own word: whoever refuses one port may refuse the others too.
fn server_ttl(scene: &Scene<'_>, seat: usize, place: usize, facts: &ReplyTtlFacts) -> Option<TtlRange> {
    let own = scene.places[place].ip();
    // An address of another network may stand anywhere.
    let is_beside = |address: IpAddr| same_network(address, own);
    let acknowledged = |seat: usize, place: usize| {
        let passed = scene.looks_of(seat, place).filter(|look| look.reach.is_ok());
        passed.filter_map(|look| look.attempt.facts.tcp.as_ref()?.ack_ttl).map(TtlRange::exactly).next()
    };
    // Where a resolver lies, the stranger's distance is not the server's.
    let is_ignored = |place: usize| scene.ignored.contains(&place);
    let of_target = |address: IpAddr| (0..scene.places.len()).any(|place| scene.places[place].ip() == address && !is_ignored(place));
    let is_responder = |address: IpAddr| scene.round.responders.iter().flat_map(|responder| &responder.addresses).any(|known| known.ip() == address);
    let accepting = || facts.siblings.iter().filter(|sibling| sibling.reply == Reply::SynAck);
    let same_address = accepting().find(|sibling| sibling.address == own && sibling.port != scene.places[place].port()).map(|sibling| sibling.ttl);
    let neighbours = || (0..scene.seats.len()).filter(|other| *other != seat && scene.seats[*other].view.group == scene.seats[seat].view.group);
    same_address
        .or_else(|| acknowledged(seat, place))
        .or_else(|| {
            let is_other = |address: IpAddr| address != own && is_beside(address) && of_target(address) && !is_responder(address);
            accepting().find(|sibling| is_other(sibling.address)).map(|sibling| sibling.ttl)
        })
        .or_else(|| {
            let places = (0..scene.places.len()).filter(|other| *other != place && is_beside(scene.places[*other].ip()) && !is_ignored(*other));
            places.into_iter().find_map(|other| acknowledged(seat, other))
        })
        .or_else(|| neighbours().find_map(|other| acknowledged(other, place)))
}

/// Tells whether two addresses are of one network of the usual size: 24 bits of IPv4, 64 of IPv6.
fn same_network(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => one.octets()[..3] == other.octets()[..3],
        (IpAddr::V6(one), IpAddr::V6(other)) => one.segments()[..4] == other.segments()[..4],
        _ => false,
    }
}

/// Returns the TTL of a refusal by another port of the same address that was sent from farther away: whoever refuses this port then stands before that one.
fn farther_refusal(scene: &Scene<'_>, place: usize, facts: &ReplyTtlFacts, reply: TtlRange) -> Option<TtlRange> {
    let own = scene.places[place].ip();
    let refused = facts.siblings.iter().filter(|sibling| sibling.address == own && sibling.reply == Reply::Refusal);
    refused.map(|sibling| sibling.ttl).find(|ttl| reply.is_nearer_than(*ttl))
}

/// Tells whether what cuts a seat off stands well before the server's edge: its answer comes from more than two hops nearer than the server, or its SYNs are lost more than
/// two hops before an address that answers at another port, and the next router is known to answer.
pub(crate) fn falls_far_short(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    if let Some(Author::Nearer { reply, server, .. }) = author(scene, seat, place, &[Reply::Refusal, Reply::Reset, Reply::Close, Reply::Alert]) {
        return reply.hops() + 2 < server.hops();
    }
    lost_early(scene, seat, place).is_some_and(|heard| own_walks_hear_more(scene, seat, place, heard))
}

/// Returns the last hop that a seat's SYNs were heard from, where they are lost more than two hops before an address that answers at another port.
pub(crate) fn lost_early(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let walks: Vec<&WalkFacts> = walks(scene, seat, place, Experiment::SynWalk).map(|(_, walk)| walk).collect();
    let heard = walks.iter().map(|walk| last_heard(walk)).max().filter(|_| !walks.iter().any(|walk| answered_at(walk).is_some()))?;
    expected_distance(scene, seat, place).is_some_and(|server| heard + 2 < server).then_some(heard)
}

/// How far a seat's SYNs get towards a place.
#[derive(Debug, Clone)]
pub(crate) enum Extent<'a> {
    /// They are answered.
    Answered,
    /// They reach the last router before the server, and no answer comes.
    LastRouter { router: Option<IpAddr>, look: Look<'a> },
    /// They are lost before it, while other walks go on.
    Short { heard: u8, router: Option<IpAddr>, look: Look<'a> },
    /// One walk alone ends before it: a router's answer that was lost, or was one too many, looks the same.
    ShortOnce,
}

/// Returns how far a seat's SYNs get; none when the walk or its comparison is missing.
pub(crate) fn extent<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Extent<'a>> {
    let (look, walk) = walks(scene, seat, place, Experiment::SynWalk).max_by_key(|(_, walk)| last_heard(walk))?;
    if answered_at(walk).is_some() {
        return Some(Extent::Answered);
    }
    let heard = last_heard(walk);
    let router = router_at(walk, heard);
    let last_routers = last_routers(scene, place);
    if routers(walk).chain(forbidding(walk)).any(|router| last_routers.contains(&router)) {
        return Some(Extent::LastRouter { router, look });
    }
    let once = walks(scene, seat, place, Experiment::SynWalk).nth(1).is_none();
    // Two answers in a row are hardly lost.
    if once && !own_walks_hear_more(scene, seat, place, heard + 1) {
        return Some(Extent::ShortOnce);
    }
    // Silence shows a loss only where this seat is known to hear routers farther away: what keeps their word from it keeps it from every walk.
    let short = || own_walks_hear_more(scene, seat, place, heard).then_some(Extent::Short { heard, router, look });
    if !last_routers.is_empty() {
        return short();
    }
    match own_distance(scene, seat, place) {
        Some(distance) if heard + 1 >= distance => Some(Extent::LastRouter { router, look }),
        Some(_) => short(),
        None => None,
    }
}

/// Returns the routers just before the server, as walks that were answered saw them (of the same family).
fn last_routers(scene: &Scene<'_>, place: usize) -> BTreeSet<IpAddr> {
    last_routers_of(scene, place, |_| true)
}

fn last_routers_of(scene: &Scene<'_>, place: usize, from: impl Fn(usize) -> bool) -> BTreeSet<IpAddr> {
    let is_alike = |address: &SocketAddr| address.is_ipv4() == scene.places[place].is_ipv4() && scene.places.contains(address);
    let outside = (0..scene.seats.len()).filter(|seat| !scene.seats[*seat].inside && from(*seat) && !scene.walks_mislead(*seat));
    let walked = outside.flat_map(|seat| scene.everywhere(seat, Experiment::SynWalk)).map(|look| look.attempt);
    let walks = walked.filter(|attempt| attempt.address.as_ref().is_some_and(is_alike)).filter_map(|attempt| attempt.facts.walk.as_ref());
    walks.filter_map(|walk| router_at(walk, answered_at(walk)?.checked_sub(1)?)).collect()
}

/// Tells whether the seat's walks to other addresses, responders included, heard a router beyond this hop.
fn own_walks_hear_more(scene: &Scene<'_>, seat: usize, place: usize, heard: u8) -> bool {
    let others = scene.everywhere(seat, Experiment::SynWalk).iter().filter(|look| look.attempt.address != Some(scene.places[place]));
    others.filter_map(|look| look.attempt.facts.walk.as_ref()).any(|walk| last_heard(walk) > heard)
}

/// Returns the hop at which the seat's walk to another address of the target was answered.
fn own_distance(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let same_family = |other: &usize| *other != place && scene.places[*other].is_ipv4() == scene.places[place].is_ipv4();
    (0..scene.places.len()).filter(same_family).flat_map(|other| walks(scene, seat, other, Experiment::SynWalk)).find_map(|(_, walk)| answered_at(walk))
}

fn walks<'s, 'a>(scene: &'s Scene<'a>, seat: usize, place: usize, experiment: Experiment) -> impl Iterator<Item = (Look<'a>, &'a WalkFacts)> + use<'s, 'a> {
    let told = scene.bench(seat, experiment, place).filter(move |_| !scene.walks_mislead(seat));
    told.filter_map(|look| Some((*look, look.attempt.facts.walk.as_ref()?)))
}

/// Tells whether a seat's walks say nothing: one was answered at a hop from where the answer cannot have come, by its TTL. A device that sets the hop limit of what leaves
/// anew lets short-lived packets go on; a server that starts with a small hop limit of its own looks as far too far from everywhere.
pub(crate) fn walks_mislead(scene: &Scene<'_>, seat: usize) -> bool {
    let others = || (0..scene.seats.len()).filter(|other| scene.seats[*other].group != scene.seats[seat].group);
    let is_the_servers = |address: SocketAddr, excess: u8| {
        others().flat_map(|other| farther_than_walked(scene, other)).any(|(elsewhere, alike)| elsewhere == address && alike > 1 && alike.abs_diff(excess) <= 1)
    };
    farther_than_walked(scene, seat).into_iter().any(|(address, excess)| excess > 1 && !is_the_servers(address, excess))
}

/// Returns how many hops farther than it was walked each address is by the TTL of what it sends to a seat.
fn farther_than_walked(scene: &Scene<'_>, seat: usize) -> Vec<(SocketAddr, u8)> {
    let walked =
        scene.everywhere(seat, Experiment::SynWalk).iter().filter_map(|look| Some((look.attempt.address?, answered_at(look.attempt.facts.walk.as_ref()?)?)));
    let responders = || scene.everywhere(seat, Experiment::Responder).iter();
    let farthest = |address| {
        let places = (0..scene.places.len()).filter(move |place| scene.places[*place] == address);
        let looks = places.flat_map(|place| scene.looks_of(seat, place));
        looks.chain(responders().filter(move |look| look.attempt.address == Some(address))).filter_map(acknowledged).max()
    };
    walked.filter_map(|(address, hop)| Some((address, farthest(address)?.saturating_sub(hop)))).collect()
}

fn answered_at(walk: &WalkFacts) -> Option<u8> {
    // A control name may be answered with an alert: the server's word all the same.
    let is_control = matches!(walk.payload, WalkPayload::Hello(_));
    let answered = |end: StepEnd| end == StepEnd::Answered || (is_control && matches!(end, StepEnd::Alert(_)));
    walk.steps.iter().find(|step| answered(step.end)).map(|step| step.hop_limit)
}

fn last_heard(walk: &WalkFacts) -> u8 {
    walk.steps.iter().filter(|step| matches!(step.end, StepEnd::Expired(_))).map(|step| step.hop_limit).max().unwrap_or(0)
}

fn routers(walk: &WalkFacts) -> impl Iterator<Item = IpAddr> + '_ {
    walk.steps.iter().filter_map(|step| match step.end {
        StepEnd::Expired(router) => router,
        _ => None,
    })
}

fn forbidding(walk: &WalkFacts) -> impl Iterator<Item = IpAddr> + '_ {
    walk.steps.iter().filter_map(|step| match step.end {
        StepEnd::Prohibited(router) => router,
        _ => None,
    })
}

/// Returns the routers that a seat's SYN walks met, wherever they went.
pub(crate) fn met<'s, 'a>(scene: &'s Scene<'a>, seat: usize) -> impl Iterator<Item = (IpAddr, Look<'a>)> + use<'s, 'a> {
    let walks = scene.everywhere(seat, Experiment::SynWalk).iter().filter_map(|look| Some((*look, look.attempt.facts.walk.as_ref()?)));
    walks.flat_map(|(look, walk)| routers(walk).map(move |router| (router, look)))
}

fn router_at(walk: &WalkFacts, hop: u8) -> Option<IpAddr> {
    walk.steps.iter().find(|step| step.hop_limit == hop).and_then(|step| match step.end {
        StepEnd::Expired(router) => router,
        _ => None,
    })
}

/// Returns the router that a seat's SYN walk towards a place met at a hop; or the walk of a neighbour as far from the server, behind the same path.
pub(crate) fn router(scene: &Scene<'_>, seat: usize, place: usize, hop: u8) -> Option<IpAddr> {
    let neighbours = (0..scene.seats.len()).filter(|other| *other != seat && scene.seats[*other].group == scene.seats[seat].group);
    let mut as_far = neighbours.filter(|other| distance(scene, *other, place).is_some_and(|far| Some(far) == distance(scene, seat, place)));
    own_router(scene, seat, place, hop).or_else(|| as_far.find_map(|other| own_router(scene, other, place, hop)))
}

fn own_router(scene: &Scene<'_>, seat: usize, place: usize, hop: u8) -> Option<IpAddr> {
    let here = walks(scene, seat, place, Experiment::SynWalk).find_map(|(_, walk)| router_at(walk, hop));
    let same_family = |other: &usize| scene.places[*other].is_ipv4() == scene.places[place].is_ipv4();
    here.or_else(|| {
        (0..scene.places.len()).filter(same_family).flat_map(|other| walks(scene, seat, other, Experiment::SynWalk)).find_map(|(_, walk)| router_at(walk, hop))
    })
}

/// Returns the hop at which a seat's walk was answered, or refused beyond the server's last router.
fn walked_to_the_server(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    // What sets hop limits anew does so on every way.
    let is_believed = || !scene.walks_mislead(seat) || farther_than_walked(scene, seat).iter().any(|(_, excess)| *excess <= 1);
    let walked = [Experiment::SynWalk, Experiment::ControlWalk].into_iter().flat_map(|experiment| scene.bench(seat, experiment, place));
    let answered = walked.filter_map(|look| answered_at(look.attempt.facts.walk.as_ref()?)).next().filter(|_| is_believed());
    answered.or_else(|| stopped(scene, seat, place).filter(|stopped| stopped.past_last_router).map(|stopped| stopped.hop))
}

/// Returns how many hops away the server answers a seat's SYN: by the walk, or by the arrival TTL of its packets.
pub(crate) fn distance(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let walked =
        walks(scene, seat, place, Experiment::SynWalk).chain(walks(scene, seat, place, Experiment::ControlWalk)).find_map(|(_, walk)| answered_at(walk));
    walked.or_else(|| {
        let measured = scene.bench(seat, Experiment::ReplyTtl, place).find_map(|look| look.attempt.facts.reply_ttl.as_ref()?.syn_ack);
        let acknowledged = || scene.looks_of(seat, place).find_map(|look| look.attempt.facts.tcp.as_ref()?.ack_ttl).map(TtlRange::exactly);
        measured.or_else(acknowledged).map(|ttl| ttl.hops() + 1)
    })
}

/// Where the walk with the wanted name ends and the control's goes on.
#[derive(Debug, Clone)]
pub(crate) struct Ending<'a> {
    /// The first hop limit at which the wanted name no longer got what the control got.
    pub(crate) hop: u8,
    /// What came there.
    pub(crate) end: StepEnd,
    /// The hop limit at which the control (or the SYN) was answered.
    pub(crate) server: u8,
    /// Whether the control's ClientHello went on from that hop.
    pub(crate) control_goes_on: bool,
    pub(crate) looks: Vec<Look<'a>>,
    /// The last hop limit at which a router answered the wanted name.
    pub(crate) heard: u8,
    /// The first and last hop at which that is made.
    between: (u8, u8),
}

impl Ending<'_> {
    /// Makes a location of it.
    pub(crate) fn location(&self, scene: &Scene<'_>, seat: usize, place: usize) -> Location {
        location_after(scene, seat, place, self.between, self.heard)
    }

    /// Tells whether somebody answered who cannot be the server, whatever TTL the answer bears: that ClientHello never got as far, and the control's went on.
    fn speaks_early(&self) -> bool {
        self.end != StepEnd::Silent && self.control_goes_on && !is_at_the_edge(self.hop, self.server)
    }
}

/// Returns where a walk with the wanted name ends before the server, if it does.
pub(crate) fn ending<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Ending<'a>> {
    ending_of(scene, seat, place, |look| !fills_segment(scene, look))
}

/// Returns where a walk with hellos of a full segment ends before the server, if it does, while small ones get there.
pub(crate) fn size_ending<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Ending<'a>> {
    ending_of(scene, seat, place, |look| fills_segment(scene, look))
}

/// Tells whether a walk's hellos took a full segment: that of a profile whose own hello takes more.
fn fills_segment(scene: &Scene<'_>, look: &Look<'_>) -> bool {
    scene.recipe_of(look).is_some_and(|profile| profile.hello.exceeds_one_segment())
}

/// A reset, close or alert below the server's distance is proof by itself where other hellos live on or die silently; a silence counts where the control's walk goes on.
fn ending_of<'a>(scene: &Scene<'a>, seat: usize, place: usize, counts: impl Fn(&Look<'a>) -> bool) -> Option<Ending<'a>> {
    let control = walks(scene, seat, place, Experiment::ControlWalk).find_map(|(look, walk)| Some((look, walk, answered_at(walk)?)));
    let server = control.as_ref().map(|(.., hop)| *hop).or_else(|| distance(scene, seat, place))?;
    for (look, walk) in walks(scene, seat, place, Experiment::HelloWalk).filter(|(look, _)| counts(look)) {
        let spoken = walk.steps.iter().find(|step| step.hop_limit < server && matches!(step.end, StepEnd::Reset | StepEnd::Closed | StepEnd::Alert(_)));
        let goes_on_at = |hop: u8| {
            let is_passed = |other: &WalkStep| other.hop_limit == hop && matches!(other.end, StepEnd::Expired(_));
            control.as_ref().is_some_and(|(_, walk, _)| walk.steps.iter().any(is_passed))
        };
        // Who ends connections as soon as they come about answers no hello, however short it lives.
        let minds_the_hello = |step: &WalkStep| goes_on_at(step.hop_limit) || (1..step.hop_limit).contains(&last_heard(walk));
        if let Some(step) = spoken.filter(|step| minds_the_hello(step)) {
            let looks = [Some(look), control.as_ref().map(|(look, ..)| *look)].into_iter().flatten().collect();
            let between = bounds(walk, step.hop_limit, somebodys_ttl(scene, seat, place));
            let control_goes_on = goes_on_at(step.hop_limit);
            return Some(Ending { hop: step.hop_limit, end: step.end, server, control_goes_on, looks, heard: last_heard(walk), between });
        }
        let Some((control_look, control_walk, _)) = &control else { continue };
        let silent_from = last_heard(walk) + 1;
        let control_goes_on = control_walk
            .steps
            .iter()
            .filter(|step| step.hop_limit >= silent_from && step.hop_limit < server)
            .all(|step| matches!(step.end, StepEnd::Expired(_)));
        let mute = walk.steps.iter().filter(|step| step.hop_limit >= silent_from).all(|step| matches!(step.end, StepEnd::Silent | StepEnd::NotConnected));
        let tried = walk.steps.iter().any(|step| step.hop_limit == silent_from && step.end == StepEnd::Silent);
        if silent_from < server && mute && tried && control_goes_on {
            let between = bounds(walk, silent_from, somebodys_ttl(scene, seat, place));
            return Some(Ending {
                hop: silent_from,
                end: StepEnd::Silent,
                server,
                control_goes_on,
                looks: vec![look, *control_look],
                heard: silent_from - 1,
                between,
            });
        }
    }
    None
}

/// Returns the TTL of what somebody who is not the server sent to end a seat's attempts at a place.
fn somebodys_ttl(scene: &Scene<'_>, seat: usize, place: usize) -> Option<TtlRange> {
    match told_author(scene, seat, place, &[Reply::Reset, Reply::Close, Reply::Alert])? {
        Author::Nearer { reply, .. } => Some(reply),
        Author::Injector { look } => look.attempt.facts.reply_ttl.as_ref()?.reply_ttl,
        Author::AsFarAsServer { .. } | Author::Witnessed { .. } => None,
    }
}

/// Makes a location, with the last router in it that answered.
pub(crate) fn location(scene: &Scene<'_>, seat: usize, place: usize, first_hop: u8, last_hop: u8) -> Location {
    location_after(scene, seat, place, (first_hop, last_hop), last_hop)
}

/// Makes a location for what was heard up to a hop: a router beyond it answered SYNs, and not what is cut off.
pub(crate) fn location_after(scene: &Scene<'_>, seat: usize, place: usize, (first_hop, last_hop): (u8, u8), heard: u8) -> Location {
    let first_hop = first_hop.max(1);
    let last_hop = last_hop.max(first_hop);
    let within = first_hop..=heard.clamp(first_hop, last_hop);
    let own = walks(scene, seat, place, Experiment::SynWalk).find_map(|(_, walk)| within.clone().rev().find_map(|hop| router_at(walk, hop)));
    let router = own.or_else(|| router(scene, seat, place, first_hop)).map(|router| router.to_string());
    Location { first_hop, last_hop, router }
}

/// Tells whether what a seat meets at this hop may be the server's own last router: by another port of the server's address, or by how much farther than a responder it is
/// for those who reach it.
pub(crate) fn may_be_the_edge(scene: &Scene<'_>, seat: usize, place: usize, hop: u8) -> bool {
    expected_distance(scene, seat, place).is_some_and(|server| is_at_the_edge(hop, server))
}

/// Returns at how many hops, at least, a server that does not answer a seat may be expected.
fn expected_distance(scene: &Scene<'_>, seat: usize, place: usize) -> Option<u8> {
    let own = scene.places[place].ip();
    let replies = scene.bench(seat, Experiment::ReplyTtl, place).filter_map(|look| look.attempt.facts.reply_ttl.as_ref());
    let siblings = replies.flat_map(|facts| &facts.siblings).filter(|sibling| sibling.address == own).map(|sibling| sibling.ttl.hops() + 1);
    let responders = |seat: usize| scene.everywhere(seat, Experiment::Responder).iter().filter_map(|look| Some((look.attempt.address?, acknowledged(look)?)));
    let from_responders = responders(seat).flat_map(|(responder, near)| {
        let others = (0..scene.seats.len()).filter(move |other| *other != seat && !scene.seats[*other].inside && scene.is_scored(*other, place));
        others.filter_map(move |other| {
            let target = scene.looks_of(other, place).find_map(acknowledged)?;
            let (_, same) = responders(other).find(|(address, _)| *address == responder)?;
            (near + target).checked_sub(same)
        })
    });
    siblings.chain(from_responders).min()
}

/// Returns how many hops away the peer is whose TTL the kernel kept.
fn acknowledged(look: &Look<'_>) -> Option<u8> {
    look.attempt.facts.tcp.as_ref()?.ack_ttl.map(|ttl| TtlRange::exactly(ttl).hops() + 1)
}

/// Tells whether the device at this hop stands just before the server: the owner's own edge explains it as well.
pub(crate) fn is_at_the_edge(hop: u8, server: u8) -> bool {
    hop + 1 >= server
}

/// Tells whether the way from this hop on may be the owner's: the router there is met by the answered walks of all other outside groups too, of two or more. A device at an
/// access network or in transit would stand before the ways meet.
pub(crate) fn is_on_common_ground(scene: &Scene<'_>, seat: usize, place: usize, hop: u8) -> bool {
    let Some(router) = walks(scene, seat, place, Experiment::SynWalk).find_map(|(_, walk)| router_at(walk, hop)) else { return false };
    let others: Vec<usize> =
        (0..scene.seats.len()).filter(|other| !scene.seats[*other].inside && scene.seats[*other].group != scene.seats[seat].group).collect();
    let answered = |other: &usize| walks(scene, *other, place, Experiment::SynWalk).map(|(_, walk)| walk).find(|walk| answered_at(walk).is_some());
    let told: Vec<(usize, &WalkFacts)> = others.into_iter().filter_map(|other| Some((other, answered(&other)?))).collect();
    let seats: Vec<usize> = told.iter().map(|(other, _)| *other).collect();
    scene.count_groups(&seats) > 1 && told.iter().all(|(_, walk)| routers(walk).any(|met| met == router))
}

/// Tells whether the walk with the wanted name heard every router up to the one before the server, which may be mute: then nothing on the way minds the name.
pub(crate) fn hello_reaches_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let Some(server) = distance(scene, seat, place).filter(|server| *server > 1) else { return false };
    let is_mute = |hop: u8| walks(scene, seat, place, Experiment::ControlWalk).any(|(_, walk)| answered_at(walk) == Some(server) && last_heard(walk) < hop);
    walks(scene, seat, place, Experiment::HelloWalk).any(|(_, walk)| {
        let heard = last_heard(walk);
        heard + 1 >= server || (heard > 0 && heard + 2 == server && is_mute(heard + 1))
    })
}

/// Tells whether a walk with hellos of a full segment heard every router up to the one before the server: then nothing on the way minds their size.
pub(crate) fn full_hello_reaches_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let Some(server) = distance(scene, seat, place).filter(|server| *server > 1) else { return false };
    walks(scene, seat, place, Experiment::HelloWalk).any(|(look, walk)| fills_segment(scene, &look) && last_heard(walk) + 1 >= server)
}

/// Tells whether a router stands just before the server, as answered walks saw it.
pub(crate) fn is_last_router(scene: &Scene<'_>, place: usize, router: IpAddr) -> bool {
    last_routers(scene, place).contains(&router)
}

/// Tells how the peer at a place answers from nearer than the server stands: its SYN-ACK against another port of the same address, or a walk that ends before the
/// server's last router. It proves no hand in TLS: another site of the address, a private line, or a box that only ends TCP answer so too.
pub(crate) fn answers_from_nearer<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<(String, Vec<Look<'a>>)> {
    let own = scene.places[place];
    for look in scene.bench(seat, Experiment::ReplyTtl, place) {
        let Some(facts) = &look.attempt.facts.reply_ttl else { continue };
        let Some(peer) = facts.syn_ack else { continue };
        let sibling = facts.siblings.iter().find(|sibling| sibling.address == own.ip() && sibling.port != own.port());
        if let Some(server) = sibling.map(|sibling| sibling.ttl).filter(|server| peer.least > server.most && peer.hops() + 1 < server.hops()) {
            let text = format!(
                "the SYN-ACK reached {WHO} with TTL {}, and an answer of another port of the same address with {}: port {} is answered from nearer",
                peer.most,
                server.least,
                own.port()
            );
            return Some((text, vec![*look]));
        }
    }
    let (look, hop, farthest) = answered_early(scene, seat, place)?;
    let text = format!(
        "the walk of {WHO} is answered at hop {hop}, before it meets the server's last router, which stands {} hops away or more from the others",
        farthest.saturating_sub(1)
    );
    Some((text, vec![look]))
}

/// Returns the walk of a seat that is answered before it meets the server's last router, the hop where it is, and how far the server is from the others.
fn answered_early<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<(Look<'a>, u8, u8)> {
    // A vantage on the server's own segment has no router between, and is near by right.
    if scene.seats[seat].inside {
        return None;
    }
    let group = scene.seats[seat].group;
    let (look, walk, hop) = walks(scene, seat, place, Experiment::SynWalk).find_map(|(look, walk)| Some((look, walk, answered_at(walk)?)))?;
    let farthest = walks_elsewhere(scene, place, seat).min()?;
    if hop + 1 >= farthest || (routers(walk).next().is_none() && hop != 1) {
        return None;
    }
    let last_routers = last_routers_of(scene, place, |other| scene.seats[other].group != group);
    let passed_last = routers(walk).any(|router| last_routers.contains(&router));
    (!last_routers.is_empty() && !passed_last).then_some((look, hop, farthest))
}

/// Returns where somebody answers a seat's SYNs in the server's name, if its walk says so.
pub(crate) fn answered_in_between(scene: &Scene<'_>, seat: usize, place: usize) -> Option<Location> {
    let (_, hop, _) = answered_early(scene, seat, place)?;
    Some(location(scene, seat, place, hop.saturating_sub(1), hop))
}

/// Returns how far the server is from the outside seats of other groups, by their walks.
fn walks_elsewhere<'s>(scene: &'s Scene<'_>, place: usize, seat: usize) -> impl Iterator<Item = u8> + use<'s> {
    let group = scene.seats[seat].group;
    let others = (0..scene.seats.len()).filter(move |other| !scene.seats[*other].inside && scene.seats[*other].group != group);
    others.flat_map(move |other| walks(scene, other, place, Experiment::SynWalk)).filter_map(|(_, walk)| answered_at(walk))
}

/// Where a walk of SYNs was ended by somebody's word: a refusal, or ICMP that forbids.
#[derive(Debug, Clone)]
pub(crate) struct Stopped<'a> {
    /// The hop limit at which the word came.
    pub(crate) hop: u8,
    /// Who spoke, where ICMP tells.
    pub(crate) speaker: Option<IpAddr>,
    /// Whether the walk had met the server's last router by then.
    pub(crate) past_last_router: bool,
    pub(crate) look: Look<'a>,
}

/// Returns where a seat's SYN walk to a place was refused or forbidden; none when other walks do not tell how far the server is.
pub(crate) fn stopped<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Stopped<'a>> {
    let last_routers = last_routers(scene, place);
    if last_routers.is_empty() {
        return None;
    }
    walks(scene, seat, place, Experiment::SynWalk).find_map(|(look, walk)| {
        let step = walk.steps.iter().find(|step| matches!(step.end, StepEnd::Refused | StepEnd::Reset | StepEnd::Prohibited(_)))?;
        let speaker = if let StepEnd::Prohibited(speaker) = step.end { speaker } else { None };
        let met = routers(walk).any(|router| last_routers.contains(&router)) || speaker.is_some_and(|speaker| last_routers.contains(&speaker));
        let heard_any = routers(walk).next().is_some() || step.hop_limit == 1 || speaker.is_some();
        // The router of a silent step just before may be the last one.
        let lost = walk.steps.iter().any(|before| before.hop_limit + 1 == step.hop_limit && before.end == StepEnd::Silent);
        (heard_any && !lost).then_some(Stopped { hop: step.hop_limit, speaker, past_last_router: met, look })
    })
}

/// Who answers a seat's SYNs.
#[derive(Debug, Clone)]
pub(crate) enum Answerer<'a> {
    /// Somebody nearer than the server: a proxy.
    Proxy(String, Vec<Look<'a>>),
    /// Somebody beyond the server's last router.
    Server,
    /// The walks do not tell.
    Unknown,
}

/// Returns who answers a seat's SYNs at a place: what a proxy answers says nothing about the server.
pub(crate) fn answerer<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Answerer<'a> {
    if let Some((text, looks)) = answers_from_nearer(scene, seat, place) {
        return Answerer::Proxy(text, looks);
    }
    let own: BTreeSet<IpAddr> = walks(scene, seat, place, Experiment::SynWalk).flat_map(|(_, walk)| routers(walk)).collect();
    let group = scene.seats[seat].group;
    let met = || !last_routers_of(scene, place, |other| scene.seats[other].group != group).is_disjoint(&own);
    if !own.is_empty() && met() { Answerer::Server } else { Answerer::Unknown }
}

/// Tells whether a seat's SYNs are answered by the server itself, as its walk or the distance of the SYN-ACK shows.
pub(crate) fn is_answered_by_the_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    match answerer(scene, seat, place) {
        Answerer::Proxy(..) => false,
        Answerer::Server => true,
        Answerer::Unknown => {
            let own = scene.looks_of(seat, place).find_map(acknowledged);
            own.is_some_and(|own| expected_distance(scene, seat, place).is_some_and(|server| own + 1 >= server))
        }
    }
}

/// Tells whether what a seat hears on its connections comes from as far away as the server is expected to stand: who answers its SYNs from nearer does no more than that.
pub(crate) fn hears_the_server(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let heard = scene.looks_of(seat, place).filter_map(acknowledged).min();
    heard.is_some_and(|heard| expected_distance(scene, seat, place).is_some_and(|server| heard >= server))
}

/// Tells whether the box that answers a seat's SYNs from nearer also stands before a responder, and lets the wanted name pass there.
pub(crate) fn proxy_passes_the_name(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let named = behind_the_same_box(scene, seat, place, Experiment::NameAtResponder);
    named.len() > 1 && named.len() == scene.everywhere(seat, Experiment::NameAtResponder).len() && named.iter().all(|look| look.reach.is_ok())
}

/// Returns a seat's attempts at responders whose answers come from as near as those at the place.
pub(crate) fn behind_the_same_box<'a>(scene: &Scene<'a>, seat: usize, place: usize, experiment: Experiment) -> Vec<Look<'a>> {
    let Some(nearest) = scene.looks_of(seat, place).find_map(acknowledged) else { return Vec::new() };
    scene.everywhere(seat, experiment).iter().filter(|look| acknowledged(look) == Some(nearest)).copied().collect()
}

/// Where every payload stops although SYNs go on.
#[derive(Debug, Clone)]
pub(crate) struct Stop<'a> {
    /// The first hop limit at which nothing was heard.
    pub(crate) hop: u8,
    /// How far away the server answers SYNs.
    pub(crate) server: u8,
    pub(crate) looks: Vec<Look<'a>>,
}

/// Returns where ClientHellos on established connections fall silent before the server, while the SYN walk hears routers beyond.
pub(crate) fn payload_stop<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Option<Stop<'a>> {
    let (syn_look, syn_walk, server) = walks(scene, seat, place, Experiment::SynWalk).find_map(|(look, walk)| Some((look, walk, answered_at(walk)?)))?;
    let hellos = [Experiment::HelloWalk, Experiment::ControlWalk].into_iter().flat_map(|experiment| walks(scene, seat, place, experiment));
    let hellos = hellos.filter(|(look, _)| look.attempt.experiment == Experiment::ControlWalk || !fills_segment(scene, look));
    // Who is told not to send (a window of 0) is heard by nobody.
    let stops = hellos.filter(|(_, walk)| answered_at(walk).is_none() && last_heard(walk) > 0);
    let stops = stops.filter(|(_, walk)| walk.steps.iter().any(|step| step.end == StepEnd::Silent && step.hop_limit == last_heard(walk) + 1));
    let (look, walk) = stops.into_iter().next()?;
    let hop = last_heard(walk) + 1;
    let goes_on = syn_walk.steps.iter().any(|step| step.hop_limit >= hop && matches!(step.end, StepEnd::Expired(_)));
    (hop < server && goes_on).then(|| Stop { hop, server, looks: vec![look, syn_look] })
}

/// Tells whether what ended a seat's attempts came from nearer than the server.
pub(crate) fn is_by_somebody_nearer(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    matches!(
        author(scene, seat, place, &[Reply::Refusal, Reply::Reset, Reply::Close, Reply::Alert]),
        Some(Author::Nearer { .. } | Author::Injector { .. } | Author::Witnessed { by_server: false, .. })
    )
}
