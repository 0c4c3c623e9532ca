//! What the server at each address can do, as the round's audits found it.

use std::{cmp::Reverse, collections::BTreeMap, net::SocketAddr};

use parallax_model::{
    attempt::Attempt,
    report::{AuditReport, LeafRead},
};
use x509_parser::{
    extensions::ParsedExtension,
    prelude::{FromDer as _, X509Certificate},
};

use crate::{certificate::sha256, view::RoundView};

/// Makes one report per address, of the audit there that came furthest.
pub(crate) fn reports(round: &RoundView) -> Vec<AuditReport> {
    let mut best: BTreeMap<SocketAddr, &Attempt> = BTreeMap::new();
    for attempt in &round.attempts {
        let (Some(address), Some(_)) = (attempt.address, &attempt.facts.audit) else { continue };
        let chosen = best.entry(address).or_insert(attempt);
        *chosen = [*chosen, attempt].into_iter().min_by_key(|attempt| merit(attempt)).unwrap_or(attempt);
    }
    best.into_values().filter_map(|attempt| AuditReport::of(attempt, read)).collect()
}

/// Sorts audits: whole ones first, then those that asked more, and by name to come to the same choice each time.
fn merit(attempt: &Attempt) -> (bool, Reverse<u32>, &str) {
    let audit = attempt.facts.audit.as_deref();
    (audit.is_none_or(|audit| audit.stopped.is_some()), Reverse(audit.map_or(0, |audit| audit.connections)), attempt.vantage.as_str())
}

fn read(leaf: &[u8]) -> LeafRead {
    let parsed = X509Certificate::from_der(leaf).ok();
    let extensions = parsed.iter().flat_map(|(_, leaf)| leaf.extensions());
    let timestamps = extensions.filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SCT(timestamps) => u32::try_from(timestamps.len()).ok(),
        _ => None,
    });
    LeafRead { sha256: sha256(leaf).to_string(), signed_timestamps: timestamps.sum() }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, KeyPair};

    use super::*;

    #[test]
    fn timestamps_in_a_leaf_are_counted() {
        let key = KeyPair::generate().unwrap();
        let leaf = |extensions| {
            let mut params = CertificateParams::new(vec!["shop.test".to_owned()]).unwrap();
            params.custom_extensions = extensions;
            params.self_signed(&key).unwrap().der().to_vec()
        };
        // RFC 6962 section 3.2: version, log, time, no extensions, ECDSA with SHA-256, a signature.
        let timestamp = [&[0][..], &[7; 32], &[0; 8], &[0, 0], &[4, 3], &[0, 2, 1, 1]].concat();
        let one = [&u16::try_from(timestamp.len()).unwrap().to_be_bytes()[..], &timestamp].concat();
        let list = [one.as_slice(), &one].concat();
        let octets = [&u16::try_from(list.len()).unwrap().to_be_bytes()[..], &list].concat();
        let body = [&[4, u8::try_from(octets.len()).unwrap()][..], &octets].concat();
        let listed = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11_129, 2, 4, 2], body);
        assert_eq!(read(&leaf(vec![listed])).signed_timestamps, 2);
        assert_eq!(read(&leaf(Vec::new())).signed_timestamps, 0);
        assert_eq!(read(b"no certificate").signed_timestamps, 0);
    }
}
