//! The one thread that writes. It takes everything that waits, commits it as one group, and only then answers.

use std::{
    error::Error as _,
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    connection::{Kind, open_writer, sort},
    days::{Batch, DayFiles},
    files::{Day, Files},
};
use crate::error::{Result, StoreError};

/// Jobs that may wait; a batch of 100 attempts is some 65 KB, so that the queue stays below 20 MB.
const QUEUE: usize = 256;
/// A group is committed at the latest when it has this many attempts, which bounds how long one caller waits for the others.
const GROUP_ATTEMPTS: usize = 8_192;

/// A piece of work on the main file, answered after the group's commit.
pub(super) trait Task: Send {
    /// Names the use case.
    fn during(&self) -> &'static str;
    /// Does the work inside the group's transaction; an error undoes this task alone.
    fn run(&mut self, main: &Connection) -> rusqlite::Result<()>;
    /// Answers the caller, who may be gone.
    fn answer(self: Box<Self>, outcome: Result<()>);
}

/// A task made of a closure.
struct Work<T, F> {
    during: &'static str,
    work: Option<F>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&Connection) -> rusqlite::Result<T> + Send> Task for Work<T, F> {
    fn during(&self) -> &'static str {
        self.during
    }

    fn run(&mut self, main: &Connection) -> rusqlite::Result<()> {
        let work = self.work.take().expect("a task runs once");
        self.value = Some(work(main)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Self { value, reply, .. } = *self;
        let _gone = reply.send(outcome.map(|()| value.expect("a task that was committed has run")));
    }
}

enum Job {
    Task(Box<dyn Task>),
    Ingest(Batch),
    /// Drops the days before this one.
    Drop(Day, oneshot::Sender<Result<usize>>),
}

/// The handle by which others give work to the thread.
#[derive(Debug)]
pub(super) struct Writer {
    /// None only while it is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Opens the main file and starts the thread.
    pub(super) fn start(files: Arc<Files>) -> Result<Self> {
        let path = files.main();
        let main = open_writer(&path, Kind::Main)?;
        files.sync()?;
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let worker = Worker { main, path, days: DayFiles::new(Arc::clone(&files)) };
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || worker.work(waiting));
        let thread = thread.map_err(|error| StoreError::of_io(files.directory(), error))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in the next group; returns its value after the commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        during: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.send(during, Job::Task(Box::new(Work { during, work: Some(work), value: None, reply }))).await?;
        answer.await.unwrap_or_else(|_| Err(stopped(during)))
    }

    /// Gives a batch to the next group; its own channel tells when it is durable.
    pub(super) async fn ingest(&self, batch: Batch) -> Result<()> {
        self.send("ingest", Job::Ingest(batch)).await
    }

    /// Drops the files of the days before `day`.
    pub(super) async fn drop_days_before(&self, day: Day) -> Result<usize> {
        let (reply, answer) = oneshot::channel();
        self.send("retain_since", Job::Drop(day, reply)).await?;
        answer.await.unwrap_or_else(|_| Err(stopped("retain_since")))
    }

    async fn send(&self, during: &'static str, job: Job) -> Result<()> {
        let jobs = self.jobs.as_ref().expect("the channel is there until the drop");
        jobs.send(job).await.map_err(|_| stopped(during))
    }
}

impl Drop for Writer {
    /// Waits for the group that is being committed, so that the files are closed when the store is gone.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writer ended by a panic");
        }
    }
}

/// Says that the thread is gone, which only a panic on it explains.
pub(super) fn stopped(during: &'static str) -> StoreError {
    StoreError::bug(during, "the store's writer has stopped")
}

struct Worker {
    main: Connection,
    path: PathBuf,
    days: DayFiles,
}

impl Worker {
    fn work(mut self, mut waiting: mpsc::Receiver<Job>) {
        while let Some(first) = waiting.blocking_recv() {
            let mut batches = Vec::new();
            let mut tasks: Vec<Box<dyn Task>> = Vec::new();
            let mut attempts = 0;
            let mut next = Some(first);
            while let Some(job) = next {
                match job {
                    Job::Task(task) => tasks.push(task),
                    Job::Ingest(batch) => {
                        attempts += batch.rows.len();
                        batches.push(batch);
                    }
                    Job::Drop(day, reply) => {
                        let _gone = reply.send(self.days.drop_before(day));
                    }
                }
                let full = attempts >= GROUP_ATTEMPTS || tasks.len() >= QUEUE;
                next = if full { None } else { waiting.try_recv().ok() };
            }
            // Attempts are committed before the acknowledgement that covers them: after a crash between the two they are sent again, and stored once.
            for (batch, stored) in self.days.store(batches) {
                match stored {
                    Ok(new) => tasks.push(batch.settling(new)),
                    Err(error) => batch.refuse(error),
                }
            }
            self.commit(tasks);
        }
    }

    /// Runs the tasks in one transaction and answers them.
    fn commit(&self, mut tasks: Vec<Box<dyn Task>>) {
        if tasks.is_empty() {
            return;
        }
        let mut refused = Vec::new();
        let outcome = self.run(&mut tasks, &mut refused);
        if outcome.is_err() && !self.main.is_autocommit() {
            // What cannot be rolled back was rolled back already.
            let _rolled_back = self.main.execute_batch("ROLLBACK");
        }
        let outcome = outcome.map_err(|error| {
            let error = sort("commit", &self.path, error);
            tracing::warn!(%error, cause = error.source().map(tracing::field::display), tasks = tasks.len(), "a group of writes was not committed");
            error
        });
        let mut refused = refused.into_iter().peekable();
        for (number, task) in tasks.into_iter().enumerate() {
            let own = refused.next_if(|(at, _)| *at == number).map(|(_, error)| sort(task.during(), &self.path, error));
            task.answer(own.map_or_else(|| outcome.clone(), Err));
        }
    }

    /// Commits the tasks that work and lists those that do not; an error means that nothing of the group is stored.
    fn run(&self, tasks: &mut [Box<dyn Task>], refused: &mut Vec<(usize, rusqlite::Error)>) -> rusqlite::Result<()> {
        let execute = |statement: &str| self.main.prepare_cached(statement)?.execute([]).map(drop);
        execute("BEGIN IMMEDIATE")?;
        for (number, task) in tasks.iter_mut().enumerate() {
            execute("SAVEPOINT task")?;
            if let Err(error) = task.run(&self.main) {
                // A full disk or a broken one takes the whole transaction with it.
                if self.main.is_autocommit() {
                    return Err(error);
                }
                execute("ROLLBACK TO task")?;
                refused.push((number, error));
            }
            execute("RELEASE task")?;
        }
        execute("COMMIT")
    }
}
