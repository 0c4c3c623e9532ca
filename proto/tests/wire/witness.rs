//! Generators of what a witness saw.

use std::net::IpAddr;

use parallax_model::{clock::Timestamp, facts::*};
use proptest::{collection::vec, option, prelude::*};

use crate::words::{digest, socket};

pub(crate) fn witness() -> impl Strategy<Value = WitnessFacts> {
    let when = || option::of(any::<i64>().prop_map(Timestamp::from_micros));
    let parts = (vec(any::<IpAddr>(), 0..4), when(), when(), (any::<bool>(), any::<u64>()), vec(flow().boxed(), 0..3), option::of(log()));
    parts.prop_map(|(sources, since, until, (on_host, lost_packets), flows, log)| WitnessFacts {
        sources,
        since,
        until,
        on_host,
        lost_packets,
        flows,
        log: log.map(Box::new),
    })
}

fn log() -> impl Strategy<Value = LogFacts> {
    let line = (any::<i64>(), any::<IpAddr>(), option::of(1_u16..), option::of(1_u16..), event());
    let line =
        line.prop_map(|(at, client, client_port, server_port, event)| LogLine { at: Timestamp::from_micros(at), client, client_port, server_port, event });
    let parts = (any::<i64>(), any::<i64>(), any::<u64>(), any::<u64>(), vec(line, 0..4));
    parts.prop_map(|(since, until, read, lost, lines)| LogFacts {
        since: Timestamp::from_micros(since),
        until: Timestamp::from_micros(until),
        read,
        lost,
        lines,
    })
}

fn event() -> impl Strategy<Value = LogEvent> {
    use LogEvent::{
        AlertReceived, ClientCertificate, Denied, HandshakeFailed, Limited, NotTls, Other, PeerClosed, PeerReset, PeerSilent, ProxyHeaderMissing, Served,
        UpstreamFailed,
    };
    let plain = vec![PeerClosed, PeerReset, PeerSilent, NotTls, ProxyHeaderMissing, Denied, Limited, ClientCertificate, UpstreamFailed, Other];
    prop_oneof![any::<u16>().prop_map(Served), any::<u16>().prop_map(HandshakeFailed), any::<u8>().prop_map(AlertReceived), prop::sample::select(plain)]
}

fn flow() -> impl Strategy<Value = WitnessedFlow> {
    let packets = (any::<u32>(), any::<u8>(), any::<u32>(), any::<u64>(), any::<u64>());
    let parts = (socket(), socket(), any::<i64>(), packets, option::of(hello()), vec(end(), 0..4));
    parts.prop_map(|(client, server, begun_at, (syns, syn_ttl, syn_acks, client_bytes, server_bytes), hello, ends)| WitnessedFlow {
        client,
        server,
        begun_at: Timestamp::from_micros(begun_at),
        syns,
        syn_ttl,
        syn_acks,
        client_bytes,
        hello,
        server_bytes,
        ends,
    })
}

fn hello() -> impl Strategy<Value = HelloArrived> {
    (digest(), any::<u32>(), any::<u64>()).prop_map(|(sha256, bytes, at_us)| HelloArrived { sha256, bytes, at_us })
}

fn end() -> impl Strategy<Value = EndWitnessed> {
    let by = prop_oneof![Just(Sender::Client), Just(Sender::Server)];
    let kind = prop_oneof![Just(EndKind::Reset), Just(EndKind::Close), any::<u8>().prop_map(EndKind::Alert)];
    (by, kind, any::<u64>(), any::<u8>()).prop_map(|(by, kind, at_us, ttl)| EndWitnessed { by, kind, at_us, ttl })
}
