//! Who is who: the fleet's own certificate authority, what it signs, and the secrets that are not certificates.

mod admin;
mod ca;
mod csr;
mod revocation;
mod server;
mod signer;
mod tls;
mod token;

use std::{io, path::PathBuf};

pub(crate) use admin::AdminCredential;
pub(crate) use ca::Authority;
pub(crate) use csr::{CsrError, client_certificate};
pub(crate) use revocation::{Refusal, admits};
pub(crate) use server::ServerCertificate;
pub(crate) use signer::AssignmentKey;
pub(crate) use tls::{PeerIdentity, peer_identity, server_config};
pub(crate) use token::{Secret, fresh_token_id, sha256};

/// Says why keys or certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file cannot be read or written.
    #[error("cannot use {}: give the coordinator's user the right to read and write it", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} does not hold a {what}: restore it from a backup", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was due.
        what: &'static str,
        /// What the parser said.
        source: rcgen::Error,
    },
    /// A certificate could not be made.
    #[error("cannot make the {0}")]
    Making(&'static str, #[source] rcgen::Error),
    /// The TLS library refuses a key or certificate.
    #[error("the TLS library refuses the coordinator's key or certificate")]
    Tls(#[source] rustls::Error),
    /// The operating system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}
