use std::{fs, net::IpAddr, path::Path};

use parallax_model::{
    clock::Timestamp,
    facts::{EndKind, Sender, WitnessedFlow},
};
use proptest::prelude::*;

use super::{follow, ledger::Ledger, packet::Segment};

const CLIENT: &str = "198.18.1.10:40000";
const SERVER: &str = "192.0.2.11:443";

/// A ClientHello without extensions, in one record.
fn hello() -> Vec<u8> {
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 0x01, 1, 0]].concat();
    let length = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat()
}

/// A segment from an end, with the letters of its flags; sequence numbers are counted from the SYN.
fn segment<'a>(from: &str, flags: &str, sequence: u32, payload: &'a [u8]) -> Segment<'a> {
    let (from, to) = if from == CLIENT { (CLIENT, SERVER) } else { (SERVER, from) };
    Segment {
        from: from.parse().unwrap(),
        to: if to == SERVER { SERVER } else { CLIENT }.parse().unwrap(),
        ttl: if from == CLIENT { 58 } else { 64 },
        syn: flags.contains('S'),
        ack: flags.contains('A'),
        fin: flags.contains('F'),
        rst: flags.contains('R'),
        sequence: ISN.wrapping_add(sequence),
        payload,
        length: u32::try_from(payload.len()).unwrap(),
    }
}

/// Close to the end of the numbers, so that they wrap.
const ISN: u32 = u32::MAX - 20;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_000 * millis)
}

fn client(ledger: &mut Ledger, flags: &str, sequence: u32, payload: &[u8], millis: i64) {
    ledger.note(&segment(CLIENT, flags, sequence, payload), Sender::Client, at(millis));
}

fn server(ledger: &mut Ledger, flags: &str, sequence: u32, payload: &[u8], millis: i64) {
    let answer = Segment { from: SERVER.parse().unwrap(), to: CLIENT.parse().unwrap(), ..segment(CLIENT, flags, sequence, payload) };
    ledger.note(&Segment { ttl: 64, ..answer }, Sender::Server, at(millis));
}

fn flows(ledger: &Ledger) -> Vec<WitnessedFlow> {
    ledger.flows(|server| server == SERVER.parse().unwrap(), |source| source == IpAddr::from([198, 18, 1, 10]), 256)
}

fn connected() -> Ledger {
    let mut ledger = Ledger::default();
    client(&mut ledger, "S", 0, b"", 0);
    server(&mut ledger, "SA", 0, b"", 1);
    ledger
}

#[test]
fn a_hello_in_pieces_out_of_order_is_hashed_as_one() {
    let hello = hello();
    let whole = {
        let mut ledger = connected();
        client(&mut ledger, "A", 1, &hello, 2);
        flows(&ledger).remove(0).hello.unwrap()
    };
    let mut ledger = connected();
    client(&mut ledger, "A", 11, &hello[10..30], 2);
    client(&mut ledger, "A", 31, &hello[30..], 3);
    assert_eq!(flows(&ledger)[0].hello, None);
    client(&mut ledger, "A", 1, &hello[..10], 4);
    client(&mut ledger, "A", 1, &hello[..20], 5);
    let flow = flows(&ledger).remove(0);
    assert_eq!((flow.client_bytes, flow.syn_ttl, flow.syns, flow.syn_acks), (hello.len() as u64, 58, 1, 1));
    let seen = flow.hello.unwrap();
    assert_eq!((&seen.sha256, seen.bytes, seen.at_us), (&whole.sha256, u32::try_from(hello.len()).unwrap(), 4_000));
}

#[test]
fn what_ends_a_connection_is_noted_once_with_its_sender() {
    let mut ledger = connected();
    client(&mut ledger, "A", 1, &hello(), 2);
    server(&mut ledger, "FA", 1, &[21, 3, 3, 0, 2, 2, 112], 3);
    server(&mut ledger, "FA", 1, &[21, 3, 3, 0, 2, 2, 112], 203);
    client(&mut ledger, "RA", 55, b"", 4);
    let flow = flows(&ledger).remove(0);
    let ends: Vec<_> = flow.ends.iter().map(|end| (end.by, end.kind, end.at_us)).collect();
    let expected = [(Sender::Server, EndKind::Alert(112), 3_000), (Sender::Server, EndKind::Close, 3_000), (Sender::Client, EndKind::Reset, 4_000)];
    assert_eq!((ends.as_slice(), flow.server_bytes), (&expected[..], 7));
}

#[test]
fn a_refusal_is_a_reset_of_the_server_and_a_port_used_again_a_new_connection() {
    let mut ledger = Ledger::default();
    client(&mut ledger, "S", 0, b"", 0);
    client(&mut ledger, "S", 0, b"", 1_000);
    server(&mut ledger, "RA", 0, b"", 1_001);
    client(&mut ledger, "S", 999, b"", 2_000);
    let flows = flows(&ledger);
    assert_eq!(flows.iter().map(|flow| (flow.syns, flow.ends.len())).collect::<Vec<_>>(), [(2, 1), (1, 0)]);
    assert!(ledger.flows(|_| true, |source| source == IpAddr::from([198, 18, 1, 11]), 256).is_empty(), "nobody else's connections are told");
}

#[test]
fn the_oldest_are_forgotten_and_that_is_said() {
    let mut ledger = Ledger::default();
    for number in 0..16 * 1024 + 10_u32 {
        let mut syn = segment(CLIENT, "S", number, b"");
        syn.from.set_port(u16::try_from(number % 60_000).unwrap());
        ledger.note(&syn, Sender::Client, at(i64::from(number)));
    }
    assert_eq!(ledger.forgotten(), Some(at(9)));
    assert_eq!(flows(&ledger).len(), 256);
}

/// The packets of a fuzzer's input, each behind its length in two bytes.
fn packets(mut input: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    while let Some((&[high, low], rest)) = input.split_first_chunk::<2>() {
        let (packet, rest) = rest.split_at(usize::from(u16::from_be_bytes([high, low])).min(rest.len()));
        packets.push(packet);
        input = rest;
    }
    packets
}

#[test]
fn the_fuzzers_corpus_is_followed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/witness");
    let follow_file = |name: &str| follow(packets(&fs::read(folder.join(name)).unwrap()), SERVER.parse().unwrap(), at(0));
    let reset = follow_file("reset-by-server").remove(0);
    assert_eq!((reset.ends[0].by, reset.ends[0].kind, reset.hello.map(|hello| hello.bytes)), (Sender::Server, EndKind::Reset, Some(50)));
    assert_eq!(follow_file("syn-only").remove(0).syns, 2);
    assert_eq!(follow_file("cut-packets").len(), 1);
}

proptest! {
    #[test]
    fn no_stream_breaks_the_caps(pieces in proptest::collection::vec((any::<bool>(), "[SAFR]{0,2}", any::<u32>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..60)) {
        let mut ledger = connected();
        for (from_client, flags, sequence, payload) in &pieces {
            let (flags, sequence) = (flags.as_str(), sequence % 200);
            if *from_client { client(&mut ledger, flags, sequence, payload, 5) } else { server(&mut ledger, flags, sequence, payload, 5) }
        }
        for flow in flows(&ledger) {
            prop_assert!(flow.ends.len() <= 8 && flow.client_bytes <= 300);
        }
    }
}
