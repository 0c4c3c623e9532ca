//! The contract on SQLite, and what only files, processes and disks can show.

mod damaged;
mod full_disk;
mod groups;
mod killed;
mod round_trip;

use std::sync::Arc;

use tempfile::TempDir;

use super::SqliteStore;
use crate::{
    Store,
    contract::{Fixture, suite},
};

struct InDirectory {
    directory: TempDir,
    store: Arc<dyn Store>,
}

impl Fixture for InDirectory {
    async fn fresh() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
        Self { directory, store }
    }

    fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    async fn restart(self) -> Self {
        assert_eq!(Arc::strong_count(&self.store), 1, "somebody else still holds the store");
        drop(self.store);
        let store = Arc::new(SqliteStore::open(self.directory.path()).unwrap());
        Self { directory: self.directory, store }
    }
}

suite!(InDirectory);
