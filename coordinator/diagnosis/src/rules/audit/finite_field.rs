use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::Claim;

/// `server.weak-dh`: the prime of DHE suites is shorter than 2,048 bits (RFC 9325 section 4.1), or the public value is used again.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let field = facts.key_exchange.finite_field.as_ref()?;
    let what = match (field.prime_bits, field.value_reused) {
        (bits @ 1..2_048, _) => format!("uses Diffie-Hellman with a prime of only {bits} bits"),
        (_, Some(true)) => "uses the same Diffie-Hellman value on several connections".to_owned(),
        _ => return None,
    };
    Some(Claim { cause: Cause::ServerWeakDh, what, counter: Cause::ServerWeakSuites, next: "read the key's size (openssl s_client -tls1_2 -cipher kDHE)" })
}
