//! The administrator's credential: a ready context file of the command line, in the data directory.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{PkiError, Secret};
use crate::secret_file;

/// What stands in `admin.toml`; the command line reads the same fields.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AdminCredential {
    /// `HOST:PORT`.
    pub(crate) coordinator: String,
    /// The fleet's certificate authority (PEM).
    pub(crate) authority_pem: String,
    /// The token.
    pub(crate) token: String,
}

impl AdminCredential {
    /// Returns the secret of the file in this directory, a fresh one when there is none or it holds no token.
    pub(crate) fn secret(dir: &Path) -> Result<Secret, PkiError> {
        let path = Self::path(dir);
        let text = secret_file::read(&path).map_err(|source| PkiError::File { path: path.clone(), source })?;
        let stored = text.and_then(|text| toml::from_str::<Self>(&text).ok()).and_then(|credential| Secret::of_operator_token(&credential.token));
        stored.map_or_else(Secret::fresh, Ok)
    }

    /// Writes the file (mode 0600) when it says something else.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), PkiError> {
        let path = Self::path(dir);
        let file = |source| PkiError::File { path: path.clone(), source };
        let text = toml::to_string(self).expect("three texts always serialise");
        if secret_file::read(&path).map_err(file)?.as_deref() == Some(&text) {
            return Ok(());
        }
        secret_file::write(&path, text.as_bytes()).map_err(file)
    }

    /// Returns where the file is.
    pub(crate) fn path(dir: &Path) -> PathBuf {
        dir.join("admin.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stays_when_the_address_changes() {
        let dir = tempfile::tempdir().unwrap();
        let secret = AdminCredential::secret(dir.path()).unwrap();
        let credential = AdminCredential { coordinator: "a:1".into(), authority_pem: "PEM\nLINES\n".into(), token: secret.operator_token() };
        credential.write(dir.path()).unwrap();
        assert_eq!(AdminCredential::secret(dir.path()).unwrap(), secret);
        AdminCredential { coordinator: "b:2".into(), ..credential }.write(dir.path()).unwrap();
        assert_eq!(AdminCredential::secret(dir.path()).unwrap(), secret);
        assert!(std::fs::read_to_string(dir.path().join("admin.toml")).unwrap().contains("coordinator = \"b:2\""));
    }
}
