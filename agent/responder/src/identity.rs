//! The responder's key, which the coordinator announces to the fleet, and the certificate around it.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{CertificateParams, DnType, KeyPair, PublicKeyData as _};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// The P-256 key of a responder and what is derived from it.
#[derive(Debug)]
pub struct Identity {
    key_sha256: [u8; 32],
    http2_first: Arc<ServerConfig>,
    http1_first: Arc<ServerConfig>,
    without_alpn: Arc<ServerConfig>,
}

/// Says why a responder has no key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The key file cannot be read or written.
    #[error("cannot use the responder's key file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a key.
    #[error("{} does not hold a private key: remove it to have a fresh one made", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: rcgen::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make the responder's certificate")]
    Certificate(#[source] rcgen::Error),
    /// The TLS library refused the key.
    #[error("the TLS library refuses the responder's key")]
    Tls(#[source] rustls::Error),
}

impl Identity {
    /// Reads the key in `dir`, or makes one there (mode 0600) on the first start; the self-signed certificate around it is made afresh each time.
    pub fn load_or_create(dir: &Path) -> Result<Self, IdentityError> {
        let path = dir.join(KEY_FILE);
        let file = |source| IdentityError::File { path: path.clone(), source };
        let key = match fs::read_to_string(&path) {
            Ok(text) => KeyPair::from_pem(&text).map_err(|source| IdentityError::Corrupt { path: path.clone(), source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(IdentityError::Certificate)?;
                write_secret(&path, key.serialize_pem().as_bytes()).map_err(file)?;
                key
            }
            Err(error) => return Err(file(error)),
        };
        Self::from_key(&key)
    }

    /// Returns the SHA-256 of the public key (SPKI, DER), by which vantages know this responder.
    pub fn key_sha256(&self) -> [u8; 32] {
        self.key_sha256
    }

    /// Returns the configuration whose application protocol is the client's first among `h2` and `http/1.1`; none of them offered means none answered.
    pub(crate) fn config_for(&self, offered: &[Vec<u8>]) -> Arc<ServerConfig> {
        match offered.iter().find(|protocol| [HTTP2, HTTP1].contains(&protocol.as_slice())) {
            Some(first) if first == HTTP2 => Arc::clone(&self.http2_first),
            Some(_) => Arc::clone(&self.http1_first),
            None => Arc::clone(&self.without_alpn),
        }
    }

    fn from_key(key: &KeyPair) -> Result<Self, IdentityError> {
        let mut params = CertificateParams::new(vec![SUBJECT.to_owned()]).map_err(IdentityError::Certificate)?;
        params.distinguished_name.push(DnType::CommonName, "Parallax control responder");
        let certificate = params.self_signed(key).map_err(IdentityError::Certificate)?.der().clone();
        let config = |alpn: &[&[u8]]| server_config(&certificate, key, alpn).map(Arc::new).map_err(IdentityError::Tls);
        let digest = aws_lc_rs_digest(&key.subject_public_key_info());
        Ok(Self { key_sha256: digest, http2_first: config(&[HTTP2, HTTP1])?, http1_first: config(&[HTTP1, HTTP2])?, without_alpn: config(&[])? })
    }
}

fn server_config(certificate: &CertificateDer<'static>, key: &KeyPair, alpn: &[&[u8]]) -> Result<ServerConfig, rustls::Error> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)?;
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    // A probe never resumes; tickets would only be bytes that some clients read as an answer.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

fn aws_lc_rs_digest(bytes: &[u8]) -> [u8; 32] {
    let digest = ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Writes a file of mode 0600 so that after a crash there is the whole file or none.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    fs::File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
}

const KEY_FILE: &str = "responder-key.pem";
const SUBJECT: &str = "responder.parallax.invalid";
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = Identity::load_or_create(dir.path()).unwrap();
        let again = Identity::load_or_create(dir.path()).unwrap();
        assert_eq!(first.key_sha256(), again.key_sha256());
        let mode = fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_corrupt_key_file_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(KEY_FILE), "not a key").unwrap();
        let error = Identity::load_or_create(dir.path()).unwrap_err();
        assert!(matches!(error, IdentityError::Corrupt { .. }) && error.to_string().contains(KEY_FILE), "{error}");
        assert_eq!(fs::read(dir.path().join(KEY_FILE)).unwrap(), b"not a key");
    }
}
