use std::net::IpAddr;

use parallax_model::{bytes::Bytes, clock::Timestamp};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    oid_registry::Oid,
    prelude::X509Certificate,
    public_key::PublicKey,
};

/// What a leaf certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafFacts {
    /// The subject, in the usual text form.
    pub subject: String,
    /// The issuer, in the usual text form.
    pub issuer: String,
    /// The DNS names of the subjectAltName extension, lower case.
    pub names: Vec<String>,
    /// The addresses of the subjectAltName extension.
    pub addresses: Vec<IpAddr>,
    /// The subject's common name, which clients ignore (RFC 9525 section 2).
    pub common_name: Option<String>,
    /// Start of the validity.
    pub not_before: Timestamp,
    /// End of the validity.
    pub not_after: Timestamp,
    /// The serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the public key (SPKI).
    pub key_sha256: Bytes,
    /// `RSA`, `EC`, or the OID of another kind.
    pub key_type: String,
    /// Size of the key in bits, 0 when unknown.
    pub key_bits: usize,
    /// The OID of the signature algorithm.
    pub signature_algorithm: String,
    /// Whether it says that it is an authority itself.
    pub is_authority: bool,
    /// Whether its extended key usage, if it has one, allows servers.
    pub allows_servers: bool,
    /// Where its issuer's certificate can be fetched (authority information access).
    pub issuer_urls: Vec<String>,
    /// Whether issuer and subject are the same.
    pub names_itself: bool,
}

impl LeafFacts {
    pub(super) fn of(certificate: &X509Certificate<'_>, der: &Bytes) -> Self {
        let mut names = Vec::new();
        let mut addresses = Vec::new();
        for name in certificate.subject_alternative_name().ok().flatten().map(|extension| &extension.value.general_names).into_iter().flatten() {
            match name {
                GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(octets) => addresses.extend(address(octets)),
                _ => {}
            }
        }
        let key = certificate.public_key();
        let (key_type, key_bits) = match key.parsed() {
            Ok(PublicKey::RSA(rsa)) => ("RSA".to_owned(), modulus_bits(rsa.modulus)),
            Ok(PublicKey::EC(point)) => ("EC".to_owned(), point.key_size()),
            _ => (key.algorithm.algorithm.to_id_string(), 0),
        };
        debug_assert!(!der.0.is_empty(), "it was parsed");
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names,
            addresses,
            common_name: certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned),
            not_before: instant(certificate.validity().not_before.timestamp()),
            not_after: instant(certificate.validity().not_after.timestamp()),
            serial: Bytes(certificate.raw_serial().to_vec()).to_string(),
            key_sha256: sha256(key.raw),
            key_type,
            key_bits,
            signature_algorithm: certificate.signature_algorithm.algorithm.to_id_string(),
            is_authority: certificate.is_ca(),
            allows_servers: certificate.extended_key_usage().ok().flatten().is_none_or(|usage| usage.value.server_auth || usage.value.any),
            issuer_urls: issuer_urls(certificate),
            names_itself: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        }
    }

    /// Tells whether the key is below what clients accept: RSA under 2048 bits, a curve under 224.
    pub(super) fn key_is_weak(&self) -> bool {
        match self.key_type.as_str() {
            "RSA" => (1..2_048).contains(&self.key_bits),
            "EC" => (1..224).contains(&self.key_bits),
            _ => false,
        }
    }

    /// Tells whether clients in common use refuse such a key: anything but RSA and the curves up to P-384.
    pub fn key_is_uncommon(&self) -> bool {
        match self.key_type.as_str() {
            "RSA" => false,
            "EC" => self.key_bits > 384,
            _ => true,
        }
    }

    /// Tells whether it is meant for something else than a server; a certificate that signs itself has a fault of its own.
    pub(super) fn is_of_another_purpose(&self) -> bool {
        !self.allows_servers || (self.is_authority && !self.names_itself)
    }

    /// Returns the kind and size of the key as a person reads them.
    pub(crate) fn shown_key(&self) -> String {
        match (self.key_type.as_str(), self.key_bits) {
            ("1.3.101.112", _) => "Ed25519".to_owned(),
            ("1.3.101.113", _) => "Ed448".to_owned(),
            ("EC", 385..) => "P-521".to_owned(),
            (kind, 0) => kind.to_owned(),
            (kind, bits) => format!("{kind}, {bits} bits"),
        }
    }

    /// Returns the names as a person reads them, at most three of them.
    pub fn shown_names(&self) -> String {
        let all: Vec<String> = self.names.iter().cloned().chain(self.addresses.iter().map(ToString::to_string)).collect();
        match all.len() {
            0 => self.common_name.clone().unwrap_or_else(|| "no name".to_owned()),
            1..=3 => all.join(", "),
            more => format!("{}, … ({more} names)", all[..3].join(", ")),
        }
    }
}

pub(super) fn issuer_urls(certificate: &X509Certificate<'_>) -> Vec<String> {
    let parsed = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => Some(access),
        _ => None,
    });
    let mut urls = Vec::new();
    for description in parsed.flat_map(|access| access.accessdescs.iter()) {
        if let (true, GeneralName::URI(url)) = (is_issuer_method(&description.access_method), &description.access_location) {
            urls.push((*url).to_owned());
        }
    }
    urls
}

/// id-ad-caIssuers (RFC 5280 section 4.2.2.1).
fn is_issuer_method(oid: &Oid<'_>) -> bool {
    oid.to_id_string() == "1.3.6.1.5.5.7.48.2"
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).ok().map(IpAddr::from);
    four.or_else(|| <[u8; 16]>::try_from(octets).ok().map(IpAddr::from))
}

fn modulus_bits(modulus: &[u8]) -> usize {
    let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
    let leading = modulus.iter().find(|byte| **byte != 0).map_or(0, |byte| byte.leading_zeros() as usize);
    (significant * 8).saturating_sub(leading)
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds.saturating_mul(1_000_000))
}

pub(crate) fn sha256(bytes: &[u8]) -> Bytes {
    Bytes(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec())
}
