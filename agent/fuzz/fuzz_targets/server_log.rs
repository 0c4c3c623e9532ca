//! Lines of any kind are read or refused, at the moments that they name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_model::clock::Timestamp;

fuzz_target!(|log: &[u8]| {
    let now = Timestamp::from_micros(1_795_532_400_000_000);
    for line in parallax_agent::server_log::lines_of(log, now) {
        let back_us = now.micros_since(line.at);
        assert!((-1_500_000..=901_000_000).contains(&back_us), "{line:?}");
        let _ = line.event.in_words();
    }
});
