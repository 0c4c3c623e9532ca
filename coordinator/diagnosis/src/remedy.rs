//! What to change and where: the catalogue's page, and for a path a text that can be handed to the network's owner.

use std::net::SocketAddr;

use parallax_model::{
    catalogue::page,
    clock::Timestamp,
    facts::Facts,
    target::{Scheme, Target},
    verdict::{Evidence, Locus, Remedy},
};

use crate::{cell::Look, draft::Draft, explain::whereabouts, scene::Scene};

/// Writes the remedy of a finding.
pub(crate) fn of(scene: &Scene<'_>, draft: &Draft, evidence: &[Evidence]) -> Remedy {
    let page = page(draft.cause);
    let address = draft.addresses(scene).into_iter().next();
    let fill = |text: &String| filled(scene, address, text);
    let mut steps: Vec<String> = Vec::new();
    if matches!(draft.cause.locus(), Locus::Path | Locus::Policy) {
        steps.push(ticket(scene, draft, evidence));
    }
    steps.extend(page.steps.iter().map(fill));
    for (server, setting) in [("nginx", &page.nginx), ("Apache httpd", &page.apache), ("HAProxy", &page.haproxy)] {
        steps.extend(setting.iter().map(|setting| format!("{server}: {}", filled(scene, address, setting))));
    }
    Remedy { summary: page.remedy.clone(), steps }
}

/// Puts the target's own name and address where the page says NAME and ADDRESS.
fn filled(scene: &Scene<'_>, address: Option<SocketAddr>, text: &str) -> String {
    let target = &scene.round.check.target;
    let with_port = address.map_or_else(|| target.authority(), |address| address.to_string());
    let bare = address.map_or_else(|| target.host.to_string(), |address| address.ip().to_string());
    text.replace("ADDRESS:443", &with_port).replace("ADDRESS", &bare).replace("NAME", &target.host.to_string()).replace("TARGET", &target.to_string())
}

/// Everything that the owner of a network needs to look the matter up and to see it again.
fn ticket(scene: &Scene<'_>, draft: &Draft, evidence: &[Evidence]) -> String {
    let target = &scene.round.check.target;
    let looks: Vec<Look<'_>> = draft
        .seats
        .iter()
        .flat_map(|seat| draft.places.iter().flat_map(|place| scene.looks_of(*seat, *place)))
        .filter(|look| look.outcome.is_failure())
        .copied()
        .collect();
    let first = looks.iter().map(|look| look.attempt.started_at).min();
    let last = looks.iter().map(|look| look.attempt.started_at).max();
    let when = match (first, last) {
        (Some(first), Some(last)) if to_the_second(first) != to_the_second(last) => format!("between {} and {}", to_the_second(first), to_the_second(last)),
        (Some(only), _) => format!("at {}", to_the_second(only)),
        _ => format!("at {}", to_the_second(scene.round.started_at)),
    };
    let sources: Vec<String> = draft
        .seats
        .iter()
        .map(|seat| {
            scene.seats[*seat].view.egress.map_or_else(|| scene.seats[*seat].name.to_owned(), |egress| format!("{} ({egress})", scene.seats[*seat].name))
        })
        .collect();
    let flows: Vec<String> =
        looks.iter().filter_map(|look| ends(&look.attempt.facts)).map(|(local, remote)| format!("{local} to {remote}")).take(MAX_FLOWS).collect();
    let addresses: Vec<String> = draft.addresses(scene).iter().map(ToString::to_string).collect();
    let evidence: Vec<&str> = evidence.iter().map(|evidence| evidence.text.as_str()).collect();
    let observed = draft.mechanism.as_deref().unwrap_or("failure");
    let flows = if flows.is_empty() { String::new() } else { format!(" Connections: {}.", flows.join(", ")) };
    format!(
        "For the ticket: {when}, connections from {} to {} for {} failed ({observed}){}: {}.{flows} To see it again: {}",
        sources.join(", "),
        addresses.join(", "),
        target.host,
        whereabouts(draft.location.as_ref()),
        evidence.join("; "),
        commands(target, draft.addresses(scene).first().copied()),
    )
}

/// Returns both ends of an attempt's connection.
fn ends(facts: &Facts) -> Option<(SocketAddr, SocketAddr)> {
    match (&facts.quic, &facts.tcp) {
        (Some(quic), _) => Some((quic.local?, quic.remote)),
        (None, tcp) => tcp.as_ref().and_then(|tcp| Some((tcp.local?, tcp.remote))),
    }
}

/// Commands that show the same from any host of the network.
fn commands(target: &Target, address: Option<SocketAddr>) -> String {
    let host = &target.host;
    let port = address.map_or(target.port, |address| address.port());
    let ip = address.map_or_else(|| host.to_string(), |address| address.ip().to_string());
    let peer = address.map_or_else(|| target.authority(), |address| address.to_string());
    let handshake = |options: &str| format!("openssl s_client -connect {peer}{options} -servername {host} </dev/null");
    let request = |options: &str| format!("curl {options} --resolve {host}:{port}:{ip} https://{host}:{port}/");
    let shown = match target.scheme {
        Scheme::StartTls(protocol) => handshake(&format!(" -starttls {}", protocol.as_str())),
        Scheme::Quic => request("--http3-only -v"),
        Scheme::Https | Scheme::Tls | Scheme::Tcp => format!("{}; {}", handshake(""), request("-v")),
    };
    let probes = if target.scheme == Scheme::Quic { "-U" } else { "-T" };
    format!("{shown}; traceroute {probes} -p {port} {ip}")
}

/// Writes a moment as other people's logs do, whole seconds in UTC.
fn to_the_second(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(whole, _)| format!("{whole}Z"))
}

/// Connections that a ticket names at most.
const MAX_FLOWS: usize = 6;
