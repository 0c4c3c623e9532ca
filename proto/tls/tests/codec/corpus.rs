//! The seeds of the fuzz targets through the same decoders, so that every test run replays them.

use std::fs;

use crate::hostile::decode_everything;
use crate::support::package_path;

#[test]
fn every_seed_decodes_or_is_refused() {
    for target in ["client_hello", "server_answer", "deframer", "alert", "ssl2"] {
        let folder = package_path("fuzz/corpus").join(target);
        let mut seeds = 0;
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            let (size, rest) = bytes.split_first().map_or((0, &[][..]), |(size, rest)| (*size, rest));
            decode_everything(&bytes, usize::from(size) + 1);
            decode_everything(rest, usize::from(size) + 1);
            seeds += 1;
        }
        assert!(seeds > 5, "{target} has seeds");
    }
}
