use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::{Claim, TLS13, spoken};

/// `server.groups`: X25519, for which clients send their key share, is not among the groups of TLS 1.3: each handshake costs a HelloRetryRequest.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let groups = &spoken(facts, TLS13)?.groups.numbers;
    (!groups.is_empty() && !groups.contains(&X25519)).then(|| Claim {
        cause: Cause::ServerGroups,
        what: "does not accept X25519, so that most clients need another round trip".to_owned(),
        counter: Cause::ServerKeyExchangeGroups,
        next: "offer it alone (openssl s_client -tls1_3 -groups X25519)",
    })
}

const X25519: u16 = 0x001d;
