use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::Claim;

/// `server.early-data`: tickets allow early data, which can be replayed (RFC 8446 section 8).
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let allowed = facts.sessions.max_early_data_bytes?;
    (allowed > 0).then(|| Claim {
        cause: Cause::ServerEarlyData,
        what: format!("accepts {allowed} bytes of early data, which can be replayed"),
        counter: Cause::ServerOutdatedStack,
        next: "look whether the application refuses early requests that change something (425 Too Early, RFC 8470)",
    })
}
