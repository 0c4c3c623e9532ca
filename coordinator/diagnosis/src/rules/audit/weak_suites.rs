use std::collections::BTreeSet;

use parallax_model::{facts::AuditFacts, verdict::Cause};
use parallax_tls::registry::{CipherSuite, Weakness};

use super::{Claim, is_modern};
use crate::explain::row;

/// `server.weak-suites`: suites without encryption, authentication or forward secrecy, or with a broken cipher, beside good ones.
pub(super) fn claim(facts: &AuditFacts) -> Option<Claim> {
    let accepted = facts.versions.iter().flat_map(|version| &version.suites.numbers).map(|suite| CipherSuite(*suite));
    let weak: BTreeSet<Weakness> = accepted.filter_map(CipherSuite::weakness).collect();
    let kinds: Vec<&str> = weak.into_iter().map(name).collect();
    (!kinds.is_empty() && is_modern(facts)).then(|| Claim {
        cause: Cause::ServerWeakSuites,
        what: format!("accepts suites {}", row(&kinds)),
        counter: Cause::PathInterception,
        next: "offer these suites alone from the server's own segment (openssl s_client -tls1_2 -cipher)",
    })
}

fn name(weakness: Weakness) -> &'static str {
    match weakness {
        Weakness::NoEncryption => "without encryption (NULL)",
        Weakness::NoAuthentication => "without authentication (anonymous)",
        Weakness::Export => "of export strength",
        Weakness::BrokenCipher => "with RC4 or RC2",
        Weakness::ShortBlock => "with DES or 3DES",
        Weakness::BrokenHash => "with MD5",
        Weakness::NoForwardSecrecy => "without forward secrecy (TLS_RSA_*)",
    }
}
