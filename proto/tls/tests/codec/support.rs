//! Recorded bytes for the tests.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns a path below the package.
pub(crate) fn package_path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Reads one recording: hexadecimal digits in one line.
pub(crate) fn recording(relative: &str) -> Vec<u8> {
    let path = package_path("testdata").join(relative).with_extension("hex");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let digits = text.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// Reads every recording of a folder of `testdata`, in the order of names.
pub(crate) fn recordings(folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<String> = fs::read_dir(package_path("testdata").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "hex"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "no recordings in {folder}");
    names.into_iter().map(|name| (name.clone(), recording(&format!("{folder}/{name}.hex")))).collect()
}
