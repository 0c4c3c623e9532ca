//! Which package may reach which: the only direction rule that lasts.

use std::process::Command;

/// A package, and what it must not reach, directly or through others.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("parallax-tls", &["tokio", "prost", "tonic", "rusqlite", "parallax-model"]),
    ("parallax-model", &["tokio", "prost", "tonic", "rusqlite", "rustls", "parallax-proto"]),
    ("parallax-proto", &["rusqlite", "parallax-store", "parallax-probe", "parallax-diagnosis"]),
    ("parallax-probe", &["prost", "tonic", "rusqlite", "parallax-proto", "parallax-diagnosis", "parallax-store"]),
    ("parallax-responder", &["prost", "tonic", "rusqlite", "parallax-proto", "parallax-probe"]),
    ("parallax-agent", &["rusqlite", "parallax-diagnosis", "parallax-store", "parallax-coordinator"]),
    ("parallax-diagnosis", &["tokio", "prost", "tonic", "rusqlite", "parallax-proto", "parallax-store"]),
    ("parallax-store", &["prost", "tonic", "parallax-proto", "parallax-diagnosis"]),
    ("parallax-coordinator", &["parallax-probe", "parallax-agent", "parallax-cli"]),
    ("parallax-cli", &["rusqlite", "parallax-store", "parallax-diagnosis", "parallax-probe", "parallax-coordinator", "parallax-agent"]),
];

/// Crates that must be nowhere: one TLS provider, no OpenSSL.
const NOWHERE: &[&str] = &["ring", "openssl-sys", "native-tls", "reqwest"];

fn reached(package: &str) -> Vec<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let arguments = ["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}", "--offline", "--locked"];
    let output = Command::new(cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    assert!(output.status.success(), "cargo tree of {package}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("crate names are text");
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn packages_reach_only_what_they_may() {
    for (package, forbidden) in FORBIDDEN {
        let reached = reached(package);
        assert!(reached.iter().any(|name| name == package), "cargo tree of {package} says nothing");
        for name in forbidden.iter().chain(NOWHERE) {
            assert!(!reached.iter().any(|other| other == name), "{package} must not reach {name}; 'cargo tree -p {package} -i {name}' shows how it does");
        }
    }
}
