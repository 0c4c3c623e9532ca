//! The coordinator's set of checks, signed, so that the copy on disk can be trusted while the coordinator is away.

use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use parallax_model::{check::Check, id::VantageName};
use parallax_proto::{convert::ConvertError, v1, wire};

use super::Scheduled;
use crate::files::{FileError, read_if_there, write_atomically};

/// Says why a set of assignments is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The signature is not the coordinator's.
    #[error("the assignments are not signed by this fleet's coordinator")]
    Signature,
    /// The set cannot be read.
    #[error("the assignments cannot be read")]
    Unreadable(#[source] ConvertError),
    /// The set is for another vantage.
    #[error("the assignments are for another vantage, {0}")]
    OtherVantage(String),
}

/// The set on disk and the key that must have signed it.
#[derive(Debug)]
pub(crate) struct Sealed {
    path: PathBuf,
    key: Vec<u8>,
    vantage: VantageName,
}

impl Sealed {
    /// Looks after the set in `folder`; `key` is the coordinator's (SPKI, DER).
    pub(crate) fn new(folder: &Path, key: Vec<u8>, vantage: VantageName) -> Self {
        Self { path: folder.join("assignments.bin"), key, vantage }
    }

    /// Returns the set on disk; none when there is none that can be trusted.
    pub(crate) fn load(&self) -> Result<Option<v1::AssignmentSet>, SealError> {
        let Some(bytes) = read_if_there(&self.path)? else { return Ok(None) };
        self.verify(&wire::decode(&bytes).map_err(SealError::Unreadable)?).map(Some)
    }

    /// Verifies a set that the coordinator sent, and keeps it on disk.
    pub(crate) fn accept(&self, sealed: &v1::SignedAssignments) -> Result<v1::AssignmentSet, SealError> {
        let set = self.verify(sealed)?;
        write_atomically(&self.path, &wire::encode(sealed))?;
        Ok(set)
    }

    fn verify(&self, sealed: &v1::SignedAssignments) -> Result<v1::AssignmentSet, SealError> {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.key);
        key.verify(&sealed.assignment_set, &sealed.signature).map_err(|_| SealError::Signature)?;
        let set: v1::AssignmentSet = wire::decode(&sealed.assignment_set).map_err(SealError::Unreadable)?;
        if set.vantage == self.vantage.as_str() { Ok(set) } else { Err(SealError::OtherVantage(set.vantage)) }
    }
}

/// Reads the checks of a set; those that this build cannot run are returned with the reason.
pub(crate) fn open_set(set: &v1::AssignmentSet) -> (Vec<Scheduled>, Vec<v1::Rejection>) {
    let mut checks = Vec::new();
    let mut rejections = Vec::new();
    for item in &set.checks {
        let Some(message) = &item.check else { continue };
        match Check::try_from(message.clone()) {
            Ok(check) => checks.push(Scheduled { check, rank: item.rank, vantages: item.vantages }),
            Err(error) => rejections.push(v1::Rejection { check_id: message.id.clone(), reason: error.to_string() }),
        }
    }
    (checks, rejections)
}

#[cfg(test)]
mod tests {
    use parallax_model::clock::Timestamp;

    use super::*;
    use crate::testing::fleet::Fleet;

    #[test]
    fn only_what_the_coordinator_signed_for_this_vantage_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let fleet = Fleet::new();
        let sealed = Sealed::new(dir.path(), fleet.assignment_key(), "fra-1".parse().unwrap());
        assert_eq!(sealed.load().unwrap(), None);
        let check = Check::once("api.example.test".parse().unwrap(), Timestamp::from_micros(0));
        let good = v1::ScheduledCheck { check: Some((&check).into()), rank: 1, vantages: 3 };
        let bad = v1::ScheduledCheck { check: Some(v1::Check { target: "://".to_owned(), ..(&check).into() }), rank: 0, vantages: 1 };
        let set = |vantage: &str| v1::AssignmentSet { revision: 7, checks: vec![good.clone(), bad.clone()], responders: vec![], vantage: vantage.to_owned() };
        let signed = fleet.sign(&set("fra-1"));
        assert_eq!(sealed.accept(&signed).unwrap(), set("fra-1"));
        assert_eq!(sealed.load().unwrap(), Some(set("fra-1")));
        let (checks, rejections) = open_set(&set("fra-1"));
        assert_eq!(checks, [Scheduled { check: check.clone(), rank: 1, vantages: 3 }]);
        assert!(rejections.len() == 1 && rejections[0].reason.contains("target"), "{rejections:?}");

        assert!(matches!(sealed.accept(&fleet.sign(&set("ams-1"))), Err(SealError::OtherVantage(_))));
        assert!(matches!(sealed.accept(&Fleet::new().sign(&set("fra-1"))), Err(SealError::Signature)));
        let mut forged = signed;
        forged.assignment_set[3] ^= 1;
        assert!(matches!(sealed.accept(&forged), Err(SealError::Signature)));
        assert_eq!(sealed.load().unwrap(), Some(set("fra-1")), "the good copy is still there");
        std::fs::write(dir.path().join("assignments.bin"), wire::encode(&forged)).unwrap();
        assert!(matches!(sealed.load(), Err(SealError::Signature)), "a forged copy is not trusted");
    }
}
