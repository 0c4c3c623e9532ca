//! What to change and where: the catalogue's page, and a text that can be handed to whoever owns the network, the server or the resolver.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use parallax_model::{
    assignment::Experiment,
    catalogue::page,
    clock::Timestamp,
    facts::Facts,
    id::AttemptId,
    target::{Scheme, Target},
    verdict::{Evidence, Location, Locus, Remedy},
};

use crate::{
    cell::Look,
    draft::Draft,
    explain::{count, fate},
    reason::{Reason, covering, distinct},
    scene::Scene,
};

/// Writes the remedy of a finding.
pub(crate) fn of(scene: &Scene<'_>, draft: &Draft, evidence: &[Evidence]) -> Remedy {
    let page = page(draft.cause);
    let blanks = Blanks::of(scene, draft);
    let mut steps: Vec<String> = page.steps.iter().map(|step| blanks.filled(step)).collect();
    for (server, setting) in [("nginx", &page.nginx), ("Apache httpd", &page.apache), ("HAProxy", &page.haproxy)] {
        steps.extend(setting.iter().map(|setting| for_server(server, &blanks.filled(setting))));
    }
    match draft.cause.locus() {
        Locus::Path | Locus::Policy | Locus::Dns => steps.insert(0, ticket(scene, draft, evidence)),
        Locus::Server | Locus::Edge if !draft.cause.is_informational() => steps.push(ticket(scene, draft, evidence)),
        Locus::Server | Locus::Edge | Locus::Vantage | Locus::Undetermined => {}
    }
    Remedy { summary: page.remedy.clone(), steps }
}

/// Puts a setting on its own line; what a page says about it stands behind two spaces.
fn for_server(server: &str, setting: &str) -> String {
    match setting.split_once("  ") {
        Some((setting, aside)) => format!("{server}, {}:\n    {}", aside.trim().trim_start_matches('(').trim_end_matches(')'), setting.trim_end()),
        None => format!("{server}:\n    {setting}"),
    }
}

/// What a page leaves blank: the target's own name and address, and what the facts know.
struct Blanks {
    pairs: Vec<(&'static str, String)>,
}

impl Blanks {
    fn of(scene: &Scene<'_>, draft: &Draft) -> Self {
        let target = &scene.round.check.target;
        let address = draft.addresses(scene).into_iter().next();
        let port = address.map_or(target.port, |address| address.port());
        let bare = address.map_or_else(|| target.host.to_string(), |address| address.ip().to_string());
        let with_port = address.map_or_else(|| target.authority(), |address| address.to_string());
        let host = target.host.to_string();
        let url = if port == 443 { format!("https://{host}/") } else { format!("https://{host}:{port}/") };
        let (fails, passes) = ports(scene, draft);
        let client = clients(scene, draft).into_iter().next().map(|client| client.to_string());
        let known = |what: &'static str, value: Option<String>| value.map(|value| (what, value));
        let mut pairs = vec![
            ("NAME:443:ADDRESS", format!("{host}:{port}:{bare}")),
            ("https://NAME/", url),
            ("ADDRESS:443", with_port),
            ("ADDRESS 443", format!("{bare} {port}")),
            ("-p 443", format!("-p {port}")),
            ("'sport = :443'", format!("'sport = :{port}'")),
            ("'tcp port 443'", format!("'tcp port {port}'")),
            ("ADDRESS", bare),
        ];
        pairs.extend(known("PORT_THAT_FAILS", fails.map(|port| port.to_string())));
        pairs.extend(known("PORT_THAT_PASSES", passes.map(|port| port.to_string())));
        pairs.extend(known("RESOLVER", resolvers(scene, draft).first().map(ToString::to_string)));
        pairs.extend(known("RESPONDER", scene.round.responders.iter().flat_map(|responder| &responder.addresses).next().map(|known| known.ip().to_string())));
        pairs.extend(known("CLIENT", client.clone()));
        pairs.extend(known("SOURCE", client));
        pairs.push(("NAME", host));
        pairs.push(("TARGET", target.to_string()));
        Self { pairs }
    }

    fn filled(&self, text: &str) -> String {
        self.pairs.iter().fold(text.to_owned(), |text, (blank, value)| text.replace(blank, value))
    }
}

/// Returns a source port from which every attempt of the blamed vantages failed, and one from which every one passed.
fn ports(scene: &Scene<'_>, draft: &Draft) -> (Option<u16>, Option<u16>) {
    let mut tries: BTreeMap<u16, (usize, usize)> = BTreeMap::new();
    let Some((seat, place)) = draft.seats.iter().flat_map(|seat| draft.places.iter().map(move |place| (*seat, *place))).next() else { return (None, None) };
    for look in scene.bench(seat, Experiment::SourcePort, place) {
        if let Some((local, _)) = ends(&look.attempt.facts) {
            let (passed, failed) = tries.entry(local.port()).or_default();
            *passed += usize::from(look.reach.is_ok());
            *failed += usize::from(!look.reach.is_ok());
        }
    }
    let most = |wanted: fn(&(usize, usize)) -> usize, other: fn(&(usize, usize)) -> usize| {
        tries
            .iter()
            .filter(|(_, tally)| wanted(tally) > 0 && other(tally) == 0)
            .max_by_key(|(port, tally)| (wanted(tally), std::cmp::Reverse(**port)))
            .map(|(port, _)| *port)
    };
    (most(|tally| tally.1, |tally| tally.0), most(|tally| tally.0, |tally| tally.1))
}

/// Returns the addresses that the blamed vantages come from, outside ones alone.
fn clients(scene: &Scene<'_>, draft: &Draft) -> Vec<IpAddr> {
    let family = draft.addresses(scene).first().map(SocketAddr::is_ipv4);
    let outside = draft.seats.iter().filter(|seat| !scene.seats[**seat].inside);
    outside.filter_map(|seat| scene.seats[*seat].view.egress).filter(|client| family.is_none_or(|ipv4| ipv4 == client.is_ipv4())).collect()
}

/// Returns the resolvers that the blamed vantages asked.
fn resolvers(scene: &Scene<'_>, draft: &Draft) -> Vec<IpAddr> {
    let lookups = draft.seats.iter().flat_map(|seat| &scene.seats[*seat].lookups).filter_map(|attempt| attempt.facts.dns.as_ref());
    let mut asked: Vec<IpAddr> = Vec::new();
    for server in lookups.flat_map(|dns| &dns.answers).filter_map(|answer| answer.server) {
        if !asked.contains(&server.ip()) {
            asked.push(server.ip());
        }
    }
    asked
}

/// Everything that somebody else needs to look the matter up and to see it again, a line each.
fn ticket(scene: &Scene<'_>, draft: &Draft, evidence: &[Evidence]) -> String {
    let target = &scene.round.check.target;
    let cited = distinct(draft.evidence.iter().flat_map(Reason::attempts));
    let connections = connections(scene, draft, &cited);
    let sources = draft.seats.iter().map(|seat| &scene.seats[*seat]);
    let sources: Vec<String> =
        sources.map(|seat| seat.view.egress.map_or_else(|| seat.name.to_owned(), |egress| format!("{} ({egress})", seat.name))).collect();
    let is_about_names = draft.cause.locus() == Locus::Dns;
    let addresses: Vec<String> = if is_about_names {
        resolvers(scene, draft).iter().map(|resolver| format!("the resolver {resolver}, asked for {}", target.host)).collect()
    } else {
        draft.addresses(scene).iter().map(|address| format!("{address} for {}", target.host)).collect()
    };
    let mut seen: Vec<String> = evidence.iter().map(|evidence| evidence.text.clone()).collect();
    seen.extend(draft.mechanism.iter().map(|mechanism| format!("({mechanism})")));
    let location = draft.location.as_ref().map(place);
    let tries = if is_about_names { lookups(target, &resolvers(scene, draft)) } else { commands(target, draft.addresses(scene).first().copied()) };
    let mut lines = vec!["For the ticket:".to_owned(), row("Time (UTC)", &span(scene, draft))];
    for (title, items) in
        [("From", sources), ("To", addresses), ("Seen", seen), ("Where", location.into_iter().collect()), ("Connections", connections), ("Try", tries)]
    {
        lines.extend(items.iter().enumerate().map(|(at, item)| row(if at == 0 { title } else { "" }, item)));
    }
    lines.join("\n")
}

fn row(title: &str, text: &str) -> String {
    format!("    {title:<12} {text}")
}

/// Says where on the path, and which router answered last.
fn place(location: &Location) -> String {
    let hops = if location.first_hop == location.last_hop {
        format!("hop {}", location.first_hop)
    } else {
        format!("hops {} to {}", location.first_hop, location.last_hop)
    };
    let router = location.router.as_ref().map(|router| format!(", the last router that answered is {router}")).unwrap_or_default();
    format!("{hops}{router}")
}

/// Says from when to when the attempts were made that a finding rests on.
fn span(scene: &Scene<'_>, draft: &Draft) -> String {
    match draft.evidence.iter().map(Reason::span).fold(None, covering) {
        Some((first, last)) if to_the_second(first) != to_the_second(last) => format!("{} to {}", to_the_second(first), to_the_second(last)),
        Some((only, _)) => to_the_second(only),
        None => to_the_second(scene.round.started_at),
    }
}

/// Names two connections of each blamed vantage to each blamed address: failed ones that the finding rests on, then other failed ones.
fn connections(scene: &Scene<'_>, draft: &Draft, cited: &[AttemptId]) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    let mut more = 0;
    for (seat, place) in draft.seats.iter().flat_map(|seat| draft.places.iter().map(move |place| (*seat, *place))) {
        let looks = connected(scene, seat, place).filter_map(|look| Some((rank(look, cited)?, look)));
        if told.len() == MAX_FLOWS {
            more += looks.take(FLOWS_OF_EACH).count();
            continue;
        }
        let mut looks: Vec<(u8, &Look<'_>)> = looks.collect();
        looks.sort_by_key(|(rank, look)| (*rank, look.attempt.started_at));
        looks.truncate(FLOWS_OF_EACH);
        let named = looks.len().min(MAX_FLOWS - told.len());
        more += looks.len() - named;
        told.extend(looks[..named].iter().filter_map(|(_, look)| connection(scene.seats[seat].name, look)));
    }
    if more > 0 {
        told.push(format!("and {} more", count(more, "connection")));
    }
    told
}

/// Returns all attempts of a seat at a place of which both ends are known.
fn connected<'s, 'a>(scene: &'s Scene<'a>, seat: usize, place: usize) -> impl Iterator<Item = &'s Look<'a>> {
    let tried = Experiment::ALL.iter().flat_map(move |experiment| scene.bench(seat, *experiment, place));
    scene.looks_of(seat, place).chain(tried).filter(|look| ends(&look.attempt.facts).is_some())
}

/// Tells how much an attempt shows, the most telling first; none for one that neither failed nor is cited.
fn rank(look: &Look<'_>, cited: &[AttemptId]) -> Option<u8> {
    match (look.outcome.is_failure(), cited.binary_search(&look.attempt.id).is_ok()) {
        (true, true) => Some(0),
        (true, false) => Some(1),
        (false, true) => Some(2),
        (false, false) => None,
    }
}

fn connection(vantage: &str, look: &Look<'_>) -> Option<String> {
    let (local, remote) = ends(&look.attempt.facts)?;
    let is = if look.outcome.is_ok() { String::new() } else { format!(" {}", fate(look.outcome)) };
    Some(format!("{} {vantage}: {local} to {remote}{is}", of_the_day(look.attempt.started_at)))
}

/// Returns both ends of an attempt's connection.
fn ends(facts: &Facts) -> Option<(SocketAddr, SocketAddr)> {
    match (&facts.quic, &facts.tcp) {
        (Some(quic), _) => Some((quic.local?, quic.remote)),
        (None, tcp) => tcp.as_ref().and_then(|tcp| Some((tcp.local?, tcp.remote))),
    }
}

/// Commands that show the same from any host of the network.
fn commands(target: &Target, address: Option<SocketAddr>) -> Vec<String> {
    let host = &target.host;
    let port = address.map_or(target.port, |address| address.port());
    let ip = address.map_or_else(|| host.to_string(), |address| address.ip().to_string());
    let peer = address.map_or_else(|| target.authority(), |address| address.to_string());
    let handshake = |options: &str| format!("openssl s_client -connect {peer}{options} -servername {host} </dev/null");
    let request = |options: &str| format!("curl {options} --resolve {host}:{port}:{ip} https://{host}:{port}/");
    let mut shown = match target.scheme {
        Scheme::StartTls(protocol) => vec![handshake(&format!(" -starttls {}", protocol.as_str()))],
        Scheme::Quic => vec![request("--http3-only -v")],
        Scheme::Https | Scheme::Tls | Scheme::Tcp => vec![handshake(""), request("-v")],
    };
    let probes = if target.scheme == Scheme::Quic { "-U" } else { "-T" };
    shown.push(format!("traceroute {probes} -p {port} {ip}"));
    shown
}

/// Commands that ask the same of the same resolvers.
fn lookups(target: &Target, resolvers: &[IpAddr]) -> Vec<String> {
    match resolvers {
        [] => vec![format!("dig {}", target.host)],
        some => some.iter().map(|resolver| format!("dig {} @{resolver}", target.host)).collect(),
    }
}

/// Writes a moment as other people's logs do, whole seconds in UTC.
fn to_the_second(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(whole, _)| format!("{whole}Z"))
}

/// Writes the time of the day, to the millisecond.
fn of_the_day(at: Timestamp) -> String {
    let text = at.to_string();
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time).trim_end_matches('Z');
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{whole}.{fraction:0<3.3}")
}

/// Connections that a ticket names of each vantage to each address.
const FLOWS_OF_EACH: usize = 2;
/// Connections that a ticket names at most.
const MAX_FLOWS: usize = 24;
