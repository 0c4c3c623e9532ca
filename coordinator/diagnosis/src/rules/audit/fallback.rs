use parallax_model::{
    facts::{AuditAnswer, AuditFacts},
    verdict::Cause,
};

use super::Claim;

/// `server.fallback-unprotected`: a hello that says it has fallen back to an older version is answered, although a newer one is spoken (RFC 7507).
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    (facts.features.as_ref()?.fallback_scsv == Some(AuditAnswer::Hello)).then(|| Claim {
        cause: Cause::ServerFallbackUnprotected,
        what: "takes a fallback to an older version for a client's own choice".to_owned(),
        counter: Cause::ServerOldVersions,
        next: "claim a fallback by hand (openssl s_client -fallback_scsv -no_tls1_3)",
    })
}
