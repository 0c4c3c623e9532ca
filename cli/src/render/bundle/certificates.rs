//! The chains that came, each once, with who got them.

use std::collections::BTreeMap;

use parallax_model::bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::Case;

/// A chain, and the attempts that got it.
pub(super) struct Chain {
    pub(super) seen_by: Vec<String>,
    pub(super) certificates: Vec<Certificate>,
}

/// What matters of one certificate.
pub(super) struct Certificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) names: String,
    pub(super) valid: String,
    pub(super) key_sha256: String,
}

/// Collects the chains that the target showed.
pub(super) fn chains(case: &Case<'_>) -> Vec<Chain> {
    let mut found: BTreeMap<&[Bytes], Vec<String>> = BTreeMap::new();
    for attempt in case.attempts.iter().filter(|attempt| !super::is_own(attempt) && !attempt.facts.certificates().is_empty()) {
        let who = format!("{} at {}", attempt.vantage, attempt.address.map(|address| address.to_string()).unwrap_or_default());
        let seen = found.entry(attempt.facts.certificates()).or_default();
        if !seen.contains(&who) {
            seen.push(who);
        }
    }
    found.into_iter().map(|(chain, seen_by)| Chain { seen_by, certificates: chain.iter().map(certificate).collect() }).collect()
}

fn certificate(der: &Bytes) -> Certificate {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(&der.0) else {
        let unreadable = format!("{} bytes that are no certificate", der.0.len());
        return Certificate { subject: unreadable, issuer: String::new(), names: String::new(), valid: String::new(), key_sha256: String::new() };
    };
    let names =
        parsed.subject_alternative_name().ok().flatten().map(|names| names.value.general_names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let validity = parsed.validity();
    Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        names: names.unwrap_or_default(),
        valid: format!("{} to {}", validity.not_before, validity.not_after),
        key_sha256: Bytes(Sha256::digest(parsed.public_key().raw).to_vec()).to_string(),
    }
}
