//! The data directory: private, and held by one coordinator at a time.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::StartError;
use crate::secret_file;

/// A data directory that this process holds; dropping it lets go.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: fs::File,
}

impl DataDir {
    /// Makes the directory where there is none, and takes it; refused while another process holds it.
    pub(super) fn take(path: &Path) -> Result<Self, StartError> {
        let failed = |source| StartError::DataDir { path: path.to_owned(), source };
        secret_file::folder(path).map_err(failed)?;
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(fs::TryLockError::WouldBlock) => Err(StartError::AlreadyRunning(path.to_owned())),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
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
    fn a_directory_is_held_by_one_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("co");
        let held = DataDir::take(&dir).unwrap();
        let refused = DataDir::take(&dir).unwrap_err().to_string();
        assert!(refused.contains("a coordinator is running on"), "{refused}");
        drop(held);
        DataDir::take(&dir).unwrap();
    }
}
