use parallax_model::{
    facts::{AuditFacts, Resumption},
    verdict::Cause,
};

use super::Claim;

/// `server.no-resumption`: neither a ticket nor a session id nor a pre-shared key brings a session back; one that wants a certificate leaves none to a
/// client without.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let sessions = &facts.sessions;
    let asked: Vec<Resumption> = [sessions.tls12_ticket, sessions.tls12_id, sessions.tls13_psk].into_iter().flatten().collect();
    (facts.client_certificate.is_none() && !asked.is_empty() && !asked.contains(&Resumption::Resumed)).then(|| Claim {
        cause: Cause::ServerNoResumption,
        what: "resumes no session: every connection pays for a full handshake".to_owned(),
        counter: Cause::ServerCertificateRollout,
        next: "resume at one node of several (openssl s_client -reconnect)",
    })
}
