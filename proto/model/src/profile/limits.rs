//! What a client refuses although its hello does not say so.

use std::fmt;

use parallax_tls::registry::ProtocolVersion;
use serde::{Deserialize, Serialize};

use super::text::name;

/// What a client refuses although its hello does not say so; none where it has no limit of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientLimits {
    /// Fewest bits of a finite-field group (DHE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_dh_bits: Option<u16>,
    /// Most bits of a finite-field group (DHE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_dh_bits: Option<u16>,
    /// Fewest bits of an RSA key in a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least_rsa_bits: Option<u16>,
    /// The highest version that it completes.
    #[serde(skip_serializing_if = "Option::is_none", with = "highest_version")]
    pub highest_version: Option<ProtocolVersion>,
    /// Whether it accepts certificates that are signed with SHA-1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepts_sha1: Option<bool>,
}

/// What a server chose and showed, as far as a client's limits look at it; none where it did not come to that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// The version.
    pub version: Option<u16>,
    /// Bits of its finite-field group.
    pub dh_bits: Option<u16>,
    /// Bits of the RSA key in its certificate.
    pub rsa_bits: Option<u16>,
    /// Whether its certificate is signed with SHA-1.
    pub sha1: bool,
}

/// Why a client goes no further although the server chose what it offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// A version above its highest one.
    Version(u16),
    /// A finite-field group that is too small or too large, and the limit; bits.
    DhBits(u16, u16),
    /// An RSA key that is too small, and the limit; bits.
    RsaBits(u16, u16),
    /// A signature with SHA-1 in the certificate.
    Sha1,
}

impl ClientLimits {
    /// Returns what of it the client refuses first.
    pub fn refusal(&self, shown: &Shown) -> Option<Refusal> {
        let beyond = |bits: Option<u16>, least: Option<u16>, most: Option<u16>| {
            let bits = bits?;
            let limit = least.filter(|least| bits < *least).or_else(|| most.filter(|most| bits > *most))?;
            Some((bits, limit))
        };
        let version = shown.version.filter(|version| self.highest_version.is_some_and(|highest| *version > highest.0)).map(Refusal::Version);
        let dh = || beyond(shown.dh_bits, self.least_dh_bits, self.most_dh_bits).map(|(bits, limit)| Refusal::DhBits(bits, limit));
        let rsa = || beyond(shown.rsa_bits, self.least_rsa_bits, None).map(|(bits, limit)| Refusal::RsaBits(bits, limit));
        let sha1 = || (shown.sha1 && self.accepts_sha1 == Some(false)).then_some(Refusal::Sha1);
        version.or_else(dh).or_else(rsa).or_else(sha1)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bits: u16, limit: u16| if bits < limit { "at least" } else { "at most" };
        match *self {
            Self::Version(version) => write!(f, "{} is above what it completes", ProtocolVersion(version)),
            Self::DhBits(bits, limit) => write!(f, "a DH group of {bits} bits, it takes {} {limit}", bound(bits, limit)),
            Self::RsaBits(bits, limit) => write!(f, "an RSA key of {bits} bits, it takes {} {limit}", bound(bits, limit)),
            Self::Sha1 => f.write_str("a certificate signed with SHA-1"),
        }
    }
}

mod highest_version {
    use serde::{Deserializer, Serializer};

    use super::{ProtocolVersion, name};

    pub(crate) fn serialize<S: Serializer>(version: &Option<ProtocolVersion>, serializer: S) -> Result<S::Ok, S::Error> {
        match version {
            Some(version) => name::serialize(version, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ProtocolVersion>, D::Error> {
        name::deserialize(deserializer).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_refuse_what_is_beyond_them_and_nothing_that_was_not_shown() {
        let limits = ClientLimits {
            least_dh_bits: Some(1_024),
            most_dh_bits: Some(2_048),
            least_rsa_bits: Some(2_048),
            highest_version: Some(ProtocolVersion::TLS12),
            accepts_sha1: Some(false),
        };
        let nothing = Shown::default();
        let cases = [
            (nothing, None),
            (Shown { dh_bits: Some(1_024), rsa_bits: Some(2_048), version: Some(0x0303), sha1: false }, None),
            (Shown { dh_bits: Some(768), ..nothing }, Some("a DH group of 768 bits, it takes at least 1024")),
            (Shown { dh_bits: Some(4_096), ..nothing }, Some("a DH group of 4096 bits, it takes at most 2048")),
            (Shown { rsa_bits: Some(1_024), ..nothing }, Some("an RSA key of 1024 bits, it takes at least 2048")),
            (Shown { version: Some(0x0304), ..nothing }, Some("TLSv1.3 is above what it completes")),
            (Shown { sha1: true, ..nothing }, Some("a certificate signed with SHA-1")),
        ];
        for (shown, refusal) in cases {
            assert_eq!(limits.refusal(&shown).map(|refusal| refusal.to_string()).as_deref(), refusal);
            assert_eq!(ClientLimits::default().refusal(&shown), None);
        }
    }
}
