//! Generators of facts: every stage, every end, every optional part present and absent.

use std::net::{IpAddr, SocketAddr};

use parallax_model::facts::*;
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::{
    audit::audit,
    witness::witness,
    words::{bytes, digest, named_resolver, socket},
};

pub(crate) fn facts() -> impl Strategy<Value = Facts> {
    // A generator holds its whole tree by value: unboxed, it does not fit on a test thread's stack.
    let stages = (option::of(dns().boxed()), option::of(tcp().boxed()), option::of(tls().boxed()), option::of(http().boxed()));
    let path = (option::of(reply_ttl().boxed()), option::of(walk().boxed()), option::weighted(0.3, audit().boxed()), option::weighted(0.3, witness().boxed()));
    let parts = (option::weighted(0.1, not_completed()), stages, path, (option::of(starttls().boxed()), option::of(quic().boxed())));
    parts.prop_map(|(not_completed, (dns, tcp, tls, http), (reply_ttl, walk, audit, witness), (starttls, quic))| Facts {
        not_completed,
        dns,
        tcp,
        starttls,
        tls,
        quic,
        http,
        reply_ttl,
        walk,
        witness: witness.map(Box::new),
        audit: audit.map(Box::new),
    })
}

fn not_completed() -> impl Strategy<Value = NotCompleted> {
    prop_oneof![
        socket().prop_map(NotCompleted::PolicyDenied),
        Just(NotCompleted::Unsupported),
        Just(NotCompleted::SkippedLate),
        Just(NotCompleted::Interrupted),
        Just(NotCompleted::Cancelled),
        Just(NotCompleted::OverLimit),
        any::<i32>().prop_map(NotCompleted::OutOfResources),
    ]
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,10}\\.test", "\\PC{0,24}"]
}

fn dns() -> impl Strategy<Value = DnsFacts> {
    let resolver = prop_oneof![Just(ResolverKind::System), named_resolver().prop_map(ResolverKind::Named), Just(ResolverKind::Literal)];
    let beside = (vec(dns_answer().boxed(), 0..2), vec(bytes(64), 0..3));
    let parts = (text(), resolver, vec(dns_answer().boxed(), 0..3), vec(any::<IpAddr>(), 0..4), vec(service(), 0..3), beside);
    parts.prop_map(|(name, resolver, answers, addresses, services, (again_by_tcp, certificates))| DnsFacts {
        name,
        resolver,
        answers,
        addresses,
        services,
        again_by_tcp,
        certificates,
    })
}

fn service() -> impl Strategy<Value = ServiceRecord> {
    let parts = (any::<u16>(), text(), vec(text(), 0..3), option::of(any::<u16>()), any::<bool>());
    parts.prop_map(|(priority, target, alpn, port, ech)| ServiceRecord { priority, target, alpn, port, ech })
}

fn dns_answer() -> impl Strategy<Value = DnsAnswer> {
    let end = prop_oneof![
        any::<u16>().prop_map(LookupEnd::Response),
        Just(LookupEnd::TimedOut),
        any::<i32>().prop_map(LookupEnd::Failed),
        Just(LookupEnd::Malformed),
        Just(LookupEnd::NoResolver),
        Just(LookupEnd::NotSecured),
        any::<u16>().prop_map(LookupEnd::HttpStatus),
        Just(LookupEnd::Denied),
    ];
    let transport = select(vec![DnsTransport::Udp, DnsTransport::Tcp, DnsTransport::Tls, DnsTransport::Https]);
    let record = (text(), any::<u16>(), any::<u32>(), text());
    let records = vec(record.prop_map(|(name, record_type, ttl_seconds, data)| DnsRecord { name, record_type, ttl_seconds, data }), 0..3);
    let parts = (any::<u16>(), option::of(socket()), transport, end, records, any::<u64>(), any::<bool>());
    parts.prop_map(|(record_type, server, transport, end, records, elapsed_us, second_answer)| DnsAnswer {
        record_type,
        server,
        transport,
        end,
        elapsed_us,
        second_records: if second_answer { records.clone() } else { Vec::new() },
        records,
        second_answer,
    })
}

fn tcp() -> impl Strategy<Value = TcpFacts> {
    let end = prop_oneof![
        Just(ConnectEnd::Connected),
        Just(ConnectEnd::Refused),
        Just(ConnectEnd::Reset),
        Just(ConnectEnd::TimedOut),
        any::<i32>().prop_map(ConnectEnd::Unreachable),
        any::<i32>().prop_map(ConnectEnd::LocalError),
    ];
    let ends = (socket(), option::of(socket()), any::<bool>(), end, any::<u64>());
    let set = (option::of(any::<u8>()), option::of(any::<u16>()), option::of(any::<IpAddr>()), option::of(any::<u8>()));
    (ends, set, option::of(tcp_info().boxed()), option::of(tcp_info().boxed())).prop_map(|(ends, set, at_connect, at_end): (Ends, Set, _, _)| TcpFacts {
        remote: ends.0,
        local: ends.1,
        source_port_pinned: ends.2,
        end: ends.3,
        connect_us: ends.4,
        hop_limit: set.0,
        mss_clamp: set.1,
        icmp_from: set.2,
        ack_ttl: set.3,
        at_connect,
        at_end,
    })
}

type Ends = (SocketAddr, Option<SocketAddr>, bool, ConnectEnd, u64);
type Set = (Option<u8>, Option<u16>, Option<IpAddr>, Option<u8>);

fn tcp_info() -> impl Strategy<Value = TcpInfo> {
    (any::<u8>(), any::<[u64; 3]>(), any::<[u32; 12]>()).prop_map(|(state, bytes, numbers)| TcpInfo {
        state,
        bytes_acked: bytes[0],
        bytes_sent: bytes[1],
        bytes_received: bytes[2],
        unacked: numbers[0],
        segments_in: numbers[1],
        segments_out: numbers[2],
        data_segments_in: numbers[3],
        total_retransmissions: numbers[4],
        out_of_order_in: numbers[5],
        rtt_us: numbers[6],
        min_rtt_us: numbers[7],
        send_mss: numbers[8],
        receive_mss: numbers[9],
        advertised_mss: numbers[10],
        path_mtu: numbers[11],
    })
}

fn quic() -> impl Strategy<Value = QuicFacts> {
    let end = prop_oneof![
        select(vec![QuicEnd::Established, QuicEnd::TimedOut, QuicEnd::VersionRefused, QuicEnd::Reset, QuicEnd::Refused]),
        any::<u64>().prop_map(QuicEnd::Closed),
        any::<u64>().prop_map(QuicEnd::ApplicationClosed),
        any::<u64>().prop_map(QuicEnd::Malformed),
        any::<u8>().prop_map(QuicEnd::LocalRefusal),
        any::<i32>().prop_map(QuicEnd::Unreachable),
        any::<i32>().prop_map(QuicEnd::LocalError),
    ];
    let ends = (socket(), option::of(socket()), end, option::of(text()), option::of(text()), option::of(any::<IpAddr>()));
    let numbers = (any::<[u32; 3]>(), vec(any::<u32>(), 0..4), any::<[u64; 2]>(), option::of(any::<u64>()), any::<bool>());
    (ends, numbers, option::of(handshake().boxed()), vec(bytes(64), 0..3)).prop_map(|(ends, numbers, handshake, certificates)| QuicFacts {
        remote: ends.0,
        local: ends.1,
        end: ends.2,
        server_name: ends.3,
        reason: ends.4,
        icmp_from: ends.5,
        version: numbers.0[0],
        datagrams_sent: numbers.0[1],
        datagrams_received: numbers.0[2],
        versions: numbers.1,
        bytes_read: numbers.2[0],
        elapsed_us: numbers.2[1],
        negotiation_us: numbers.3,
        first_datagram_us: numbers.3,
        retry: numbers.4,
        handshake,
        certificates,
    })
}

fn starttls() -> impl Strategy<Value = StartTlsFacts> {
    use UpgradeEnd::{Closed, LocalError, NotOffered, NotProtocol, OverCap, Ready, Refused, Reset, TimedOut, Unreachable};
    let plain = vec![Ready, NotOffered, Refused, NotProtocol, Closed, Reset, TimedOut, OverCap];
    let end = prop_oneof![4 => select(plain), 1 => any::<i32>().prop_map(Unreachable), 1 => any::<i32>().prop_map(LocalError)];
    let words = (option::of(text()), vec(text(), 0..4), option::of(any::<bool>()), option::of(text()));
    (end, words, option::of(any::<u64>()), any::<[u64; 3]>()).prop_map(|(end, (greeting, capabilities, offered, reply), first_byte_us, numbers)| {
        StartTlsFacts { end, greeting, capabilities, offered, reply, first_byte_us, elapsed_us: numbers[0], bytes_read: numbers[1], surplus_bytes: numbers[2] }
    })
}

fn tls() -> impl Strategy<Value = TlsFacts> {
    let times = (tls_end(), any::<u64>(), option::of(any::<u64>()), any::<u64>());
    let entry = (select(vec![Direction::Sent, Direction::Received]), any::<u64>(), bytes(64));
    let transcript = vec(entry.prop_map(|(direction, at_us, bytes)| TranscriptEntry { direction, at_us, bytes }), 0..4);
    let parts = (hello().boxed(), times, server_answer().boxed(), option::of(handshake().boxed()), vec(bytes(64), 0..4), transcript);
    parts.prop_map(|(hello, (end, end_us, first_byte_us, bytes_read), answer, handshake, certificates, transcript)| TlsFacts {
        hello,
        end,
        end_us,
        first_byte_us,
        bytes_read,
        answer,
        handshake,
        certificates,
        transcript,
    })
}

fn tls_end() -> impl Strategy<Value = TlsEnd> {
    let refusal = select(vec![
        LocalRefusal::Version,
        LocalRefusal::CipherSuite,
        LocalRefusal::Group,
        LocalRefusal::ApplicationProtocol,
        LocalRefusal::Signature,
        LocalRefusal::CertificateEncoding,
        LocalRefusal::Other,
    ]);
    let plain = [TlsEnd::Established, TlsEnd::Answered, TlsEnd::Closed, TlsEnd::Reset, TlsEnd::TimedOut, TlsEnd::NotTls, TlsEnd::Malformed, TlsEnd::OverCap];
    prop_oneof![
        3 => select(plain.to_vec()),
        1 => any::<u8>().prop_map(TlsEnd::Alert),
        1 => refusal.prop_map(TlsEnd::LocalRefusal),
        1 => any::<i32>().prop_map(TlsEnd::Unreachable),
        1 => any::<i32>().prop_map(TlsEnd::LocalError),
    ]
}

fn hello() -> impl Strategy<Value = HelloSent> {
    let sha256 = prop_oneof![Just(parallax_model::bytes::Bytes::default()), digest()];
    (option::of(text()), any::<u32>(), any::<u8>(), sha256).prop_map(|(server_name, bytes, writes, sha256)| HelloSent { server_name, bytes, writes, sha256 })
}

fn server_answer() -> impl Strategy<Value = ServerAnswerFacts> {
    let number = || option::of(any::<u16>());
    let chosen = (number(), number(), number(), option::of(text()), number());
    let alert = (any::<u8>(), any::<u8>(), any::<bool>()).prop_map(|(level, description, encrypted)| AlertSeen { level, description, encrypted });
    let seen = (vec(any::<u16>(), 0..6), any::<u8>(), any::<bool>(), vec(alert, 0..3), any::<bool>(), option::of(bytes(64)));
    (chosen, seen).prop_map(|(chosen, seen)| ServerAnswerFacts {
        version: chosen.0,
        cipher_suite: chosen.1,
        group: chosen.2,
        dh_bits: chosen.4,
        alpn: chosen.3,
        extensions: seen.0,
        hello_retry_requests: seen.1,
        certificate_requested: seen.2,
        alerts: seen.3,
        encrypted_records: seen.4,
        not_tls: seen.5,
    })
}

fn handshake() -> impl Strategy<Value = HandshakeFacts> {
    let chosen = (option::of(any::<u16>()), option::of(any::<u16>()), option::of(any::<u16>()), option::of(text()));
    let seen = (any::<bool>(), option::of(any::<bool>()), option::of(bytes(64)), any::<u64>(), option::of(digest()));
    (chosen, seen).prop_map(|(chosen, seen)| HandshakeFacts {
        version: chosen.0,
        cipher_suite: chosen.1,
        group: chosen.2,
        alpn: chosen.3,
        hello_retry: seen.0,
        signature_verified: seen.1,
        staple: seen.2,
        elapsed_us: seen.3,
        echo_sha256: seen.4,
    })
}

fn http() -> impl Strategy<Value = HttpFacts> {
    let plain = vec![HttpEnd::Answered, HttpEnd::Closed, HttpEnd::Reset, HttpEnd::TimedOut, HttpEnd::NotHttp, HttpEnd::Quiet];
    let end = prop_oneof![4 => select(plain), 1 => any::<u8>().prop_map(HttpEnd::Alert)];
    let headers = (option::of(text()), option::of(text()), option::of(text()));
    let ages = (option::of(any::<i64>().prop_map(parallax_model::clock::Timestamp::from_micros)), option::of(any::<u32>()), option::of(text()));
    let parts = (end, option::of(any::<u16>()), headers, any::<u64>(), any::<u64>(), option::of(body()), ages);
    parts.prop_map(|(end, status, (server, location, alt_svc), bytes_read, elapsed_us, body, (date, age_seconds, strict_transport_security))| HttpFacts {
        end,
        status,
        server,
        location,
        alt_svc,
        bytes_read,
        elapsed_us,
        body,
        date,
        age_seconds,
        strict_transport_security,
    })
}

fn body() -> impl Strategy<Value = BodyFacts> {
    use BodyEnd::{Capped, Closed, Ended, Malformed, Reset, TimedOut, Whole};
    let end = prop_oneof![7 => select(vec![Whole, Capped, Ended, Closed, Reset, TimedOut, Malformed]), 1 => any::<u8>().prop_map(BodyEnd::Alert)];
    let some = || option::of(any::<u64>());
    (end, any::<u64>(), some(), some(), some(), any::<u64>()).prop_map(|(end, bytes, promised, first_byte_us, last_byte_us, elapsed_us)| BodyFacts {
        end,
        bytes,
        promised,
        first_byte_us,
        last_byte_us,
        elapsed_us,
    })
}

fn reply() -> impl Strategy<Value = Reply> {
    select(vec![Reply::SynAck, Reply::Refusal, Reply::Reset, Reply::Close, Reply::Alert, Reply::Data])
}

fn ttl_range() -> impl Strategy<Value = TtlRange> {
    any::<(u8, u8)>().prop_map(|(least, most)| TtlRange { least, most })
}

fn reply_ttl() -> impl Strategy<Value = ReplyTtlFacts> {
    let sibling = (any::<IpAddr>(), any::<u16>(), reply(), ttl_range());
    let siblings = vec(sibling.prop_map(|(address, port, reply, ttl)| Sibling { address, port, reply, ttl }), 0..3);
    let parts = (option::of(ttl_range()), option::of(reply()), option::of(ttl_range()), option::of(any::<bool>()), siblings, any::<u32>());
    parts.prop_map(|(syn_ack, reply, reply_ttl, passed_when_filtered, siblings, connections)| ReplyTtlFacts {
        syn_ack,
        reply,
        reply_ttl,
        passed_when_filtered,
        siblings,
        connections,
    })
}

fn walk() -> impl Strategy<Value = WalkFacts> {
    let payload = prop_oneof![Just(WalkPayload::Syn), option::of(text()).prop_map(WalkPayload::Hello)];
    let plain = vec![StepEnd::Answered, StepEnd::Refused, StepEnd::Reset, StepEnd::Closed, StepEnd::Silent, StepEnd::NotConnected];
    let end = prop_oneof![
        3 => select(plain),
        1 => option::of(any::<IpAddr>()).prop_map(StepEnd::Expired),
        1 => option::of(any::<IpAddr>()).prop_map(StepEnd::Prohibited),
        1 => any::<u8>().prop_map(StepEnd::Alert),
    ];
    let step = (any::<u8>(), end, any::<u64>()).prop_map(|(hop_limit, end, elapsed_us)| WalkStep { hop_limit, end, elapsed_us });
    (payload, any::<u16>(), vec(step, 0..6)).prop_map(|(payload, source_port, steps)| WalkFacts { payload, source_port, steps })
}
