//! Whatever decodes as a ClientHello is written again byte for byte; the name's range lies inside the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_tls::{ClientHello, server_name_offset};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(hello) = ClientHello::decode(bytes) {
        assert_eq!(hello.encode(), bytes);
        let wire = hello.to_records(parallax_tls::registry::ProtocolVersion::TLS10);
        if let (Some(name), Some(range)) = (hello.server_name(), server_name_offset(&wire)) {
            assert_eq!(wire[range.start], name.as_bytes()[0]);
        }
    }
    if let Some(range) = server_name_offset(bytes) {
        assert!(!range.is_empty() && range.end <= bytes.len());
    }
});
