use std::collections::BTreeSet;

use parallax_model::{
    assignment::Experiment,
    facts::{EndKind, LocalRefusal, LogEvent, ServerAnswerFacts, TlsEnd},
    outcome::Outcome,
    verdict::Cause,
};

use super::{Hypothesis, every_scheme};
use parallax_tls::registry::{CipherSuite, NamedGroup, ProtocolVersion};

use crate::{
    bench::tally_of,
    cell::{Layer, Look},
    draft::Draft,
    explain::{OFFERED, WHERE, WHICH, count, fate, groups, seats as named, versions},
    scene::CERTIFICATE_REQUIRED,
    suspicion::Suspicion,
    testimony::{self, Fate, Testimony},
};

pub(super) const CLIENT_CERTIFICATE: Hypothesis = Hypothesis {
    cause: Cause::ServerClientCertificateRequired,
    requires: "the server asks for a certificate and refuses what comes without one",
    excluded_by: "a group that passes without one",
    counter: Cause::ServerCipherSuites,
    next: "try with a client certificate",
    concerns: every_scheme,
    test: client_certificate,
};

pub(super) const APPLICATION_PROTOCOL: Hypothesis = Hypothesis {
    cause: Cause::ServerAlpn,
    requires: "every group gets alert 120, or passes as soon as ALPN is left out",
    excluded_by: "a group that passes with ALPN",
    counter: Cause::PathVersionFilter,
    next: "try without ALPN from two networks (--deep)",
    concerns: every_scheme,
    test: application_protocol,
};

pub(super) const VERSION: Hypothesis = Hypothesis {
    cause: Cause::ServerProtocolVersion,
    requires: "every group gets alert 70, or an answer in a version that was not offered, or an old version in answer to the legacy hello",
    excluded_by: "a group that passes",
    counter: Cause::ServerCipherSuites,
    next: "send the legacy hello and read which version the server picks (--deep)",
    concerns: every_scheme,
    test: version,
};

pub(super) const NEGOTIATION: Hypothesis = Hypothesis {
    cause: Cause::ServerCipherSuites,
    requires: "every group gets alert 40 or 71, or an answer with a suite or group that was not offered; a group is told where a retry leads nowhere, or where the server names one that was not offered",
    excluded_by: "a group that passes; another name that passes",
    counter: Cause::ServerKeyExchangeGroups,
    next: "send the legacy hello and read which suite and group the server picks (--deep)",
    concerns: every_scheme,
    test: negotiation,
};

pub(super) const NOT_TLS: Hypothesis = Hypothesis {
    cause: Cause::ServerNotTls,
    requires: "every group reads the same kind of bytes that are not TLS",
    excluded_by: "a group that passes",
    counter: Cause::ServerClosesHandshake,
    next: "look from a vantage on the server's own segment (role=inside)",
    concerns: every_scheme,
    test: not_tls,
};

fn alert_of(class: Outcome) -> Option<u8> {
    match class {
        Outcome::TlsAlert(number) => Some(number),
        _ => None,
    }
}

fn refusal(look: &Look<'_>) -> Option<LocalRefusal> {
    match look.attempt.facts.tls.as_ref()?.end {
        TlsEnd::LocalRefusal(refusal) => Some(refusal),
        _ => None,
    }
}

fn all_refuse(failures: &[Look<'_>], wanted: &[LocalRefusal]) -> bool {
    !failures.is_empty() && failures.iter().all(|look| refusal(look).is_some_and(|refusal| wanted.contains(&refusal)))
}

/// Writes the finding; an alert under the server's own keys is an act of the server.
fn draft(suspicion: &Suspicion<'_, '_>, seats: &[usize], cause: Cause, what: &str) -> Option<Draft> {
    let failures = suspicion.failures(seats);
    let scene = suspicion.scene;
    let act = !failures.is_empty() && failures.iter().all(Look::alert_is_encrypted);
    let witnessed: Vec<Testimony<'_>> = seats.iter().filter_map(|seat| testimony::of(scene, *seat, suspicion.place)).collect();
    if witnessed.iter().any(|testimony| testimony.fate.clears_the_server()) {
        return None;
    }
    let sent_there = witnessed.into_iter().find(|testimony| match testimony.fate {
        Fate::EndedByServer(EndKind::Alert(_)) => true,
        // A log does not tell whether the hello came as it was sent: where others pass, it may have been changed on the way.
        Fate::Logged(LogEvent::HandshakeFailed(_)) => suspicion.passing.is_empty(),
        _ => false,
    });
    let tier = suspicion.server_tier(seats, act || sent_there.is_some())?;
    let (_, outcome) = suspicion.class(seats)?;
    let place = scene.places[suspicion.place];
    let profile = scene.profiles[suspicion.profile];
    let text = format!(
        "{profile} at {place} fails alike in {} ({}, {}): a connection {}",
        groups(scene.count_groups(seats), suspicion.groups_judged()),
        named(scene, seats),
        count(failures.len(), "attempt"),
        fate(outcome)
    );
    let mut draft = Draft::new(cause, tier).blaming(seats).by(outcome, None).because("groups", text, &failures);
    if act {
        draft.add("authenticated-alert", "the alert came under the handshake's own keys, which only the server has".to_owned(), &failures);
    }
    if let Some(testimony) = sent_there {
        draft.add(testimony.rule, testimony.text, &testimony.looks);
    }
    Some(draft.in_words(format!("the server at {WHERE} {what}")))
}

fn client_certificate(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.layer != Layer::Tls {
        return None;
    }
    let failures = suspicion.failures(seats);
    let class = suspicion.class(seats)?.0;
    let asked = failures.iter().filter(|look| look.certificate_was_requested()).count() * 2 > failures.len();
    let refused = match class {
        Outcome::TlsAlert(CERTIFICATE_REQUIRED) => true,
        Outcome::TlsAlert(40..=49) | Outcome::TlsReset => asked,
        _ => false,
    };
    if !refused {
        return None;
    }
    let mut draft = draft(suspicion, seats, Cause::ServerClientCertificateRequired, "insists on a client certificate")?;
    if asked {
        draft.add("certificate-request", "the server asked for a client certificate in the handshake".to_owned(), &failures);
    }
    Some(draft)
}

fn application_protocol(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let class = suspicion.class(seats)?.0;
    let failures = suspicion.failures(seats);
    let fits = suspicion.layer == Layer::Tls && (class == Outcome::TlsAlert(120) || all_refuse(&failures, &[LocalRefusal::ApplicationProtocol]));
    if !fits {
        return None;
    }
    let mut draft = draft(suspicion, seats, Cause::ServerAlpn, "has no application protocol in common with its clients")?;
    let without: Vec<Look<'_>> =
        seats.iter().flat_map(|seat| tally_of(suspicion.scene, *seat, suspicion.place, Experiment::NoAlpn, suspicion.profile).passed).collect();
    if !without.is_empty() {
        draft.add("no-alpn", format!("without ALPN {} passed", count(without.len(), "attempt")), &without);
    }
    Some(draft)
}

/// What the server picked in answer to a hello that offers all there is, from these seats.
fn answers_to<'a>(suspicion: &Suspicion<'_, 'a>, seats: &[usize], hello: Experiment) -> Vec<(Look<'a>, &'a ServerAnswerFacts)> {
    let scene = suspicion.scene;
    let looks = seats.iter().flat_map(|seat| scene.bench(*seat, hello, suspicion.place));
    looks.filter(|look| look.reach.is_ok()).filter_map(|look| Some((*look, &look.attempt.facts.tls.as_ref()?.answer))).collect()
}

fn version(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.layer != Layer::Tls {
        return None;
    }
    let class = suspicion.class(seats)?.0;
    let failures = suspicion.failures(seats);
    let own = &suspicion.scene.recipe(suspicion.profile)?.hello;
    let answered = answers_to(suspicion, seats, Experiment::LegacyHello);
    let picked: BTreeSet<u16> = answered
        .iter()
        .filter_map(|(_, answer)| answer.version)
        .chain(failures.iter().filter_map(|look| look.attempt.facts.tls.as_ref()?.answer.version))
        .collect();
    // A server that picks a newer version than was offered may speak the offered one as well.
    let old = !picked.is_empty() && picked.iter().all(|version| own.versions.iter().all(|offered| version < offered));
    let refused = all_refuse(&failures, &[LocalRefusal::Version]) || (class == Outcome::TlsUnsupported && old);
    let fits = match alert_of(class) {
        Some(70) => true,
        Some(80) if is_behind(suspicion, seats) => true,
        Some(40 | 47 | 71 | 80 | 86) | None if class == Outcome::TlsReset || alert_of(class).is_some() => old,
        _ => refused,
    };
    if !fits {
        return None;
    }
    let speaks = if picked.is_empty() { String::new() } else { format!("; it picks {}", versions(&picked)) };
    let mut draft = draft(suspicion, seats, Cause::ServerProtocolVersion, &format!("has no TLS version in common with {WHICH} ({OFFERED}){speaks}"))?;
    if !answered.is_empty() {
        let looks: Vec<Look<'_>> = answered.into_iter().map(|(look, _)| look).collect();
        draft.add("legacy-hello", format!("offered everything from TLS 1.0 to 1.2, the server picks {}", versions(&picked)), &looks);
    }
    Some(draft)
}

/// Tells whether a client's newest version is older than any that the server chose with the profiles that pass beside it.
///
/// OpenSSL 3 answers with alert 80 where a version is enabled and its security level leaves it nothing to sign with.
fn is_behind(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> bool {
    let scene = suspicion.scene;
    let looks = seats.iter().flat_map(|seat| scene.looks_of(*seat, suspicion.place)).filter(|look| look.passes(Layer::Tls));
    let oldest_chosen = looks.filter_map(|look| look.attempt.facts.tls.as_ref()?.answer.version).min();
    let newest_offered = scene.recipe(suspicion.profile).filter(|profile| profile.client.is_some()).and_then(|profile| profile.hello.versions.iter().max());
    oldest_chosen.zip(newest_offered).is_some_and(|(chosen, offered)| chosen > *offered)
}

fn negotiation(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    if suspicion.layer != Layer::Tls {
        return None;
    }
    let class = suspicion.class(seats)?.0;
    let failures = suspicion.failures(seats);
    let own = &suspicion.scene.recipe(suspicion.profile)?.hello;
    let answered = answers_to(suspicion, seats, Experiment::LegacyHello);
    let retried_to = if own.versions.contains(&ProtocolVersion::TLS13.0) { answers_to(suspicion, seats, Experiment::WideHello) } else { Vec::new() };
    let picks = || answered.iter().chain(&retried_to);
    let foreign_suite = picks().any(|(_, answer)| answer.cipher_suite.is_some_and(|suite| !own.cipher_suites.contains(&suite)));
    let foreign_group = picks().any(|(_, answer)| answer.group.is_some_and(|group| !own.groups.contains(&group)));
    let by_group = all_refuse(&failures, &[LocalRefusal::Group]) || (foreign_group && !foreign_suite);
    let retried = failures.iter().any(|look| look.attempt.facts.tls.as_ref().is_some_and(|tls| tls.answer.hello_retry_requests > 0));
    let fits = matches!(class, Outcome::TlsAlert(40 | 71)) || all_refuse(&failures, &[LocalRefusal::CipherSuite, LocalRefusal::Group]);
    let dead_retry = retried && matches!(class, Outcome::TlsReset | Outcome::TlsTimeout | Outcome::TlsAlert(_));
    if !fits && !dead_retry {
        return None;
    }
    let by_group = by_group || dead_retry;
    let uncommon = answered.iter().find_map(|(look, _)| suspicion.scene.chains[look.chain?].judgement.leaf.as_ref().filter(|leaf| leaf.key_is_uncommon()));
    let (cause, what) = if uncommon.is_some() {
        (Cause::ServerCertificateKeyType, "has a certificate with a kind of key that its clients do not accept")
    } else if by_group {
        (Cause::ServerKeyExchangeGroups, "has no key-exchange group in common with its clients")
    } else {
        (Cause::ServerCipherSuites, "has no cipher suite in common with its clients")
    };
    let mut draft = draft(suspicion, seats, cause, what)?;
    if let Some(leaf) = uncommon {
        let looks: Vec<Look<'_>> = answered.iter().map(|(look, _)| *look).collect();
        draft.add("key-type", format!("the certificate that comes for the legacy hello has a key of the kind {}", leaf.shown_key()), &looks);
    } else if by_group {
        draft = draft.unless(Cause::ServerCipherSuites, NEGOTIATION.next);
    }
    for (answered, rule, what) in [(answered, "legacy-hello", "TLS 1.0 to 1.2"), (retried_to, "wide-hello", "TLS 1.3, and no key share")] {
        if answered.is_empty() {
            continue;
        }
        let picks: BTreeSet<String> = answered.iter().map(|(_, answer)| pick(answer)).collect();
        let looks: Vec<Look<'_>> = answered.into_iter().map(|(look, _)| look).collect();
        draft.add(rule, format!("offered everything of {what}, the server picks {}", picks.into_iter().collect::<Vec<_>>().join("; ")), &looks);
    }
    Some(draft)
}

fn pick(answer: &ServerAnswerFacts) -> String {
    let suite = answer.cipher_suite.map_or_else(|| "none".to_owned(), |suite| CipherSuite(suite).to_string());
    let group = answer.group.map_or_else(|| "none".to_owned(), |group| NamedGroup(group).to_string());
    format!("suite {suite}, group {group}")
}

fn not_tls(suspicion: &Suspicion<'_, '_>, seats: &[usize]) -> Option<Draft> {
    let failures = suspicion.failures(seats);
    let (shown, what) = match suspicion.class(seats)?.0 {
        _ if suspicion.layer != Layer::Tls => return None,
        Outcome::TlsNotTls => (first_bytes(&failures), "TLS".to_owned()),
        Outcome::StartTlsNotProtocol => (first_words(&failures), format!("the protocol of {}", suspicion.scene.round.check.target.scheme)),
        _ => return None,
    };
    let mut draft = draft(suspicion, seats, Cause::ServerNotTls, &format!("does not speak {what} on the port; it answers \"{shown}\""))?;
    draft.add("first-bytes", format!("the answer begins with \"{shown}\""), &failures);
    Some(draft)
}

fn first_bytes(failures: &[Look<'_>]) -> String {
    let first = failures.iter().find_map(|look| look.attempt.facts.tls.as_ref()?.answer.not_tls.as_ref());
    let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
    first.map(|bytes| bytes.0.iter().take(MAX_SHOWN).map(shown).collect()).unwrap_or_default()
}

fn first_words(failures: &[Look<'_>]) -> String {
    let first = failures.iter().find_map(|look| look.attempt.facts.starttls.as_ref()?.greeting.as_ref());
    first.map(|words| words.chars().take(MAX_SHOWN).collect()).unwrap_or_default()
}

/// How much of an answer that is not TLS is quoted.
const MAX_SHOWN: usize = 24;
