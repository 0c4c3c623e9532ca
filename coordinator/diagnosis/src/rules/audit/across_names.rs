use parallax_model::{
    facts::{AuditFacts, Resumption},
    verdict::Cause,
};

use super::Claim;

/// `server.resumption-across-names`: the name that wants a client certificate resumes a session that was begun under a name which wants none
/// (CVE-2025-23419).
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    (facts.sessions.across_names == Some(Resumption::Resumed)).then(|| Claim {
        cause: Cause::ServerResumptionAcrossNames,
        what: "serves nobody without a client certificate but those who resume a session of a name which wants none".to_owned(),
        counter: Cause::ServerClientCertificateOptional,
        next: "resume across the two names by hand (openssl s_client -sess_out, then -sess_in with the other -servername)",
    })
}
