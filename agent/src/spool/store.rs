//! The spool itself, without threads: appending, reading for the session, forgetting what is acknowledged, and making room.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use parallax_model::id::BootId;
use tracing::{info, warn};

use super::{
    frame::{Kind, Record},
    segment::{SUFFIX, Segment},
};
use crate::files::{FileError, private_folder};

/// Something to keep until it is acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// What the payload is.
    pub(crate) kind: Kind,
    /// Whether it goes last when room must be made.
    pub(crate) important: bool,
    /// The encoded message.
    pub(crate) payload: Vec<u8>,
}

/// What the session sends next; `next` is where to read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Attempts of one boot whose numbers follow one another.
    Attempts { boot: BootId, first_sequence: u64, attempts: Vec<Vec<u8>>, next: u64 },
    /// The end of a share.
    ShareDone { payload: Vec<u8>, next: u64 },
}

/// Caps of a spool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caps {
    /// Bytes on disk.
    pub(crate) disk: u64,
    /// Bytes of one file.
    pub(crate) segment: u64,
    /// Bytes kept in memory while the disk takes nothing.
    pub(crate) memory: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self { disk: 512 << 20, segment: 1 << 20, memory: 4 << 20 }
    }
}

/// Durable records in the order of their making, oldest first.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    boot: BootId,
    pub(super) caps: Caps,
    pub(super) segments: VecDeque<Segment>,
    active: Option<File>,
    next_mark: u64,
    last_sequence: u64,
    acknowledged: HashMap<BootId, u64>,
    confirmed: u64,
    pub(super) unsaved: VecDeque<Record>,
    is_stuck: bool,
    pub(super) dropped: u64,
    /// File (by its first mark), mark and offset where the last read ended.
    pub(super) cursor: Option<(u64, u64, u64)>,
}

impl Store {
    /// Opens the spool in `folder` and takes over what earlier runs left; a damaged file is put aside, a cut tail is forgotten.
    pub(crate) fn open(folder: &Path, boot: BootId, caps: Caps) -> Result<Self, FileError> {
        private_folder(folder)?;
        let failed = |source| FileError::new("read the spool", folder, source);
        let listing: Vec<_> = fs::read_dir(folder).and_then(Iterator::collect).map_err(failed)?;
        let mut paths: Vec<PathBuf> = listing.iter().map(fs::DirEntry::path).filter(|path| path.extension().is_some_and(|end| end == SUFFIX)).collect();
        paths.sort();
        let mut segments = VecDeque::new();
        for path in paths {
            match Segment::open(path.clone()).map_err(failed)? {
                Some(segment) if segment.is_empty() => fs::remove_file(&path).map_err(failed)?,
                Some(segment) => segments.push_back(segment),
                None => {
                    warn!(file = %path.display(), "spool file is damaged, put aside");
                    fs::rename(&path, path.with_extension("damaged")).map_err(failed)?;
                }
            }
        }
        let next_mark = segments.back().map_or(0, |segment: &Segment| segment.last_mark) + 1;
        Ok(Self {
            folder: folder.to_owned(),
            boot,
            caps,
            segments,
            active: None,
            next_mark,
            last_sequence: 0,
            acknowledged: HashMap::new(),
            confirmed: 0,
            unsaved: VecDeque::new(),
            is_stuck: false,
            dropped: 0,
            cursor: None,
        })
    }

    /// Takes entries in; they are durable on return, or held in memory while the disk takes nothing.
    pub(crate) fn append(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            if entry.kind == Kind::Attempt {
                self.last_sequence += 1;
            }
            let Entry { kind, important, payload } = entry;
            self.unsaved.push_back(Record { kind, important, mark: self.next_mark, sequence: self.last_sequence, payload });
            self.next_mark += 1;
        }
        self.save();
    }

    /// Tries again to write what the disk did not take.
    pub(crate) fn save(&mut self) {
        let was_stuck = self.is_stuck;
        self.make_room();
        let written = self.write_unsaved();
        self.is_stuck = written.is_err();
        match written {
            Ok(()) if was_stuck => info!("spool is on disk again"),
            Ok(()) => {}
            Err(error) => {
                self.trim_memory();
                if !was_stuck {
                    warn!(%error, held = self.unsaved.len(), "cannot write the spool, results stay in memory: free space on its disk");
                }
            }
        }
    }

    /// Tells whether records wait in memory for the disk.
    pub(crate) fn is_stuck(&self) -> bool {
        self.is_stuck
    }

    /// Returns how many attempts are not acknowledged.
    pub(crate) fn waiting(&self) -> u64 {
        let of_segment = |segment: &Segment| segment.attempts.min(segment.last_sequence.saturating_sub(self.through(segment.boot)));
        let in_memory = self.unsaved.iter().filter(|record| record.kind == Kind::Attempt && record.sequence > self.through(self.boot)).count();
        self.segments.iter().map(of_segment).sum::<u64>() + in_memory as u64
    }

    /// Tells whether everything was acknowledged and confirmed.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty() && self.unsaved.is_empty()
    }

    /// Returns what to send from mark `from` on, leaving out what is acknowledged or confirmed.
    pub(crate) fn read(&mut self, from: u64) -> io::Result<Option<Piece>> {
        let mut at = from;
        while let Some(segment) = self.segments.iter().find(|segment| segment.last_mark >= at) {
            let offset = self.cursor.filter(|(file, mark, _)| *file == segment.first_mark && *mark == at).map_or(0, |(_, _, offset)| offset);
            let read = segment.read(offset, if offset == 0 && at > segment.first_mark { u64::MAX } else { READ_BYTES })?;
            let (file, boot, last) = (segment.first_mark, segment.boot, segment.last_mark);
            let Some(end) = read.last().map(|(record, _)| record.mark) else {
                at = last + 1;
                continue;
            };
            let fresh = read.into_iter().skip_while(|(record, _)| record.mark < at);
            if let Some((piece, offset)) = self.gather(boot, fresh) {
                self.cursor = Some((file, piece.next(), offset));
                return Ok(Some(piece));
            }
            at = end + 1;
        }
        let held: Vec<(Record, u64)> = self.unsaved.iter().skip_while(|record| record.mark < at).take(BATCH).map(|record| (record.clone(), 0)).collect();
        Ok(self.gather(self.boot, held.into_iter()).map(|(piece, _)| piece))
    }

    /// Forgets everything of `boot` up to attempt `through`.
    pub(crate) fn acknowledge(&mut self, boot: BootId, through: u64) {
        let known = self.acknowledged.entry(boot).or_insert(0);
        *known = through.max(*known);
        self.forget();
    }

    /// Forgets ends of shares before mark `before`: the coordinator has seen them.
    pub(crate) fn confirm(&mut self, before: u64) {
        self.confirmed = self.confirmed.max(before);
        self.forget();
    }

    /// Returns how many attempts were given up for want of room.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn through(&self, boot: BootId) -> u64 {
        self.acknowledged.get(&boot).copied().unwrap_or(0)
    }

    fn is_done(&self, boot: BootId, record: &Record) -> bool {
        match record.kind {
            Kind::Attempt => record.sequence <= self.through(boot),
            Kind::ShareDone => record.mark < self.confirmed && record.sequence <= self.through(boot),
        }
    }

    fn gather(&self, boot: BootId, records: impl Iterator<Item = (Record, u64)>) -> Option<(Piece, u64)> {
        let mut records = records.skip_while(|(record, _)| self.is_done(boot, record)).peekable();
        let (first, mut offset) = records.next()?;
        let mut next = first.mark + 1;
        if first.kind == Kind::ShareDone {
            return Some((Piece::ShareDone { payload: first.payload, next }, offset));
        }
        let first_sequence = first.sequence;
        let mut bytes = first.payload.len();
        let mut attempts = vec![first.payload];
        while attempts.len() < BATCH {
            let follows = |record: &Record| record.kind == Kind::Attempt && record.sequence == first_sequence + attempts.len() as u64;
            let Some((record, end)) = records.next_if(|(record, _)| follows(record) && bytes + record.payload.len() <= BATCH_BYTES) else { break };
            bytes += record.payload.len();
            (next, offset) = (record.mark + 1, end);
            attempts.push(record.payload);
        }
        Some((Piece::Attempts { boot, first_sequence, attempts, next }, offset))
    }

    fn write_unsaved(&mut self) -> io::Result<()> {
        while !self.unsaved.is_empty() {
            if self.active.is_none() || self.segments.back().is_none_or(|segment| segment.bytes >= self.caps.segment) {
                let first = self.unsaved.front().map_or(self.next_mark, |record| record.mark);
                let (segment, file) = Segment::create(&self.folder, self.boot, first)?;
                self.segments.push_back(segment);
                self.active = Some(file);
            }
            let (Some(file), Some(segment)) = (&mut self.active, self.segments.back_mut()) else { return Ok(()) };
            let room = self.caps.segment.saturating_sub(segment.bytes);
            let mut bytes = Vec::new();
            let mut count = 0;
            for record in &self.unsaved {
                if count > 0 && bytes.len() as u64 + record.size() > room {
                    break;
                }
                record.encode(&mut bytes);
                count += 1;
            }
            let written = file.seek(SeekFrom::Start(segment.bytes)).and_then(|_| file.write_all(&bytes)).and_then(|()| file.sync_data());
            if let Err(error) = written {
                let _ = file.set_len(segment.bytes);
                return Err(error);
            }
            segment.bytes += bytes.len() as u64;
            self.unsaved.drain(..count).for_each(|record| segment.note(&record));
        }
        Ok(())
    }

    fn forget(&mut self) {
        let done: Vec<bool> = self.unsaved.iter().map(|record| self.is_done(self.boot, record)).collect();
        let mut keep = done.iter().map(|done| !done);
        self.unsaved.retain(|_| keep.next().unwrap_or(true));
        while let Some(oldest) = self.segments.front() {
            if oldest.last_sequence > self.through(oldest.boot) || oldest.last_mark >= self.confirmed {
                return;
            }
            self.remove_oldest();
        }
    }

    pub(super) fn remove_oldest(&mut self) {
        if let Some(segment) = self.segments.pop_front() {
            if self.segments.is_empty() {
                self.active = None;
            }
            self.cursor = None;
            if let Err(error) = fs::remove_file(&segment.path) {
                warn!(file = %segment.path.display(), %error, "cannot remove a spool file");
            }
        }
    }
}

impl Piece {
    /// Returns where to read on.
    pub(crate) fn next(&self) -> u64 {
        match self {
            Self::Attempts { next, .. } | Self::ShareDone { next, .. } => *next,
        }
    }
}

/// Attempts of one batch at most.
const BATCH: usize = 200;
/// Bytes of one batch at most; one attempt that is larger travels alone.
const BATCH_BYTES: usize = 1 << 20;
const READ_BYTES: u64 = 1 << 20;
