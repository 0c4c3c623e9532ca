//! The way from a blamed vantage to the server, with the routers that answered and the place of the fault.

use std::net::IpAddr;

use maud::{Markup, html};
use parallax_model::{
    attempt::Attempt,
    facts::{StepEnd, WalkPayload},
    verdict::{Cause, Finding, Locus},
};

use super::{Case, timeline::px};

/// One thing on the way, from the vantage on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stop {
    name: String,
    remark: String,
    fault: bool,
}

/// The way, as far as it was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    stops: Vec<Stop>,
    /// The stop at the far end of the link that the fault lies on.
    faulty_link: Option<usize>,
    remarks: Vec<&'static str>,
}

impl Way {
    /// Returns where a stop stands; a link with a fault on it is drawn longer.
    fn y(&self, at: usize) -> f64 {
        at as f64 * ROW + if self.faulty_link.is_some_and(|link| at >= link) { GAP } else { 0.0 }
    }
}

/// Draws the way of a finding's first vantage to its first address; none when there is no address.
pub(super) fn draw(case: &Case<'_>, finding: &Finding) -> Option<Markup> {
    let (vantage, address) = (super::commands::vantages(case, finding).first().copied()?, finding.scope.addresses.first()?);
    let way = way(&walked(case, vantage, address), finding, vantage, address);
    let height = way.y(way.stops.len());
    Some(html! {
        div.scroll {
            svg.path viewBox=(format!("0 0 680 {}", height + 8.0)) width="680" role="img" aria-label=(format!("path from {vantage} to {address}")) {
                line.wire x1="24" x2="24" y1="20" y2=(px(height - 14.0)) {}
                @for (at, stop) in way.stops.iter().enumerate() { (row(way.y(at), stop)) }
                @if let Some(at) = way.faulty_link { (link(way.y(at) - (ROW + GAP) / 2.0 + 20.0)) }
            }
        }
        @for remark in &way.remarks { p.dim { (remark) } }
    })
}

/// Returns a router's address at a hop of the way from a vantage, as the walks to an address met it.
pub(super) fn router_at(case: &Case<'_>, vantage: &str, address: &str, hop: u8) -> Option<IpAddr> {
    walked(case, vantage, address).router(hop)
}

/// What the walks of a vantage to an address met.
#[derive(Default)]
struct Walked {
    steps: Vec<(u8, StepEnd)>,
    /// Whether SYNs were walked, which alone bring addresses.
    by_syn: bool,
    /// The hop limit at which a SYN was answered.
    answered: Option<u8>,
    /// The distance by the TTL of the SYN-ACK.
    by_ttl: Option<u8>,
}

impl Walked {
    fn router(&self, hop: u8) -> Option<IpAddr> {
        self.steps.iter().filter(|step| step.0 == hop).find_map(|step| match step.1 {
            StepEnd::Expired(Some(router)) | StepEnd::Prohibited(Some(router)) => Some(router),
            _ => None,
        })
    }

    /// Says what came back from the nearest hop that should only have passed packets on; what goes farther gets the same from there.
    fn reply(&self, hop: u8) -> Option<&'static str> {
        let passes = |end: StepEnd| matches!(end, StepEnd::Expired(_) | StepEnd::Silent | StepEnd::NotConnected | StepEnd::Answered);
        let nearest = self.steps.iter().filter(|step| !passes(step.1)).map(|step| step.0).min();
        self.steps.iter().filter(|step| step.0 == hop && Some(hop) == nearest).find_map(|step| match step.1 {
            StepEnd::Refused => Some("refused"),
            StepEnd::Reset => Some("sent a reset"),
            StepEnd::Closed => Some("sent a FIN"),
            StepEnd::Alert(_) => Some("sent an alert"),
            StepEnd::Prohibited(_) => Some("said: prohibited"),
            _ => None,
        })
    }
}

fn walked(case: &Case<'_>, vantage: &str, address: &str) -> Walked {
    let mine = || {
        let of_vantage = case.attempts.iter().copied().filter(move |attempt: &&Attempt| attempt.vantage.as_str() == vantage);
        of_vantage.filter(|attempt| attempt.address.is_some_and(|at| at.to_string() == address))
    };
    let mut found = Walked::default();
    for walk in mine().filter_map(|attempt| attempt.facts.walk.as_ref()) {
        found.steps.extend(walk.steps.iter().map(|step| (step.hop_limit, step.end)));
        if walk.payload == WalkPayload::Syn {
            found.by_syn = true;
            found.answered = found.answered.or_else(|| walk.steps.iter().find(|step| step.end == StepEnd::Answered).map(|step| step.hop_limit));
        }
    }
    found.by_ttl = mine().find_map(|attempt| attempt.facts.reply_ttl.as_ref()?.syn_ack).map(|ttl| ttl.hops() + 1);
    found
}

fn way(walked: &Walked, finding: &Finding, vantage: &str, address: &str) -> Way {
    let location = finding.location.as_ref();
    let is_fault = |hop: u8| location.is_some_and(|at| (at.first_hop..=at.last_hop).contains(&hop));
    let impostor = walked.answered.filter(|_| finding.cause == Cause::PathInterception);
    let distance = walked.answered.or(walked.by_ttl);
    let farthest = walked.steps.iter().map(|step| step.0).chain(location.map(|at| at.last_hop)).max();
    let last = distance.or_else(|| farthest.map(|hop| hop + 1)).unwrap_or(1).clamp(1, 40);
    let unnamed = if walked.by_syn { "no answer" } else { "not asked" };
    let place = |hop: u8| match location {
        Some(at) if is_fault(hop) && at.first_hop < at.last_hop => "◀ the fault lies at or between these",
        _ if is_fault(hop) => "◀ the fault lies here",
        _ => "",
    };
    let mut stops = vec![Stop { name: vantage.to_owned(), remark: "the vantage".to_owned(), fault: false }];
    let mut hop = 1;
    while hop < last {
        let blank = |hop: u8| hop < last && walked.router(hop).is_none() && walked.reply(hop).is_none() && !is_fault(hop);
        let run = (hop..last).take_while(|hop| blank(*hop)).count();
        if run > 1 {
            let until = hop + u8::try_from(run).unwrap_or(1) - 1;
            stops.push(Stop { name: format!("hops {hop} to {until}: {unnamed}"), remark: String::new(), fault: false });
            hop = until + 1;
            continue;
        }
        let name = walked.router(hop).map_or_else(|| format!("hop {hop}: {unnamed}"), |router| format!("hop {hop}: {router}"));
        let (name, remark) = match (walked.reply(hop), place(hop)) {
            (Some(reply), place) => (walked.router(hop).map_or_else(|| format!("hop {hop}"), |_| name), [reply, place].join("  ")),
            (None, place) => (name, place.to_owned()),
        };
        stops.push(Stop { name, remark: remark.trim().to_owned(), fault: is_fault(hop) });
        hop += 1;
    }
    let mut remarks = Vec::new();
    let mut faulty_link = None;
    let at_server = location.is_none() && finding.locus == Locus::Server;
    let end = |remark: &str, fault: bool| Stop { name: address.to_owned(), remark: remark.to_owned(), fault };
    if let Some(hop) = impostor {
        stops.push(Stop { name: format!("hop {hop}"), remark: "◀ somebody answers here in the server's name".to_owned(), fault: true });
        stops.push(end("the server, which is not reached", false));
    } else if finding.locus == Locus::Dns {
        stops.push(end("what this resolver gave: not the server", false));
    } else if at_server || is_fault(last) {
        stops.push(end("◀ the fault lies here", true));
    } else {
        stops.push(end(if distance.is_none() { "the server (its distance was not measured)" } else { "the server" }, false));
        faulty_link = (location.is_none() && finding.locus == Locus::Edge).then(|| stops.len() - 1);
    }
    if walked.steps.is_empty() {
        remarks.push("The routers on the way were not asked for their addresses.");
    }
    if location.is_none() && impostor.is_none() && !at_server && faulty_link.is_none() && finding.locus != Locus::Dns {
        remarks.push("Where on the path it lies was not measured.");
    }
    Way { stops, faulty_link, remarks }
}

const ROW: f64 = 34.0;
const GAP: f64 = 20.0;

fn row(top: f64, stop: &Stop) -> Markup {
    let y = top + 20.0;
    let marked = stop.fault || stop.remark.contains('◀');
    html! {
        circle class=(if stop.fault { "fault" } else { "node" }) cx="24" cy=(px(y)) r="9" stroke-width="2" {}
        @if stop.fault { (cross(y)) }
        text x="46" y=(px(y + 4.0)) { (stop.name) }
        text class=(if marked { "faulttext" } else { "dim" }) x="330" y=(px(y + 4.0)) { (stop.remark) }
    }
}

/// Marks a link at its middle.
fn link(y: f64) -> Markup {
    html! {
        circle.fault cx="24" cy=(px(y)) r="7" stroke-width="1" {}
        (cross(y))
        text.faulttext x="330" y=(px(y + 4.0)) { "◀ the fault lies on this link" }
    }
}

fn cross(y: f64) -> Markup {
    html! { text.faulttext x="24" y=(px(y + 4.0)) text-anchor="middle" { "×" } }
}

#[cfg(test)]
mod tests {
    use parallax_model::verdict::{Location, Remedy, Scope, Tier};

    use super::*;

    fn finding(cause: Cause, location: Option<(u8, u8)>) -> Finding {
        Finding {
            locus: cause.locus(),
            cause,
            tier: Tier::Confirmed,
            mechanism: None,
            scope: Scope::default(),
            location: location.map(|(first_hop, last_hop)| Location { first_hop, last_hop, router: None }),
            evidence: Vec::new(),
            counter: None,
            remedy: Remedy::default(),
        }
    }

    fn told(walked: &Walked, finding: &Finding) -> (Vec<String>, Option<usize>) {
        let way = way(walked, finding, "a", "192.0.2.1:443");
        (way.stops.iter().map(|stop| format!("{} | {}", stop.name, stop.remark).trim_end_matches([' ', '|']).to_owned()).collect(), way.faulty_link)
    }

    #[test]
    fn a_fault_of_the_edge_is_marked_on_the_link_before_the_server_and_unmeasured_hops_stand_in_one_line() {
        let walked = Walked { by_ttl: Some(7), ..Walked::default() };
        let (stops, link) = told(&walked, &finding(Cause::EdgeMtuBlackhole, None));
        assert_eq!(stops, ["a | the vantage", "hops 1 to 6: not asked", "192.0.2.1:443 | the server"]);
        assert_eq!(link, Some(2));
    }

    #[test]
    fn a_hop_that_refuses_says_so() {
        let steps = vec![(1, StepEnd::Expired(Some("198.51.100.1".parse().unwrap()))), (2, StepEnd::Refused)];
        let (stops, _) = told(&Walked { steps, by_syn: true, ..Walked::default() }, &finding(Cause::PathAddressBlock, Some((1, 2))));
        let place = "◀ the fault lies at or between these";
        let expected = [
            "a | the vantage".to_owned(),
            format!("hop 1: 198.51.100.1 | {place}"),
            format!("hop 2 | refused  {place}"),
            "192.0.2.1:443 | the server (its distance was not measured)".to_owned(),
        ];
        assert_eq!(stops, expected);
    }

    #[test]
    fn who_answers_in_the_servers_name_is_not_drawn_as_the_server() {
        let walked = Walked { steps: vec![(2, StepEnd::Answered)], by_syn: true, answered: Some(2), by_ttl: None };
        let (stops, _) = told(&walked, &finding(Cause::PathInterception, None));
        assert_eq!(stops[2..], ["hop 2 | ◀ somebody answers here in the server's name", "192.0.2.1:443 | the server, which is not reached"]);
        let (stops, _) = told(&Walked::default(), &finding(Cause::DnsTampering, None));
        assert_eq!(stops.last().map(String::as_str), Some("192.0.2.1:443 | what this resolver gave: not the server"));
    }
}
