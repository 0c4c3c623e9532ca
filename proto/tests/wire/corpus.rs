//! The seeds and findings of the fuzz targets through the same readers, so that every test run replays them.

use std::{fs, path::Path};

use parallax_model::{attempt::Attempt, lexicon, profile::Definition, target::Target};
use parallax_proto::{join::JoinString, v1, wire};

fn inputs(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_attempt_is_refused_or_carried_unchanged() {
    let mut read = 0;
    for bytes in inputs("attempt") {
        let Some(attempt) = wire::decode::<v1::Attempt>(&bytes).ok().and_then(|message| Attempt::try_from(message).ok()) else { continue };
        assert_eq!(Attempt::try_from(v1::Attempt::from(&attempt)).as_ref(), Ok(&attempt));
        read += 1;
    }
    assert!(read > 5, "{read}");
}

#[test]
fn every_text_is_understood_or_refused() {
    let mut read = [0; 4];
    for input in inputs("text") {
        let Some((kind, bytes)) = input.split_first() else { continue };
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        let understood = match kind % 4 {
            0 => text.parse::<JoinString>().is_ok(),
            1 => text.parse::<Definition>().is_ok(),
            2 => text.parse::<Target>().is_ok_and(|target| {
                assert_eq!(target.to_string().parse::<Target>().as_ref(), Ok(&target));
                true
            }),
            _ => lexicon::read(text).is_some(),
        };
        read[usize::from(kind % 4)] += usize::from(understood);
    }
    assert!(read.iter().all(|count| *count > 0), "each reader understands a seed: {read:?}");
}
