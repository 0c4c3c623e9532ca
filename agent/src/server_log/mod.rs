//! The server's own log as a witness that needs no capability: what it says of the fleet's connections.
//!
//! It is read only while a share runs, and tells of connections only to whom it is asked about. The clock of a log is the host's, in whole seconds or finer.

mod access;
mod apache;
mod follow;
mod haproxy;
mod join;
mod line;
mod nginx;
#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use parallax_model::{
    clock::Timestamp,
    facts::{LogEvent, LogFacts, LogLine},
};
use tokio::time::sleep;
use tracing::warn;

use crate::fleet_clock::FleetClock;
use follow::Follower;
use join::Joiner;
use line::{Entry, QUARTER_US, Said};

/// Returns what the lines of a log say, as a witness that read them at one moment tells it.
pub fn lines_of(log: &[u8], now: Timestamp) -> Vec<LogLine> {
    let mut memory = Memory::default();
    for line in log.split(|byte| *byte == b'\n') {
        memory.take(0, line, now, 0);
    }
    memory.lines.into_iter().map(|kept| kept.line).collect()
}

/// The logs of the server on this host.
pub(crate) struct ServerLog {
    state: RefCell<State>,
    clock: Arc<FleetClock>,
}

struct State {
    files: Vec<Followed>,
    watch: Option<Watch>,
    memory: Memory,
}

struct Followed {
    path: PathBuf,
    follower: Follower,
    /// What was said last of a file that cannot be read.
    trouble: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Watch {
    since: Timestamp,
    ends: Timestamp,
}

/// The lines of a watch, oldest first; the oldest are forgotten for new ones.
#[derive(Debug, Default)]
struct Memory {
    lines: VecDeque<Kept>,
    /// What each file has begun.
    joiners: HashMap<usize, Joiner>,
    read: u64,
    lost: u64,
}

#[derive(Debug)]
struct Kept {
    line: LogLine,
    file: usize,
    thread: Option<String>,
}

impl ServerLog {
    /// Follows these files in the background of this thread.
    pub(crate) fn open(paths: &[PathBuf], clock: Arc<FleetClock>) -> Rc<Self> {
        let followed = |path: &PathBuf| Followed { path: path.clone(), follower: Follower::new(path.clone()), trouble: None };
        let mut state = State { files: paths.iter().map(followed).collect(), watch: None, memory: Memory::default() };
        state.files.iter_mut().for_each(Followed::check);
        let log = Rc::new(Self { state: RefCell::new(state), clock });
        let following = Rc::clone(&log);
        tokio::task::spawn_local(async move {
            loop {
                let watched = following.follow();
                sleep(if watched { WATCHED } else { IDLE }).await;
            }
        });
        log
    }

    /// Reads what comes until then.
    pub(crate) fn watch(&self, until: Timestamp) {
        let now = self.clock.now();
        let mut state = self.state.borrow_mut();
        let ends = until + LINGER;
        if let Some(watch) = &mut state.watch {
            watch.ends = watch.ends.max(ends);
            return;
        }
        state.watch = Some(Watch { since: now, ends });
        state.memory = Memory::default();
        for file in &mut state.files {
            let begun = file.follower.begin();
            file.note(begun.map(|()| 0));
        }
    }

    /// Tells what the logs say of connections from these sources to an address; none when they were not followed.
    pub(crate) fn testify(&self, address: SocketAddr, sources: &[IpAddr]) -> Option<LogFacts> {
        self.follow();
        let state = self.state.borrow();
        let Watch { since, .. } = state.watch?;
        let Memory { lines, read, lost, .. } = &state.memory;
        let share = (MOST_LINES / sources.len().max(1)).max(1);
        let mut told: HashMap<IpAddr, usize> = HashMap::new();
        let mut newest: Vec<LogLine> = lines
            .iter()
            .rev()
            .map(|kept| kept.line)
            .filter(|line| sources.contains(&line.client) && line.server_port.is_none_or(|port| port == address.port()))
            .filter(|line| {
                let count = told.entry(line.client).or_default();
                *count += 1;
                *count <= share
            })
            .take(MOST_LINES)
            .collect();
        newest.sort_by_key(|line| line.at);
        Some(LogFacts { since, until: self.clock.now(), read: *read, lost: *lost, lines: newest })
    }

    /// Takes in what has come, or notes how long the files are; tells whether they are watched.
    fn follow(&self) -> bool {
        let now = self.clock.now();
        let offset_us = self.clock.offset_us().unwrap_or(0);
        let mut state = self.state.borrow_mut();
        let State { files, watch, memory } = &mut *state;
        if watch.is_some_and(|watch| watch.ends <= now) {
            *watch = None;
            *memory = Memory::default();
        }
        for (number, file) in files.iter_mut().enumerate() {
            if watch.is_none() {
                file.follower.mark();
                continue;
            }
            let lost = file.follower.read(|line| memory.take(number, line, now, offset_us));
            memory.lost += file.note(lost);
        }
        watch.is_some()
    }
}

impl Followed {
    /// Says at the start when the file cannot be read.
    fn check(&mut self) {
        let opened = self.follower.begin();
        self.note(opened.map(|()| 0));
        self.follower.mark();
    }

    /// Says what is wrong with the file, once for each trouble.
    fn note(&mut self, result: std::io::Result<u64>) -> u64 {
        let trouble = result.as_ref().err().map(ToString::to_string);
        if let Some(problem) = &trouble
            && self.trouble != trouble
        {
            warn!(
                "cannot read the server's log {} ({problem}): let the user that this agent runs as read it, for example by the group adm",
                self.path.display()
            );
        }
        self.trouble = trouble;
        result.unwrap_or(0)
    }
}

impl Memory {
    /// Takes in a line that was read now, by the coordinator's clock, on a host whose own clock is ahead of it by so much.
    fn take(&mut self, file: usize, line: &[u8], now: Timestamp, offset_us: i64) {
        let Some(line) = self.joiners.entry(file).or_default().take(line) else { return };
        match line::read(&line) {
            Some(Said::Entry(entry)) => {
                if self.lines.len() >= MOST_KEPT {
                    self.lines.pop_front();
                    self.lost += 1;
                }
                self.read += 1;
                let Entry { quarter_us, client, client_port, server_port, event, thread } = entry;
                let line = LogLine { at: written_at(quarter_us, now, offset_us), client: client.to_canonical(), client_port, server_port, event };
                self.lines.push_back(Kept { line, file, thread });
            }
            Some(Said::Reason { thread, reason }) => {
                let mine = |kept: &&mut Kept| kept.file == file && kept.thread.as_ref() == Some(&thread);
                if let Some(kept) = self.lines.iter_mut().rev().take(REASON_FOLLOWS).find(mine) {
                    kept.line.event = LogEvent::HandshakeFailed(reason);
                    kept.thread = None;
                }
            }
            None => {}
        }
    }
}

/// Returns the last moment before now, by the coordinator's clock, at which the host's clock stood so far into a quarter of an hour.
fn written_at(quarter_us: u64, now: Timestamp, offset_us: i64) -> Timestamp {
    let quarter = QUARTER_US as i64;
    let latest = now.as_micros().saturating_add(offset_us).saturating_add(AHEAD_US);
    let back = (latest.rem_euclid(quarter) - quarter_us as i64).rem_euclid(quarter);
    Timestamp::from_micros(latest.saturating_sub(back).saturating_sub(offset_us))
}

const WATCHED: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_millis(500);
/// A question about a share may come a little after its end.
const LINGER: Duration = Duration::from_secs(5);
/// A clock that is read twice may seem to go back.
const AHEAD_US: i64 = 500_000;
/// Over all files.
const MOST_KEPT: usize = 8 * 1024;
/// What one record holds.
const MOST_LINES: usize = 256;
/// How many lines of others may stand between a failure and its reason.
const REASON_FOLLOWS: usize = 64;
