//! What people and files give, a join string, a profile, a target or a line of a log, is understood or refused; the first byte of the input chooses the kind.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parallax_model::{lexicon, profile::Definition, target::Target};
use parallax_proto::join::JoinString;

fuzz_target!(|input: &[u8]| {
    let Some((kind, bytes)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match kind % 4 {
        0 => {
            if let Ok(join) = text.parse::<JoinString>() {
                assert_eq!(join.to_string().parse::<JoinString>().as_ref(), Ok(&join));
            }
        }
        1 => {
            if let Ok(definition) = text.parse::<Definition>() {
                let client = definition.profile().client.as_ref().expect("a definition is of a client");
                assert!(!client.sample(Some("x.test")).encode().is_empty());
                assert_eq!(definition.text(), text);
            }
        }
        2 => {
            if let Ok(target) = text.parse::<Target>() {
                assert_eq!(target.to_string().parse::<Target>().as_ref(), Ok(&target));
            }
        }
        _ => drop(lexicon::read(text)),
    }
});
