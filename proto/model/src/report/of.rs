//! From facts to the report: numbers become names.

use std::fmt::Display;

use parallax_tls::registry::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme};

use super::{AuditReport, CertificateReport, FeatureReport, KeyExchangeReport, LeafRead, RefusalReport, ResumptionReport, VersionReport};
use crate::{
    attempt::Attempt,
    facts::{Accepted, AuditAnswer, AuditFacts, CertificateFacts, FeatureFacts, KeyExchangeFacts, SessionFacts, Ssl2Facts, VersionFacts},
};

impl AuditReport {
    /// Makes the report of an audit; none when the attempt holds no audit. `read` looks into a leaf (DER).
    pub fn of(attempt: &Attempt, read: impl Fn(&[u8]) -> LeafRead) -> Option<Self> {
        let facts = attempt.facts.audit.as_deref()?;
        let refused = facts.tolerance.iter().filter(|rung| !rung.is_borne());
        Some(Self {
            address: attempt.address?.to_string(),
            vantage: attempt.vantage.to_string(),
            attempt: Some(attempt.id),
            stopped: facts.stopped,
            connections: facts.connections,
            elapsed_ms: facts.elapsed_us / 1_000,
            versions: facts.ssl2.iter().map(ssl2).chain(facts.versions.iter().map(version)).collect(),
            alpn: facts.alpn.as_ref().map(|alpn| alpn.accepted.clone()).unwrap_or_default(),
            alpn_without_overlap: facts.alpn.as_ref().and_then(|alpn| alpn.no_overlap).map(|answer| answer.to_string()),
            resumption: resumption(&facts.sessions),
            features: facts.features.as_ref().map(features),
            key_exchange: key_exchange(&facts.key_exchange),
            certificates: facts.certificates.iter().map(|seen| certificate(facts, seen, &read)).collect(),
            client_certificate_authorities: facts.client_certificate.as_ref().map(|request| request.authorities_count),
            not_borne: refused.map(|rung| RefusalReport { rung: rung.name.clone(), answer: rung.answer.to_string() }).collect(),
            renegotiation: facts.renegotiation.map(|answer| answer.to_string()),
            http2: facts.http2,
            jarm: facts.jarm.clone(),
            ja3s: facts.ja3s.clone(),
        })
    }
}

fn names<T: Display>(numbers: &[u16], name: impl Fn(u16) -> T) -> Vec<String> {
    numbers.iter().map(|number| name(*number).to_string()).collect()
}

fn order(accepted: &Accepted) -> Option<String> {
    accepted.server_order.map(|server| if server { "server" } else { "client" }.to_owned())
}

fn ssl2(facts: &Ssl2Facts) -> VersionReport {
    VersionReport {
        version: ProtocolVersion::SSL20.to_string(),
        accepted: facts.answer == AuditAnswer::Hello,
        answer: facts.answer.to_string(),
        suites: facts.cipher_kinds.iter().map(|kind| format!("0x{kind:06X}")).collect(),
        ..VersionReport::default()
    }
}

fn version(facts: &VersionFacts) -> VersionReport {
    let is_weak = |suite: &&u16| CipherSuite(**suite).weakness().is_some();
    let weak: Vec<u16> = facts.suites.numbers.iter().filter(is_weak).copied().collect();
    VersionReport {
        version: ProtocolVersion(facts.version).to_string(),
        accepted: !facts.suites.numbers.is_empty(),
        answer: facts.answer.to_string(),
        suites: names(&facts.suites.numbers, CipherSuite),
        suite_order: order(&facts.suites),
        weak_suites: names(&weak, CipherSuite),
        groups: names(&facts.groups.numbers, NamedGroup),
        group_order: order(&facts.groups),
        signature_schemes: names(&facts.signature_schemes.numbers, SignatureScheme),
    }
}

fn resumption(facts: &SessionFacts) -> ResumptionReport {
    ResumptionReport {
        tls12_ticket: facts.tls12_ticket,
        tls12_id: facts.tls12_id,
        tls13_psk: facts.tls13_psk,
        ticket_lifetime_seconds: facts.tls12_lifetime_seconds,
        max_early_data_bytes: facts.max_early_data_bytes,
        elsewhere: facts.elsewhere.clone(),
        across_names: facts.across_names,
    }
}

fn features(facts: &FeatureFacts) -> FeatureReport {
    FeatureReport {
        renegotiation_info: facts.renegotiation_info,
        extended_master_secret: facts.extended_master_secret,
        encrypt_then_mac: facts.encrypt_then_mac,
        compression: facts.compression != 0,
        heartbeat: facts.heartbeat.is_some(),
        next_protocols: facts.next_protocols.clone(),
        fallback_scsv: facts.fallback_scsv.map(|answer| answer.to_string()),
    }
}

fn key_exchange(facts: &KeyExchangeFacts) -> KeyExchangeReport {
    let field = facts.finite_field.as_ref();
    let seen = [facts.curve_value_reused, field.and_then(|field| field.value_reused)];
    let taken = facts.hybrid_shares.iter().filter(|share| share.taken);
    KeyExchangeReport {
        prime_bits: field.map(|field| field.prime_bits),
        prime_name: field.and_then(|field| field.well_known.clone()),
        value_reused: seen.into_iter().flatten().reduce(|one, other| one || other),
        hybrids: taken.map(|share| NamedGroup(share.group).to_string()).collect(),
    }
}

fn certificate(facts: &AuditFacts, seen: &CertificateFacts, read: impl Fn(&[u8]) -> LeafRead) -> CertificateReport {
    let chain = seen.chain.and_then(|at| facts.chains.get(at as usize)).map(Vec::as_slice).unwrap_or_default();
    let leaf = chain.first().map(|leaf| read(&leaf.0));
    let embedded = leaf.as_ref().map_or(0, |leaf| leaf.signed_timestamps);
    let sent = seen.timestamps.as_ref().map_or(0, |body| parallax_tls::signed_timestamps(&body.0));
    CertificateReport {
        ask: seen.ask,
        server_name: seen.server_name.clone(),
        answer: seen.answer.to_string(),
        leaf_sha256: leaf.map(|leaf| leaf.sha256),
        chain_length: u32::try_from(chain.len()).unwrap_or(u32::MAX),
        stapled: seen.staple.is_some(),
        signed_timestamps: embedded.saturating_add(sent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        assignment::Experiment,
        bytes::Bytes,
        clock::Timestamp,
        facts::{CertificateAsk, Facts, RungFacts, ShareFacts},
        id::{AttemptId, CheckId, RoundId},
    };

    fn attempt(audit: Option<AuditFacts>) -> Attempt {
        Attempt {
            id: AttemptId::new(),
            round: RoundId::new(),
            check: CheckId::new(),
            vantage: "fra-1".parse().unwrap(),
            profile: "modern".parse().unwrap(),
            experiment: Experiment::Audit,
            address: Some("192.0.2.7:443".parse().unwrap()),
            sequence: 0,
            started_at: Timestamp::from_micros(0),
            elapsed_us: 0,
            clock_offset_us: None,
            facts: Facts { audit: audit.map(Box::new), ..Facts::default() },
        }
    }

    fn accepted(numbers: &[u16], server_order: Option<bool>) -> Accepted {
        Accepted { numbers: numbers.to_vec(), refusal: Some(AuditAnswer::Alert(40)), server_order }
    }

    #[test]
    fn numbers_become_names_and_weak_suites_stand_out() {
        let version = VersionFacts {
            version: 0x0303,
            answer: AuditAnswer::Hello,
            suites: accepted(&[0xc02f, 0x0005], Some(true)),
            prefers_chacha: None,
            groups: accepted(&[29], None),
            signature_schemes: accepted(&[0x0804], None),
            unoffered_suite: None,
        };
        let refused = VersionFacts { version: 0x0301, answer: AuditAnswer::Alert(70), suites: accepted(&[], None), ..version.clone() };
        let report = AuditReport::of(&attempt(Some(AuditFacts { versions: vec![refused, version], ..AuditFacts::default() })), |_| leaf("")).unwrap();
        let [old, tls12] = report.versions.as_slice() else { panic!("two versions") };
        assert_eq!((old.version.as_str(), old.accepted, old.answer.as_str()), ("TLSv1.0", false, "alert protocol_version"));
        assert_eq!(tls12.suites, ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_WITH_RC4_128_SHA"]);
        assert_eq!((tls12.suite_order.as_deref(), tls12.weak_suites.as_slice()), (Some("server"), &["TLS_RSA_WITH_RC4_128_SHA".to_owned()][..]));
        assert_eq!((tls12.groups.join(" "), tls12.signature_schemes.join(" ")), ("x25519".to_owned(), "rsa_pss_rsae_sha256".to_owned()));
    }

    fn leaf(sha256: &str) -> LeafRead {
        LeafRead { sha256: sha256.to_owned(), signed_timestamps: 1 }
    }

    #[test]
    fn what_was_not_taken_or_not_borne_is_told_apart() {
        let share = |group, taken| ShareFacts { group, answer: AuditAnswer::Hello, taken, bytes_sent: 0 };
        let rung = |name: &str, answer| RungFacts { name: name.to_owned(), bytes_sent: 0, answer, elapsed_us: 0 };
        let seen = CertificateFacts {
            ask: CertificateAsk::NoName,
            server_name: None,
            answer: AuditAnswer::Hello,
            version: None,
            cipher_suite: None,
            chain: Some(0),
            staple: None,
            timestamps: Some(Bytes(vec![0, 9, 0, 2, 1, 1, 0, 3, 2, 2, 2])),
        };
        let facts = AuditFacts {
            key_exchange: KeyExchangeFacts {
                hybrid_shares: vec![share(0x11ec, true), share(0x11eb, false)],
                curve_value_reused: Some(false),
                finite_field: None,
            },
            tolerance: vec![rung("small", AuditAnswer::Hello), rung("grease", AuditAnswer::Reset)],
            chains: vec![vec![Bytes(vec![1]), Bytes(vec![2])]],
            certificates: vec![seen.clone(), CertificateFacts { chain: Some(9), ..seen }],
            ..AuditFacts::default()
        };
        let report = AuditReport::of(&attempt(Some(facts)), |der| leaf(&format!("{der:?}"))).unwrap();
        assert_eq!((report.key_exchange.hybrids.as_slice(), report.key_exchange.value_reused), (&["X25519MLKEM768".to_owned()][..], Some(false)));
        assert_eq!(report.not_borne, [RefusalReport { rung: "grease".to_owned(), answer: "reset".to_owned() }]);
        let [known, unknown] = report.certificates.as_slice() else { panic!("two certificates") };
        assert_eq!((known.leaf_sha256.as_deref(), known.chain_length, known.signed_timestamps), (Some("[1]"), 2, 3), "one in the leaf, two beside it");
        assert_eq!((unknown.leaf_sha256.as_deref(), unknown.chain_length, unknown.signed_timestamps), (None, 0, 2));
        assert!(AuditReport::of(&attempt(None), |_| leaf("")).is_none());
    }
}
