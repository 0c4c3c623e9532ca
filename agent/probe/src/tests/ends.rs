use parallax_model::facts::{ConnectEnd, Facts, LocalRefusal, NotCompleted, TlsEnd, TlsFacts};
use parallax_tls::{
    ServerHello,
    record::encode_records,
    registry::{CipherSuite, ContentType, ExtensionType, ProtocolVersion},
};
use tokio::time::Instant;

use super::*;
use crate::{
    net::scripted::{Peer, Scripted, Step},
    run,
};

type Answering = fn(&[u8]) -> Vec<Step>;

async fn tls_of(experiment: Experiment, profile: &str, steps: impl Fn(&[u8]) -> Vec<Step> + Send + Sync + Clone + 'static) -> TlsFacts {
    let network = Scripted::new(move |_| {
        let steps = steps.clone();
        Peer::accepting(move |sent, _| steps(sent))
    });
    let started = Instant::now();
    let facts = run(&plan(experiment, profile), &network).await;
    assert!(started.elapsed() <= millis(5_300), "no attempt outlives its time: {:?}", started.elapsed());
    facts.tls.unwrap()
}

fn bytes(bytes: &[u8]) -> Step {
    Step::Bytes(bytes.to_vec(), 61)
}

fn server_hello(version: ProtocolVersion, suite: u16, extensions: Vec<(ExtensionType, Vec<u8>)>) -> Step {
    let hello = ServerHello { legacy_version: version, cipher_suite: CipherSuite(suite), extensions, ..ServerHello::default() };
    bytes(&encode_records(ContentType::HANDSHAKE, version, &hello.encode(), 16_384))
}

#[tokio::test(start_paused = true)]
async fn every_end_has_its_name_on_both_paths() {
    let table: [(&str, Answering, TlsEnd); 9] = [
        ("close", |_| vec![Step::Close(61)], TlsEnd::Closed),
        ("reset", |_| vec![Step::Wait(millis(3)), Step::Reset(63)], TlsEnd::Reset),
        ("silence", |_| vec![], TlsEnd::TimedOut),
        ("alert", |_| vec![bytes(&[21, 3, 1, 0, 2, 2, 40]), Step::Close(61)], TlsEnd::Alert(40)),
        ("plain HTTP", |_| vec![bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Step::Close(61)], TlsEnd::NotTls),
        ("a message out of turn", |_| vec![bytes(&[22, 3, 3, 0, 4, 14, 0, 0, 0])], TlsEnd::Malformed),
        ("a record that cannot be", |_| vec![bytes(&[22, 3, 3, 0xff, 0xff])], TlsEnd::Malformed),
        ("an ICMP error", |_| vec![Step::Error(libc::EHOSTUNREACH)], TlsEnd::Unreachable(libc::EHOSTUNREACH)),
        ("one byte a second", |_| [22, 3, 3, 0, 80].iter().flat_map(|byte| [Step::Wait(millis(900)), bytes(&[*byte])]).collect(), TlsEnd::TimedOut),
    ];
    for (what, steps, end) in table {
        for profile in ["modern", "legacy"] {
            let facts = tls_of(Experiment::Baseline, profile, steps).await;
            assert_eq!(facts.end, end, "{what} to {profile}");
            assert_eq!((facts.hello.server_name.as_deref(), facts.hello.writes, facts.hello.sha256.0.len()), (Some("shop.corp.test"), 1, 32));
            assert_eq!(facts.transcript.first().map(|entry| entry.bytes.0.len()), Some(facts.hello.bytes as usize), "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn details_of_an_answer_are_kept() {
    let alert = tls_of(Experiment::Baseline, "modern", |_| vec![Step::Wait(millis(7)), bytes(&[21, 3, 3, 0, 2, 2, 112])]).await;
    let seen = alert.answer.alerts[0];
    assert_eq!((seen.level, seen.description, seen.encrypted, alert.first_byte_us), (2, 112, false, Some(7_000)));
    let http = tls_of(Experiment::NonTls, "modern", |_| vec![bytes(&[b'x'; 100])]).await;
    assert_eq!((http.end, http.answer.not_tls.unwrap().0.len(), http.hello.bytes), (TlsEnd::NotTls, 64, 0));
    let drip = tls_of(Experiment::Baseline, "modern", |_| (0..9).flat_map(|_| [Step::Wait(millis(800)), bytes(&[22])]).collect()).await;
    assert!(drip.bytes_read >= 1 && drip.bytes_read <= 6, "{}", drip.bytes_read);
}

#[tokio::test(start_paused = true)]
async fn what_the_library_refuses_is_named_and_the_server_hello_is_read_all_the_same() {
    let old_version = tls_of(Experiment::Baseline, "modern", |_| vec![server_hello(ProtocolVersion::TLS10, 0xc013, vec![])]).await;
    assert_eq!(old_version.end, TlsEnd::LocalRefusal(LocalRefusal::Version));
    assert_eq!((old_version.answer.version, old_version.answer.cipher_suite), (Some(0x0301), Some(0xc013)));
    let odd_suite = tls_of(Experiment::Baseline, "tls12", |_| vec![server_hello(ProtocolVersion::TLS12, 0x009c, vec![])]).await;
    assert_eq!(odd_suite.end, TlsEnd::LocalRefusal(LocalRefusal::CipherSuite));
    let chosen = vec![(ExtensionType::ALPN, vec![0, 4, 3, b'f', b'o', b'o'])];
    let odd_protocol = tls_of(Experiment::Baseline, "tls12", move |_| vec![server_hello(ProtocolVersion::TLS12, 0xc02f, chosen.clone())]).await;
    assert_eq!(odd_protocol.end, TlsEnd::LocalRefusal(LocalRefusal::ApplicationProtocol));
    let legacy =
        tls_of(Experiment::LegacyHello, "modern", |_| vec![server_hello(ProtocolVersion::TLS10, 0xc013, vec![]), bytes(&[22, 3, 1, 0, 4, 14, 0, 0, 0])]).await;
    assert_eq!((legacy.end, legacy.answer.version), (TlsEnd::Answered, Some(0x0301)));
}

#[tokio::test(start_paused = true)]
async fn endless_streams_end_at_the_cap() {
    let endless = |piece: Vec<u8>| move |_: &[u8]| vec![Step::Bytes(piece.repeat(4_000_000 / piece.len()), 61)];
    for profile in ["modern", "legacy"] {
        let garbage = tls_of(Experiment::Baseline, profile, endless(vec![b'y'])).await;
        assert_eq!(garbage.end, TlsEnd::NotTls);
        let empty_records = tls_of(Experiment::Baseline, profile, endless(vec![22, 3, 3, 0, 0])).await;
        assert!(matches!(empty_records.end, TlsEnd::OverCap | TlsEnd::Malformed), "{profile}: {:?}", empty_records.end);
        // A certificate message of ten megabytes, in records of full size.
        let mut hello = vec![server_hello(ProtocolVersion::TLS12, 0xc02f, vec![])];
        let mut message = vec![11, 0x98, 0x96, 0x80];
        message.resize(1 << 20, 0);
        hello.push(bytes(&encode_records(ContentType::HANDSHAKE, ProtocolVersion::TLS12, &message, 16_384)));
        let huge = tls_of(Experiment::Baseline, profile, move |_| hello.clone()).await;
        assert!(matches!(huge.end, TlsEnd::OverCap | TlsEnd::Malformed), "{profile}: {:?}", huge.end);
        for facts in [garbage, empty_records, huge] {
            assert!(facts.bytes_read <= 65_536 + 16_384, "{}", facts.bytes_read);
            assert!(facts.transcript.iter().map(|entry| entry.bytes.0.len()).sum::<usize>() <= 4_096);
        }
    }
}

async fn connecting(peer: Peer) -> Facts {
    let network = Scripted::new(move |_| peer.clone());
    run(&plan(Experiment::Baseline, "modern"), &network).await
}

#[tokio::test(start_paused = true)]
async fn a_failed_connect_is_the_measurement() {
    for end in [ConnectEnd::Refused, ConnectEnd::Reset, ConnectEnd::TimedOut, ConnectEnd::Unreachable(libc::ENETUNREACH)] {
        let facts = connecting(Peer::ending(end)).await;
        assert_eq!((facts.tcp.as_ref().map(|tcp| tcp.end), facts.tls.is_none(), facts.not_completed), (Some(end), true, None));
    }
    let exhausted = connecting(Peer::ending(ConnectEnd::LocalError(libc::EMFILE))).await;
    assert_eq!(exhausted.not_completed, Some(NotCompleted::OutOfResources(libc::EMFILE)));
}

#[tokio::test(start_paused = true)]
async fn the_hello_is_cut_inside_the_name_and_the_mss_is_set_before_connecting() {
    let first_write = |sent: &[u8]| sent.to_vec();
    for (experiment, writes) in [(Experiment::SplitName, 2), (Experiment::SplitRecords, 1)] {
        let facts = tls_of(experiment, "modern", move |sent| {
            let sent = first_write(sent);
            assert_eq!(experiment == Experiment::SplitName, parallax_tls::server_name_offset(&sent).is_none(), "{experiment}");
            vec![Step::Close(61)]
        })
        .await;
        assert_eq!(facts.hello.writes, writes);
    }
    let network = Scripted::new(|_| Peer::ending(ConnectEnd::Refused));
    run(&plan(Experiment::SmallMss, "modern"), &network).await;
    assert_eq!(network.dialled()[0].mss, Some(536));
}

#[tokio::test(start_paused = true)]
async fn sizes_are_what_the_experiments_promise() {
    for (experiment, sizes) in [(Experiment::SmallHello, 150..300), (Experiment::LargeHello, 1_700..2_000), (Experiment::LegacyHello, 150..400)] {
        let facts = tls_of(experiment, "modern", |_| vec![Step::Close(61)]).await;
        assert!(sizes.contains(&facts.hello.bytes), "{experiment}: {}", facts.hello.bytes);
    }
    let large = tls_of(Experiment::LargeNonTls, "modern", |sent| vec![Step::Bytes(vec![sent.len().to_be_bytes()[6]; 1], 61)]).await;
    assert_eq!(large.transcript[0].bytes.0.len(), 1_440);
    assert_eq!(large.transcript[1].bytes.0, [0x05], "1,440 bytes arrived in one write");
}

#[tokio::test(start_paused = true)]
async fn slow_waits_before_it_connects_and_bare_tcp_goes_no_further() {
    let network = Scripted::new(|_| Peer::ending(ConnectEnd::Refused));
    let started = Instant::now();
    run(&plan(Experiment::Slow, "modern"), &network).await;
    assert!(started.elapsed() >= millis(3_000));
    let mut bare = plan(Experiment::Baseline, "modern");
    bare.target = "tcp://shop.corp.test:25".parse().unwrap();
    let facts = run(&bare, &Scripted::new(|_| Peer::accepting(|_, _| vec![]))).await;
    assert!(facts.tls.is_none() && facts.tcp.is_some_and(|tcp| tcp.end == ConnectEnd::Connected));
}
