use parallax_model::{
    facts::{AuditAnswer, AuditFacts},
    verdict::Cause,
};

use super::{Claim, TLS12, is_modern, spoken};
use crate::explain::{row, version_name};

/// `server.old-versions`: SSL 2, SSL 3, TLS 1.0 or TLS 1.1 beside newer versions (RFC 6176, RFC 7568, RFC 8996).
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let ssl2 = facts.ssl2.as_ref().filter(|ssl2| ssl2.answer == AuditAnswer::Hello).map(|_| "SSL 2".to_owned());
    let later = (0x0300..TLS12).filter(|version| spoken(facts, *version).is_some()).map(version_name);
    let old: Vec<String> = ssl2.into_iter().chain(later).collect();
    (!old.is_empty() && is_modern(facts)).then(|| Claim {
        cause: Cause::ServerOldVersions,
        what: format!("still speaks {}", row(&old)),
        counter: Cause::PathVersionFilter,
        next: "offer the old version alone from the server's own segment (openssl s_client -tls1 -cipher DEFAULT@SECLEVEL=0)",
    })
}
