//! Where the coordinator keeps what it knows: one trait with a method per use case, and the backends behind it. The only SQL.
//!
//! Read from the leaves up: [`StoreError`] says what can go wrong and who can act, [`records`] are the words that only a store needs, [`Store`] is the contract,
//! [`sqlite`] the embedded backend. A second backend passes the same contract suite.
//!
//! ```
//! # let directory = tempfile::tempdir()?;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use parallax_store::{SqliteStore, Store};
//! let store = SqliteStore::open(directory.path())?;
//! store.health().await?;
//! assert!(store.vantages().await?.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod contract;
mod error;
pub mod records;
mod settled;
pub mod sqlite;
mod store;

pub use error::{Cause, Result, StoreError};
pub use records::{
    AuditEntry, EnrolOutcome, IngestResult, IssuedCertificate, JoinToken, JudgedRound, JudgedSpan, OperatorToken, PutCheck, Retained, Role, RoundRecord,
    RoundVantage, ShareState, VantageSeen,
};
pub use sqlite::SqliteStore;
pub use store::Store;
