use parallax_model::{facts::AuditFacts, verdict::Cause};

use super::{
    Claim,
    field::{self, Flaw},
};

/// `server.weak-dh`: the prime of DHE suites is shorter than 2,048 bits (RFC 9325 section 4.1), no prime, or has a generator of few values; or the public
/// value is used again.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let field = facts.key_exchange.finite_field.as_ref()?;
    let flaw = || field.well_known.is_none().then(|| field::flaw(&field.prime.0, &field.generator.0)).flatten();
    let what = match (field.prime_bits, field.value_reused) {
        (bits @ 1..2_048, _) => format!("uses Diffie-Hellman with a prime of only {bits} bits"),
        (_, Some(true)) => "uses the same Diffie-Hellman value on several connections".to_owned(),
        (0, _) => return None,
        _ => match flaw()? {
            Flaw::Composite => "uses Diffie-Hellman with a modulus that is no prime".to_owned(),
            Flaw::SmallSubgroup => "uses Diffie-Hellman with a generator of a small subgroup".to_owned(),
        },
    };
    Some(Claim { cause: Cause::ServerWeakDh, what, counter: Cause::ServerWeakSuites, next: "look at the parameters (openssl dhparam -in /path/dh.pem -check)" })
}
