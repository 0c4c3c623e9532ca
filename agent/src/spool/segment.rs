//! One file of the spool: a header that names the boot, then records.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use parallax_model::id::BootId;

use super::frame::{Kind, Record, crc32, records};
use crate::files::sync_parent;

/// A file of the spool and what is known of it without reading it again.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The run of the agent that numbered its attempts.
    pub(crate) boot: BootId,
    /// Mark of its first record.
    pub(crate) first_mark: u64,
    /// Mark of its last record; below `first_mark` while it is empty.
    pub(crate) last_mark: u64,
    /// Number of its last attempt, 0 when it holds none.
    pub(crate) last_sequence: u64,
    /// Attempts in it.
    pub(crate) attempts: u64,
    /// Bytes up to the end of its last whole record.
    pub(crate) bytes: u64,
    /// Whether unimportant attempts were taken out already.
    pub(crate) compacted: bool,
}

impl Segment {
    /// Starts a file whose first record will have `first_mark`.
    pub(crate) fn create(folder: &Path, boot: BootId, first_mark: u64) -> io::Result<(Self, File)> {
        let path = folder.join(format!("{first_mark:020}.{SUFFIX}"));
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.write_all(&header(boot)).inspect_err(|_| drop(fs::remove_file(&path)))?;
        sync_parent(&path)?;
        let segment = Self { path, boot, first_mark, last_mark: first_mark - 1, last_sequence: 0, attempts: 0, bytes: HEADER_LEN as u64, compacted: false };
        Ok((segment, file))
    }

    /// Reads a file that an earlier run left; none when its header is damaged.
    pub(crate) fn open(path: PathBuf) -> io::Result<Option<Self>> {
        let bytes = fs::read(&path)?;
        let Some(boot) = bytes.first_chunk::<HEADER_LEN>().and_then(read_header) else { return Ok(None) };
        let mut segment = Self { path, boot, first_mark: u64::MAX, last_mark: 0, last_sequence: 0, attempts: 0, bytes: HEADER_LEN as u64, compacted: false };
        for (record, end) in records(&bytes[HEADER_LEN..]) {
            segment.first_mark = segment.first_mark.min(record.mark);
            segment.note(&record);
            segment.bytes = (HEADER_LEN + end) as u64;
        }
        Ok(Some(segment))
    }

    /// Counts a record that was appended.
    pub(crate) fn note(&mut self, record: &Record) {
        self.last_mark = record.mark;
        if record.kind == Kind::Attempt {
            self.last_sequence = record.sequence;
            self.attempts += 1;
        }
    }

    /// Tells whether nothing was written to it.
    pub(crate) fn is_empty(&self) -> bool {
        self.last_mark < self.first_mark
    }

    /// Reads at most about `most_bytes` of its records from `offset` on, each with the offset behind it; at least one record if there is one.
    pub(crate) fn read(&self, offset: u64, most_bytes: u64) -> io::Result<Vec<(Record, u64)>> {
        let offset = offset.max(HEADER_LEN as u64);
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let left = self.bytes.saturating_sub(offset);
        let mut wanted = left.min(most_bytes);
        loop {
            let mut bytes = Vec::new();
            (&file).take(wanted).read_to_end(&mut bytes)?;
            let read: Vec<(Record, u64)> = records(&bytes).map(|(record, end)| (record, offset + end as u64)).collect();
            if !read.is_empty() || wanted == left {
                return Ok(read);
            }
            wanted = left;
            file.seek(SeekFrom::Start(offset))?;
        }
    }

    /// Takes the unimportant attempts out and returns how many they were.
    pub(crate) fn compact(&mut self) -> io::Result<u64> {
        let all = self.read(0, u64::MAX)?;
        let mut bytes = header(self.boot).to_vec();
        let mut dropped = 0;
        for (record, _) in &all {
            if record.important || record.kind == Kind::ShareDone {
                record.encode(&mut bytes);
            } else {
                dropped += 1;
            }
        }
        let temporary = self.path.with_extension("new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).inspect_err(|_| drop(fs::remove_file(&temporary)))?;
        fs::rename(&temporary, &self.path)?;
        sync_parent(&self.path)?;
        self.bytes = bytes.len() as u64;
        self.attempts -= dropped;
        self.compacted = true;
        Ok(dropped)
    }
}

fn header(boot: BootId) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    bytes[..4].copy_from_slice(MAGIC);
    bytes[4..20].copy_from_slice(boot.0.as_bytes());
    let checksum = crc32(&bytes[..20]);
    bytes[20..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

fn read_header(bytes: &[u8; HEADER_LEN]) -> Option<BootId> {
    let boot = BootId(uuid::Uuid::from_slice(&bytes[4..20]).ok()?);
    (*bytes == header(boot)).then_some(boot)
}

/// Ending of a segment's file name.
pub(crate) const SUFFIX: &str = "seg";
const MAGIC: &[u8; 4] = b"PLX1";
const HEADER_LEN: usize = 24;
