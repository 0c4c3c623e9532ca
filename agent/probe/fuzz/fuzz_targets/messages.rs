//! Answers of name servers, web servers and QUIC servers are read within their caps, or refused; the first byte of the input chooses the kind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_probe::messages;

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    match kind % 3 {
        0 => {
            let (records, services) = messages::dns_answer(bytes).unwrap_or_default();
            assert!(services.len() <= 64 && records.iter().all(|record| record.data.chars().count() <= 512));
        }
        1 => assert!(messages::http_head(bytes).is_none_or(|head| head.status.is_some())),
        _ => assert!(messages::quic_versions(bytes, [1; 8], [2; 8]).is_none_or(|versions| (1..=32).contains(&versions.len()))),
    }
});
