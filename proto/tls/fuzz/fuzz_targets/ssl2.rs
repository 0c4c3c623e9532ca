//! A SERVER-HELLO of SSL 2 is read or refused, and more bytes behind it change nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_tls::ssl2::ServerHello;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(hello) = ServerHello::decode(bytes) {
        let longer = [bytes, &[0; 9]].concat();
        assert_eq!(ServerHello::decode(&longer), Ok(hello));
    }
});
