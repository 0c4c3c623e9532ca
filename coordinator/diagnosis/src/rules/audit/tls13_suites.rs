use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::{Claim, TLS13, spoken};

/// `server.tls13-suites`: TLS_AES_128_GCM_SHA256, which every implementation must have (RFC 8446 section 9.1), is switched off.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let suites = &spoken(facts, TLS13)?.suites.numbers;
    (!suites.is_empty() && !suites.contains(&MANDATORY)).then(|| Claim {
        cause: Cause::ServerTls13Suites,
        what: "does not accept TLS_AES_128_GCM_SHA256 in TLS 1.3".to_owned(),
        counter: Cause::ServerCipherSuites,
        next: "offer it alone (openssl s_client -tls1_3 -ciphersuites TLS_AES_128_GCM_SHA256)",
    })
}

const MANDATORY: u16 = 0x1301;
