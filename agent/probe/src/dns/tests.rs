use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{
        RData, Record,
        rdata::{
            CNAME, HTTPS, SVCB,
            svcb::{Alpn, EchConfigList, SvcParamKey, SvcParamValue},
        },
    },
};
use parallax_model::facts::{DnsTransport, ServiceRecord};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UdpSocket},
};

use super::*;

/// A port that is free for UDP may be taken for TCP.
async fn one_port_for_both() -> (UdpSocket, TcpListener) {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

/// Answers every datagram with what the script makes of it, and every TCP query with the script's last answer.
async fn server(script: impl Fn(&Message) -> Vec<Vec<u8>> + Copy + Send + 'static) -> SocketAddr {
    let (udp, tcp) = one_port_for_both().await;
    let address = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        while let Ok((length, peer)) = udp.recv_from(&mut buffer).await {
            for response in script(&Message::from_vec(&buffer[..length]).unwrap()) {
                udp.send_to(&response, peer).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut query).await.unwrap();
            let Some(Ok(mut response)) = script(&Message::from_vec(&query).unwrap()).pop().map(|bytes| Message::from_vec(&bytes)) else { continue };
            response.metadata.truncation = false;
            response.add_answer(record(&response.queries[0].name.clone(), "192.0.2.9"));
            let bytes = response.to_vec().unwrap();
            stream.write_u16(bytes.len() as u16).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
        }
    });
    address
}

fn record(name: &Name, address: &str) -> Record {
    let data = match address.parse().unwrap() {
        IpAddr::V4(address) => RData::A(address.into()),
        IpAddr::V6(address) => RData::AAAA(address.into()),
    };
    Record::from_rdata(name.clone(), 60, data)
}

fn response(query: &Message) -> Message {
    let mut response = Message::response(query.metadata.id, query.metadata.op_code);
    response.add_query(query.queries[0].clone());
    response
}

async fn resolved(script: fn(&Message) -> Vec<Vec<u8>>, timeout_ms: u64) -> DnsFacts {
    let target: Target = "tls://shop.corp.test:443".parse().unwrap();
    let server = server(script).await;
    resolve(&target, &Resolver::udp(server), Duration::from_millis(timeout_ms)).await
}

#[tokio::test]
async fn aliases_and_both_families_are_kept_in_order() {
    let facts = resolved(
        |query| {
            let mut response = response(query);
            let (name, alias) = (query.queries[0].name.clone(), Name::from_ascii("edge.corp.test.").unwrap());
            response.add_answer(Record::from_rdata(name, 30, RData::CNAME(CNAME(alias.clone()))));
            match query.queries[0].query_type {
                RecordType::A => response.add_answer(record(&alias, "192.0.2.7")).add_answer(record(&alias, "192.0.2.6")),
                _ => response.add_answer(record(&alias, "2001:db8::7")),
            };
            vec![response.to_vec().unwrap()]
        },
        2_000,
    )
    .await;
    let addresses: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["192.0.2.7", "192.0.2.6", "2001:db8::7"]);
    assert_eq!(facts.answers.iter().map(|answer| answer.record_type).collect::<Vec<_>>(), [1, 28]);
    let first = &facts.answers[0];
    assert_eq!((first.end, first.transport, first.second_answer), (LookupEnd::Response(0), DnsTransport::Udp, false));
    assert_eq!((first.records[0].name.as_str(), first.records[0].record_type, first.records[0].ttl_seconds), ("shop.corp.test", 5, 30));
    assert_eq!(first.records[1].data, "192.0.2.7");
}

#[tokio::test]
async fn raw_codes_silence_and_rubbish_are_told_apart() {
    let refused = resolved(
        |query| {
            let mut response = response(query);
            response.metadata.response_code = ResponseCode::Refused;
            vec![response.to_vec().unwrap()]
        },
        2_000,
    )
    .await;
    assert!(refused.answers.iter().all(|answer| answer.end == LookupEnd::Response(5)), "{refused:?}");
    let silent = resolved(|_| vec![], 300).await;
    assert!(silent.answers.iter().all(|answer| answer.end == LookupEnd::TimedOut && answer.elapsed_us >= 300_000), "{silent:?}");
    let rubbish = resolved(|_| vec![b"HTTP/1.1 400 Bad Request".to_vec()], 300).await;
    assert!(rubbish.answers.iter().all(|answer| answer.end == LookupEnd::Malformed), "{rubbish:?}");
    let of_another = resolved(
        |query| {
            let mut response = response(query);
            response.metadata.id ^= 1;
            vec![response.to_vec().unwrap()]
        },
        300,
    )
    .await;
    assert!(of_another.answers.iter().all(|answer| answer.end == LookupEnd::TimedOut), "{of_another:?}");
}

#[tokio::test]
async fn a_second_answer_counts_only_when_it_says_something_else() {
    let twice = |first: &'static str, second: &'static str| {
        move |query: &Message| [first, second].map(|address| response(query).add_answer(record(&query.queries[0].name, address)).to_vec().unwrap()).to_vec()
    };
    let injected = server(twice("203.0.113.66", "192.0.2.7")).await;
    let repeated = server(twice("192.0.2.7", "192.0.2.7")).await;
    for (server, expected) in [(injected, true), (repeated, false)] {
        let facts = resolve(&"tls://shop.corp.test:443".parse().unwrap(), &Resolver::udp(server), Duration::from_secs(2)).await;
        assert!(facts.answers.iter().all(|answer| answer.second_answer == expected), "{facts:?}");
        let second: Vec<&str> = facts.answers[0].second_records.iter().map(|record| record.data.as_str()).collect();
        assert_eq!(
            (facts.answers[0].records[0].data.as_str(), second.first().copied()),
            if expected { ("203.0.113.66", Some("192.0.2.7")) } else { ("192.0.2.7", None) }
        );
    }
}

#[tokio::test]
async fn a_truncated_answer_is_asked_again_by_tcp() {
    let facts = resolved(
        |query| {
            let mut response = response(query);
            response.metadata.truncation = true;
            vec![response.to_vec().unwrap()]
        },
        2_000,
    )
    .await;
    assert!(facts.answers.iter().all(|answer| answer.transport == DnsTransport::Tcp), "{facts:?}");
    assert_eq!(facts.addresses, ["192.0.2.9".parse::<IpAddr>().unwrap()]);
}

#[tokio::test]
async fn a_closed_port_names_its_errno() {
    let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let facts = resolve(&"tls://shop.corp.test:443".parse().unwrap(), &Resolver::udp(closed), Duration::from_secs(2)).await;
    assert!(facts.answers.iter().all(|answer| answer.end == LookupEnd::Failed(libc::ECONNREFUSED)), "{facts:?}");
}

#[tokio::test]
async fn addresses_and_listed_names_need_no_query() {
    for text in ["192.0.2.7:443", "shop.example:443@192.0.2.7"] {
        let facts = resolve(&text.parse().unwrap(), &Resolver::System, Duration::from_secs(1)).await;
        assert_eq!((facts.resolver, facts.answers.len(), facts.addresses.len()), (ResolverKind::Literal, 0, 1), "{text}");
    }
}

#[test]
fn a_single_label_is_tried_under_the_search_domains_first() {
    let plain = SystemConfig::of_server("192.0.2.53:53".parse().unwrap(), DnsTransport::Udp);
    assert_eq!(plain.candidates("shop.corp").len(), 1);
    assert_eq!(plain.candidates("shop")[0].to_ascii(), "shop.");
    assert!(plain.listed_addresses("shop.corp").is_empty());
}

#[tokio::test]
async fn a_query_that_was_sent_twice_proves_nothing_by_two_answers() {
    let asked = Arc::new(AtomicU8::new(0));
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = udp.local_addr().unwrap();
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        let mut buffer = [0; 2_048];
        while let Ok((length, peer)) = udp.recv_from(&mut buffer).await {
            let query = Message::from_vec(&buffer[..length]).unwrap();
            // Both families are asked: the first two datagrams are lost, and then each query is answered twice.
            if count.fetch_add(1, Ordering::Relaxed) < 2 {
                continue;
            }
            for address in ["192.0.2.7", "192.0.2.8"] {
                let bytes = response(&query).add_answer(record(&query.queries[0].name, address)).to_vec().unwrap();
                udp.send_to(&bytes, peer).await.unwrap();
            }
        }
    });
    let facts = resolve(&"tls://shop.corp.test:443".parse().unwrap(), &Resolver::udp(server), Duration::from_secs(4)).await;
    assert!(asked.load(Ordering::Relaxed) >= 4 && facts.addresses.contains(&"192.0.2.7".parse().unwrap()), "{facts:?}");
    assert!(facts.answers.iter().all(|answer| !answer.second_answer), "{facts:?}");
}

fn https(query: &Message, parameters: Vec<(SvcParamKey, SvcParamValue)>) -> Vec<u8> {
    let name = query.queries[0].name.clone();
    let data = RData::HTTPS(HTTPS(SVCB::new(1, Name::root(), parameters)));
    response(query).add_answer(Record::from_rdata(name, 300, data)).to_vec().unwrap()
}

#[tokio::test]
async fn the_web_is_asked_for_its_services_too() {
    let server = server(|query| {
        let parameters = vec![
            (SvcParamKey::Alpn, SvcParamValue::Alpn(Alpn(vec!["h3".to_owned(), "h2".to_owned()]))),
            (SvcParamKey::Port, SvcParamValue::Port(8_443)),
            (SvcParamKey::EchConfigList, SvcParamValue::EchConfigList(EchConfigList(vec![0, 4, 0xfe, 0x0d, 0, 0]))),
        ];
        match query.queries[0].query_type {
            RecordType::A => vec![response(query).add_answer(record(&query.queries[0].name, "192.0.2.7")).to_vec().unwrap()],
            RecordType::HTTPS => vec![https(query, parameters)],
            _ => vec![response(query).to_vec().unwrap()],
        }
    })
    .await;
    for (target, owner) in [("shop.corp.test:443", "shop.corp.test"), ("https://shop.corp.test:8443", "_8443._https.shop.corp.test")] {
        let facts = resolve(&target.parse().unwrap(), &Resolver::udp(server), Duration::from_secs(2)).await;
        let service = ServiceRecord { priority: 1, target: ".".to_owned(), alpn: vec!["h3".to_owned(), "h2".to_owned()], port: Some(8_443), ech: true };
        assert_eq!((facts.services.as_slice(), facts.addresses.len()), (&[service][..], 1), "{target}: {facts:?}");
        assert_eq!((facts.answers[2].record_type, facts.answers[2].records[0].name.as_str()), (65, owner));
    }
}

#[tokio::test]
async fn addresses_do_not_wait_for_a_resolver_that_does_not_know_the_type() {
    let server = server(|query| match query.queries[0].query_type {
        RecordType::HTTPS => vec![],
        RecordType::A => vec![response(query).add_answer(record(&query.queries[0].name, "192.0.2.7")).to_vec().unwrap()],
        _ => vec![response(query).to_vec().unwrap()],
    })
    .await;
    let started = Instant::now();
    let facts = resolve(&"shop.corp.test:443".parse().unwrap(), &Resolver::udp(server), Duration::from_secs(4)).await;
    assert_eq!((facts.addresses.len(), facts.answers.len(), facts.services.len()), (1, 2, 0));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

/// Answers queries over TLS with what the script makes of them, over HTTPS where the client offers HTTP/2 and the server has it, else by DNS over TLS.
async fn secure_server(script: fn(&Message) -> Vec<u8>, protocols: &'static [&'static str]) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(vec!["dns.test".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    tokio::spawn(async move {
                        let path = request.uri().path().to_owned();
                        let query = request.into_body().data().await.unwrap().unwrap();
                        let status = if path == "/dns-query" { 200 } else { 404 };
                        let mut body = respond.send_response(http::Response::builder().status(status).body(()).unwrap(), false).unwrap();
                        body.send_data(script(&Message::from_vec(&query).unwrap()).into(), true).unwrap();
                    });
                }
                continue;
            }
            let mut answers = Vec::new();
            for _ in 0..2 {
                let Ok(length) = stream.read_u16().await else { break };
                let mut query = vec![0; usize::from(length)];
                stream.read_exact(&mut query).await.unwrap();
                answers.push(script(&Message::from_vec(&query).unwrap()));
            }
            // A resolver may answer in any order.
            for answer in answers.iter().rev() {
                stream.write_u16(answer.len() as u16).await.unwrap();
                stream.write_all(answer).await.unwrap();
            }
            stream.flush().await.unwrap();
        }
    });
    address
}

fn of_both_families(query: &Message) -> Vec<u8> {
    let address = if query.queries[0].query_type == RecordType::A { "192.0.2.7" } else { "2001:db8::7" };
    response(query).add_answer(record(&query.queries[0].name, address)).to_vec().unwrap()
}

async fn asked(named: &str, server: SocketAddr) -> DnsFacts {
    let named: NamedResolver = named.parse().unwrap();
    resolve(&"tls://shop.corp.test:443".parse().unwrap(), &Resolver::Named(named, server), Duration::from_secs(5)).await
}

#[tokio::test]
async fn resolvers_are_asked_over_tls_and_https_and_their_chain_is_kept() {
    let server = secure_server(of_both_families, &["dot", "h2"]).await;
    for (named, transport) in [("tls://dns.test", DnsTransport::Tls), ("https://dns.test", DnsTransport::Https), ("https://127.0.0.1", DnsTransport::Https)] {
        let facts = asked(named, server).await;
        assert_eq!(facts.addresses, ["192.0.2.7".parse::<IpAddr>().unwrap(), "2001:db8::7".parse().unwrap()], "{named}: {facts:?}");
        assert!(facts.answers.iter().all(|answer| answer.transport == transport && answer.server == Some(server)), "{named}: {facts:?}");
        assert_eq!((facts.certificates.len(), facts.resolver), (1, ResolverKind::Named(named.parse().unwrap())), "{named}");
    }
}

#[tokio::test]
async fn what_keeps_a_secure_resolver_from_answering_is_named() {
    let dot_only = secure_server(of_both_families, &[]).await;
    let end = |facts: DnsFacts| facts.answers.iter().map(|answer| answer.end).collect::<Vec<_>>();
    assert_eq!(end(asked("https://dns.test", dot_only).await), [LookupEnd::NotSecured; 2], "it does not speak HTTP/2");
    let both = secure_server(of_both_families, &["h2"]).await;
    assert_eq!(end(asked("https://dns.test/elsewhere", both).await), [LookupEnd::HttpStatus(404); 2]);
    let rubbish = secure_server(|_| b"rubbish".to_vec(), &["dot", "h2"]).await;
    for named in ["tls://dns.test", "https://dns.test"] {
        assert_eq!(end(asked(named, rubbish).await), [LookupEnd::Malformed; 2], "{named}");
    }
    let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4_096]).await;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    assert_eq!(end(asked("tls://dns.test", address).await), [LookupEnd::NotSecured; 2], "it does not speak TLS");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(end(asked("tls://dns.test", closed).await), [LookupEnd::Failed(libc::ECONNREFUSED); 2]);
}

#[tokio::test]
async fn where_udp_is_silent_or_speaks_twice_the_same_server_is_asked_by_tcp() {
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = deaf.local_addr().unwrap();
    let _silent = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = deaf.accept().await {
            let mut query = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut query).await.unwrap();
            let answer = of_both_families(&Message::from_vec(&query).unwrap());
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    let started = Instant::now();
    let facts = asked("udp://127.0.0.1", address).await;
    assert!(started.elapsed() < Duration::from_millis(5_500), "{:?}", started.elapsed());
    assert!(facts.answers.iter().all(|answer| answer.end == LookupEnd::TimedOut) && facts.addresses.is_empty(), "{facts:?}");
    assert_eq!(facts.addresses_by_tcp(), ["192.0.2.7".parse::<IpAddr>().unwrap(), "2001:db8::7".parse().unwrap()]);
    let by_tcp = asked("tcp://127.0.0.1", address).await;
    assert_eq!((by_tcp.addresses.len(), by_tcp.again_by_tcp.len()), (2, 0), "{by_tcp:?}");

    let twice = server(|query| {
        ["203.0.113.66", "192.0.2.7"].map(|address| response(query).add_answer(record(&query.queries[0].name, address)).to_vec().unwrap()).to_vec()
    });
    let facts = asked("udp://127.0.0.1", twice.await).await;
    assert_eq!(facts.again_by_tcp.len(), 2, "{facts:?}");
    assert_eq!((facts.again_by_tcp[0].transport, facts.again_by_tcp[0].end), (DnsTransport::Tcp, LookupEnd::Response(0)));
}
