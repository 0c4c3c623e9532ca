//! Records and handshake messages come out alike whatever the pieces, and their bytes are those that went in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_tls::record::{Deframer, HEADER_LEN, HandshakeJoiner};
use parallax_tls::registry::ContentType;

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else { return };
    let whole = read(bytes, bytes.len().max(1));
    assert_eq!(read(bytes, usize::from(*size) + 1), whole);
});

/// Returns the payloads of all records and the handshake messages in them.
fn read(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut deframer = Deframer::with_limit(bytes.len());
    let mut joiner = HandshakeJoiner::with_limit(4096);
    let (mut payloads, mut messages) = (Vec::new(), Vec::new());
    let mut taken = 0;
    for part in bytes.chunks(piece) {
        deframer.feed(part).expect("never more than the whole input waits");
        while let Ok(Some(record)) = deframer.next_record() {
            let start = taken + HEADER_LEN;
            taken = start + record.payload.len();
            assert_eq!(record.payload, &bytes[start..taken]);
            payloads.push(record.payload.to_vec());
            if record.content_type == ContentType::HANDSHAKE && joiner.feed(record.payload).is_ok() {
                while let Ok(Some(message)) = joiner.next_message() {
                    messages.push(message.bytes.to_vec());
                }
            }
        }
    }
    (payloads, messages)
}
