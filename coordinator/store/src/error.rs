use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a store's methods return.
pub type Result<T> = std::result::Result<T, StoreError>;

/// The cause below a [`StoreError`]; shared, because one failed commit answers many callers.
pub type Cause = Arc<dyn Error + Send + Sync>;

/// Why a use case of the store failed, sorted by who can act.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operator frees some space; the store goes on by itself and nothing that was acknowledged is lost.
    #[error("no room left for {}: free some space, recording then goes on by itself", .path.display())]
    DiskFull {
        /// The file or directory that cannot grow.
        path: PathBuf,
        /// What the backend said.
        #[source]
        source: Cause,
    },
    /// The operator restores the file or moves it away.
    #[error("{} is damaged or not a Parallax database: restore it from a backup, or move it away to start without it", .path.display())]
    Corrupt {
        /// The damaged file.
        path: PathBuf,
        /// What the backend said.
        #[source]
        source: Cause,
    },
    /// The operator starts a build that is at least as new as the one that wrote the data.
    #[error("{} was written by a newer build (schema {found}, this build knows {known}): start that build", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema that it has.
        found: i64,
        /// The newest schema of this build.
        known: i64,
    },
    /// The operator stops the other process.
    #[error("{} is in use by another process: stop it, or give this one a directory of its own", .path.display())]
    Locked {
        /// The file or directory that is held.
        path: PathBuf,
    },
    /// The operator looks at permissions, mounts and hardware; trying again may help.
    #[error("{} cannot be read or written: look at its permissions and at the disk", .path.display())]
    Unavailable {
        /// The file or directory.
        path: PathBuf,
        /// What the backend said.
        #[source]
        source: Cause,
    },
    /// The developers act: the store was used or written wrongly.
    #[error("the store failed in {during}: this is a bug, please report it")]
    Bug {
        /// The use case.
        during: &'static str,
        /// What the backend said.
        #[source]
        source: Cause,
    },
}

impl StoreError {
    /// Sorts an error of the file system.
    pub(crate) fn of_io(path: &Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        let path = path.to_owned();
        match error.kind() {
            StorageFull | QuotaExceeded => Self::DiskFull { path, source: Arc::new(error) },
            _ => Self::Unavailable { path, source: Arc::new(error) },
        }
    }

    /// Makes a [`StoreError::Bug`].
    pub(crate) fn bug(during: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Bug { during, source: Arc::from(cause.into()) }
    }
}
