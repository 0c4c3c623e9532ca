//! Who this vantage is: the key that never leaves the host, the certificate around it, and the authority that the coordinator is held to.

mod enroll;
mod keystore;
mod pinned;
mod renew;

pub(crate) use enroll::{EnrollError, Enrolment, enroll};
pub(crate) use keystore::{Identity, IdentityError, Keystore};
pub(crate) use pinned::{Pin, PinnedVerifier};
pub(crate) use renew::{renew, renew_at};
