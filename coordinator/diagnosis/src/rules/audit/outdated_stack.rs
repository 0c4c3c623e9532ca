use parallax_model::{
    facts::{AuditAnswer, AuditFacts, FeatureFacts},
    verdict::Cause,
};
use parallax_tls::registry::CipherSuite;

use super::{Claim, TLS12, TLS13, spoken};
use crate::explain::{row, version_name};

/// `server.outdated-stack`: no TLS 1.3, and nothing that TLS libraries of the last ten years do by themselves; with TLS 1.2 also something that they have given up.
///
/// Versions, suites and groups can be configured away one by one, the extensions hardly: all of them together are asked for.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let features = facts.features.as_ref()?;
    let best = (0x0300..=TLS12).rev().find(|version| spoken(facts, *version).is_some())?;
    let newer_are_refused = (best + 1..=TLS13).all(|version| is_refused(facts, version));
    let relics = relics(facts, features);
    if !newer_are_refused || has_later_ways(facts, features) || (best == TLS12 && relics.is_empty()) {
        return None;
    }
    let relics = if relics.is_empty() { String::new() } else { format!(", and still has {}", row(&relics)) };
    Some(Claim {
        cause: Cause::ServerOutdatedStack,
        what: format!(
            "speaks {} at most, knows neither extended master secret nor encrypt-then-MAC nor X25519{relics}: that is what TLS libraries without maintenance can do",
            version_name(best)
        ),
        counter: Cause::ServerProtocolVersion,
        next: "compare with the TLS library on the server's own host (openssl version, nginx -V): a maintained one has been configured down to this",
    })
}

/// Tells whether the server itself said that it does not speak a version; silence could be of the way there.
fn is_refused(facts: &AuditFacts, version: u16) -> bool {
    facts.versions.iter().any(|known| known.version == version && matches!(known.answer, AuditAnswer::Alert(_) | AuditAnswer::OtherVersion(_)))
}

/// Tells whether the server does anything that came into TLS libraries in 2014 or later.
fn has_later_ways(facts: &AuditFacts, features: &FeatureFacts) -> bool {
    let groups = facts.versions.iter().flat_map(|version| &version.groups.numbers);
    let suites = facts.versions.iter().flat_map(|version| &version.suites.numbers);
    features.extended_master_secret
        || features.encrypt_then_mac == Some(true)
        || groups.into_iter().any(|group| LATER_GROUPS.contains(group))
        || suites.into_iter().any(|suite| CipherSuite(*suite).name().contains("_CHACHA20_"))
}

/// Lists what maintained libraries no longer do without being told to.
fn relics(facts: &AuditFacts, features: &FeatureFacts) -> Vec<&'static str> {
    let has_ssl = facts.ssl2.as_ref().is_some_and(|ssl2| ssl2.answer == AuditAnswer::Hello) || spoken(facts, 0x0300).is_some();
    let all = [
        (has_ssl, "SSL"),
        (!features.renegotiation_info, "renegotiation without its binding"),
        (features.compression != 0, "compression of records"),
        (features.heartbeat.is_some(), "heartbeat"),
        (features.next_protocols.is_some(), "next-protocol negotiation"),
    ];
    all.into_iter().filter_map(|(has, name)| has.then_some(name)).collect()
}

/// X25519 and X448 (RFC 7748).
const LATER_GROUPS: [u16; 2] = [0x001d, 0x001e];
