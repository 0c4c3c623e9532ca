//! What must outlive a restart about time: the newest instant that a coordinator stated, and how far off this host's clock was.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use parallax_model::clock::Timestamp;
use serde::{Deserialize, Serialize};

use crate::files::{FileError, read_if_there, write_atomically};

/// The newest time that a coordinator stated and the last known offset, kept in a file.
#[derive(Debug, Clone)]
pub(crate) struct TimeMemory {
    path: PathBuf,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Known {
    newest_seen_us: Option<i64>,
    clock_offset_us: Option<i64>,
}

impl TimeMemory {
    /// Reads the memory in `folder`; a damaged file is as good as none, because it only ever narrows what is believed.
    pub(crate) fn load(folder: &Path) -> Result<Self, FileError> {
        let path = folder.join("time.toml");
        let text = read_if_there(&path)?.and_then(|bytes| String::from_utf8(bytes).ok());
        let known = text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default();
        Ok(Self { path, known: Arc::new(Mutex::new(known)) })
    }

    /// Returns the newest time that a coordinator ever stated.
    pub(crate) fn newest_seen(&self) -> Option<Timestamp> {
        self.known().newest_seen_us.map(Timestamp::from_micros)
    }

    /// Returns agent's clock minus coordinator's as it was last measured, microseconds.
    pub(crate) fn offset_us(&self) -> Option<i64> {
        self.known().clock_offset_us
    }

    /// Takes a statement of the time in, and writes it down.
    pub(crate) fn remember(&self, stated: Timestamp, offset_us: Option<i64>) -> Result<(), FileError> {
        let known = {
            let mut known = self.known.lock().expect("no code panics while it holds this lock");
            known.newest_seen_us = known.newest_seen_us.max(Some(stated.as_micros()));
            known.clock_offset_us = offset_us.or(known.clock_offset_us);
            *known
        };
        let text = toml::to_string(&known).expect("plain fields always serialise");
        write_atomically(&self.path, text.as_bytes())
    }

    fn known(&self) -> Known {
        *self.known.lock().expect("no code panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_time_never_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let memory = TimeMemory::load(dir.path()).unwrap();
        assert_eq!((memory.newest_seen(), memory.offset_us()), (None, None));
        memory.remember(Timestamp::from_micros(50), Some(7)).unwrap();
        memory.remember(Timestamp::from_micros(20), None).unwrap();
        let memory = TimeMemory::load(dir.path()).unwrap();
        assert_eq!((memory.newest_seen(), memory.offset_us()), (Some(Timestamp::from_micros(50)), Some(7)));
        std::fs::write(dir.path().join("time.toml"), "newest").unwrap();
        assert_eq!(TimeMemory::load(dir.path()).unwrap().newest_seen(), None);
    }
}
