use std::{net::SocketAddr, sync::Arc};

use parallax_model::{
    bytes::Bytes,
    echo::Echo,
    facts::{BodyEnd, ConnectEnd, Facts, HttpEnd, TlsEnd},
    outcome::Outcome,
};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{SystemNet, run};

struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

fn identity() -> Identity {
    let made = rcgen::generate_simple_self_signed(["shop.corp.test".to_owned()]).unwrap();
    Identity { certificate: made.cert.der().clone(), key: PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap() }
}

pub(super) fn acceptor(versions: &[&'static SupportedProtocolVersion], wants_certificate: bool) -> (TlsAcceptor, CertificateDer<'static>) {
    let Identity { certificate, key } = identity();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = if wants_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        builder.with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(vec![certificate.clone()], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (TlsAcceptor::from(Arc::new(config)), certificate)
}

/// Serves every connection like this, on a port of the host's choice.
pub(super) async fn serve<F: Future<Output = ()> + Send + 'static>(handle: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    address
}

/// Serves TLS and writes `reply` once something was asked, or at once when nothing is waited for.
pub(super) async fn serve_tls(acceptor: TlsAcceptor, asks_first: bool, reply: &'static [u8]) -> SocketAddr {
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut tls) = acceptor.accept(stream).await else { return };
            let mut request = [0; 1_024];
            if asks_first && tls.read(&mut request).await.is_err() {
                return;
            }
            let _ = tls.write_all(reply).await;
            let _ = tls.flush().await;
            // Until the prober has gone.
            while tls.read(&mut request).await.is_ok_and(|count| count > 0) {}
        }
    })
    .await
}

async fn look(plan: Plan, address: SocketAddr) -> Facts {
    run(&Plan { address, ..plan }, &SystemNet).await
}

#[tokio::test]
async fn a_whole_handshake_is_recorded_with_its_chain() {
    let (acceptor, certificate) = acceptor(&[&TLS13, &TLS12], false);
    let address = serve_tls(acceptor, true, b"").await;
    for (profile, version, group) in [("modern", 0x0304, 0x001d), ("modern-pq", 0x0304, 0x11ec), ("tls12", 0x0303, 0x001d), ("split", 0x0304, 0x001d)] {
        let facts = look(plan(Experiment::Baseline, profile), address).await;
        assert_eq!(Outcome::of_facts(&facts), Outcome::Ok, "{profile}: {facts:?}");
        let (tcp, tls, http) = (facts.tcp.unwrap(), facts.tls.unwrap(), facts.http.unwrap());
        assert_eq!((tls.end, http.end), (TlsEnd::Established, HttpEnd::Quiet), "{profile}");
        let handshake = tls.handshake.unwrap();
        assert_eq!((handshake.version, handshake.group), (Some(version), Some(group)), "{profile}");
        assert_eq!((handshake.alpn.as_deref(), handshake.signature_verified, handshake.hello_retry), (Some("h2"), Some(true), false));
        assert_eq!(tls.certificates, [Bytes(certificate.to_vec())]);
        assert_eq!((tls.answer.version, tls.answer.certificate_requested), (Some(version), false));
        assert_eq!((tls.hello.writes, tls.hello.bytes > 1_448), (if profile == "split" { 2 } else { 1 }, profile == "modern-pq"));
        assert!(tcp.at_connect.is_some_and(|info| info.state == 1 && info.bytes_sent == 0));
        assert!(tcp.at_end.is_some_and(|info| info.bytes_received >= tls.bytes_read));
        assert_eq!(tcp.ack_ttl, Some(64), "nothing between the two ends of the loopback");
    }
}

#[tokio::test]
async fn a_server_without_alpn_that_reads_to_the_end_is_not_held_up() {
    let Identity { certificate, key } = identity();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()));
    for (reply, end) in [("", HttpEnd::Quiet), ("HTTP/1.1 503 Service Unavailable\r\n\r\n", HttpEnd::Answered)] {
        let address = serve_tls_to_the_end(acceptor.clone(), reply).await;
        let started = Instant::now();
        let facts = look(Plan { http: true, ..plan(Experiment::Baseline, "modern") }, address).await;
        assert_eq!(facts.http.map(|http| http.end), Some(end));
        assert!(started.elapsed() < millis(2_000), "{:?}", started.elapsed());
    }
}

/// Serves TLS and writes `reply` once the client has said that it is done.
async fn serve_tls_to_the_end(acceptor: TlsAcceptor, reply: &'static str) -> SocketAddr {
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut tls) = acceptor.accept(stream).await else { return };
            let mut request = [0; 1_024];
            while tls.read(&mut request).await.is_ok_and(|count| count > 0) {}
            let _ = tls.write_all(reply.as_bytes()).await;
            let _ = tls.shutdown().await;
        }
    })
    .await
}

/// Serves TLS, writes `reply` once something was asked, and says that nothing more comes.
async fn serve_tls_and_close(acceptor: TlsAcceptor, reply: &'static [u8]) -> SocketAddr {
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut tls) = acceptor.accept(stream).await else { return };
            let mut request = [0; 1_024];
            let _ = tls.read(&mut request).await;
            let _ = tls.write_all(reply).await;
            let _ = tls.shutdown().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_body_is_read_up_to_its_cap_and_its_end_is_told() {
    let (acceptor, _) = acceptor(&[&TLS13, &TLS12], false);
    let long: &[u8] = [b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n".as_slice(), &[b'x'; 90_000]].concat().leak();
    let limits = Limits { body_bytes: 32_768, read_bytes: 262_144, ..Limits::default() };
    for (reply, end, bytes, promised) in [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".as_slice(), BodyEnd::Whole, Some(5), Some(5)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", BodyEnd::Ended, Some(5), Some(9)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", BodyEnd::Whole, Some(15), None),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", BodyEnd::Whole, Some(5), None),
        (long, BodyEnd::Capped, None, Some(90_000)),
    ] {
        let address = serve_tls_and_close(acceptor.clone(), reply).await;
        let facts = look(Plan { http: true, limits: limits.clone(), ..plan(Experiment::Baseline, "modern") }, address).await;
        let http = facts.http.unwrap();
        let body = http.body.unwrap();
        assert_eq!((http.end, http.status, body.end, body.promised), (HttpEnd::Answered, Some(200), end, promised));
        assert!(bytes.map_or_else(|| (32_768..65_536).contains(&body.bytes), |bytes| body.bytes == bytes), "{body:?}");
        assert!(body.first_byte_us <= body.last_byte_us && body.last_byte_us <= Some(body.elapsed_us) && http.bytes_read < 64, "{body:?}");
    }
    let address = serve_tls(acceptor, true, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    let other = look(Plan { http: true, limits, ..plan(Experiment::SplitName, "modern") }, address).await;
    assert_eq!(other.http.unwrap().body, None, "only what the profile itself meets is read");
}

#[tokio::test]
async fn one_head_request_follows_where_http_is_spoken() {
    let (acceptor, _) = acceptor(&[&TLS13, &TLS12], false);
    for (reply, end, status) in [
        (b"HTTP/1.1 502 Bad Gateway\r\nServer: origin/1\r\nLocation: /elsewhere\r\n\r\n".as_slice(), HttpEnd::Answered, Some(502)),
        (b"SSH-2.0-OpenSSH_9.9\r\n", HttpEnd::NotHttp, None),
    ] {
        let address = serve_tls(acceptor.clone(), true, reply).await;
        let facts = look(Plan { http: true, ..plan(Experiment::Baseline, "modern") }, address).await;
        let http = facts.http.unwrap();
        assert_eq!((http.end, http.status, http.bytes_read), (end, status, reply.len() as u64));
        assert_eq!(facts.tls.unwrap().handshake.unwrap().alpn.as_deref(), Some("http/1.1"));
        if status.is_some() {
            assert_eq!((http.server.as_deref(), http.location.as_deref()), (Some("origin/1"), Some("/elsewhere")));
        }
    }
}

#[tokio::test]
async fn a_demand_for_a_certificate_shows_with_the_first_read() {
    let (acceptor, _) = acceptor(&[&TLS13, &TLS12], true);
    let address = serve_tls(acceptor, true, b"").await;
    for http in [false, true] {
        let modern = look(Plan { http, ..plan(Experiment::Baseline, "modern") }, address).await.tls.unwrap();
        assert_eq!((modern.end, modern.answer.alerts[0].encrypted), (TlsEnd::Alert(116), true), "after Finished, under the session's key");
        let tls12 = look(Plan { http, ..plan(Experiment::Baseline, "tls12") }, address).await.tls.unwrap();
        assert!(matches!(tls12.end, TlsEnd::Alert(_)) && !tls12.answer.alerts[0].encrypted, "{:?}", tls12.end);
        assert!(modern.answer.certificate_requested && tls12.answer.certificate_requested);
    }
}

#[tokio::test]
async fn versions_that_do_not_meet_end_in_an_alert() {
    let (acceptor, _) = acceptor(&[&TLS12], false);
    let address = serve_tls(acceptor, true, b"").await;
    let facts = look(plan(Experiment::Tls13Only, "tls12"), address).await;
    assert_eq!(facts.tls.unwrap().end, TlsEnd::Alert(70));
    let facts = look(plan(Experiment::LegacyHello, "modern"), address).await;
    let tls = facts.tls.unwrap();
    assert_eq!((tls.end, tls.answer.version, tls.certificates.len()), (TlsEnd::Answered, Some(0x0303), 1));
}

#[tokio::test]
async fn names_are_sent_changed_or_left_out() {
    let (acceptor, _) = acceptor(&[&TLS13, &TLS12], false);
    let address = serve_tls(acceptor, true, b"").await;
    for (experiment, name) in [
        (Experiment::ControlName, Some(crate::control_name("shop.corp.test"))),
        (Experiment::NameCase, Some("ShOp.cOrP.TeSt".to_owned())),
        (Experiment::NamePrefixed, Some("xshop.corp.test".to_owned())),
        (Experiment::NameDotted, Some("shop.corp.test.".to_owned())),
        (Experiment::NoName, None),
        (Experiment::SplitRecords, Some("shop.corp.test".to_owned())),
        (Experiment::SmallHello, Some("shop.corp.test".to_owned())),
        (Experiment::LargeHello, Some("shop.corp.test".to_owned())),
        (Experiment::NoAlpn, Some("shop.corp.test".to_owned())),
    ] {
        let tls = look(plan(experiment, "modern"), address).await.tls.unwrap();
        assert!(matches!(tls.end, TlsEnd::Established | TlsEnd::Answered), "{experiment}: {:?}", tls.end);
        assert_eq!(tls.hello.server_name, name, "{experiment}");
        let sent = parallax_tls::ClientHello::decode(&joined_hello(&tls.transcript[0].bytes.0)).unwrap();
        assert_eq!(sent.server_name(), name.as_deref(), "{experiment}");
        assert_eq!(sent.alpn().is_empty(), matches!(experiment, Experiment::NoAlpn | Experiment::SmallHello), "{experiment}");
    }
}

fn joined_hello(mut wire: &[u8]) -> Vec<u8> {
    let mut joined = Vec::new();
    while let Ok((record, rest)) = parallax_tls::record::Record::decode(wire) {
        joined.extend_from_slice(record.payload);
        wire = rest;
    }
    joined
}

#[tokio::test]
async fn a_responders_echo_is_read() {
    let (acceptor, _) = acceptor(&[&TLS13], false);
    let echo = Echo { hello_sha256: Bytes(vec![7; 32]), hello_bytes: 250, server_name: None, peer: "127.0.0.1:1".parse().unwrap() };
    let line: &'static str = Box::leak(echo.to_line().into_boxed_str());
    let address = serve_tls(acceptor, false, line.as_bytes()).await;
    let facts = look(Plan { pinned_responder: true, ..plan(Experiment::Responder, "modern") }, address).await;
    assert_eq!(facts.tls.unwrap().handshake.unwrap().echo_sha256, Some(Bytes(vec![7; 32])));
    assert_eq!(facts.http, None);
}

#[tokio::test]
async fn servers_that_misbehave_are_facts_within_the_caps() {
    let reset = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 4_096]).await;
        let _ = socket2::SockRef::from(&stream).set_linger(Some(millis(0)));
    });
    let close = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 4_096]).await;
    });
    let mute = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 4_096]).await;
        sleep(millis(30_000)).await;
    });
    let endless = serve(|mut stream| async move { while stream.write_all(&[22, 3, 3, 0, 0].repeat(1_000)).await.is_ok() {} });
    let garbage = serve(|mut stream| async move {
        let _ = stream.write_all(&[0xfe; 500]).await;
        sleep(millis(30_000)).await;
    });
    let drip = serve(|mut stream| async move {
        for byte in [22, 3, 3, 0, 200, 2, 0, 0, 190].iter().cycle() {
            let _ = stream.write_all(&[*byte]).await;
            sleep(millis(100)).await;
        }
    });
    let addresses = tokio::join!(reset, close, mute, endless, garbage, drip);
    let table: [(SocketAddr, &[TlsEnd]); 6] = [
        (addresses.0, &[TlsEnd::Reset]),
        (addresses.1, &[TlsEnd::Closed]),
        (addresses.2, &[TlsEnd::TimedOut]),
        (addresses.3, &[TlsEnd::OverCap, TlsEnd::Malformed]),
        (addresses.4, &[TlsEnd::NotTls]),
        (addresses.5, &[TlsEnd::TimedOut]),
    ];
    for (address, ends) in table {
        for profile in ["modern", "legacy"] {
            let mut plan = plan(Experiment::Baseline, profile);
            plan.limits.attempt_ms = 600;
            let started = Instant::now();
            let tls = look(plan, address).await.tls.unwrap();
            assert!(ends.contains(&tls.end), "{profile}: {:?} is none of {ends:?}", tls.end);
            assert!(started.elapsed() < millis(1_000), "{:?}", started.elapsed());
            assert!(tls.bytes_read <= 65_536 + 16_384);
        }
    }
}

#[tokio::test]
async fn a_closed_port_is_refused_and_a_pinned_source_port_can_be_used_again_at_once() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(look(plan(Experiment::Baseline, "modern"), closed).await.tcp.unwrap().end, ConnectEnd::Refused);
    let (acceptor, _) = acceptor(&[&TLS13], false);
    let address = serve_tls(acceptor, true, b"").await;
    let port = TcpListener::bind("0.0.0.0:0").await.unwrap().local_addr().unwrap().port();
    for _ in 0..3 {
        let facts = look(Plan { source_port: Some(port), ..plan(Experiment::SourcePort, "modern") }, address).await;
        let tcp = facts.tcp.unwrap();
        assert_eq!((tcp.end, tcp.local.map(|local| local.port()), tcp.source_port_pinned), (ConnectEnd::Connected, Some(port), true));
        assert_eq!(facts.tls.unwrap().end, TlsEnd::Established);
    }
}

#[test]
fn an_attempt_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    for experiment in [Experiment::Baseline, Experiment::ReplyTtl] {
        is_send(run(&plan(experiment, "modern"), &SystemNet));
    }
}
