//! Packets of any kind are followed within the caps; each stands in the input behind its length in two bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_model::clock::Timestamp;

fuzz_target!(|input: &[u8]| {
    let mut packets = Vec::new();
    let mut rest = input;
    while let Some((&[high, low], tail)) = rest.split_first_chunk::<2>() {
        let (packet, tail) = tail.split_at(usize::from(u16::from_be_bytes([high, low])).min(tail.len()));
        packets.push(packet);
        rest = tail;
    }
    let server = "192.0.2.11:443".parse().expect("a constant address");
    for flow in parallax_agent::witness::follow(packets, server, Timestamp::from_micros(0)) {
        assert!(flow.ends.len() <= 8 && flow.syns > 0);
    }
});
