use std::collections::HashMap;

use aws_lc_rs::signature::{self as algorithms, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    signature_algorithm::RsaSsaPssParams,
    x509::SubjectPublicKeyInfo,
};

/// Whether an issuer's key made a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Yes,
    No,
    /// An algorithm that this build cannot verify, such as MD5: then the names alone have to do.
    Unknown,
}

/// The signatures that were verified already, by certificate and issuer's key (DER).
#[derive(Debug, Default)]
pub(super) struct Verified(HashMap<(Vec<u8>, Vec<u8>), Signed>);

impl Verified {
    /// Tells whether the issuer's key signed `child`.
    pub(super) fn by(&mut self, child: &X509Certificate<'_>, issuer: &SubjectPublicKeyInfo<'_>) -> Signed {
        *self.0.entry((child.as_raw().to_vec(), issuer.raw.to_vec())).or_insert_with(|| verify(child, issuer))
    }
}

/// Verifies the signature on `child` with the issuer's key.
fn verify(child: &X509Certificate<'_>, issuer: &SubjectPublicKeyInfo<'_>) -> Signed {
    let Some(algorithm) = algorithm(child, issuer) else { return Signed::Unknown };
    let key = UnparsedPublicKey::new(algorithm, issuer.subject_public_key.data.as_ref());
    if key.verify(child.tbs_certificate.as_ref(), &child.signature_value.data).is_ok() { Signed::Yes } else { Signed::No }
}

/// Tells whether the signature uses MD5 or SHA-1 (RFC 9155).
pub(super) fn is_weak(certificate: &X509Certificate<'_>) -> bool {
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    ["1.2.840.113549.1.1.2", "1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1", "1.2.840.10040.4.3", "1.3.14.3.2.29"].contains(&oid.as_str())
}

fn algorithm(child: &X509Certificate<'_>, issuer: &SubjectPublicKeyInfo<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    let signature = child.signature_algorithm.algorithm.to_id_string();
    let curve = || issuer.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok()).map(|oid| oid.to_id_string());
    Some(match signature.as_str() {
        "1.2.840.113549.1.1.5" => &algorithms::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        "1.2.840.113549.1.1.11" => &algorithms::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        "1.2.840.113549.1.1.12" => &algorithms::RSA_PKCS1_2048_8192_SHA384,
        "1.2.840.113549.1.1.13" => &algorithms::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        "1.2.840.113549.1.1.10" => probabilistic(child)?,
        "1.3.101.112" => &algorithms::ED25519,
        "1.2.840.10045.4.1" => elliptic(1, &curve()?)?,
        "1.2.840.10045.4.3.2" => elliptic(256, &curve()?)?,
        "1.2.840.10045.4.3.3" => elliptic(384, &curve()?)?,
        "1.2.840.10045.4.3.4" => elliptic(512, &curve()?)?,
        _ => return None,
    })
}

fn elliptic(hash: u16, curve: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (curve, hash) {
        ("1.2.840.10045.3.1.7", 1) => &algorithms::ECDSA_P256_SHA1_ASN1,
        ("1.2.840.10045.3.1.7", 256) => &algorithms::ECDSA_P256_SHA256_ASN1,
        ("1.2.840.10045.3.1.7", 384) => &algorithms::ECDSA_P256_SHA384_ASN1,
        ("1.2.840.10045.3.1.7", 512) => &algorithms::ECDSA_P256_SHA512_ASN1,
        ("1.3.132.0.34", 256) => &algorithms::ECDSA_P384_SHA256_ASN1,
        ("1.3.132.0.34", 384) => &algorithms::ECDSA_P384_SHA384_ASN1,
        ("1.3.132.0.34", 512) => &algorithms::ECDSA_P384_SHA512_ASN1,
        ("1.3.132.0.35", 1) => &algorithms::ECDSA_P521_SHA1_ASN1,
        ("1.3.132.0.35", 256) => &algorithms::ECDSA_P521_SHA256_ASN1,
        ("1.3.132.0.35", 384) => &algorithms::ECDSA_P521_SHA384_ASN1,
        ("1.3.132.0.35", 512) => &algorithms::ECDSA_P521_SHA512_ASN1,
        _ => return None,
    })
}

/// RSASSA-PSS carries its hash in the parameters (RFC 4055 section 3.1).
fn probabilistic(child: &X509Certificate<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    let parameters = child.signature_algorithm.parameters.as_ref()?;
    let (_, parameters) =
        RsaSsaPssParams::from_der(parameters.as_bytes()).ok().or_else(|| RsaSsaPssParams::try_from(parameters).ok().map(|parsed| (&[][..], parsed)))?;
    Some(match parameters.hash_algorithm_oid().to_id_string().as_str() {
        "2.16.840.1.101.3.4.2.1" => &algorithms::RSA_PSS_2048_8192_SHA256,
        "2.16.840.1.101.3.4.2.2" => &algorithms::RSA_PSS_2048_8192_SHA384,
        "2.16.840.1.101.3.4.2.3" => &algorithms::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
