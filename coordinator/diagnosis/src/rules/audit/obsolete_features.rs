use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::Claim;
use crate::explain::row;

/// `server.obsolete-features`: compression of records (CRIME), heartbeat, or the retired next-protocol negotiation.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let features = facts.features.as_ref()?;
    let all = [
        (features.compression != 0, "compression of records"),
        (features.heartbeat.is_some(), "heartbeat"),
        (features.next_protocols.is_some(), "next-protocol negotiation"),
    ];
    let found: Vec<&str> = all.into_iter().filter_map(|(has, name)| has.then_some(name)).collect();
    (!found.is_empty()).then(|| Claim {
        cause: Cause::ServerObsoleteFeatures,
        what: format!("still grants {}", row(&found)),
        counter: Cause::ServerOutdatedStack,
        next: "compare with the versions of the TLS library (openssl version)",
    })
}
