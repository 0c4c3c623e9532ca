//! The facts of single attempts, as agents send them.

use std::net::{IpAddr, SocketAddr};

use parallax_model::{
    bytes::Bytes,
    facts::{
        ConnectEnd, Direction, DnsAnswer, DnsFacts, DnsRecord, DnsTransport, Facts, HandshakeFacts, HelloSent, LookupEnd, Reply, ReplyTtlFacts, ResolverKind,
        ServerAnswerFacts, StepEnd, TcpFacts, TcpInfo, TlsEnd, TlsFacts, TranscriptEntry, TtlRange, WalkFacts, WalkPayload, WalkStep,
    },
};

/// The hop limit with which the server's packets arrive.
const SERVER_TTL: u8 = 58;

/// A ClientHello on its way.
#[derive(Debug, Clone)]
pub(crate) struct Sent<'n> {
    /// The name in it.
    pub(crate) name: Option<&'n str>,
    /// Its bytes.
    pub(crate) bytes: u32,
}

/// Connected, with the handshake finished.
pub(crate) fn established(remote: SocketAddr, hello: &Sent<'_>, chain: &[Bytes]) -> Facts {
    let mut facts = exchanged(remote, hello, TlsEnd::Established, 3_597);
    if let Some(tls) = &mut facts.tls {
        tls.first_byte_us = Some(20_400);
        tls.answer = ServerAnswerFacts {
            version: Some(0x0304),
            cipher_suite: Some(0x1302),
            group: Some(0x1d),
            extensions: vec![43, 51],
            encrypted_records: true,
            ..ServerAnswerFacts::default()
        };
        tls.handshake = Some(HandshakeFacts {
            version: Some(0x0304),
            cipher_suite: Some(0x1302),
            group: Some(0x1d),
            alpn: Some("h2".into()),
            signature_verified: Some(true),
            elapsed_us: 41_000,
            ..HandshakeFacts::default()
        });
        tls.certificates = chain.to_vec();
        tls.transcript.push(TranscriptEntry { direction: Direction::Received, at_us: 20_400, bytes: Bytes(vec![0x16; 127]) });
    }
    facts
}

/// Connected, with a handshake that came to this; what was acknowledged and never answered is told by `TCP_INFO`.
pub(crate) fn ended(remote: SocketAddr, hello: &Sent<'_>, end: TlsEnd, acknowledged: bool) -> Facts {
    let mut facts = exchanged(remote, hello, end, 0);
    if let (TlsEnd::TimedOut, Some(info)) = (end, facts.tcp.as_mut().and_then(|tcp| tcp.at_end.as_mut())) {
        (info.segments_in, info.bytes_received) = (2, 0);
        if !acknowledged {
            (info.bytes_acked, info.unacked, info.total_retransmissions) = (1, 1, 4);
        }
    }
    facts
}

/// A SYN that nobody answered.
pub(crate) fn unconnected(remote: SocketAddr) -> Facts {
    let tcp = TcpFacts { end: ConnectEnd::TimedOut, connect_us: 5_000_000, at_connect: None, at_end: None, ack_ttl: None, ..connected(remote, 0) };
    Facts { tcp: Some(tcp), ..Facts::default() }
}

/// A lookup with these answers.
pub(crate) fn resolved(name: &str, addresses: &[IpAddr]) -> Facts {
    let record = |address: &IpAddr| DnsRecord { name: name.to_owned(), record_type: 1, ttl_seconds: 30, data: address.to_string() };
    let answer = DnsAnswer {
        record_type: 1,
        server: "198.51.100.53:53".parse().ok(),
        transport: DnsTransport::Udp,
        end: LookupEnd::Response(0),
        records: addresses.iter().map(record).collect(),
        elapsed_us: 2_000,
        second_answer: false,
        second_records: Vec::new(),
    };
    Facts {
        dns: Some(DnsFacts { answers: vec![answer], addresses: addresses.to_vec(), ..DnsFacts::empty(name.to_owned(), ResolverKind::System) }),
        ..Facts::default()
    }
}

/// A walk over these steps.
pub(crate) fn walked(payload: WalkPayload, steps: impl IntoIterator<Item = StepEnd>) -> Facts {
    let steps = (1..).zip(steps).map(|(hop_limit, end)| WalkStep { hop_limit, end, elapsed_us: 1_000 });
    Facts { walk: Some(WalkFacts { payload, source_port: 41_000, steps: steps.collect() }), ..Facts::default() }
}

/// Adds the hop limits with which the server's SYN-ACK and this reply arrive.
pub(crate) fn with_reply_ttl(facts: Facts, reply: Reply, ttl: u8) -> Facts {
    let reply_ttl = ReplyTtlFacts {
        syn_ack: Some(TtlRange::exactly(SERVER_TTL)),
        reply: Some(reply),
        reply_ttl: Some(TtlRange::exactly(ttl)),
        passed_when_filtered: None,
        siblings: Vec::new(),
        connections: 9,
    };
    Facts { reply_ttl: Some(reply_ttl), ..facts }
}

fn exchanged(remote: SocketAddr, hello: &Sent<'_>, end: TlsEnd, bytes_read: u64) -> Facts {
    let sent = HelloSent { server_name: hello.name.map(str::to_owned), bytes: hello.bytes, writes: 1, sha256: Bytes(vec![7; 32]) };
    let transcript = vec![TranscriptEntry { direction: Direction::Sent, at_us: 20_150, bytes: Bytes(vec![0x16; hello.bytes as usize]) }];
    let tls = TlsFacts {
        hello: sent,
        end,
        end_us: if end == TlsEnd::TimedOut { 5_000_000 } else { 61_000 },
        first_byte_us: None,
        bytes_read,
        answer: ServerAnswerFacts::default(),
        handshake: None,
        certificates: Vec::new(),
        transcript,
    };
    Facts { tcp: Some(connected(remote, u64::from(hello.bytes) + 1)), tls: Some(tls), ..Facts::default() }
}

fn connected(remote: SocketAddr, bytes_acked: u64) -> TcpFacts {
    let info = TcpInfo {
        state: 1,
        bytes_acked,
        bytes_received: 3_597,
        segments_in: 6,
        rtt_us: 20_000,
        min_rtt_us: 19_000,
        send_mss: 1_448,
        path_mtu: 1_500,
        ..TcpInfo::default()
    };
    TcpFacts {
        remote,
        local: "198.51.100.7:40000".parse().ok(),
        source_port_pinned: false,
        end: ConnectEnd::Connected,
        connect_us: 20_100,
        hop_limit: None,
        mss_clamp: None,
        icmp_from: None,
        at_connect: Some(info),
        at_end: Some(info),
        ack_ttl: Some(SERVER_TTL),
    }
}
