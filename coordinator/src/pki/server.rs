//! The coordinator's own TLS certificate: kept over restarts, reissued when its names changed or half of its life passed.

use std::{collections::BTreeSet, net::IpAddr, path::Path, time::Duration};

use parallax_model::clock::Timestamp;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};
use x509_parser::extensions::GeneralName;

use super::{
    Authority, PkiError,
    ca::{load_or_create_key, serial_number, set_dates},
};
use crate::secret_file;

/// The certificate that the coordinator shows, and its key.
#[derive(Debug)]
pub(crate) struct ServerCertificate {
    key: KeyPair,
    certificate: CertificateDer<'static>,
}

impl ServerCertificate {
    /// Reads the certificate of a data directory, or has one issued for `names` when there is none, its names differ, or half of its life is over.
    pub(crate) fn load_or_issue(dir: &Path, authority: &Authority, names: &BTreeSet<String>, now: Timestamp) -> Result<Self, PkiError> {
        let (key, _) = load_or_create_key(&dir.join(KEY_FILE), "private key of the coordinator's server certificate")?;
        let path = dir.join(CERTIFICATE_FILE);
        let file = |source| PkiError::File { path: path.clone(), source };
        let stored = secret_file::read(&path).map_err(file)?.and_then(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).ok());
        if let Some(certificate) = stored.filter(|certificate| is_fresh(certificate, authority, &key, names, now)) {
            return Ok(Self { key, certificate });
        }
        let making = |source| PkiError::Making("server certificate", source);
        let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>()).map_err(making)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Parallax coordinator");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial_number(now)?);
        set_dates(&mut params, now, LIFE);
        let certificate = params.signed_by(&key, authority.issuer()).map_err(making)?;
        secret_file::write(&path, certificate.pem().as_bytes()).map_err(file)?;
        Ok(Self { certificate: certificate.der().clone(), key })
    }

    /// Returns the certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Returns the private key.
    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()))
    }
}

fn is_fresh(certificate: &CertificateDer<'_>, authority: &Authority, key: &KeyPair, names: &BTreeSet<String>, now: Timestamp) -> bool {
    use rcgen::PublicKeyData as _;
    let parsed = |der| x509_parser::parse_x509_certificate(der).ok().map(|(_, parsed)| parsed);
    let (Some(own), Some(issuer)) = (parsed(certificate), parsed(authority.certificate())) else { return false };
    let half = now + LIFE / 2;
    own.verify_signature(Some(issuer.public_key())).is_ok()
        && own.public_key().raw == key.subject_public_key_info()
        && own.validity().not_after.timestamp() > half.as_micros() / 1_000_000
        && own.validity().not_before.timestamp() <= now.as_micros() / 1_000_000
        && own.subject_alternative_name().ok().flatten().is_some_and(|names_in| written(&names_in.value.general_names) == *names)
}

fn written(names: &[GeneralName<'_>]) -> BTreeSet<String> {
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    names.iter().filter_map(text).collect()
}

const KEY_FILE: &str = "server-key.pem";
const CERTIFICATE_FILE: &str = "server.pem";
const LIFE: Duration = Duration::from_secs(90 * 86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_until_names_change_or_half_of_its_life_passed() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let authority = Authority::load_or_create(dir.path(), now).unwrap();
        let names: BTreeSet<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        let issue = |names: &BTreeSet<String>, now| ServerCertificate::load_or_issue(dir.path(), &authority, names, now).unwrap().certificate;
        let first = issue(&names, now);
        assert_eq!(first, issue(&names, now + Duration::from_secs(30 * 86_400)));
        let later = issue(&names, now + Duration::from_secs(46 * 86_400));
        assert_ne!(first, later);
        let more = names.iter().cloned().chain(["coordinator.example".to_owned()]).collect();
        assert_ne!(later, issue(&more, now + Duration::from_secs(46 * 86_400)));
    }
}
