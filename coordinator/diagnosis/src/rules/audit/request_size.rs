use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::Claim;

/// `server.client-authorities`: the request for a client certificate lists so many authorities that the flight exceeds ten segments (RFC 6928).
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let request = facts.client_certificate.as_ref()?;
    (request.flight_bytes > INITIAL_WINDOW).then(|| Claim {
        cause: Cause::ServerClientAuthorities,
        what: format!("lists {} authorities in its request for a client certificate: more than ten segments", request.authorities_count),
        counter: Cause::ServerChainOversized,
        next: "count the names (openssl s_client -tls1_2 | sed -n '/Acceptable client/,/Client Certificate Types/p')",
    })
}

const INITIAL_WINDOW: u64 = 14_600;
