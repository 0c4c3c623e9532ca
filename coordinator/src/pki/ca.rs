//! The fleet's own certificate authority: one P-256 key that signs the server certificate and every agent's.

use std::{path::Path, time::Duration};

use parallax_model::clock::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{PkiError, token};
use crate::secret_file;

/// The certificate authority of one fleet.
#[derive(Debug)]
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

impl Authority {
    /// Reads the authority of a data directory, or makes it there on the first start.
    pub(crate) fn load_or_create(dir: &Path, now: Timestamp) -> Result<Self, PkiError> {
        let (key, _) = load_or_create_key(&dir.join(KEY_FILE), "private key of the certificate authority")?;
        let path = dir.join(CERTIFICATE_FILE);
        let file = |source| PkiError::File { path: path.clone(), source };
        let pem = match secret_file::read(&path).map_err(file)? {
            Some(pem) => pem,
            None => {
                let pem = self_signed(&key, now)?;
                secret_file::write(&path, pem.as_bytes()).map_err(file)?;
                pem
            }
        };
        let corrupt = |source| PkiError::Corrupt { path: path.clone(), what: "certificate", source };
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| corrupt(rcgen::Error::CouldNotParseCertificate))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(corrupt)?;
        Ok(Self { issuer, certificate, pem })
    }

    /// Returns the authority's certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Returns the authority's certificate as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns what signs.
    pub(super) fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }
}

/// Reads a P-256 key, or makes one on the first start; tells whether it is new.
pub(super) fn load_or_create_key(path: &Path, what: &'static str) -> Result<(KeyPair, bool), PkiError> {
    let file = |source| PkiError::File { path: path.to_owned(), source };
    if let Some(text) = secret_file::read(path).map_err(file)? {
        let key = KeyPair::from_pem(&text).map_err(|source| PkiError::Corrupt { path: path.to_owned(), what, source })?;
        return Ok((key, false));
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(|source| PkiError::Making(what, source))?;
    secret_file::write(path, key.serialize_pem().as_bytes()).map_err(file)?;
    Ok((key, true))
}

/// Sets the dates of a certificate: from an hour before `now`, because clocks differ, to `life` after it.
pub(super) fn set_dates(params: &mut CertificateParams, now: Timestamp, life: Duration) {
    let at = |instant: Timestamp| std::time::SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(instant.as_micros()).unwrap_or(0));
    params.not_before = at(now - BACKDATE).into();
    params.not_after = at(now + life).into();
}

/// Makes a serial number that begins with the moment of issue, so that a certificate tells which enrolment it belongs to (RFC 5280 section 4.1.2.2).
pub(super) fn serial_number(now: Timestamp) -> Result<SerialNumber, PkiError> {
    let mut bytes = [0; 16];
    token::fill_random(&mut bytes[8..])?;
    bytes[..8].copy_from_slice(&now.as_micros().to_be_bytes());
    Ok(SerialNumber::from_slice(&bytes))
}

fn self_signed(key: &KeyPair, now: Timestamp) -> Result<String, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Parallax fleet authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.serial_number = Some(serial_number(now)?);
    set_dates(&mut params, now, AUTHORITY_LIFE);
    let certificate = params.self_signed(key).map_err(|source| PkiError::Making("certificate authority", source))?;
    Ok(certificate.pem())
}

const KEY_FILE: &str = "ca-key.pem";
const CERTIFICATE_FILE: &str = "ca.pem";
const BACKDATE: Duration = Duration::from_secs(3_600);
const AUTHORITY_LIFE: Duration = Duration::from_secs(20 * 365 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let first = Authority::load_or_create(dir.path(), now).unwrap();
        let again = Authority::load_or_create(dir.path(), now).unwrap();
        assert_eq!(first.certificate(), again.certificate());
        let (_, parsed) = x509_parser::parse_x509_certificate(first.certificate()).unwrap();
        assert!(parsed.is_ca());
    }

    #[test]
    fn a_damaged_key_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(KEY_FILE), "rubbish").unwrap();
        let error = Authority::load_or_create(dir.path(), Timestamp::default()).unwrap_err();
        assert!(error.to_string().contains("ca-key.pem"), "{error}");
        assert_eq!(std::fs::read(dir.path().join(KEY_FILE)).unwrap(), b"rubbish");
    }
}
