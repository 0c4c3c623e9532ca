//! The data folder, which belongs to one running agent.

use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::AgentError;
use crate::files::{FileError, private_folder};

/// A data folder that nobody else uses while this value lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder (mode 0700) where needed and takes it.
    pub(super) fn lock(path: &Path) -> Result<Self, AgentError> {
        private_folder(path)?;
        let file = path.join("lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file);
        let lock = opened.map_err(|source| FileError::new("open", &file, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(AgentError::InUse(path.display().to_string())),
            Err(TryLockError::Error(source)) => Err(FileError::new("lock", &file, source).into()),
        }
    }

    /// Returns where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_agents_never_share_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        let first = Folder::lock(&path).unwrap();
        let error = Folder::lock(&path).unwrap_err().to_string();
        assert!(error.contains("another agent") && error.contains("--data-dir"), "{error}");
        drop(first);
        Folder::lock(&path).unwrap();
    }
}
