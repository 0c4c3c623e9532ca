use std::net::SocketAddr;

use parallax_model::{
    facts::ConnectEnd,
    verdict::{Cause, Tier},
};

use super::{Contact, Ipv6, Report, contacts};
use crate::{
    cell::{Layer, Look},
    draft::Draft,
    scene::Scene,
};

/// G3: IPv6 observations count only from a seat whose IPv6 works; where nobody's is proven, the server is not blamed.
pub(super) fn run(scene: &mut Scene<'_>, report: &mut Report) {
    if !scene.places.iter().any(is_ipv6) {
        return;
    }
    for seat in 0..scene.seats.len() {
        let looks = tries(scene, seat);
        let connected = looks.iter().any(|look| look.passes(Layer::Tcp));
        let own_segment = scene.seats[seat].inside && !looks.is_empty() && !looks.iter().all(has_no_route);
        if connected || own_segment {
            scene.health[seat].ipv6 = Ipv6::Proven;
        }
    }
    let proven = scene.health.iter().any(|health| health.ipv6 == Ipv6::Proven);
    for seat in 0..scene.seats.len() {
        if scene.health[seat].ipv6 == Ipv6::Proven || scene.health[seat].discarded.is_some() {
            continue;
        }
        let looks = tries(scene, seat);
        if looks.is_empty() || scene.places.iter().all(|place| place.ip().is_loopback()) {
            continue;
        }
        let controls = contacts(scene, seat).any(|(address, contact, _)| is_ipv6(&address) && matches!(contact, Contact::NoTcp { .. }));
        let no_route = looks.iter().all(has_no_route);
        let works_otherwise = ipv4_connects(scene, seat);
        if proven && works_otherwise && (controls || no_route) {
            let how = if no_route { "has no route for IPv6" } else { "reaches nothing over IPv6, the fleet's responders included" };
            let text = format!("{} {how} ({} attempts), while its IPv4 works and other vantages use IPv6", scene.seats[seat].name, looks.len());
            report.findings.push(Draft::of_vantage(Cause::VantageIpv6, Tier::Confirmed, seat).because("ipv6-responder", text, &looks));
            scene.health[seat].noted = Some(Cause::VantageIpv6);
            scene.health[seat].ipv6 = Ipv6::Broken;
        } else if !answers(scene, &looks) && !proven {
            scene.health[seat].ipv6 = Ipv6::Broken;
        }
    }
    if !proven {
        report.not_run.push(
            "no vantage's IPv6 is proven by a responder or an inside vantage: the target's IPv6 addresses are judged only where somebody answers".to_owned(),
        );
    }
}

/// A refusal in two groups is an answer over IPv6, if nobody's IPv6 is proven otherwise.
fn answers(scene: &Scene<'_>, looks: &[Look<'_>]) -> bool {
    let refused = |look: &Look<'_>| look.attempt.facts.tcp.as_ref().is_some_and(|tcp| tcp.end == ConnectEnd::Refused);
    let seats: Vec<usize> = (0..scene.seats.len()).filter(|seat| tries(scene, *seat).iter().any(refused)).collect();
    looks.iter().any(refused) && scene.count_groups(&seats) > 1
}

fn tries<'a>(scene: &Scene<'a>, seat: usize) -> Vec<Look<'a>> {
    let at_target = (0..scene.places.len()).filter(|place| is_ipv6(&scene.places[*place])).flat_map(|place| scene.looks_of(seat, place)).copied();
    let at_responders = contacts(scene, seat).filter(|(address, ..)| is_ipv6(address)).map(|(_, _, look)| *look);
    at_target.chain(at_responders).collect()
}

/// The host itself or a router near it knew no way: ENETUNREACH, or another such error at once and from nobody.
fn has_no_route(look: &Look<'_>) -> bool {
    let tcp = look.attempt.facts.tcp.as_ref();
    tcp.is_some_and(|tcp| match tcp.end {
        ConnectEnd::Unreachable(NETWORK_UNREACHABLE) => true,
        ConnectEnd::Unreachable(_) => tcp.icmp_from.is_none() && tcp.connect_us < AT_ONCE_US,
        ConnectEnd::Connected | ConnectEnd::Refused | ConnectEnd::Reset | ConnectEnd::TimedOut | ConnectEnd::LocalError(_) => false,
    })
}

fn ipv4_connects(scene: &Scene<'_>, seat: usize) -> bool {
    let at_target =
        (0..scene.places.len()).filter(|place| !is_ipv6(&scene.places[*place])).any(|place| scene.looks_of(seat, place).any(|look| look.passes(Layer::Tcp)));
    let at_responders = contacts(scene, seat).any(|(address, contact, _)| !is_ipv6(&address) && !matches!(contact, Contact::NoTcp { .. }));
    at_target || at_responders
}

fn is_ipv6(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_ipv6()
}

/// ENETUNREACH (errno(3)), also what the kernel makes of ICMPv6 "no route to destination".
const NETWORK_UNREACHABLE: i32 = 101;
/// A kernel without a route answers within microseconds; no router does.
const AT_ONCE_US: u64 = 1_000;
