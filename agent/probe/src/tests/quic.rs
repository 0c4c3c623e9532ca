use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant as StdInstant},
};

use bytes::BytesMut;
use parallax_model::{
    facts::{ConnectEnd, Facts, NotCompleted, QuicEnd, QuicFacts},
    outcome::Outcome,
};
use quinn_proto::{Connection, ConnectionHandle, DatagramEvent, Endpoint, EndpointConfig, ServerConfig, crypto::rustls::QuicServerConfig};
use rustls::pki_types::PrivateKeyDer;
use tokio::{
    net::{TcpListener, UdpSocket},
    time::{Instant, timeout},
};

use super::*;
use crate::{
    SystemNet,
    net::scripted::{Peer, Scripted},
    run,
};

/// How a server treats a first Initial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Accept,
    Retry,
    Refuse,
}

/// A server of the library's state machine.
struct Server {
    socket: UdpSocket,
    endpoint: Endpoint,
    connections: HashMap<ConnectionHandle, Connection>,
    manner: Manner,
}

async fn serve(protocol: &str, manner: Manner) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["shop.corp.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13]).unwrap();
    let mut tls = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    tls.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), Some(Arc::new(config)), false, None);
    tokio::spawn(Server { socket, endpoint, connections: HashMap::new(), manner }.run());
    address
}

impl Server {
    async fn run(mut self) {
        let mut buffer = vec![0; 2_048];
        loop {
            // Often enough that no timer of the handshake is missed.
            if let Ok(received) = timeout(millis(5), self.socket.recv_from(&mut buffer)).await {
                let (length, peer) = received.unwrap();
                self.take(peer, &buffer[..length]).await;
            }
            let now = StdInstant::now();
            let mut out = Vec::new();
            for (handle, connection) in &mut self.connections {
                connection.handle_timeout(now);
                while connection.poll().is_some() {}
                while let Some(event) = connection.poll_endpoint_events() {
                    if let Some(event) = self.endpoint.handle_event(*handle, event) {
                        connection.handle_event(event);
                    }
                }
                let mut datagram = Vec::new();
                while let Some(transmit) = connection.poll_transmit(now, 1, &mut datagram) {
                    out.push((transmit.destination, datagram[..transmit.size].to_vec()));
                    datagram.clear();
                }
            }
            for (peer, datagram) in out {
                let _ = self.socket.send_to(&datagram, peer).await;
            }
        }
    }

    async fn take(&mut self, peer: SocketAddr, datagram: &[u8]) {
        let now = StdInstant::now();
        let mut reply = Vec::new();
        match self.endpoint.handle(now, peer, None, None, BytesMut::from(datagram), &mut reply) {
            Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                self.connections.get_mut(&handle).unwrap().handle_event(event);
            }
            Some(DatagramEvent::Response(transmit)) => {
                let _ = self.socket.send_to(&reply[..transmit.size], transmit.destination).await;
            }
            Some(DatagramEvent::NewConnection(incoming)) => {
                let transmit = match self.manner {
                    Manner::Refuse => self.endpoint.refuse(incoming, &mut reply),
                    Manner::Retry if !incoming.remote_address_validated() => self.endpoint.retry(incoming, &mut reply).unwrap(),
                    Manner::Accept | Manner::Retry => match self.endpoint.accept(incoming, now, &mut reply, None) {
                        Ok((handle, connection)) => {
                            self.connections.insert(handle, connection);
                            return;
                        }
                        Err(error) => error.response.unwrap(),
                    },
                };
                let _ = self.socket.send_to(&reply[..transmit.size], transmit.destination).await;
            }
            None => {}
        }
    }
}

fn quic_plan(experiment: Experiment, profile: &str, address: SocketAddr) -> Plan {
    let target = format!("quic://shop.corp.test:{}", address.port()).parse().unwrap();
    Plan { address, server_name: server_name_for(experiment, &target), target, ..plan(experiment, profile) }
}

async fn look(profile: &str, address: SocketAddr) -> (Facts, QuicFacts) {
    let facts = run(&quic_plan(Experiment::Baseline, profile, address), &SystemNet).await;
    let quic = facts.quic.clone().unwrap_or_else(|| panic!("{facts:?}"));
    (facts, quic)
}

#[tokio::test]
async fn a_handshake_and_the_versions_are_seen() {
    let address = serve("h3", Manner::Accept).await;
    for profile in ["modern", "modern-pq"] {
        let (facts, quic) = look(profile, address).await;
        assert_eq!((quic.end, quic.retry, quic.certificates.len()), (QuicEnd::Established, false, 1), "{quic:?}");
        assert!(quic.versions.contains(&1) && quic.negotiation_us.is_some(), "{quic:?}");
        assert_eq!((quic.server_name.as_deref(), quic.version), (Some("shop.corp.test"), 1));
        let handshake = quic.handshake.unwrap();
        assert_eq!((handshake.alpn.as_deref(), handshake.signature_verified), (Some("h3"), Some(true)));
        assert!(quic.first_datagram_us.unwrap() <= handshake.elapsed_us && handshake.elapsed_us <= quic.elapsed_us);
        assert!(quic.datagrams_sent >= 2 && quic.datagrams_received >= 1 && quic.bytes_read >= 1_200);
        assert_eq!((Outcome::of_facts(&facts), facts.tcp), (Outcome::Ok, None));
    }
}

#[tokio::test]
async fn a_retry_is_noted_and_a_refusal_has_its_code() {
    let (_, retried) = look("modern", serve("h3", Manner::Retry).await).await;
    assert_eq!((retried.end, retried.retry), (QuicEnd::Established, true));
    let (facts, refused) = look("modern", serve("h3", Manner::Refuse).await).await;
    assert_eq!(refused.end, QuicEnd::Closed(2), "CONNECTION_REFUSED, RFC 9000 section 20.1");
    assert_eq!(Outcome::of_facts(&facts), Outcome::QuicClosed);
}

#[tokio::test]
async fn an_alert_travels_as_a_code() {
    let (facts, quic) = look("modern", serve("hq-interop", Manner::Accept).await).await;
    assert_eq!(quic.end, QuicEnd::Closed(0x100 + 120), "{quic:?}");
    assert_eq!(Outcome::of_facts(&facts), Outcome::TlsAlert(120));
}

#[tokio::test]
async fn a_closed_port_is_heard_at_once_and_tcp_is_tried_for_comparison() {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let started = Instant::now();
    let (facts, quic) = look("modern", address).await;
    assert_eq!((quic.end, quic.icmp_from), (QuicEnd::Refused, Some(address.ip())), "{quic:?}");
    assert_eq!(facts.tcp.as_ref().map(|tcp| tcp.end), Some(ConnectEnd::Connected));
    assert_eq!(Outcome::of_facts(&facts), Outcome::QuicRefused);
    assert!(started.elapsed() < Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn silence_takes_the_attempts_time_and_no_longer() {
    let network = Scripted::new(|_| Peer::accepting(|_, _| vec![]));
    let started = Instant::now();
    let facts = run(&quic_plan(Experiment::Baseline, "modern", "192.0.2.7:443".parse().unwrap()), &network).await;
    let quic = facts.quic.clone().unwrap();
    assert_eq!((quic.end, quic.versions, quic.datagrams_received), (QuicEnd::TimedOut, vec![], 0));
    assert!(quic.datagrams_sent >= 2, "a lost Initial is sent again");
    assert_eq!(facts.tcp.as_ref().map(|tcp| tcp.end), Some(ConnectEnd::Connected));
    assert_eq!(Outcome::of_facts(&facts), Outcome::QuicTimeout);
    assert!((millis(5_000)..millis(5_200)).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn other_versions_garbage_and_icmp_are_ends_of_their_own() {
    let plan = quic_plan(Experiment::Baseline, "modern", "192.0.2.7:443".parse().unwrap());
    let only_draft = Scripted::new(|_| Peer::accepting(|_, _| vec![])).answering_datagrams(|sent| Ok(Some(version_negotiation(sent, &[0xff, 0, 0, 0x1d]))));
    let quic = run(&plan, &only_draft).await.quic.unwrap();
    assert_eq!((quic.end, quic.versions), (QuicEnd::VersionRefused, vec![0xff00_001d]));
    let garbage = Scripted::new(|_| Peer::accepting(|_, _| vec![])).answering_datagrams(|sent| Ok(Some(sent.iter().rev().copied().collect())));
    assert_eq!(run(&plan, &garbage).await.quic.unwrap().end, QuicEnd::TimedOut);
    let forbidden = Scripted::new(|_| Peer::accepting(|_, _| vec![])).answering_datagrams(|_| Err(io::Error::from_raw_os_error(libc::EHOSTUNREACH)));
    let quic = run(&plan, &forbidden).await.quic.unwrap();
    assert_eq!((quic.end, quic.icmp_from), (QuicEnd::Unreachable(libc::EHOSTUNREACH), Some(plan.address.ip())));
}

/// Answers an Initial as a server that speaks these versions alone (RFC 9000 section 17.2.1).
fn version_negotiation(initial: &[u8], versions: &[u8]) -> Vec<u8> {
    let destination = usize::from(initial[5]);
    let (to, rest) = initial[6..].split_at(destination);
    let source = usize::from(rest[0]);
    let from = &rest[1..=source];
    [&[0x80, 0, 0, 0, 0, source as u8][..], from, &[destination as u8], to, versions].concat()
}

#[tokio::test]
async fn what_has_no_form_over_quic_is_not_tried() {
    let address = "192.0.2.7:443".parse().unwrap();
    for (experiment, profile) in
        [(Experiment::Baseline, "tls12"), (Experiment::Baseline, "split"), (Experiment::SplitName, "modern"), (Experiment::ReplyTtl, "modern")]
    {
        let facts = run(&quic_plan(experiment, profile, address), &Scripted::new(|_| Peer::ending(ConnectEnd::Refused))).await;
        assert_eq!(facts.not_completed, Some(NotCompleted::Unsupported), "{experiment} {profile}");
    }
}
