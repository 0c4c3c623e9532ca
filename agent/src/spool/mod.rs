//! What the agent saw, on disk until the coordinator has it.

mod frame;
mod listing;
mod room;
mod segment;
mod store;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use parallax_model::id::BootId;
use tokio::sync::{Notify, oneshot, watch};

pub(crate) use frame::Kind;
pub(crate) use listing::held_attempts;
use store::Store;
pub(crate) use store::{Caps, Entry, Piece};

use crate::files::FileError;

/// The spool's folder in the data directory.
pub(crate) const FOLDER: &str = "spool";

/// A handle on the spool; a thread of its own does the writing, so that slow disks stop nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    commands: mpsc::Sender<Command>,
    grown: Arc<Notify>,
    status: watch::Receiver<Status>,
}

/// What a spool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Status {
    /// Attempts that are not acknowledged.
    pub(crate) waiting: u64,
    /// Attempts that were given up for want of room, since the start.
    pub(crate) dropped: u64,
}

enum Command {
    Append(Vec<Entry>, oneshot::Sender<()>),
    Read(u64, oneshot::Sender<Option<Piece>>),
    Acknowledge(BootId, u64),
    Confirm(u64),
}

impl Spool {
    /// Opens the spool in `folder`; numbers of new attempts belong to `boot`.
    pub(crate) fn open(folder: &Path, boot: BootId, caps: Caps) -> Result<Self, FileError> {
        let store = Store::open(folder, boot, caps)?;
        let (commands, inbox) = mpsc::channel();
        let grown = Arc::new(Notify::new());
        let (report, status) = watch::channel(status_of(&store));
        let notify = Arc::clone(&grown);
        let thread = thread::Builder::new().name("spool".to_owned()).stack_size(256 * 1024);
        thread.spawn(move || work(store, &inbox, &notify, &report)).map_err(|source| FileError::new("start the writer of", folder, source))?;
        Ok(Self { commands, grown, status })
    }

    /// Keeps entries; they are durable when this returns.
    pub(crate) async fn append(&self, entries: Vec<Entry>) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(Command::Append(entries, done)).is_ok() {
            let _ = wait.await;
        }
    }

    /// Keeps entries without waiting for the disk; what is appended afterwards comes behind them.
    pub(crate) fn post(&self, entries: Vec<Entry>) {
        let (done, _) = oneshot::channel();
        let _ = self.commands.send(Command::Append(entries, done));
    }

    /// Returns what to send from mark `from` on; none when there is nothing more.
    pub(crate) async fn read(&self, from: u64) -> Option<Piece> {
        let (done, wait) = oneshot::channel();
        self.commands.send(Command::Read(from, done)).ok()?;
        wait.await.ok().flatten()
    }

    /// Waits until something was appended.
    pub(crate) async fn grown(&self) {
        self.grown.notified().await;
    }

    /// Forgets attempts of `boot` up to `through`.
    pub(crate) fn acknowledge(&self, boot: BootId, through: u64) {
        let _ = self.commands.send(Command::Acknowledge(boot, through));
    }

    /// Forgets ends of shares before mark `before`.
    pub(crate) fn confirm(&self, before: u64) {
        let _ = self.commands.send(Command::Confirm(before));
    }

    /// Returns what the spool holds.
    pub(crate) fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// Waits until every attempt is acknowledged.
    pub(crate) async fn emptied(&self) {
        let _ = self.status.clone().wait_for(|status| status.waiting == 0).await;
    }
}

fn status_of(store: &Store) -> Status {
    Status { waiting: store.waiting(), dropped: store.dropped() }
}

fn work(mut store: Store, inbox: &mpsc::Receiver<Command>, grown: &Notify, report: &watch::Sender<Status>) {
    loop {
        let first = match inbox.recv_timeout(if store.is_stuck() { RETRY } else { FOREVER }) {
            Ok(command) => command,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                store.save();
                continue;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        };
        let mut entries = Vec::new();
        let mut waiting = Vec::new();
        let mut others = Vec::new();
        for command in std::iter::once(first).chain(inbox.try_iter().take(GROUP)) {
            match command {
                Command::Append(more, done) => {
                    entries.extend(more);
                    waiting.push(done);
                }
                other => others.push(other),
            }
        }
        if !waiting.is_empty() {
            store.append(entries);
            grown.notify_one();
        }
        others.into_iter().for_each(|command| answer(&mut store, command));
        report.send_if_modified(|status| {
            let fresh = status_of(&store);
            std::mem::replace(status, fresh) != fresh
        });
        waiting.into_iter().for_each(|done| {
            let _ = done.send(());
        });
    }
}

fn answer(store: &mut Store, command: Command) {
    match command {
        Command::Append(entries, _) => store.append(entries),
        Command::Read(from, done) => {
            let piece = store.read(from).unwrap_or_else(|error| {
                tracing::warn!(%error, "cannot read the spool");
                None
            });
            let _ = done.send(piece);
        }
        Command::Acknowledge(boot, through) => store.acknowledge(boot, through),
        Command::Confirm(before) => store.confirm(before),
    }
}

const RETRY: Duration = Duration::from_secs(1);
const FOREVER: Duration = Duration::from_secs(3_600);
const GROUP: usize = 1_024;
