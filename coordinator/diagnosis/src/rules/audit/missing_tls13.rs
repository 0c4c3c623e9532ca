use parallax_model::{
    facts::{AuditAnswer, AuditFacts},
    verdict::Cause,
};

use super::{Claim, TLS12, TLS13, spoken};

/// `server.tls13-missing`: TLS 1.2 is spoken and TLS 1.3 is refused by an alert.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let refused = facts.versions.iter().any(|version| version.version == TLS13 && matches!(version.answer, AuditAnswer::Alert(_)));
    (refused && spoken(facts, TLS12).is_some()).then(|| Claim {
        cause: Cause::ServerTls13Missing,
        what: "does not speak TLS 1.3".to_owned(),
        counter: Cause::PathVersionFilter,
        next: "offer TLS 1.3 alone from the server's own segment (openssl s_client -tls1_3)",
    })
}
