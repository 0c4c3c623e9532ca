//! What a spool holds, read without touching it.

use std::{fs, io, path::Path};

use parallax_model::attempt::Attempt;
use parallax_proto::{v1, wire};

use super::{
    frame::Kind,
    segment::{SUFFIX, Segment},
};

/// Returns the attempts on disk in `folder`, oldest first: those that wait, and those acknowledged whose file is still in use.
///
/// An agent may run meanwhile. Damaged files and records are left out, as the agent itself would.
pub(crate) fn held_attempts(folder: &Path) -> io::Result<Vec<Attempt>> {
    let listing: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<_>>()?;
    let mut paths: Vec<_> = listing.iter().map(fs::DirEntry::path).filter(|path| path.extension().is_some_and(|end| end == SUFFIX)).collect();
    paths.sort();
    let mut attempts = Vec::new();
    for path in paths {
        let Some(segment) = Segment::open(path)? else { continue };
        let records = segment.read(0, u64::MAX)?;
        let payloads = records.iter().filter(|(record, _)| record.kind == Kind::Attempt).map(|(record, _)| &record.payload);
        attempts.extend(payloads.filter_map(|payload| Attempt::try_from(wire::decode::<v1::Attempt>(payload).ok()?).ok()));
    }
    Ok(attempts)
}

#[cfg(test)]
mod tests {
    use parallax_model::id::{BootId, CheckId, RoundId};

    use super::*;
    use crate::spool::store::{Caps, Entry, Store};

    #[test]
    fn what_is_held_is_listed_and_what_is_damaged_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<uuid::Uuid> = (1..=3).map(|number| uuid::Uuid::from_bytes([number; 16])).collect();
        let entry = |id: &uuid::Uuid| {
            let message = v1::Attempt {
                id: id.as_bytes().to_vec(),
                round_id: RoundId::new().0.as_bytes().to_vec(),
                check_id: CheckId::new().0.as_bytes().to_vec(),
                vantage: "a".to_owned(),
                profile: "modern".to_owned(),
                experiment: "baseline".to_owned(),
                facts: Some(v1::Facts::default()),
                ..v1::Attempt::default()
            };
            Entry { kind: Kind::Attempt, important: false, payload: wire::encode(&message) }
        };
        let mut store = Store::open(dir.path(), BootId::new(), Caps::default()).unwrap();
        store.append(ids.iter().map(entry).collect());
        store.append(vec![Entry { kind: Kind::ShareDone, important: true, payload: Vec::new() }]);
        fs::write(dir.path().join("99999999999999999999.seg"), b"no spool").unwrap();
        let held: Vec<uuid::Uuid> = held_attempts(dir.path()).unwrap().iter().map(|attempt| attempt.id.0).collect();
        assert_eq!(held, ids);
        assert!(held_attempts(&dir.path().join("absent")).is_err());
    }
}
