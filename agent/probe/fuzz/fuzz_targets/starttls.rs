//! A server's words say the same read at once and in pieces; the first byte of the input chooses the protocol, the second the size of the pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_model::{facts::UpgradeEnd, target::StartTls};
use parallax_probe::starttls::{MAX_CAPABILITIES, Upgrade};

fuzz_target!(|input: &[u8]| {
    let Some((&[protocol, size], bytes)) = input.split_first_chunk::<2>() else { return };
    let protocol = StartTls::ALL[usize::from(protocol) % StartTls::ALL.len()];
    let whole = digest(protocol, bytes, bytes.len().max(1));
    assert!(whole.2.len() <= MAX_CAPABILITIES);
    assert_eq!(digest(protocol, bytes, usize::from(size) + 1), whole);
});

fn digest(protocol: StartTls, bytes: &[u8], size: usize) -> (Vec<u8>, Option<UpgradeEnd>, Vec<String>) {
    let mut upgrade = Upgrade::new(protocol, "x.test");
    let (mut said, mut end) = (Vec::new(), None);
    for piece in bytes.chunks(size) {
        let turn = upgrade.feed(piece);
        said.extend(turn.say);
        end = turn.end;
    }
    (said, end, upgrade.heard().capabilities.clone())
}
