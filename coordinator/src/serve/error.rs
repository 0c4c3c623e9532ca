//! Why a coordinator does not start, each with what to do.

use std::{io, net::SocketAddr, path::PathBuf};

use parallax_responder::IdentityError;
use parallax_store::StoreError;

use crate::pki::PkiError;

/// Says why the coordinator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("cannot use the data directory {}: give this user the right to write there, or choose another with --data-dir", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another coordinator runs on it.
    #[error("a coordinator is running on {}: stop it first, or choose another --data-dir", .0.display())]
    AlreadyRunning(PathBuf),
    /// A port cannot be listened on.
    #[error("cannot listen on {address} (--{flag}): stop what uses it, or choose another address and port")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The option that named it.
        flag: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel does not tell where a socket listens.
    #[error("the system does not tell where the coordinator listens")]
    Bound(#[source] io::Error),
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys or certificates cannot be used.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The responder's key cannot be used.
    #[error(transparent)]
    Responder(#[from] IdentityError),
    /// The build knows one store only.
    #[error("this build keeps history in sqlite only: leave --store out")]
    NoPostgres,
    /// The descriptors of the API are broken.
    #[error("the API cannot describe itself: this is a bug, please report it")]
    Reflection(#[source] tonic_reflection::server::Error),
}
