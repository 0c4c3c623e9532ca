//! Agents' certificates: of a signing request only the public key is taken.

use std::time::Duration;

use parallax_model::{bytes::Bytes, clock::Timestamp, id::VantageName};
use parallax_store::IssuedCertificate;
use rcgen::{CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, KeyUsagePurpose, PublicKeyData as _, SanType};
use rustls::pki_types::CertificateSigningRequestDer;

use super::{
    Authority, PkiError,
    ca::{serial_number, set_dates},
    token::sha256,
};

/// A client certificate and what the store keeps of it.
#[derive(Debug)]
pub(crate) struct IssuedClient {
    /// The certificate (DER).
    pub(crate) der: Vec<u8>,
    /// What the store keeps.
    pub(crate) record: IssuedCertificate,
}

/// Says why a signing request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CsrError {
    /// It is no PKCS #10 request, or its signature is not by its key.
    #[error("the certificate signing request is not valid")]
    Invalid(#[source] rcgen::Error),
    /// Its key is of another kind.
    #[error("the certificate signing request has a key of another kind than P-256")]
    KeyKind,
    /// The coordinator could not sign.
    #[error(transparent)]
    Signing(#[from] PkiError),
}

/// Signs a client certificate for the request's public key; name, dates, usages and everything else are the coordinator's to say.
pub(crate) fn client_certificate(authority: &Authority, request: &[u8], name: &VantageName, now: Timestamp, life: Duration) -> Result<IssuedClient, CsrError> {
    let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request)).map_err(CsrError::Invalid)?;
    if request.public_key.algorithm() != &rcgen::PKCS_ECDSA_P256_SHA256 {
        return Err(CsrError::KeyKind);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name.as_str());
    let uri = format!("{URI_PREFIX}{name}").try_into().map_err(CsrError::Invalid)?;
    params.subject_alt_names = vec![SanType::URI(uri)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let serial = serial_number(now)?;
    params.serial_number = Some(serial.clone());
    set_dates(&mut params, now, life);
    let signed = params.signed_by(&request.public_key, authority.issuer()).map_err(|source| PkiError::Making("agent's certificate", source))?;
    let record = IssuedCertificate {
        serial: Bytes(serial.to_bytes()).to_string(),
        key_sha256: Bytes(sha256(&request.public_key.subject_public_key_info()).to_vec()),
        not_after: now + life,
    };
    Ok(IssuedClient { der: signed.der().to_vec(), record })
}

/// What a vantage's name follows in its certificate's subject alternative name.
pub(super) const URI_PREFIX: &str = "parallax:vantage:";

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, IsCa, KeyPair};
    use x509_parser::prelude::FromDer as _;

    use super::*;

    fn authority() -> Authority {
        let dir = tempfile::tempdir().unwrap();
        Authority::load_or_create(dir.path(), Timestamp::from_micros(1_790_000_000_000_000)).unwrap()
    }

    #[test]
    fn a_request_gets_nothing_of_what_it_asks_for_but_its_key() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut wishes = CertificateParams::new(vec!["coordinator.example".to_owned()]).unwrap();
        wishes.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wishes.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        wishes.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        wishes.distinguished_name.push(DnType::CommonName, "somebody-else");
        let request = wishes.serialize_request(&key).unwrap();
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let issued = client_certificate(&authority(), request.der(), &"north".parse().unwrap(), now, Duration::from_secs(86_400)).unwrap();
        let (_, certificate) = x509_parser::certificate::X509Certificate::from_der(&issued.der).unwrap();
        assert!(!certificate.is_ca());
        assert_eq!(certificate.subject().to_string(), "CN=north");
        let usage = certificate.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.client_auth && !usage.server_auth);
        assert!(!certificate.key_usage().unwrap().unwrap().value.key_cert_sign());
        let names = format!("{:?}", certificate.subject_alternative_name().unwrap().unwrap().value.general_names);
        assert!(names.contains("parallax:vantage:north") && !names.contains("coordinator.example"), "{names}");
        assert_eq!(certificate.public_key().raw, key.subject_public_key_info());
        assert_eq!(issued.record.key_sha256.0, sha256(&key.subject_public_key_info()));
    }

    #[test]
    fn a_request_with_a_broken_signature_is_refused() {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap();
        let mut bytes = request.der().to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let refused = client_certificate(&authority(), &bytes, &"north".parse().unwrap(), Timestamp::default(), Duration::from_secs(60));
        assert!(matches!(refused, Err(CsrError::Invalid(_))), "{refused:?}");
        assert!(client_certificate(&authority(), b"", &"north".parse().unwrap(), Timestamp::default(), Duration::from_secs(60)).is_err());
    }
}
