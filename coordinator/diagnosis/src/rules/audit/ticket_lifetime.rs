use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::Claim;

/// `server.ticket-lifetime`: tickets are good for longer than seven days (RFC 8446 section 4.6.1).
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let sessions = &facts.sessions;
    let longest = sessions.tls12_lifetime_seconds.into_iter().chain(sessions.tls13_lifetime_seconds).max()?;
    (longest > SEVEN_DAYS).then(|| Claim {
        cause: Cause::ServerTicketLifetime,
        what: format!("issues tickets that are good for {} days", longest / 86_400),
        counter: Cause::ServerNoResumption,
        next: "read the lifetime hint (openssl s_client -tls1_2)",
    })
}

const SEVEN_DAYS: u32 = 604_800;
