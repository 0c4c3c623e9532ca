//! Any facts come back from their row as they went in.

use std::net::{IpAddr, SocketAddr};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    clock::Timestamp,
    facts::{
        Accepted, AlertSeen, AuditAnswer, AuditFacts, AuditStop, BodyEnd, BodyFacts, ConnectEnd, Direction, DnsAnswer, DnsFacts, DnsRecord, DnsTransport,
        EndKind, EndWitnessed, Facts, HandshakeFacts, HelloArrived, HelloSent, HttpEnd, HttpFacts, LogEvent, LogFacts, LogLine, LookupEnd, NotCompleted,
        QuicEnd, QuicFacts, Reply, ReplyTtlFacts, ResolverKind, Sender, ServerAnswerFacts, ServiceRecord, Sibling, StartTlsFacts, StepEnd, TcpFacts, TcpInfo,
        TlsEnd, TlsFacts, TranscriptEntry, TtlRange, UpgradeEnd, VersionFacts, WalkFacts, WalkPayload, WalkStep, WitnessFacts, WitnessedFlow,
    },
    id::{AttemptId, BootId, CheckId, RoundId},
};
use proptest::{collection::vec, option::of, prelude::*, sample::select};
use uuid::Uuid;

use super::SqliteStore;
use crate::{
    Store,
    contract::samples::{at, name},
};

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes)
}

fn socket() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

fn ttl() -> impl Strategy<Value = TtlRange> {
    (any::<u8>(), any::<u8>()).prop_map(|(least, most)| TtlRange { least, most })
}

fn dns() -> impl Strategy<Value = DnsFacts> {
    let record = (".*", any::<u16>(), any::<u32>(), ".*");
    let record = record.prop_map(|(name, record_type, ttl_seconds, data)| DnsRecord { name, record_type, ttl_seconds, data });
    let end = prop_oneof![any::<u16>().prop_map(LookupEnd::Response), any::<i32>().prop_map(LookupEnd::Failed), Just(LookupEnd::NoResolver)];
    let transport = select(vec![DnsTransport::Udp, DnsTransport::Tcp, DnsTransport::Tls, DnsTransport::Https]);
    let answer = (any::<u16>(), of(socket()), transport, end, vec(record, 0..3), any::<u64>(), any::<bool>());
    let answer = answer.prop_map(|(record_type, server, transport, end, records, elapsed_us, second_answer)| DnsAnswer {
        record_type,
        server,
        transport,
        end,
        elapsed_us,
        second_answer,
        second_records: records.clone(),
        records,
    });
    let resolver =
        prop_oneof![Just(ResolverKind::System), Just(ResolverKind::Literal), Just(ResolverKind::Named("tls://dns.example@192.0.2.53".parse().unwrap()))];
    (".*", resolver, vec(answer, 0..3), vec(any::<IpAddr>(), 0..3)).prop_map(|(name, resolver, answers, addresses)| DnsFacts {
        again_by_tcp: answers.clone(),
        certificates: vec![Bytes(vec![0x30, 0])],
        name,
        resolver,
        answers,
        addresses,
        services: vec![ServiceRecord { priority: 1, target: ".".to_owned(), alpn: vec!["h3".to_owned()], port: None, ech: true }],
    })
}

fn tcp() -> impl Strategy<Value = TcpFacts> {
    let end = prop_oneof![Just(ConnectEnd::Connected), any::<i32>().prop_map(ConnectEnd::Unreachable), any::<i32>().prop_map(ConnectEnd::LocalError)];
    let info = (any::<u8>(), any::<u64>(), any::<u32>()).prop_map(|(state, bytes_acked, rtt_us)| TcpInfo { state, bytes_acked, rtt_us, ..TcpInfo::default() });
    let first = (socket(), of(socket()), any::<bool>(), end, any::<u64>());
    let second = (of(any::<u8>()), of(any::<u16>()), of(any::<IpAddr>()), of(info.clone()), of(info), of(any::<u8>()));
    (first, second).prop_map(|((remote, local, source_port_pinned, end, connect_us), (hop_limit, mss_clamp, icmp_from, at_connect, at_end, ack_ttl))| {
        TcpFacts { remote, local, source_port_pinned, end, connect_us, hop_limit, mss_clamp, icmp_from, at_connect, at_end, ack_ttl }
    })
}

fn answer() -> impl Strategy<Value = ServerAnswerFacts> {
    let alert = (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(level, description, encrypted)| AlertSeen { level, description, encrypted });
    (of(any::<u16>()), of(".*"), vec(any::<u16>(), 0..4), vec(alert, 0..3), of(bytes(64))).prop_map(|(version, alpn, extensions, alerts, not_tls)| {
        ServerAnswerFacts { version, alpn, extensions, alerts, not_tls, ..ServerAnswerFacts::default() }
    })
}

fn tls() -> impl Strategy<Value = TlsFacts> {
    let hello = (of(".*"), any::<u32>(), any::<u8>(), bytes(40));
    let hello = hello.prop_map(|(server_name, bytes, writes, sha256)| HelloSent { server_name, bytes, writes, sha256 });
    let handshake = (of(any::<bool>()), of(bytes(40)), any::<u64>());
    let handshake =
        handshake.prop_map(|(signature_verified, staple, elapsed_us)| HandshakeFacts { signature_verified, staple, elapsed_us, ..HandshakeFacts::default() });
    let entry = (select(vec![Direction::Sent, Direction::Received]), any::<u64>(), bytes(80));
    let entry = entry.prop_map(|(direction, at_us, bytes)| TranscriptEntry { direction, at_us, bytes });
    let end = prop_oneof![Just(TlsEnd::Established), any::<u8>().prop_map(TlsEnd::Alert), any::<i32>().prop_map(TlsEnd::Unreachable)];
    (hello, end, any::<u64>(), of(any::<u64>()), answer(), of(handshake), vec(bytes(300), 0..4), vec(entry, 0..3)).prop_map(
        |(hello, end, end_us, first_byte_us, answer, handshake, certificates, transcript)| TlsFacts {
            hello,
            end,
            end_us,
            first_byte_us,
            bytes_read: end_us,
            answer,
            handshake,
            certificates,
            transcript,
        },
    )
}

fn http() -> impl Strategy<Value = HttpFacts> {
    let end = prop_oneof![Just(HttpEnd::Answered), any::<u8>().prop_map(HttpEnd::Alert)];
    (end, of(any::<u16>()), of(".*"), of(".*"), any::<u64>()).prop_map(|(end, status, server, location, elapsed_us)| HttpFacts {
        end,
        status,
        server,
        alt_svc: location.clone(),
        date: Some(Timestamp::from_micros(1_764_000_000_000_000)),
        age_seconds: Some(7),
        strict_transport_security: Some("max-age=63072000".to_owned()),
        location,
        bytes_read: elapsed_us,
        elapsed_us,
        body: status.map(|_| BodyFacts {
            end: BodyEnd::TimedOut,
            bytes: elapsed_us,
            promised: Some(elapsed_us),
            first_byte_us: None,
            last_byte_us: Some(elapsed_us),
            elapsed_us,
        }),
    })
}

fn reply_ttl() -> impl Strategy<Value = ReplyTtlFacts> {
    let reply = select(vec![Reply::SynAck, Reply::Refusal, Reply::Reset, Reply::Close, Reply::Alert, Reply::Data]);
    let sibling = (any::<IpAddr>(), any::<u16>(), reply.clone(), ttl()).prop_map(|(address, port, reply, ttl)| Sibling { address, port, reply, ttl });
    (of(ttl()), of(reply), of(ttl()), of(any::<bool>()), vec(sibling, 0..3), any::<u32>()).prop_map(
        |(syn_ack, reply, reply_ttl, passed_when_filtered, siblings, connections)| ReplyTtlFacts {
            syn_ack,
            reply,
            reply_ttl,
            passed_when_filtered,
            siblings,
            connections,
        },
    )
}

fn walk() -> impl Strategy<Value = WalkFacts> {
    let payload = prop_oneof![Just(WalkPayload::Syn), of(".*").prop_map(WalkPayload::Hello)];
    let end = prop_oneof![of(any::<IpAddr>()).prop_map(StepEnd::Expired), any::<u8>().prop_map(StepEnd::Alert), Just(StepEnd::Silent)];
    let step = (any::<u8>(), end, any::<u64>()).prop_map(|(hop_limit, end, elapsed_us)| WalkStep { hop_limit, end, elapsed_us });
    (payload, any::<u16>(), vec(step, 0..5)).prop_map(|(payload, source_port, steps)| WalkFacts { payload, source_port, steps })
}

fn audit() -> impl Strategy<Value = AuditFacts> {
    let answer = prop_oneof![Just(AuditAnswer::Hello), any::<u8>().prop_map(AuditAnswer::Alert)];
    let version = (any::<u16>(), answer, vec(any::<u16>(), 0..5)).prop_map(|(version, answer, numbers)| VersionFacts {
        version,
        answer,
        suites: Accepted { numbers, refusal: Some(answer), server_order: Some(true) },
        prefers_chacha: None,
        groups: Accepted::default(),
        signature_schemes: Accepted::default(),
        unoffered_suite: None,
    });
    let stopped = of(select(vec![AuditStop::Connections, AuditStop::Vanished]));
    (any::<u32>(), stopped, vec(version, 0..3), vec(vec(bytes(80), 0..3), 0..3), of(".*"))
        .prop_map(|(connections, stopped, versions, chains, jarm)| AuditFacts { connections, stopped, versions, chains, jarm, ..AuditFacts::default() })
}

fn quic() -> impl Strategy<Value = QuicFacts> {
    let end = prop_oneof![Just(QuicEnd::TimedOut), any::<u64>().prop_map(QuicEnd::Closed), any::<i32>().prop_map(QuicEnd::Unreachable)];
    (socket(), end, of(".*"), vec(any::<u32>(), 0..3), any::<[u64; 3]>(), vec(bytes(80), 0..3)).prop_map(
        |(remote, end, reason, versions, numbers, certificates)| QuicFacts {
            remote,
            local: Some(remote),
            end,
            server_name: reason.clone(),
            version: 1,
            versions,
            negotiation_us: Some(numbers[0]),
            retry: true,
            datagrams_sent: 3,
            datagrams_received: 2,
            bytes_read: numbers[1],
            first_datagram_us: None,
            elapsed_us: numbers[2],
            reason,
            icmp_from: Some(remote.ip()),
            handshake: None,
            certificates,
        },
    )
}

fn starttls() -> impl Strategy<Value = StartTlsFacts> {
    let end = prop_oneof![Just(UpgradeEnd::NotOffered), any::<i32>().prop_map(UpgradeEnd::Unreachable)];
    (end, of(".*"), vec(".*", 0..3), of(any::<bool>()), any::<[u64; 3]>()).prop_map(|(end, greeting, capabilities, offered, numbers)| StartTlsFacts {
        end,
        reply: greeting.clone(),
        greeting,
        capabilities,
        offered,
        first_byte_us: Some(numbers[0]),
        elapsed_us: numbers[0],
        bytes_read: numbers[1],
        surplus_bytes: numbers[2],
    })
}

fn witness() -> impl Strategy<Value = WitnessFacts> {
    let kind = prop_oneof![Just(EndKind::Reset), any::<u8>().prop_map(EndKind::Alert)];
    let end = (kind, any::<u64>()).prop_map(|(kind, at_us)| EndWitnessed { by: Sender::Server, kind, at_us, ttl: 64 });
    let hello = of(any::<u32>().prop_map(|bytes| HelloArrived { sha256: Bytes(vec![7; 32]), bytes, at_us: 9 }));
    let flow = (socket(), socket(), any::<u32>(), hello, vec(end, 0..3)).prop_map(|(client, server, began, hello, ends)| WitnessedFlow {
        client,
        server,
        begun_at: at(i64::from(began)),
        syns: 1,
        syn_ttl: 58,
        syn_acks: 0,
        client_bytes: 0,
        hello,
        server_bytes: 0,
        ends,
    });
    let line = (any::<u32>(), of(1_u16..), any::<u16>()).prop_map(|(when, client_port, reason)| LogLine {
        at: at(i64::from(when)),
        client: "198.18.1.10".parse().unwrap(),
        client_port,
        server_port: None,
        event: LogEvent::HandshakeFailed(reason),
    });
    let log = vec(line, 0..3).prop_map(|lines| Box::new(LogFacts { since: at(0), until: at(1), read: 7, lost: 0, lines }));
    (of(any::<u32>()), any::<u64>(), vec(flow, 0..3), of(log)).prop_map(|(since, lost_packets, flows, log)| WitnessFacts {
        sources: vec!["198.18.1.10".parse().unwrap()],
        since: since.map(|since| at(i64::from(since))),
        until: None,
        on_host: true,
        lost_packets,
        flows,
        log,
    })
}

fn facts() -> impl Strategy<Value = Facts> {
    let not_completed = prop_oneof![socket().prop_map(NotCompleted::PolicyDenied), any::<i32>().prop_map(NotCompleted::OutOfResources)];
    // Boxed, because the trees of all stages together do not fit on a test's stack.
    let answered = (of(dns().boxed()).boxed(), of(tcp().boxed()).boxed(), of(tls().boxed()).boxed(), of(http().boxed()).boxed());
    let further = (
        of(reply_ttl().boxed()).boxed(),
        of(walk().boxed()).boxed(),
        (of(audit()), of(witness())).boxed(),
        (of(starttls().boxed()), of(quic().boxed())).boxed(),
    );
    (of(not_completed), answered.boxed(), further.boxed()).prop_map(
        |(not_completed, (dns, tcp, tls, http), (reply_ttl, walk, (audit, witness), (starttls, quic)))| {
            let (audit, witness) = (audit.map(Box::new), witness.map(Box::new));
            Facts { not_completed, dns, tcp, starttls, tls, quic, http, reply_ttl, walk, witness, audit }
        },
    )
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let first = (any::<u128>(), select(Experiment::ALL), of(socket()), any::<u32>());
    let second = (any::<i64>(), any::<u64>(), of(any::<i64>()), facts());
    (first, second).prop_map(|((id, experiment, address, sequence), (started_at, elapsed_us, clock_offset_us, facts))| Attempt {
        id: AttemptId(Uuid::from_u128(id)),
        round: RoundId::scheduled(CheckId(Uuid::nil()), at(0)),
        check: CheckId(Uuid::from_u128(id.rotate_left(64))),
        vantage: name("north"),
        profile: "modern".parse().unwrap(),
        experiment,
        address,
        sequence,
        started_at: Timestamp::from_micros(started_at),
        elapsed_us,
        clock_offset_us,
        facts,
    })
}

#[test]
fn an_attempt_comes_back_from_its_row() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let configuration = ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(configuration, |(attempt in attempt())| {
        let found = runtime.block_on(async {
            store.ingest(&attempt.vantage, BootId::new(), vec![(1, attempt.clone())]).await.unwrap();
            store.attempt(attempt.id).await.unwrap()
        });
        prop_assert_eq!(found, Some(attempt));
    });
}
