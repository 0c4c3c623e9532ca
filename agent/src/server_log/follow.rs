//! Follows a file that others write: over rotation and truncation, with partial lines, within bounds of memory and time.

use std::{
    collections::VecDeque,
    fs::{File, Metadata, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::PathBuf,
};

use nix::libc;

/// A file under watch.
#[derive(Debug)]
pub(super) struct Follower {
    path: PathBuf,
    open: Option<Open>,
    /// The beginning of a line whose end has not come.
    partial: Vec<u8>,
    /// Whether what comes up to the next end of a line is left out.
    skipping: bool,
    /// Whether there was no file: one that appears is new from its beginning.
    absent: bool,
    /// How long the file was lately, oldest first: what was written just before a watch began is read too.
    marks: VecDeque<(FileId, u64)>,
}

#[derive(Debug)]
struct Open {
    file: File,
    id: FileId,
    at: u64,
}

/// A file whatever its name.
type FileId = (u64, u64);

impl Follower {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, open: None, partial: Vec::new(), skipping: false, absent: false, marks: VecDeque::new() }
    }

    /// Notes how long the file is while nothing of it is read.
    pub(super) fn mark(&mut self) {
        self.open = None;
        let Ok(metadata) = std::fs::metadata(&self.path) else { return };
        if self.marks.len() >= MOST_MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back((id(&metadata), metadata.len()));
    }

    /// Opens the file where it ended a few marks ago.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        (self.partial, self.skipping) = (Vec::new(), false);
        let opened = open(&self.path);
        self.absent = opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
        let (file, metadata) = opened?;
        let known = self.marks.iter().find(|(file, length)| *file == id(&metadata) && *length <= metadata.len());
        // A file that took the place of the one that was marked is new from its beginning.
        let at = known.map_or(if self.marks.is_empty() { metadata.len() } else { 0 }, |(_, length)| *length);
        self.marks.clear();
        self.open = Some(Open { file, id: id(&metadata), at: 0 });
        self.go_to(at)
    }

    /// Hands over every whole line that came since, and returns how many were left out for their size or number.
    pub(super) fn read(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
        let mut lost = 0;
        if self.open.is_none() {
            let (file, metadata) = open(&self.path)?;
            self.open = Some(Open { file, id: id(&metadata), at: 0 });
            let at = if self.absent { 0 } else { metadata.len() };
            self.go_to(at)?;
        }
        let mut chunk = vec![0; CHUNK];
        let mut taken = 0;
        while taken < MOST_AT_ONCE {
            let Some(open) = &mut self.open else { break };
            let length = open.file.metadata()?.len();
            if length < open.at {
                (self.partial, self.skipping) = (Vec::new(), false);
                self.go_to(0)?;
                continue;
            }
            if length - open.at > MOST_BEHIND {
                lost += 1;
                self.partial.clear();
                self.go_to(length - MOST_AT_ONCE as u64)?;
                continue;
            }
            let count = open.file.read(&mut chunk)?;
            open.at += count as u64;
            taken += count;
            if count > 0 {
                lost += self.take(&chunk[..count], &mut each);
            } else if !self.follow_rotation()? {
                break;
            }
        }
        Ok(lost)
    }

    /// Turns to the file that has the name now, once the old one is read to its end; tells whether there is one.
    fn follow_rotation(&mut self) -> io::Result<bool> {
        let now = match std::fs::metadata(&self.path) {
            Ok(metadata) => id(&metadata),
            // Between the renaming and the new file there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        if self.open.as_ref().is_some_and(|open| open.id == now) {
            return Ok(false);
        }
        let (file, metadata) = open(&self.path)?;
        (self.partial, self.skipping) = (Vec::new(), false);
        self.open = Some(Open { file, id: id(&metadata), at: 0 });
        Ok(true)
    }

    /// Goes on from there; in the middle of a line, from the next one on.
    fn go_to(&mut self, at: u64) -> io::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.at = at.saturating_sub(1);
        self.skipping = at > 0;
        open.file.seek(SeekFrom::Start(open.at)).map(drop)
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8])) -> u64 {
        let mut lost = 0;
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_end = piece.ends_with(b"\n");
            if !self.skipping && self.partial.len() + piece.len() > LONGEST_LINE {
                lost += 1;
                self.skipping = true;
                self.partial = Vec::new();
            }
            if !self.skipping {
                self.partial.extend_from_slice(piece);
            }
            if is_end {
                if !self.skipping {
                    each(self.partial.trim_ascii_end());
                }
                self.partial.clear();
                self.skipping = false;
            }
        }
        lost
    }
}

/// Opens a regular file; a pipe would keep the agent waiting.
fn open(path: &PathBuf) -> io::Result<(File, Metadata)> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")) }
}

fn id(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

const CHUNK: usize = 64 * 1024;
const MOST_AT_ONCE: usize = 1024 * 1024;
/// Who is further behind leaves lines out.
const MOST_BEHIND: u64 = 8 * 1024 * 1024;
/// nginx cuts its own at 2 KiB; requests of 8 KiB stand in access logs.
const LONGEST_LINE: usize = 32 * 1024;
/// Two a second: five seconds.
pub(super) const MOST_MARKS: usize = 10;
