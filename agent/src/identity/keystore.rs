//! The identity on disk: one file, replaced whole, so that key and certificate always belong together.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use parallax_model::{bytes::Bytes, clock::Timestamp, id::VantageName};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};

use crate::files::{FileError, parse_toml, read_if_there, remove_if_there, write_atomically};

/// What makes this host a vantage.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The vantage's name.
    pub(crate) name: VantageName,
    /// The coordinator's addresses, `HOST:PORT`, best first.
    pub(crate) coordinators: Vec<String>,
    /// The certificate (DER) of the fleet's authority.
    pub(crate) authority: Bytes,
    /// The public key (SPKI, DER) that signs assignments.
    pub(crate) assignment_key: Bytes,
    /// The client certificate (DER).
    pub(crate) certificate: Bytes,
    /// Its private key (PKCS #8, DER).
    pub(crate) key: Bytes,
}

/// Says why there is no usable identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is damaged.
    #[error("{} is damaged: restore it from a backup, or remove it and enrol again with a fresh join string", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("name", &self.name).field("coordinators", &self.coordinators).finish_non_exhaustive()
    }
}

impl Identity {
    /// Returns the certificate and its key as the TLS library takes them.
    pub(crate) fn client_certificate(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        (vec![self.certificate.0.clone().into()], PrivatePkcs8KeyDer::from(self.key.0.clone()).into())
    }

    /// Returns from when until when the certificate is valid.
    pub(crate) fn validity(&self) -> Option<(Timestamp, Timestamp)> {
        validity(&self.certificate.0)
    }
}

/// Reads the dates of a certificate (DER).
pub(crate) fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let instant = |time: x509_parser::time::ASN1Time| Timestamp::from_micros(time.timestamp().saturating_mul(1_000_000));
    Some((instant(parsed.validity().not_before), instant(parsed.validity().not_after)))
}

/// The identity in use, and a renewed one that was not tried yet.
#[derive(Debug, Clone)]
pub(crate) struct Keystore {
    present: PathBuf,
    next: PathBuf,
}

impl Keystore {
    /// Looks after the identity in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { present: folder.join("identity.toml"), next: folder.join("identity-next.toml") }
    }

    /// Returns the identity in use; none before enrolment.
    pub(crate) fn load(&self) -> Result<Option<Identity>, IdentityError> {
        load(&self.present)
    }

    /// Returns the renewed identity that was not tried yet; a damaged one is as good as none.
    pub(crate) fn load_next(&self) -> Option<Identity> {
        load(&self.next).ok().flatten()
    }

    /// Stores the identity after enrolment.
    pub(crate) fn store(&self, identity: &Identity) -> Result<(), IdentityError> {
        save(&self.present, identity)
    }

    /// Stores a renewed identity beside the present one.
    pub(crate) fn store_next(&self, identity: &Identity) -> Result<(), IdentityError> {
        save(&self.next, identity)
    }

    /// Makes the renewed identity, which the coordinator accepted, the present one.
    pub(crate) fn promote(&self, identity: &Identity) -> Result<(), IdentityError> {
        save(&self.present, identity)?;
        self.discard_next()
    }

    /// Drops the renewed identity.
    pub(crate) fn discard_next(&self) -> Result<(), IdentityError> {
        Ok(remove_if_there(&self.next)?)
    }
}

fn load(path: &Path) -> Result<Option<Identity>, IdentityError> {
    let corrupt = |source: Box<dyn std::error::Error + Send + Sync>| IdentityError::Corrupt { path: path.to_owned(), source };
    let Some(bytes) = read_if_there(path)? else { return Ok(None) };
    let text = String::from_utf8(bytes).map_err(|error| corrupt(error.into()))?;
    let identity: Identity = parse_toml(&text).map_err(|error| corrupt(error.into()))?;
    if identity.validity().is_none() || validity(&identity.authority.0).is_none() {
        return Err(corrupt("a certificate in it cannot be read".into()));
    }
    Ok(Some(identity))
}

fn save(path: &Path, identity: &Identity) -> Result<(), IdentityError> {
    let text = toml::to_string(identity).expect("plain fields always serialise");
    Ok(write_atomically(path, text.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fleet::Fleet;

    #[test]
    fn a_renewed_identity_waits_beside_the_present_one() {
        let dir = tempfile::tempdir().unwrap();
        let keystore = Keystore::new(dir.path());
        assert_eq!(keystore.load().unwrap(), None);
        let fleet = Fleet::new();
        let (first, second) = (fleet.identity("fra-1"), fleet.identity("fra-1"));
        keystore.store(&first).unwrap();
        keystore.store_next(&second).unwrap();
        assert_eq!((keystore.load().unwrap(), keystore.load_next()), (Some(first), Some(second.clone())));
        keystore.promote(&second).unwrap();
        assert_eq!((keystore.load().unwrap(), keystore.load_next()), (Some(second), None));
    }

    #[test]
    fn a_damaged_identity_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("identity.toml"), "name = 1").unwrap();
        let error = Keystore::new(dir.path()).load().unwrap_err().to_string();
        assert!(error.contains("identity.toml") && error.contains("enrol again"), "{error}");
        assert!(dir.path().join("identity.toml").exists());
    }

    #[test]
    fn debug_output_hides_the_key() {
        let identity = Fleet::new().identity("fra-1");
        assert!(!format!("{identity:?}").contains(&identity.key.to_string()));
    }
}
