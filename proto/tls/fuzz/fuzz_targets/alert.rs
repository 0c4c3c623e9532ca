//! Whatever decodes as an alert is written again byte for byte and has a text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_tls::registry::ProtocolVersion;
use parallax_tls::{Alert, read_server_answer};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(alert) = Alert::decode(bytes) {
        assert_eq!(alert.encode(), bytes);
        assert!(alert.to_string().contains(' '));
        assert_eq!(read_server_answer(&alert.to_record(ProtocolVersion::TLS12)).plaintext_alerts, [alert]);
    }
});
