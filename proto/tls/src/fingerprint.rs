//! Fingerprints of hellos: names under which the rest of the world knows a client, or a server's choice.

use std::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::{
    client_hello::ClientHello,
    extension::Extension,
    registry::{ExtensionType, ProtocolVersion, is_grease},
    server_flight::ServerHello,
};

/// Returns the JA4 fingerprint of a hello over TCP, such as `t13d1516h2_8daaf6152771_e5627efa2ab1` (FoxIO, BSD-3: `technical_details/JA4.md`).
///
/// Version, server name, counts and first protocol; a digest of the sorted suites; a digest of the sorted extensions with the signature schemes in
/// their order. The order in which a browser shuffles its extensions does not change it.
#[must_use]
pub fn ja4(hello: &ClientHello) -> String {
    let suites: Vec<u16> = without_grease(hello.cipher_suites.iter().map(|suite| suite.0)).collect();
    let extensions: Vec<u16> = extension_types(hello).collect();
    let named = if extensions.contains(&ExtensionType::SERVER_NAME.0) { 'd' } else { 'i' };
    let head = format!("t{}{named}{:02}{:02}{}", version(hello), suites.len().min(99), extensions.len().min(99), first_protocol(hello));
    let unnamed = |kind: &u16| ![ExtensionType::SERVER_NAME.0, ExtensionType::ALPN.0].contains(kind);
    let mut offer = sorted(extensions.iter().copied().filter(unnamed).collect());
    let schemes = listed(signature_schemes(hello), ",", |number| format!("{number:04x}"));
    if !schemes.is_empty() {
        offer = offer + "_" + &schemes;
    }
    format!("{head}_{}_{}", short_digest(&sorted(suites)), short_digest(&offer))
}

/// Returns the text whose digest is [`ja3`]: version, suites, extensions, groups and point formats in decimal, in their order.
#[must_use]
pub fn ja3_text(hello: &ClientHello) -> String {
    let decimal = |numbers: &mut dyn Iterator<Item = u16>| listed(numbers, "-", |number| number.to_string());
    let groups = match hello.extension(ExtensionType::SUPPORTED_GROUPS) {
        Some(Extension::SupportedGroups(groups)) => groups.as_slice(),
        _ => &[],
    };
    let formats = match hello.extension(ExtensionType::EC_POINT_FORMATS) {
        Some(Extension::EcPointFormats(formats)) => formats.as_slice(),
        _ => &[],
    };
    [
        hello.legacy_version.0.to_string(),
        decimal(&mut without_grease(hello.cipher_suites.iter().map(|suite| suite.0))),
        decimal(&mut extension_types(hello)),
        decimal(&mut without_grease(groups.iter().map(|group| group.0))),
        decimal(&mut formats.iter().copied().map(u16::from)),
    ]
    .join(",")
}

/// Returns the JA3 fingerprint, the MD5 digest of [`ja3_text`] in hexadecimal (Salesforce, BSD-3).
#[must_use]
pub fn ja3(hello: &ClientHello) -> String {
    hexadecimal(&Md5::digest(ja3_text(hello)))
}

/// Returns the JA3S fingerprint of a server's choice: the MD5 digest of version, suite and extensions in decimal, in hexadecimal (Salesforce, BSD-3).
#[must_use]
pub fn ja3s(hello: &ServerHello) -> String {
    let extensions = listed(hello.extensions.iter().map(|(kind, _)| kind.0), "-", |number| number.to_string());
    hexadecimal(&Md5::digest(format!("{},{},{extensions}", hello.legacy_version.0, hello.cipher_suite.0)))
}

fn without_grease(numbers: impl Iterator<Item = u16>) -> impl Iterator<Item = u16> {
    numbers.filter(|number| !is_grease(*number))
}

fn extension_types(hello: &ClientHello) -> impl Iterator<Item = u16> {
    without_grease(hello.extensions.iter().map(|extension| extension.extension_type().0))
}

fn signature_schemes(hello: &ClientHello) -> impl Iterator<Item = u16> {
    let schemes = match hello.extension(ExtensionType::SIGNATURE_ALGORITHMS) {
        Some(Extension::SignatureAlgorithms(schemes)) => schemes.as_slice(),
        _ => &[],
    };
    without_grease(schemes.iter().map(|scheme| scheme.0))
}

fn version(hello: &ClientHello) -> &'static str {
    let offered = hello.offered_versions().into_iter().filter(|version| !is_grease(version.0));
    match offered.max() {
        Some(ProtocolVersion::TLS13) => "13",
        Some(ProtocolVersion::TLS12) => "12",
        Some(ProtocolVersion::TLS11) => "11",
        Some(ProtocolVersion::TLS10) => "10",
        Some(ProtocolVersion::SSL30) => "s3",
        _ => "00",
    }
}

/// Returns the first and last character of the first protocol, those of its hexadecimal form when they are no letters or digits, `00` without any.
fn first_protocol(hello: &ClientHello) -> String {
    let Some((first, last)) = hello.alpn().first().and_then(|protocol| Some((*protocol.first()?, *protocol.last()?))) else { return "00".to_owned() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first, last].map(char::from).iter().collect();
    }
    let (first, last) = (format!("{first:02x}"), format!("{last:02x}"));
    first[..1].to_owned() + &last[1..]
}

fn sorted(mut numbers: Vec<u16>) -> String {
    numbers.sort_unstable();
    listed(numbers.into_iter(), ",", |number| format!("{number:04x}"))
}

fn listed(numbers: impl Iterator<Item = u16>, separator: &str, form: impl Fn(u16) -> String) -> String {
    numbers.map(form).collect::<Vec<_>>().join(separator)
}

/// Twelve digits of SHA-256, zeros for nothing.
fn short_digest(text: &str) -> String {
    const DIGITS: usize = 12;
    if text.is_empty() { "0".repeat(DIGITS) } else { hexadecimal(&Sha256::digest(text)[..DIGITS / 2]) }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{CipherSuite, NamedGroup, SignatureScheme};

    #[test]
    fn grease_counts_nowhere_and_the_order_of_extensions_does_not_matter() {
        let hello = ClientHello {
            cipher_suites: vec![CipherSuite(0x1302), CipherSuite(0x1301)],
            extensions: vec![
                Extension::ServerName("shop.example".to_owned()),
                Extension::SupportedVersions(vec![ProtocolVersion::TLS13]),
                Extension::SupportedGroups(vec![NamedGroup::X25519]),
                Extension::SignatureAlgorithms(vec![SignatureScheme(0x0403)]),
                Extension::Alpn(vec![b"h2".to_vec()]),
            ],
            ..ClientHello::default()
        };
        let mut greased = hello.clone();
        greased.cipher_suites.insert(0, CipherSuite(0x2a2a));
        greased.extensions.reverse();
        greased.extensions.push(Extension::Grease(0x5a5a, vec![0]));
        assert_eq!(ja4(&greased), ja4(&hello));
        assert!(ja4(&hello).starts_with("t13d0205h2_"));
        assert_ne!(ja3(&greased), ja3(&hello));
        assert_eq!(ja3_text(&hello), "771,4866-4865,0-43-10-13-16,29,");
    }

    #[test]
    fn what_is_absent_and_what_is_strange_have_a_form() {
        let bare = ClientHello { legacy_version: ProtocolVersion::SSL30, ..ClientHello::default() };
        assert_eq!(ja4(&bare), "ts3i000000_000000000000_000000000000");
        assert_eq!(ja3_text(&bare), "768,,,,");
        let strange = ClientHello { extensions: vec![Extension::Alpn(vec![vec![0xab]])], ..ClientHello::default() };
        assert!(ja4(&strange).starts_with("t12i0001ab_"), "{}", ja4(&strange));
    }
}
