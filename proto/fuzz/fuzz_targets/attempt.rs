//! An agent's message is refused, or becomes words that the wire carries unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_model::{attempt::Attempt, outcome::Outcome};
use parallax_proto::{v1, wire};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = wire::decode::<v1::Attempt>(bytes) else { return };
    let Ok(attempt) = Attempt::try_from(message) else { return };
    let _ = Outcome::of(&attempt);
    let again = Attempt::try_from(v1::Attempt::from(&attempt)).expect("what was read once is read again");
    assert_eq!(again, attempt);
});
