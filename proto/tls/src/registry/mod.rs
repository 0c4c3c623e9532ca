//! The numbers of TLS as newtypes: a value that nobody named yet survives decoding, encoding and display.

mod cipher_suite;
mod handshake;
mod negotiation;
mod suite_parts;

pub use cipher_suite::CipherSuite;
pub use handshake::{AlertDescription, AlertLevel, ContentType, ExtensionType, HandshakeType};
pub use negotiation::{NamedGroup, ProtocolVersion, SignatureScheme};
pub use suite_parts::{Authentication, KeyExchange, Weakness};

/// Declares a newtype over a wire number with its constants, `name()` and `Display`.
macro_rules! wire_value {
    (
        $(#[$doc:meta])*
        $name:ident($integer:ty, $format:literal);
        $($constant:ident = $value:literal, $text:literal;)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $integer);

        impl $name {
            $(
                #[doc = concat!("`", $text, "`, ", stringify!($value), ".")]
                pub const $constant: Self = Self($value);
            )*

            /// Every value that has a name here, in the order of the table.
            pub const KNOWN: &[Self] = &[$(Self::$constant),*];

            /// Returns the registered name, or the number in hexadecimal when it has none here.
            #[must_use]
            pub fn name(self) -> std::borrow::Cow<'static, str> {
                match self {
                    $(Self::$constant => std::borrow::Cow::Borrowed($text),)*
                    Self(other) => std::borrow::Cow::Owned(format!($format, other)),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::registry::UnknownName;

            /// Reads a name of the table, or a number in hexadecimal behind `0x`: what [`Display`](std::fmt::Display) writes.
            fn from_str(text: &str) -> Result<Self, $crate::registry::UnknownName> {
                let number = || text.strip_prefix("0x").and_then(|digits| <$integer>::from_str_radix(digits, 16).ok());
                let named = match text {
                    $($text => Some(Self::$constant),)*
                    _ => number().map(Self),
                };
                named.ok_or_else(|| $crate::registry::UnknownName { text: text.to_owned(), registry: stringify!($name) })
            }
        }

        impl From<$integer> for $name {
            fn from(value: $integer) -> Self {
                Self(value)
            }
        }

        impl From<$name> for $integer {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}
use wire_value;

/// Says that a text is neither a name of a registry nor a number that it can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither a name of {registry} nor a number such as 0x0A0A")]
pub struct UnknownName {
    /// What was read.
    pub text: String,
    /// The registry's type, such as `CipherSuite`.
    pub registry: &'static str,
}

/// Says whether a two-byte value is one of the sixteen reserved by GREASE (RFC 8701): `0x0A0A`, `0x1A1A` … `0xFAFA`.
#[must_use]
pub fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_have_names_and_unknown_ones_survive() {
        assert_eq!(ProtocolVersion::TLS13.to_string(), "TLSv1.3");
        assert_eq!(CipherSuite(0xc02f).name(), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
        assert_eq!(CipherSuite(0x1301).name(), "TLS_AES_128_GCM_SHA256");
        assert_eq!(CipherSuite(0xabcd).name(), "0xABCD");
        assert_eq!(NamedGroup(0x11ec).name(), "X25519MLKEM768");
        assert_eq!(AlertDescription(40).name(), "handshake_failure");
        assert_eq!(AlertDescription(7).name(), "0x07");
        assert_eq!(format!("{:>8}", AlertLevel::FATAL), "   fatal");
    }

    #[test]
    fn every_name_and_every_number_reads_back() {
        for suite in CipherSuite::KNOWN {
            assert_eq!(suite.to_string().parse(), Ok(*suite));
        }
        for number in [0x0a0a, 0x1301, 0xabcd, 0xffff] {
            assert_eq!(ExtensionType(number).to_string().parse(), Ok(ExtensionType(number)));
            assert_eq!(format!("0x{number:04x}").parse(), Ok(NamedGroup(number)));
        }
        for wrong in ["", "TLS_NONE", "0x", "0x10000", "1301"] {
            let error = wrong.parse::<CipherSuite>().unwrap_err();
            assert_eq!((error.text.as_str(), error.registry), (wrong, "CipherSuite"));
        }
    }

    #[test]
    fn no_number_stands_twice_in_the_table_of_suites() {
        let mut numbers: Vec<_> = CipherSuite::KNOWN.to_vec();
        assert!(numbers.is_sorted(), "the table is kept in numeric order");
        numbers.dedup();
        assert_eq!(numbers.len(), CipherSuite::KNOWN.len());
    }

    #[test]
    fn grease_is_sixteen_values() {
        let found: Vec<u16> = (0..=u16::MAX).filter(|value| is_grease(*value)).collect();
        assert_eq!(found.len(), 16);
        assert_eq!((found[0], found[15]), (0x0a0a, 0xfafa));
    }

    #[test]
    fn suites_say_how_they_exchange_keys() {
        assert_eq!(CipherSuite(0x1302).key_exchange(), KeyExchange::Tls13);
        assert_eq!(CipherSuite(0xc030).key_exchange(), KeyExchange::EllipticCurve);
        assert_eq!(CipherSuite(0x009e).key_exchange(), KeyExchange::FiniteField);
        assert_eq!(CipherSuite(0x002f).key_exchange(), KeyExchange::Other);
        assert!(CipherSuite(0xc035).has_pre_shared_key());
    }
}
