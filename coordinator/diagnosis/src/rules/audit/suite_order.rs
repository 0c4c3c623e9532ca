use parallax_model::{facts::AuditFacts, verdict::Cause};
use parallax_tls::registry::CipherSuite;

use super::{Claim, TLS12, spoken};

/// `server.suite-order`: in TLS 1.2 the server insists on an order that puts a weak or CBC suite before a better one.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let suites = &spoken(facts, TLS12)?.suites;
    let is_good = |suite: &u16| CipherSuite(*suite).weakness().is_none() && !CipherSuite(*suite).is_cbc();
    let first = suites.numbers.first().filter(|first| !is_good(first))?;
    (suites.server_order == Some(true) && suites.numbers.iter().any(is_good)).then(|| Claim {
        cause: Cause::ServerSuiteOrder,
        what: format!("prefers {} to better suites that it accepts as well", CipherSuite(*first).name()),
        counter: Cause::ServerWeakSuites,
        next: "offer the better suites first and alone (openssl s_client -tls1_2 -cipher)",
    })
}
