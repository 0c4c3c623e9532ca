//! The key that signs assignments, so that agents can trust the copy that they cache.

use std::path::Path;

use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

use super::{PkiError, ca::load_or_create_key};

/// A P-256 key that signs nothing but assignments.
#[derive(Debug)]
pub(crate) struct AssignmentKey(KeyPair);

impl AssignmentKey {
    /// Reads the key of a data directory, or makes it there on the first start.
    pub(crate) fn load_or_create(dir: &Path) -> Result<Self, PkiError> {
        load_or_create_key(&dir.join(KEY_FILE), "private key that signs assignments").map(|(key, _)| Self(key))
    }

    /// Returns the public key (SPKI, DER), as enrolment tells it to agents.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    /// Signs with ECDSA P-256 and SHA-256; the signature is ASN.1 DER.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, PkiError> {
        self.0.sign(bytes).map_err(|source| PkiError::Making("signature of assignments", source))
    }
}

const KEY_FILE: &str = "assignment-key.pem";

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    #[test]
    fn an_agent_can_verify_with_the_key_that_enrolment_told() {
        let dir = tempfile::tempdir().unwrap();
        let key = AssignmentKey::load_or_create(dir.path()).unwrap();
        let signature = key.sign(b"assignments").unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.public_key());
        assert!(public.verify(b"assignments", &signature).is_ok());
        assert!(public.verify(b"others", &signature).is_err());
    }
}
