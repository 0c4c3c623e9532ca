//! Defects of real balancers and middleboxes: what about a ClientHello makes them give up on a connection.

use clap::ValueEnum;
use parallax_tls::{
    ClientHello, Extension,
    registry::{NamedGroup, ProtocolVersion, is_grease},
};

/// What a device cannot bear in a ClientHello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Defect {
    /// A handshake message of 256 to 511 bytes, as old F5 BIG-IP.
    #[value(name = "length-256-511")]
    Length256To511,
    /// A key share of X25519MLKEM768.
    Hybrid,
    /// Values of GREASE among suites or extensions (RFC 8701).
    Grease,
    /// `encrypted_client_hello`, real or made up.
    Ech,
    /// Anything but version 0x0301 in the record header.
    RecordVersion,
    /// TLS 1.3 among the versions on offer.
    #[value(name = "tls13")]
    Tls13,
    /// No TLS 1.3 among them.
    #[value(name = "no-tls13")]
    NoTls13,
    /// More than 128 suites.
    ManySuites,
    /// `application_layer_protocol_negotiation`.
    Alpn,
    /// A server name that is not all in small letters.
    UpperCaseName,
}

impl Defect {
    /// Tells whether the first record of a connection triggers it.
    pub fn is_triggered_by(self, record: &[u8]) -> bool {
        let (Some(version), Some(message)) = (record.get(1..3), record.get(5..)) else { return false };
        let Ok(hello) = ClientHello::decode(message) else { return false };
        let has_extension = |wanted: fn(u16) -> bool| hello.extensions.iter().any(|extension| wanted(extension.extension_type().0));
        match self {
            Self::Length256To511 => (256..512).contains(&message.len()),
            Self::Hybrid => hello.key_share_groups().contains(&NamedGroup(0x11ec)),
            Self::Grease => hello.cipher_suites.iter().any(|suite| is_grease(suite.0)) || has_extension(is_grease),
            Self::Ech => has_extension(|number| number == 0xfe0d),
            Self::RecordVersion => version != [3, 1],
            Self::Tls13 => offers_tls13(&hello),
            Self::NoTls13 => !offers_tls13(&hello),
            Self::ManySuites => hello.cipher_suites.len() > 128,
            Self::Alpn => has_extension(|number| number == 16),
            Self::UpperCaseName => hello.server_name().is_some_and(|name| name.bytes().any(|byte| byte.is_ascii_uppercase())),
        }
    }
}

fn offers_tls13(hello: &ClientHello) -> bool {
    hello.extensions.iter().any(|extension| matches!(extension, Extension::SupportedVersions(versions) if versions.contains(&ProtocolVersion::TLS13)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use parallax_tls::registry::CipherSuite;

    fn record(hello: &ClientHello) -> Vec<u8> {
        hello.to_records(ProtocolVersion::TLS10)
    }

    #[test]
    fn only_its_own_peculiarity_triggers_a_defect() {
        let plain = ClientHello { cipher_suites: vec![CipherSuite(0x1301)], ..ClientHello::default() };
        let greased = ClientHello { cipher_suites: vec![CipherSuite(0x1a1a), CipherSuite(0x1301)], ..plain.clone() };
        let hybrid = ClientHello { extensions: vec![Extension::KeyShare(vec![(NamedGroup(0x11ec), vec![1; 100])])], ..plain.clone() };
        for defect in Defect::value_variants().iter().filter(|defect| **defect != Defect::NoTls13) {
            assert!(!defect.is_triggered_by(&record(&plain)), "{defect:?}");
        }
        assert!(Defect::Grease.is_triggered_by(&record(&greased)) && !Defect::Hybrid.is_triggered_by(&record(&greased)));
        assert!(Defect::Hybrid.is_triggered_by(&record(&hybrid)) && !Defect::Length256To511.is_triggered_by(&record(&hybrid)));
        assert!(Defect::NoTls13.is_triggered_by(&record(&plain)));
        let many = ClientHello { cipher_suites: vec![CipherSuite(0x1301); 129], ..plain.clone() };
        assert!(Defect::ManySuites.is_triggered_by(&record(&many)) && !Defect::Tls13.is_triggered_by(&record(&many)));
        assert!(Defect::RecordVersion.is_triggered_by(&plain.to_records(ProtocolVersion::TLS12)));
    }
}
