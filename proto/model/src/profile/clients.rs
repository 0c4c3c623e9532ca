//! The hellos of real clients, one file each.
//!
//! Those with a recording in `testdata/hellos` were captured from the installed program; the others are put together from published facts, and
//! `testdata/clients.tsv` holds the JA4 fingerprint and the size that the client was seen with.

use std::sync::LazyLock;

use super::Definition;

/// Returns every recorded client, browsers first, the newest of a family first.
pub(super) fn all() -> &'static [Definition] {
    &CLIENTS
}

/// Returns the client of this name or alias.
pub(super) fn find(name: &str) -> Option<&'static Definition> {
    CLIENTS.iter().find(|client| client.answers_to(name))
}

macro_rules! clients {
    ($($name:literal,)*) => {
        &[$(include_str!(concat!("../profiles/", $name, ".toml")),)*]
    };
}

static CLIENTS: LazyLock<Vec<Definition>> = LazyLock::new(|| FILES.iter().map(|text| text.parse().expect("built-in profiles are profiles")).collect());

const FILES: &[&str] = clients![
    "chromium-156",
    "chrome-137",
    "chrome-101",
    "chrome-70",
    "chrome-49",
    "edge-133",
    "edge-15",
    "ie-11-win10",
    "ie-11-win8.1",
    "ie-11-win7",
    "ie-10-win7",
    "ie-8-xp",
    "firefox-153",
    "firefox-137",
    "firefox-100",
    "firefox-31",
    "thunderbird-91",
    "safari-26",
    "safari-18",
    "safari-12",
    "safari-9",
    "safari-6",
    "apple-ats-9",
    "apple-mail-16",
    "android-15",
    "android-13",
    "android-11",
    "android-9",
    "android-7",
    "android-5",
    "android-4.4",
    "android-4.0",
    "android-2.3",
    "googlebot-2018",
    "java-21",
    "java-17",
    "java-11",
    "java-8u442",
    "java-8u161",
    "java-8u111",
    "java-8u31",
    "java-7",
    "go-1.19",
    "go-1.17",
    "curl-7.88",
    "wget-1.21",
    "python-3.11",
    "node-openssl3",
    "php-8.2",
    "ruby-3.1",
    "perl-5.36",
    "openssl-4.0",
    "openssl-3.5",
    "openssl-3.0",
    "openssl-3.0-no-sni",
    "openssl-1.1.1",
    "openssl-1.1.0",
    "openssl-1.0.2",
    "openssl-1.0.1",
    "openssl-0.9.8",
    "gnutls-3.7",
    "libressl-3.3",
    "libressl-2.8",
    "rustls-pq",
    "rustls-x25519",
    "rustls-ring",
    "nginx-1.22-proxy",
    "nginx-1.22-proxy-sni",
    "nginx-1.22-proxy-tls12",
    "haproxy-2.6",
    "haproxy-2.6-sni",
    "apache-2.4-proxy",
];
