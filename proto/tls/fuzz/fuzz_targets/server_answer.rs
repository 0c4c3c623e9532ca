//! A server's bytes say the same read at once and in pieces; the first byte of the input chooses the size of the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_tls::{ServerAnswerReader, ServerHello, read_server_answer, signed_timestamps};

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else { return };
    let whole = read_server_answer(bytes);
    assert!(signed_timestamps(bytes) as usize <= bytes.len() / 2);
    let mut reader = ServerAnswerReader::new();
    for piece in bytes.chunks(usize::from(*size) + 1) {
        reader.feed(piece);
        let _ = reader.answer().clear_part_ended();
    }
    assert_eq!(reader.answer(), &whole);
    for hello in whole.server_hello.iter().chain(&whole.hello_retry_requests) {
        let _ = (hello.selected_version(), hello.selected_group(), hello.alpn());
        assert_eq!(ServerHello::decode(&hello.encode()).as_ref(), Ok(hello));
    }
});
