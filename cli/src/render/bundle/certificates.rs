//! The chains that came, each once, with who got them.

use std::{collections::BTreeMap, net::IpAddr};

use parallax_model::{bytes::Bytes, clock::Timestamp};
use sha2::{Digest as _, Sha256};
use x509_parser::{extensions::GeneralName, time::ASN1Time};

use super::{Case, page::instant};

/// A chain, and the vantages and addresses that it went to and came from.
pub(super) struct Chain {
    pub(super) seen_by: Vec<String>,
    pub(super) certificates: Vec<Certificate>,
    /// Chains of the same issuer with other keys that went to the same vantages, and for which this one stands.
    pub(super) alike: usize,
}

/// As many chains of one issuer are shown one by one.
const ONE_BY_ONE: usize = 3;

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
    grouped(found.into_iter().map(|(chain, seen_by)| Chain { seen_by, certificates: chain.iter().map(certificate).collect(), alike: 0 }).collect())
}

/// Lets one chain stand for many of its issuer: who makes certificates up on the spot makes one for each connection.
fn grouped(chains: Vec<Chain>) -> Vec<Chain> {
    let issuer = |chain: &Chain| chain.certificates.first().map(|leaf| leaf.issuer.clone()).unwrap_or_default();
    let mut of_issuer: BTreeMap<String, usize> = BTreeMap::new();
    chains.iter().for_each(|chain| *of_issuer.entry(issuer(chain)).or_default() += 1);
    let mut shown: Vec<Chain> = Vec::new();
    for chain in chains {
        let issuer_of_this = issuer(&chain);
        if of_issuer.get(&issuer_of_this).is_some_and(|count| *count <= ONE_BY_ONE) {
            shown.push(chain);
            continue;
        }
        match shown.iter_mut().find(|known| issuer(known) == issuer_of_this) {
            Some(known) => {
                known.alike += 1;
                known.seen_by.extend(chain.seen_by);
            }
            None => shown.push(chain),
        }
    }
    for chain in &mut shown {
        chain.seen_by.sort();
        chain.seen_by.dedup();
    }
    shown
}

fn certificate(der: &Bytes) -> Certificate {
    let Ok((_, parsed)) = x509_parser::parse_x509_certificate(&der.0) else {
        let unreadable = format!("{} bytes that are no certificate", der.0.len());
        return Certificate { subject: unreadable, issuer: String::new(), names: String::new(), valid: String::new(), key_sha256: String::new() };
    };
    let names = parsed.subject_alternative_name().ok().flatten().map(|names| names.value.general_names.iter().map(name).collect::<Vec<_>>().join(", "));
    let validity = parsed.validity();
    Certificate {
        subject: parsed.subject().to_string(),
        issuer: parsed.issuer().to_string(),
        names: names.unwrap_or_default(),
        valid: format!("{} to {}", time(&validity.not_before), time(&validity.not_after)),
        key_sha256: Bytes(Sha256::digest(parsed.public_key().raw).to_vec()).to_string(),
    }
}

fn time(at: &ASN1Time) -> String {
    instant(Timestamp::from_micros(at.timestamp().saturating_mul(1_000_000)))
}

/// Writes a name as OpenSSL does.
fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => format!("DNS:{name}"),
        GeneralName::RFC822Name(name) => format!("email:{name}"),
        GeneralName::URI(name) => format!("URI:{name}"),
        GeneralName::DirectoryName(name) => format!("DirName:{name}"),
        GeneralName::IPAddress(bytes) => match (<[u8; 4]>::try_from(*bytes), <[u8; 16]>::try_from(*bytes)) {
            (Ok(octets), _) => format!("IP:{}", IpAddr::from(octets)),
            (_, Ok(octets)) => format!("IP:{}", IpAddr::from(octets)),
            _ => "IP of no known length".to_owned(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_openssl_does() {
        let names = [GeneralName::DNSName("www.example.test"), GeneralName::IPAddress(&[192, 0, 2, 1]), GeneralName::URI("https://x.test/")];
        assert_eq!(names.map(|of| name(&of)), ["DNS:www.example.test", "IP:192.0.2.1", "URI:https://x.test/"]);
        assert_eq!(time(&ASN1Time::from_timestamp(1_793_203_139).unwrap()), "2026-10-28 15:58:59 UTC");
    }

    #[test]
    fn one_chain_stands_for_many_of_an_issuer() {
        let chain = |issuer: &str, key: usize, who: &str| {
            let leaf =
                Certificate { subject: String::new(), issuer: issuer.to_owned(), names: String::new(), valid: String::new(), key_sha256: key.to_string() };
            Chain { seen_by: vec![who.to_owned()], certificates: vec![leaf], alike: 0 }
        };
        let mut chains: Vec<Chain> = (0..60).map(|key| chain("CN=Inspection", key, if key % 2 == 0 { "d" } else { "a" })).collect();
        chains.push(chain("CN=Lab", 99, "b"));
        let shown: Vec<(usize, Vec<String>)> = grouped(chains).into_iter().map(|chain| (chain.alike, chain.seen_by)).collect();
        assert_eq!(shown, [(59, vec!["a".to_owned(), "d".to_owned()]), (0, vec!["b".to_owned()])]);
    }
}
