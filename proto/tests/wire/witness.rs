//! Generators of what a witness saw.

use std::net::IpAddr;

use parallax_model::{clock::Timestamp, facts::*};
use proptest::{collection::vec, option, prelude::*};

use crate::words::{digest, socket};

pub(crate) fn witness() -> impl Strategy<Value = WitnessFacts> {
    let when = || option::of(any::<i64>().prop_map(Timestamp::from_micros));
    let parts = (vec(any::<IpAddr>(), 0..4), when(), when(), (any::<bool>(), any::<u64>()), vec(flow().boxed(), 0..3));
    parts.prop_map(|(sources, since, until, (on_host, lost_packets), flows)| WitnessFacts { sources, since, until, on_host, lost_packets, flows })
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
