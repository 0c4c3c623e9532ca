//! Servers that are hostile on purpose: every one of them is a fact within the caps on time and bytes.

use std::net::SocketAddr;

use futures_util::{StreamExt as _, stream};
use parallax_model::facts::{Facts, TlsEnd};
use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep},
};

use super::{
    loopback::{acceptor, serve},
    millis, plan,
};
use crate::{SystemNet, run};

const ATTEMPT_MS: u64 = 600;
/// What an attempt may take beyond its time on a busy machine; it proves the absence of a hang, not speed.
const SLACK_MS: u64 = 5_000;
const READ_BYTES: u64 = 65_536;
const ONE_READ: u64 = 16_384;

/// Writes so many records, the same again and again, until the peer has enough.
async fn flood(stream: &mut TcpStream, records: &[u8]) {
    let many = records.repeat(32_768 / records.len() + 1);
    while stream.write_all(&many).await.is_ok() {}
}

async fn rogue(first: Vec<u8>, then: Vec<u8>) -> SocketAddr {
    serve(move |mut stream| {
        let (first, then) = (first.clone(), then.clone());
        async move {
            let _ = stream.read(&mut [0; 4_096]).await;
            if stream.write_all(&first).await.is_ok() && !then.is_empty() {
                flood(&mut stream, &then).await;
            }
            sleep(millis(30_000)).await;
        }
    })
    .await
}

fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    [&[kind, 3, 3][..], &u16::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
}

fn records(kind: u8, payload: &[u8]) -> Vec<u8> {
    payload.chunks(16_384).flat_map(|part| record(kind, part)).collect()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind][..], &length[1..], body].concat()
}

fn server_hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0], &[0xc0, 0x2f], &[0], &[0, 0]].concat();
    message(2, &body)
}

fn chain_of(count: usize, size: usize) -> Vec<u8> {
    let entry = |length: usize| u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
    let certificates: Vec<u8> = (0..count).flat_map(|_| [entry(size), vec![0x30; size]].concat()).collect();
    message(11, &[entry(certificates.len()), certificates].concat())
}

async fn look_at(address: SocketAddr, profile: &str) -> Facts {
    let mut plan = plan(parallax_model::assignment::Experiment::Baseline, profile);
    plan.address = address;
    plan.limits.attempt_ms = ATTEMPT_MS;
    plan.limits.read_bytes = READ_BYTES;
    let began = Instant::now();
    let facts = run(&plan, &SystemNet).await;
    assert!(began.elapsed() < millis(ATTEMPT_MS + SLACK_MS), "{profile}: it took {:?}", began.elapsed());
    let size = serde_json::to_vec(&facts).unwrap().len() as u64;
    assert!(size < 4 * READ_BYTES, "{profile}: the facts take {size} bytes");
    facts
}

#[tokio::test]
async fn every_rogue_is_a_fact_within_the_caps() {
    use TlsEnd::{Alert, Answered, LocalRefusal, Malformed, NotTls, OverCap, TimedOut};
    let hello = server_hello();
    let huge_message = [vec![11, 0xff, 0xff, 0xff], vec![0; 16_000]].concat();
    let table: [(&str, Vec<u8>, Vec<u8>); 12] = [
        ("records of length zero", Vec::new(), record(22, &[])),
        ("records of one byte", Vec::new(), record(22, &[2])),
        ("application data without end", Vec::new(), record(23, &[9; 1_000])),
        ("warnings in a loop", Vec::new(), record(21, &[1, 90])),
        ("change_cipher_spec in a loop", record(22, &hello), record(20, &[1])),
        ("hellos in a loop", Vec::new(), record(22, &hello)),
        ("a handshake message of 16 MB", [record(22, &hello), record(22, &huge_message)].concat(), record(22, &[0; 16_000])),
        ("a chain of 200 certificates", [record(22, &hello), records(22, &chain_of(200, 1_000))].concat(), Vec::new()),
        ("a chain of certificates without bytes", [record(22, &hello), records(22, &chain_of(10_000, 0))].concat(), Vec::new()),
        ("a record longer than allowed", [22, 3, 3, 0xff, 0xff].to_vec(), vec![0; 1_000]),
        ("a hello whose lengths lie", record(22, &message(2, &[3, 3, 0xff])), Vec::new()),
        ("text without end", Vec::new(), b"HTTP/1.1 400 Bad Request\r\n".to_vec()),
    ];
    for (what, first, then) in table {
        let address = rogue(first, then).await;
        for profile in ["modern", "tls12", "legacy"] {
            let tls = look_at(address, profile).await.tls.unwrap();
            let harmless = matches!(tls.end, Alert(_) | Answered | LocalRefusal(_) | Malformed | NotTls | OverCap | TimedOut);
            assert!(harmless, "{what}, {profile}: {:?}", tls.end);
            assert!(tls.bytes_read <= READ_BYTES + ONE_READ, "{what}, {profile}: {} bytes were read", tls.bytes_read);
        }
    }
}

#[tokio::test]
async fn a_reset_at_any_byte_of_the_flight_ends_the_attempt() {
    for (version, profile) in [(&TLS13, "modern"), (&TLS12, "tls12")] {
        let (acceptor, _) = acceptor(&[version], false);
        let server = serve(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(mut tls) = acceptor.accept(stream).await {
                    let _ = tls.read(&mut [0; 64]).await;
                }
            }
        })
        .await;
        let whole = look_at(server, profile).await.tls.unwrap();
        assert_eq!(whole.end, TlsEnd::Established);
        let offsets = stream::iter(0..usize::try_from(whole.bytes_read).unwrap());
        let looks = offsets.map(|offset| async move { (offset, look_at(cut_after(server, offset).await, profile).await.tls.unwrap()) });
        let mut looks = looks.buffer_unordered(16);
        while let Some((offset, tls)) = looks.next().await {
            let ended = matches!(tls.end, TlsEnd::Reset | TlsEnd::Established);
            assert!(ended, "{profile}, reset after {offset} bytes: {:?}", tls.end);
            assert!(tls.bytes_read <= offset as u64);
        }
    }
}

/// Relays one connection to `server`, and resets it after so many bytes of the answer.
async fn cut_after(server: SocketAddr, bytes: usize) -> SocketAddr {
    serve(move |mut client| async move {
        let Ok(mut upstream) = TcpStream::connect(server).await else { return };
        let (mut up, mut down) = ([0; 4_096], [0; 4_096]);
        let mut left = bytes;
        while left > 0 {
            tokio::select! {
                read = client.read(&mut up) => match read {
                    Ok(1..) if upstream.write_all(&up[..read.unwrap_or(0)]).await.is_ok() => {}
                    _ => return,
                },
                read = upstream.read(&mut down[..left.min(4_096)]) => match read {
                    Ok(count @ 1..) if client.write_all(&down[..count]).await.is_ok() => left -= count,
                    _ => return,
                },
            }
        }
        if bytes == 0 {
            let _ = client.read(&mut up).await;
        }
        let _ = socket2::SockRef::from(&client).set_linger(Some(millis(0)));
    })
    .await
}
