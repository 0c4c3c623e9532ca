use std::{net::SocketAddr, time::Duration};

use parallax_model::{
    facts::{ConnectEnd, Facts, TlsEnd, UpgradeEnd},
    outcome::Outcome,
};
use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{
    loopback::{acceptor, serve},
    *,
};
use crate::{SystemNet, run};

/// Says each line once something was heard; the first at once.
async fn talk(stream: &mut TcpStream, lines: &[&str]) {
    let mut heard = [0; 1_024];
    for (turn, line) in lines.iter().enumerate() {
        if turn > 0 && stream.read(&mut heard).await.is_ok_and(|count| count == 0) {
            return;
        }
        let _ = stream.write_all(line.as_bytes()).await;
    }
}

async fn look(experiment: Experiment, profile: &str, address: SocketAddr) -> Facts {
    let target = format!("smtp+starttls://shop.corp.test:{}", address.port()).parse().unwrap();
    let plan = Plan { address, target, ..plan(experiment, profile) };
    let facts = run(&plan, &SystemNet).await;
    assert_eq!(facts.tcp.as_ref().map(|tcp| tcp.end), Some(ConnectEnd::Connected), "{facts:?}");
    facts
}

const LIST: &str = "250-shop.corp.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n";

#[tokio::test]
async fn the_handshake_follows_the_dialogue_on_both_paths() {
    let (acceptor, certificate) = acceptor(&[&TLS13, &TLS12], false);
    let address = serve(move |mut stream| {
        let acceptor = acceptor.clone();
        async move {
            talk(&mut stream, &["220 shop.corp.test ESMTP\r\n", LIST, "220 go ahead\r\n"]).await;
            let Ok(mut tls) = acceptor.accept(stream).await else { return };
            while tls.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
        }
    })
    .await;
    for (experiment, profile, end) in [
        (Experiment::Baseline, "modern", TlsEnd::Established),
        (Experiment::SplitName, "modern", TlsEnd::Established),
        (Experiment::LegacyHello, "modern", TlsEnd::Answered),
        (Experiment::Baseline, "modern-pq", TlsEnd::Established),
    ] {
        let facts = look(experiment, profile, address).await;
        let upgrade = facts.starttls.clone().unwrap();
        assert_eq!((upgrade.end, upgrade.offered), (UpgradeEnd::Ready, Some(true)));
        assert_eq!(upgrade.greeting.as_deref(), Some("220 shop.corp.test ESMTP"));
        assert_eq!(upgrade.capabilities, ["PIPELINING", "STARTTLS"]);
        assert!(upgrade.first_byte_us.is_some_and(|first| first <= upgrade.elapsed_us));
        let tls = facts.tls.clone().unwrap();
        assert_eq!((tls.end, tls.answer.not_tls.is_none()), (end, true), "{experiment} {profile}");
        assert_eq!(tls.handshake.and_then(|handshake| handshake.alpn), None, "no protocol of the web is offered");
        assert_eq!(tls.certificates.first().map(|leaf| leaf.0.as_slice()), Some(certificate.as_ref()), "{experiment} {profile}");
        assert_eq!(Outcome::of_facts(&facts), Outcome::Ok);
    }
    let reply = look(Experiment::ReplyTtl, "modern", address).await.reply_ttl.unwrap();
    assert_eq!(reply.reply, Some(parallax_model::facts::Reply::Data), "the ClientHello is what is answered, not the banner");
}

#[tokio::test]
async fn every_way_to_fail_before_tls_is_a_fact_of_its_own() {
    let masked = serve(|mut stream| async move { talk(&mut stream, &["220 x\r\n", "250-x\r\n250 XXXXXXXX\r\n", ""]).await }).await;
    let refusing = serve(|mut stream| async move { talk(&mut stream, &["220 x\r\n", LIST, "454 4.7.0 no key\r\n", ""]).await }).await;
    let closing = serve(|mut stream| async move { talk(&mut stream, &["220 x\r\n", ""]).await }).await;
    let resetting = serve(|mut stream| async move {
        talk(&mut stream, &["220 x\r\n", ""]).await;
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    })
    .await;
    let mute = serve(|stream| async move {
        sleep(millis(30_000)).await;
        drop(stream);
    })
    .await;
    let endless = serve(|mut stream| async move { while stream.write_all(&b"220-all work and no play\r\n".repeat(100)).await.is_ok() {} }).await;
    let binary = serve(|mut stream| async move {
        let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, 40]).await;
        sleep(millis(30_000)).await;
    })
    .await;
    for (address, outcome) in [
        (masked, Outcome::StartTlsNotOffered),
        (refusing, Outcome::StartTlsRefused),
        (closing, Outcome::StartTlsClosed),
        (resetting, Outcome::StartTlsReset),
        (mute, Outcome::StartTlsTimeout),
        (endless, Outcome::StartTlsNotProtocol),
        (binary, Outcome::StartTlsNotProtocol),
    ] {
        let started = Instant::now();
        let target = format!("smtp+starttls://shop.corp.test:{}", address.port()).parse().unwrap();
        let mut plan = Plan { address, target, ..plan(Experiment::Baseline, "modern") };
        plan.limits.attempt_ms = 600;
        let facts = run(&plan, &SystemNet).await;
        assert_eq!(Outcome::of_facts(&facts), outcome, "{facts:?}");
        assert!(facts.tls.is_none() && facts.tcp.unwrap().at_end.is_some());
        assert!(started.elapsed() < millis(1_000));
    }
}
