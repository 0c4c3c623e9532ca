//! Sentences: names in a row, counts, and the headline.

use std::collections::BTreeSet;

use parallax_model::{
    outcome::Outcome,
    verdict::{Cause, Location, Locus, Participation, Tier},
};

use crate::{draft::Draft, scene::Scene, survey};

/// Writes a list as people do: `a`, `a and b`, `a, b and c`.
pub(crate) fn row<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => "nobody".to_owned(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] if items.len() <= MAX_NAMED => format!("{} and {}", first.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "), last.as_ref()),
        many => format!("{} and {} more", many[..MAX_NAMED - 1].iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "), many.len() + 1 - MAX_NAMED),
    }
}

/// Names vantages.
pub(crate) fn seats(scene: &Scene<'_>, seats: &[usize]) -> String {
    let names: Vec<&str> = seats.iter().map(|seat| scene.seats[*seat].name).collect();
    row(&names)
}

/// Counts something: `1 attempt`, `3 attempts`.
pub(crate) fn count(n: usize, one: &str) -> String {
    let many = if one.ends_with('y') { format!("{}ies", one.trim_end_matches('y')) } else { format!("{one}s") };
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Names groups by their number out of those judged: `2 of 3 groups`.
pub(crate) fn groups(of: usize, judged: usize) -> String {
    format!("{of} of {}", count(judged, "group"))
}

/// Says how many of the groups outside the server's segment: `all 3 groups outside`.
pub(crate) fn groups_outside(of: usize, judged: usize) -> String {
    if of == judged && judged > 1 { format!("all {judged} groups outside") } else { format!("{} outside", groups(of, judged)) }
}

/// Says what happens to a connection, as a predicate: `is reset`.
pub(crate) fn fate(outcome: Outcome) -> String {
    let words = match outcome {
        Outcome::TcpRefused => "is refused",
        Outcome::TcpTimeout => "is never answered",
        Outcome::TcpUnreachable => "is reported unreachable",
        Outcome::TcpReset => "is reset while connecting",
        Outcome::StartTlsNotOffered => "is not offered STARTTLS",
        Outcome::StartTlsRefused => "is refused STARTTLS",
        Outcome::StartTlsClosed => "is closed before TLS",
        Outcome::StartTlsReset => "is reset before TLS",
        Outcome::StartTlsTimeout => "stays silent before TLS",
        Outcome::StartTlsNotProtocol => "is answered in another protocol",
        Outcome::StartTlsUnreachable => "is reported unreachable before TLS",
        Outcome::TlsReset => "is reset after the ClientHello",
        Outcome::TlsClosed => "is closed after the ClientHello",
        Outcome::TlsTimeout => "stays silent after the ClientHello",
        Outcome::TlsNotTls => "is answered with something that is not TLS",
        Outcome::TlsMalformed => "is answered with broken TLS records",
        Outcome::TlsUnsupported => "is answered with something that was not offered",
        Outcome::TlsUnreachable => "is reported unreachable after the ClientHello",
        Outcome::TlsOverCap => "is answered without end",
        Outcome::TlsAlert(number) => return format!("ends with alert {number}{}", alert_name(number).map_or_else(String::new, |name| format!(" ({name})"))),
        Outcome::QuicTimeout => "gets no answer over QUIC",
        Outcome::QuicRefused => "is refused over QUIC (ICMP)",
        Outcome::QuicUnreachable => "is reported unreachable over QUIC",
        Outcome::QuicVersion => "finds no version of QUIC in common",
        Outcome::QuicClosed => "is closed over QUIC",
        Outcome::QuicReset => "is reset over QUIC",
        Outcome::QuicMalformed => "is answered with broken QUIC",
        Outcome::Http(status) => return format!("is answered with HTTP {status}"),
        Outcome::HttpTimeout => "gets no whole HTTP answer in time",
        Outcome::HttpClosed => "is closed before a whole HTTP answer",
        Outcome::Certificate(_) => return format!("brings a faulty certificate ({outcome})"),
        other => return format!("ends as {other}"),
    };
    words.to_owned()
}

fn alert_name(number: u8) -> Option<&'static str> {
    ALERTS.iter().find(|row| row.0 == number).map(|row| row.1)
}

/// Lists versions, the oldest first.
pub(crate) fn versions(versions: &BTreeSet<u16>) -> String {
    versions.iter().map(|version| version_name(*version)).collect::<Vec<_>>().join(", ")
}

pub(crate) fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL 3.0".to_owned(),
        0x0301 => "TLS 1.0".to_owned(),
        0x0302 => "TLS 1.1".to_owned(),
        0x0303 => "TLS 1.2".to_owned(),
        0x0304 => "TLS 1.3".to_owned(),
        other => format!("version {other:#06x}"),
    }
}

/// Says where on the path: ` at hop 2 or 3 (after 192.0.2.1)`.
pub(crate) fn whereabouts(location: Option<&Location>) -> String {
    let Some(location) = location else { return String::new() };
    let hops = if location.first_hop == location.last_hop {
        format!("hop {}", location.first_hop)
    } else {
        format!("hops {} to {}", location.first_hop, location.last_hop)
    };
    let router = location.router.as_ref().map(|router| format!(" (near {router})")).unwrap_or_default();
    format!(" at {hops}{router}")
}

/// Writes one sentence that a person can act on.
pub(crate) fn headline(scene: &Scene<'_>, findings: &[Draft], participation: &Participation, healthy: bool) -> String {
    let target = scene.round.check.target.authority();
    let weighty: Vec<&Draft> = findings.iter().filter(|draft| draft.cause.locus() != Locus::Vantage && !draft.cause.is_informational()).collect();
    if weighty.is_empty() {
        let own = own_trouble(scene, findings);
        if !healthy {
            return if own.is_empty() {
                format!("Nothing could be judged about {target}: {}.", silence(participation))
            } else {
                format!("{target} could not be judged: {own}.")
            };
        }
        let scored: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.health[*seat].discarded.is_none() && scene.seats[*seat].attempts > 0).collect();
        let known = remarks(scene, findings);
        let own = if own.is_empty() { String::new() } else { format!("; {own}") };
        let survey = survey::sentence(scene).map_or_else(String::new, |survey| format!("; {survey}"));
        return format!("{target} is healthy from {} in {}{known}{survey}{own}.", count(scored.len(), "vantage"), count(scene.count_groups(&scored), "group"));
    }
    let survey = survey::sentence(scene);
    let told: Vec<String> = survey.into_iter().chain(weighty.iter().take(2).map(|draft| hedged(scene, draft))).collect();
    let more = if weighty.len() > 2 { format!("; and {} more", count(weighty.len() - 2, "finding")) } else { String::new() };
    format!("{target}: {}{more}.", told.join("; "))
}

/// What is worth knowing about a healthy target, the first of it in words.
fn remarks(scene: &Scene<'_>, findings: &[Draft]) -> String {
    let mut informational = findings.iter().filter(|draft| draft.cause.is_informational());
    let Some(first) = informational.next() else { return String::new() };
    let more = informational.count();
    let more = if more > 0 { format!(", and {} more to know", count(more, "thing")) } else { String::new() };
    format!("; {}{more}", hedged(scene, first))
}

fn hedged(scene: &Scene<'_>, draft: &Draft) -> String {
    let hedge = match (draft.cause.locus(), draft.tier) {
        (Locus::Undetermined, _) | (_, Tier::Confirmed) => "",
        (_, Tier::Likely) => "likely ",
        _ => "perhaps ",
    };
    let gist = if draft.gist.is_empty() { draft.cause.to_string() } else { draft.gist.clone() };
    let blamed: Vec<usize> = draft.seats.iter().copied().collect();
    let places: Vec<String> = draft.addresses(scene).iter().map(ToString::to_string).collect();
    let offered: BTreeSet<u16> =
        draft.profiles.iter().filter_map(|profile| scene.recipe(*profile)).flat_map(|recipe| recipe.hello.versions.iter().copied()).collect();
    let profiles: Vec<&str> = draft.profiles.iter().map(|profile| scene.profiles[*profile]).collect();
    format!(
        "{hedge}{}",
        gist.replace(WHO, &seats(scene, &blamed)).replace(WHERE, &row(&places)).replace(WHICH, &which(&profiles)).replace(OFFERED, &versions(&offered))
    )
}

/// Names profiles, or counts them when they are many.
fn which(profiles: &[&str]) -> String {
    if profiles.len() > MAX_NAMED { count(profiles.len(), "profile") } else { row(profiles) }
}

/// Stands in the words of a finding for its vantages, which are known only when findings have been joined.
pub(crate) const WHO: &str = "\u{1}";
/// Stands in the words of a finding for its addresses.
pub(crate) const WHERE: &str = "\u{2}";
/// Stands in the words of a finding for its profiles.
pub(crate) const WHICH: &str = "\u{3}";
/// Stands in the words of a finding for the versions that its profiles offer.
pub(crate) const OFFERED: &str = "\u{4}";
/// Stands in the words of a piece of evidence for the number of its attempts.
pub(crate) const COUNT: &str = "\u{5}";

fn own_trouble(scene: &Scene<'_>, findings: &[Draft]) -> String {
    let of = |cause: Cause| findings.iter().filter(|draft| draft.cause == cause).flat_map(|draft| draft.seats.iter().copied()).collect::<BTreeSet<usize>>();
    let causes: BTreeSet<Cause> = findings.iter().map(|draft| draft.cause).filter(|cause| cause.locus() == Locus::Vantage).collect();
    let told: Vec<String> = causes
        .into_iter()
        .map(|cause| {
            let who = seats(scene, &of(cause).into_iter().collect::<Vec<_>>());
            let what = match cause {
                Cause::VantageNetworkDown => "the network is down",
                Cause::VantageCaptivePortal => "a log-in page answers for everybody",
                Cause::VantageClock => "the clock is off",
                Cause::VantageIpv6 => "IPv6 does not work",
                Cause::VantageResolver => "the resolver does not answer",
                Cause::VantageInstrument => "the build of the agent is at fault",
                _ => "something of its own is wrong",
            };
            format!("{what} at {who} ({cause})")
        })
        .collect();
    told.join("; ")
}

pub(crate) fn silence(participation: &Participation) -> String {
    let denied = participation.discarded.iter().filter(|discarded| discarded.cause == "policy-denied").count();
    if denied > 0 && denied == participation.discarded.len() {
        return format!("the policy of {} refuses it", count(denied, "agent"));
    }
    if participation.reported == 0 { "no vantage reported".to_owned() } else { "no attempt was completed".to_owned() }
}

/// Lists longer than this are cut.
const MAX_NAMED: usize = 8;

/// RFC 8446 section 6, RFC 5246 section 7.2.
const ALERTS: [(u8, &str); 18] = [
    (10, "unexpected_message"),
    (20, "bad_record_mac"),
    (22, "record_overflow"),
    (40, "handshake_failure"),
    (42, "bad_certificate"),
    (47, "illegal_parameter"),
    (48, "unknown_ca"),
    (49, "access_denied"),
    (50, "decode_error"),
    (51, "decrypt_error"),
    (70, "protocol_version"),
    (71, "insufficient_security"),
    (80, "internal_error"),
    (86, "inappropriate_fallback"),
    (109, "missing_extension"),
    (112, "unrecognized_name"),
    (116, "certificate_required"),
    (120, "no_application_protocol"),
];
