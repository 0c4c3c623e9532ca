//! What a cipher suite's name says about its handshake.

use super::{CipherSuite, ProtocolVersion};

/// How the handshake of a cipher suite agrees on a secret, as far as it decides the shape of ServerKeyExchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyExchange {
    /// TLS 1.3: the key_share extension decides, the suite does not.
    Tls13,
    /// ServerKeyExchange names a curve (RFC 8422 section 5.4).
    EllipticCurve,
    /// ServerKeyExchange carries a prime (RFC 5246 section 7.4.3).
    FiniteField,
    /// No ephemeral parameters, or parameters of a kind that this crate does not read.
    Other,
}

impl CipherSuite {
    /// Says how the suite exchanges keys; an unknown suite is [`KeyExchange::Other`].
    #[must_use]
    pub fn key_exchange(self) -> KeyExchange {
        if self.0 >> 8 == 0x13 {
            return KeyExchange::Tls13;
        }
        let name = self.name();
        if name.starts_with("TLS_ECDHE_") || name.starts_with("TLS_ECDH_anon_") {
            KeyExchange::EllipticCurve
        } else if name.starts_with("TLS_DHE_") || name.starts_with("TLS_DH_anon_") {
            KeyExchange::FiniteField
        } else {
            KeyExchange::Other
        }
    }

    /// Says whether a pre-shared key takes part, so that ServerKeyExchange starts with an identity hint (RFC 4279 section 2).
    #[must_use]
    pub fn has_pre_shared_key(self) -> bool {
        self.name().contains("_PSK_")
    }

    /// Says whose key signs the exchange, or receives it where the suite has no signature.
    #[must_use]
    pub fn authentication(self) -> Authentication {
        let name = self.name();
        let Some((exchange, _)) = name.strip_prefix("TLS_").and_then(|name| name.split_once("_WITH_")) else {
            return if self.0 >> 8 == 0x13 { Authentication::Tls13 } else { Authentication::Other };
        };
        let exchange = exchange.trim_end_matches("_EXPORT");
        match exchange {
            _ if exchange.ends_with("_anon") => Authentication::Anonymous,
            _ if ["PSK", "SRP", "KRB5"].iter().any(|other| exchange.contains(other)) => Authentication::Other,
            _ if exchange.ends_with("ECDSA") => Authentication::Ecdsa,
            _ if exchange.ends_with("DSS") => Authentication::Dss,
            _ if exchange.ends_with("RSA") => Authentication::Rsa,
            _ => Authentication::Other,
        }
    }

    /// Says whether the suite may be chosen in this version: those of TLS 1.3 in it alone, those with a hash of their own or AEAD from TLS 1.2 on.
    #[must_use]
    pub fn fits(self, version: ProtocolVersion) -> bool {
        if self.is_signal() || self == Self::TLS_NULL_WITH_NULL_NULL {
            return false;
        }
        if matches!(self.0, 0x00c6 | 0x00c7) || self.0 >> 8 == 0x13 {
            return version == ProtocolVersion::TLS13;
        }
        let name = self.name();
        let is_old = name.ends_with("_SHA") || name.ends_with("_MD5");
        let is_named = name.starts_with("TLS_");
        is_named && version <= ProtocolVersion::TLS12 && (is_old || version == ProtocolVersion::TLS12)
    }

    /// Says whether the number is a signal that only travels among suites (RFC 5746, RFC 7507).
    #[must_use]
    pub fn is_signal(self) -> bool {
        matches!(self, Self::TLS_EMPTY_RENEGOTIATION_INFO_SCSV | Self::TLS_FALLBACK_SCSV)
    }

    /// Says what is worst about the suite by today's measure; none for one that a careful server may offer, or without a name here.
    #[must_use]
    pub fn weakness(self) -> Option<Weakness> {
        let name = self.name();
        let has = |part: &str| name.contains(part);
        let found = [
            (has("_WITH_NULL_"), Weakness::NoEncryption),
            (has("_anon_"), Weakness::NoAuthentication),
            (has("_EXPORT_"), Weakness::Export),
            (has("_RC4_") || has("_RC2_"), Weakness::BrokenCipher),
            (has("_DES_CBC_") || has("_3DES_") || has("_IDEA_"), Weakness::ShortBlock),
            (name.ends_with("_MD5"), Weakness::BrokenHash),
            (self.authentication() == Authentication::Rsa && self.key_exchange() == KeyExchange::Other, Weakness::NoForwardSecrecy),
        ];
        found.into_iter().find_map(|(applies, weakness)| applies.then_some(weakness))
    }

    /// Says whether a block cipher in CBC mode protects records with a MAC beside it (RFC 5246 section 6.2.3.2).
    #[must_use]
    pub fn is_cbc(self) -> bool {
        self.name().contains("_CBC_")
    }
}

/// What is wrong with a cipher suite, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weakness {
    /// Records are readable.
    NoEncryption,
    /// Nobody proves who the server is.
    NoAuthentication,
    /// Keys of at most 56 bits, by former law (FREAK, Logjam).
    Export,
    /// RC4 (RFC 7465) or RC2.
    BrokenCipher,
    /// A block of 64 bits (Sweet32).
    ShortBlock,
    /// MD5.
    BrokenHash,
    /// Whoever gets the server's key reads what was recorded before.
    NoForwardSecrecy,
}

/// Whose key proves a server in a cipher suite of TLS 1.2 and before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// TLS 1.3: the signature scheme decides, the suite does not.
    Tls13,
    /// An RSA key.
    Rsa,
    /// A key on an elliptic curve.
    Ecdsa,
    /// A DSA key.
    Dss,
    /// Nobody's.
    Anonymous,
    /// A pre-shared secret, Kerberos, or a suite that has no name here.
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_fit_the_versions_that_define_them() {
        for (suite, version, fits) in [
            (0x1301, ProtocolVersion::TLS13, true),
            (0x1301, ProtocolVersion::TLS12, false),
            (0x00c6, ProtocolVersion::TLS13, true),
            (0xc02f, ProtocolVersion::TLS13, false),
            (0xc02f, ProtocolVersion::TLS12, true),
            (0xc02f, ProtocolVersion::TLS11, false),
            (0xc013, ProtocolVersion::TLS10, true),
            (0x0005, ProtocolVersion::SSL30, true),
            (0x0000, ProtocolVersion::TLS12, false),
            (0x5600, ProtocolVersion::TLS12, false),
        ] {
            assert_eq!(CipherSuite(suite).fits(version), fits, "{} in {version}", CipherSuite(suite));
        }
    }

    #[test]
    fn suites_say_what_is_worst_about_them() {
        for (suite, weakness) in [
            (0x0002, Some(Weakness::NoEncryption)),
            (0xc018, Some(Weakness::NoAuthentication)),
            (0x0008, Some(Weakness::Export)),
            (0xc011, Some(Weakness::BrokenCipher)),
            (0x0009, Some(Weakness::ShortBlock)),
            (0x0016, Some(Weakness::ShortBlock)),
            (0x009c, Some(Weakness::NoForwardSecrecy)),
            (0xc02f, None),
            (0xc013, None),
            (0x009e, None),
            (0x1301, None),
            (0xabcd, None),
        ] {
            assert_eq!(CipherSuite(suite).weakness(), weakness, "{}", CipherSuite(suite));
        }
    }

    #[test]
    fn suites_say_whose_key_proves_the_server() {
        for (suite, authentication) in [
            (0xc02f, Authentication::Rsa),
            (0xc02b, Authentication::Ecdsa),
            (0x009c, Authentication::Rsa),
            (0x0003, Authentication::Rsa),
            (0x0013, Authentication::Dss),
            (0xc018, Authentication::Anonymous),
            (0x0017, Authentication::Anonymous),
            (0x00a8, Authentication::Other),
            (0x00ac, Authentication::Other),
            (0xc01e, Authentication::Other),
            (0x1303, Authentication::Tls13),
            (0xabcd, Authentication::Other),
        ] {
            assert_eq!(CipherSuite(suite).authentication(), authentication, "{}", CipherSuite(suite));
        }
    }
}
