use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::Claim;

/// `server.insecure-renegotiation`: the ServerHello of TLS 1.2 or before does not grant `renegotiation_info` (RFC 5746).
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let features = facts.features.as_ref()?;
    (!features.renegotiation_info).then(|| Claim {
        cause: Cause::ServerInsecureRenegotiation,
        what: "does not know secure renegotiation".to_owned(),
        counter: Cause::PathInterception,
        next: "look for 'Secure Renegotiation IS NOT supported' (openssl s_client -tls1_2)",
    })
}
