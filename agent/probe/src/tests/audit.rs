//! Whole audits: of a scripted server in paused time, and of rustls on loopback.

use parallax_model::facts::{AlpnFacts, AuditAnswer, AuditFacts, AuditStop, CertificateAsk, ConnectEnd, Facts, Http2Answer, Resumption, Rung};
use parallax_tls::{
    ClientHello, Extension, ServerHello,
    record::{Record, encode_records},
    registry::{CipherSuite, ContentType, ExtensionType, NamedGroup, ProtocolVersion},
    server_flight::HELLO_RETRY_REQUEST_RANDOM,
};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use rustls::{
    ServerConfig,
    pki_types::PrivatePkcs8KeyDer,
    server::{ClientHello as RustlsHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::{
    loopback::{acceptor, serve, serve_tls},
    *,
};
use crate::{
    SystemNet,
    net::scripted::{Peer, Scripted, Step},
    run,
};

/// A server of TLS 1.3 alone: two suites, two groups, in its own order.
fn tls13_server(sent: &[u8]) -> Vec<Step> {
    let refusal = |number| vec![Step::Bytes(vec![21, 3, 3, 0, 2, 2, number], 61), Step::Close(61)];
    let Some(hello) = Record::decode(sent).ok().and_then(|(record, _)| ClientHello::decode(record.payload).ok()) else { return vec![Step::Close(61)] };
    if !hello.offered_versions().contains(&ProtocolVersion::TLS13) || hello.extension(ExtensionType::SUPPORTED_VERSIONS).is_none() {
        return refusal(70);
    }
    let groups = hello.extensions.iter().find_map(|extension| match extension {
        Extension::SupportedGroups(groups) => Some(groups.clone()),
        _ => None,
    });
    let suite = [CipherSuite(0x1303), CipherSuite(0x1301)].into_iter().find(|suite| hello.cipher_suites.contains(suite));
    let group = [NamedGroup::SECP256R1, NamedGroup::X25519].into_iter().find(|group| groups.as_ref().is_some_and(|groups| groups.contains(group)));
    let (Some(cipher_suite), Some(group)) = (suite, group) else { return refusal(40) };
    let extensions = vec![(ExtensionType::SUPPORTED_VERSIONS, vec![3, 4]), (ExtensionType::KEY_SHARE, group.0.to_be_bytes().to_vec())];
    let retry = ServerHello { random: HELLO_RETRY_REQUEST_RANDOM, cipher_suite, extensions, ..ServerHello::default() };
    vec![Step::Bytes(encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS12, &retry.encode(), 16_384), 61)]
}

/// Answers so many connections, and is gone afterwards.
fn network(lives_for: u32) -> Scripted {
    let dialled = AtomicU32::new(0);
    Scripted::new(move |_| {
        let is_alive = dialled.fetch_add(1, Ordering::Relaxed) < lives_for;
        if is_alive { Peer::accepting(|sent, _| tls13_server(sent)) } else { Peer::ending(ConnectEnd::TimedOut) }
    })
}

async fn audit_of(network: &Scripted, plan: &Plan) -> AuditFacts {
    let facts: Facts = run(plan, network).await;
    *facts.audit.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_server_of_one_version_is_found_out_with_its_order() {
    let network = network(u32::MAX);
    let audit = audit_of(&network, &plan(Experiment::Audit, "modern")).await;
    assert_eq!((audit.stopped, audit.connections as usize), (None, network.dialled().len()));
    let answers: Vec<AuditAnswer> = audit.versions.iter().map(|version| version.answer).collect();
    let refused = AuditAnswer::Alert(70);
    assert_eq!(answers, [refused, refused, refused, refused, AuditAnswer::Hello]);
    let tls13 = &audit.versions[4];
    assert_eq!((tls13.suites.numbers.as_slice(), tls13.suites.server_order), (&[0x1303, 0x1301][..], Some(true)));
    assert_eq!((tls13.groups.numbers.as_slice(), tls13.groups.server_order), (&[23, 29][..], Some(true)));
    assert_eq!(audit.ssl2.map(|facts| facts.answer), Some(AuditAnswer::Closed));
    let borne = |rung: Rung| audit.tolerance.iter().find(|seen| seen.rung() == Some(rung)).map(|seen| seen.answer);
    assert_eq!((borne(Rung::Small), borne(Rung::Modern), borne(Rung::Grease)), (Some(refused), Some(AuditAnswer::Hello), Some(AuditAnswer::Hello)));
    assert_eq!(borne(Rung::SmallOtherName), None, "what only TLS 1.2 could answer is not asked");
    assert!(audit.features.is_none() && audit.alpn.is_none() && audit.jarm.is_some_and(|jarm| jarm.len() == 62));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_vanishes_leaves_what_it_showed_and_no_hang() {
    let network = network(25);
    let started = Instant::now();
    let audit = audit_of(&network, &plan(Experiment::Audit, "modern")).await;
    assert_eq!(audit.stopped, Some(AuditStop::Vanished));
    assert!(audit.tolerance.iter().any(|rung| rung.answer == AuditAnswer::Hello), "{audit:?}");
    assert!(audit.connections < 80, "{}", audit.connections);
    assert!(started.elapsed() < millis(30_000), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn caps_on_connections_and_time_cut_an_audit_short() {
    let mut plan = plan(Experiment::Audit, "modern");
    plan.limits.audit_connections = 12;
    let audit = audit_of(&network(u32::MAX), &plan).await;
    assert_eq!((audit.stopped, audit.connections), (Some(AuditStop::Connections), 12));
    plan.limits.audit_connections = 400;
    plan.manners.time = millis(40);
    let audit = audit_of(&network(u32::MAX), &plan).await;
    assert_eq!(audit.stopped, Some(AuditStop::Time));
    plan.manners = AuditManners { per_second: Some(10), ..AuditManners::default() };
    plan.limits.audit_connections = 21;
    let started = Instant::now();
    audit_of(&network(u32::MAX), &plan).await;
    assert!(started.elapsed() >= millis(2_000), "twenty connections after the first at ten a second: {:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_more_connections_are_open_at_a_time_than_the_plan_allows() {
    let open = Arc::new(AtomicU32::new(0));
    let most = Arc::new(AtomicU32::new(0));
    let (now_open, most_open) = (Arc::clone(&open), Arc::clone(&most));
    let network = Scripted::new(move |_| {
        let count = now_open.fetch_add(1, Ordering::Relaxed) + 1;
        most_open.fetch_max(count, Ordering::Relaxed);
        let open = Arc::clone(&now_open);
        Peer::accepting(move |sent, _| {
            open.fetch_sub(1, Ordering::Relaxed);
            tls13_server(sent)
        })
    });
    let plan = Plan { manners: AuditManners { at_once: 3, ..AuditManners::default() }, ..plan(Experiment::Audit, "modern") };
    audit_of(&network, &plan).await;
    assert_eq!(most.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn nobody_there_and_nothing_of_tls_cost_next_to_nothing() {
    let closed = Scripted::new(|_| Peer::ending(ConnectEnd::Refused));
    let facts = run(&plan(Experiment::Audit, "modern"), &closed).await;
    assert_eq!((facts.tcp.unwrap().end, facts.audit), (ConnectEnd::Refused, None));
    let http = Scripted::new(|_| Peer::accepting(|_, _| vec![Step::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), 61), Step::Close(61)]));
    let audit = audit_of(&http, &plan(Experiment::Audit, "modern")).await;
    assert!(audit.connections == 2 && audit.tolerance.iter().all(|rung| rung.answer == AuditAnswer::NotTls), "{audit:?}");
}

#[tokio::test]
async fn a_real_server_is_found_out_with_sessions_and_certificates() {
    let (acceptor, certificate) = acceptor(&[&TLS13, &TLS12], false);
    let address = serve_tls(acceptor, true, b"220 mail").await;
    let facts = run(&Plan { address, ..plan(Experiment::Audit, "modern") }, &SystemNet).await;
    let audit = *facts.audit.unwrap();
    assert_eq!(audit.stopped, None);
    let [.., tls11, tls12, tls13] = audit.versions.as_slice() else { panic!("five versions") };
    assert!(tls11.suites.numbers.is_empty());
    let sorted = |numbers: &[u16]| {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(sorted(&tls12.suites.numbers), [0xc02b, 0xc02c, 0xcca9]);
    assert_eq!(sorted(&tls13.suites.numbers), [0x1301, 0x1302, 0x1303]);
    assert_eq!(sorted(&tls12.groups.numbers), [23, 24, 29]);
    assert_eq!(sorted(&tls13.groups.numbers), [23, 24, 29, 0x11ec]);
    assert_eq!(tls12.signature_schemes.numbers, [0x0403]);
    assert_eq!((tls13.signature_schemes.numbers.len(), tls13.signature_schemes.refusal), (0, Some(AuditAnswer::Hello)), "rustls refuses under its keys");
    assert_eq!(audit.alpn.unwrap().accepted, ["h2", "http/1.1"]);
    let share = audit.key_exchange.hybrid_shares[0];
    assert!(share.taken && share.group == 0x11ec && share.bytes_sent > 1_200);
    assert_eq!(audit.key_exchange.curve_value_reused, Some(false));
    assert_eq!((audit.sessions.tls12_id, audit.sessions.tls13_psk), (Some(Resumption::Resumed), Some(Resumption::Resumed)));
    assert_eq!((audit.sessions.elsewhere.as_slice(), audit.sessions.across_names), (&[][..], None));
    assert_eq!(audit.http2, Some(Http2Answer::Other));
    assert_eq!(audit.chains, [[parallax_model::bytes::Bytes(certificate.to_vec())]]);
    assert!(audit.certificates.iter().all(|seen| seen.chain == Some(0)) && audit.certificates.len() == 3);
    let features = audit.features.unwrap();
    assert!(features.extended_master_secret && features.downgrade_sentinel == Some(1));
    assert!(audit.tolerance.iter().filter(|rung| !rung.is_borne()).count() == 0, "{:?}", audit.tolerance);
}

#[tokio::test]
async fn sessions_are_offered_to_other_addresses() {
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let (one, _) = acceptor(versions, false);
        let (other, _) = acceptor(versions, false);
        let address = serve_tls(one.clone(), true, b"").await;
        let siblings = vec![serve_tls(one, true, b"").await, serve_tls(other, true, b"").await];
        let plan = Plan { address, siblings: siblings.clone(), ..plan(Experiment::Audit, "modern") };
        let audit = run(&plan, &SystemNet).await.audit.unwrap();
        let seen: Vec<_> = audit.sessions.elsewhere.iter().map(|seen| (seen.address, seen.resumption)).collect();
        assert_eq!(seen, [(siblings[0], Resumption::Resumed), (siblings[1], Resumption::Refused)]);
    }
}

#[tokio::test]
async fn a_session_of_another_name_is_offered_where_the_name_wants_a_certificate() {
    let (open, _) = acceptor(&[&TLS13], false);
    let (strict, _) = acceptor(&[&TLS13], true);
    let address = serve(move |stream| {
        let (open, strict) = (Arc::clone(open.config()), Arc::clone(strict.config()));
        async move {
            let Ok(start) = tokio_rustls::LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await else { return };
            let is_own = start.client_hello().server_name() == Some("shop.corp.test");
            let Ok(mut tls) = start.into_stream(if is_own { strict } else { open }).await else { return };
            let _ = tokio::io::copy(&mut tls, &mut tokio::io::sink()).await;
        }
    })
    .await;
    let audit = run(&Plan { address, ..plan(Experiment::Audit, "modern") }, &SystemNet).await.audit.unwrap();
    assert_eq!(audit.sessions.across_names, Some(Resumption::Refused));
}

#[tokio::test]
async fn a_server_of_tls_1_3_alone_shows_chain_and_request_by_full_handshakes() {
    let (acceptor, certificate) = acceptor(&[&TLS13], true);
    let address = serve_tls(acceptor, true, b"").await;
    let audit = run(&Plan { address, ..plan(Experiment::Audit, "modern") }, &SystemNet).await.audit.unwrap();
    let asks: Vec<CertificateAsk> = audit.certificates.iter().map(|seen| seen.ask).collect();
    assert_eq!(asks, [CertificateAsk::OwnName, CertificateAsk::OtherName, CertificateAsk::NoName, CertificateAsk::Ecdsa], "there is no RSA key");
    assert_eq!(audit.chains, [[parallax_model::bytes::Bytes(certificate.to_vec())]]);
    let request = audit.client_certificate.unwrap();
    assert_eq!(request.authorities_count, 1);
    assert!(request.signature_schemes.contains(&0x0403));
}

#[tokio::test]
async fn a_server_of_tls_1_3_alone_shows_its_protocols_in_its_order_by_full_handshakes() {
    let (strict, _) = acceptor(&[&TLS13], false);
    let speaking = |protocols: &[&str]| {
        let mut config = ServerConfig::clone(strict.config());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    };
    for (protocols, no_overlap) in [(&["http/1.1", "h2"][..], AuditAnswer::Alert(120)), (&[][..], AuditAnswer::Hello)] {
        let address = serve_tls(speaking(protocols), true, b"").await;
        let audit = run(&Plan { address, ..plan(Experiment::Audit, "modern") }, &SystemNet).await.audit.unwrap();
        let AlpnFacts { accepted, no_overlap: without } = audit.alpn.unwrap();
        assert_eq!((accepted.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), without), (protocols, Some(no_overlap)));
    }
}

/// A key of each type, ECDSA before RSA where a client takes both.
#[derive(Debug)]
struct BothKeys {
    ecdsa: Arc<CertifiedKey>,
    rsa: Arc<CertifiedKey>,
}

impl ResolvesServerCert for BothKeys {
    fn resolve(&self, hello: RustlsHello<'_>) -> Option<Arc<CertifiedKey>> {
        let takes_ecdsa = self.ecdsa.key.choose_scheme(hello.signature_schemes()).is_some();
        Some(Arc::clone(if takes_ecdsa { &self.ecdsa } else { &self.rsa }))
    }
}

#[tokio::test]
async fn a_server_of_tls_1_3_alone_shows_the_certificate_of_each_type_of_key() {
    let certified = |algorithm| {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(vec!["shop.corp.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&PrivatePkcs8KeyDer::from(key.serialize_der()).into()).unwrap();
        Arc::new(CertifiedKey::new(vec![certificate.der().clone()], signing))
    };
    let keys = Arc::new(BothKeys { ecdsa: certified(&PKCS_ECDSA_P256_SHA256), rsa: certified(&PKCS_RSA_SHA256) });
    let leaf = |key: &CertifiedKey| vec![parallax_model::bytes::Bytes(key.cert[0].to_vec())];
    let chains = [leaf(&keys.ecdsa), leaf(&keys.rsa)];
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13]).unwrap().with_no_client_auth().with_cert_resolver(keys);
    let address = serve_tls(TlsAcceptor::from(Arc::new(config)), true, b"").await;
    let audit = run(&Plan { address, ..plan(Experiment::Audit, "modern") }, &SystemNet).await.audit.unwrap();
    assert_eq!(audit.chains, chains);
    let chain_of = |ask| audit.certificates.iter().find(|seen| seen.ask == ask).and_then(|seen| seen.chain);
    assert_eq!([CertificateAsk::OwnName, CertificateAsk::Rsa, CertificateAsk::Ecdsa].map(chain_of), [Some(0), Some(1), Some(0)]);
}
