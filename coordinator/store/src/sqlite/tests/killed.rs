//! Acknowledged means durable: a process that writes is killed, and its successor has everything that was acknowledged.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use parallax_model::{
    attempt::Attempt,
    check::Check,
    clock::Timestamp,
    id::{AttemptId, BootId, CheckId, RoundId},
};
use uuid::Uuid;

use super::SqliteStore;
use crate::{
    Store,
    contract::samples::{at, attempt, name},
};

/// Tells the test that it is the child, and where to write.
const CHILD: &str = "PARALLAX_STORE_KILLED_CHILD";
const WRITERS: u32 = 4;
const BATCH: u32 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_sigkill() {
    if let Some(directory) = env::var_os(CHILD) {
        write_until_killed(Path::new(&directory)).await;
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged: BTreeMap<u32, u64> = BTreeMap::new();
    // Every further process goes on where the killed one ended.
    for _ in 0..3 {
        let more = run_and_kill(directory.path());
        acknowledged.extend(more);
        let store = SqliteStore::open(directory.path()).unwrap();
        for (writer, through) in &acknowledged {
            let vantage = name(&format!("v{writer}"));
            let watermark = store.watermark(&vantage, boot(*writer)).await.unwrap();
            assert!(watermark >= *through, "writer {writer}: {through} was acknowledged, {watermark} is known");
            assert!(store.count_attempts(Some(&vantage)).await.unwrap() >= watermark);
        }
    }
    settle_accounts(directory.path(), &acknowledged).await;
}

/// Sends everything once more, as agents do, and counts: none lost, none twice.
async fn settle_accounts(directory: &Path, acknowledged: &BTreeMap<u32, u64>) {
    let store = SqliteStore::open(directory).unwrap();
    for (writer, through) in acknowledged {
        let vantage = name(&format!("v{writer}"));
        let before = store.count_attempts(Some(&vantage)).await.unwrap();
        let acknowledged = u32::try_from(*through).unwrap();
        let known = store.ingest(&vantage, boot(*writer), numbered(*writer, 1..=acknowledged)).await.unwrap();
        assert_eq!(known.new, 0, "an acknowledged attempt of writer {writer} was lost");
        let last = u32::try_from(before).unwrap().max(acknowledged) + BATCH;
        let rest = store.ingest(&vantage, boot(*writer), numbered(*writer, 1..=last)).await.unwrap();
        assert_eq!(before + rest.new as u64, u64::from(last));
        assert_eq!(store.count_attempts(Some(&vantage)).await.unwrap(), u64::from(last));
        assert_eq!(store.attempts_of_round(round(*writer)).await.unwrap().len(), last as usize);
        assert_eq!(rest.acknowledged_through, u64::from(last));
    }
}

/// A child that does not outlive a failing test.
struct Mortal(Child);

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _nobody_left = self.0.wait();
    }
}

/// Runs this test as a child, kills it amid its work, and returns the last acknowledgement of each writer.
fn run_and_kill(directory: &Path) -> BTreeMap<u32, u64> {
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "sqlite::tests::killed::what_was_acknowledged_outlives_sigkill", "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn();
    let mut child = Mortal(child.unwrap());
    let mut acknowledged = BTreeMap::new();
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut read = |line: String| {
        let mut words = line.split(' ');
        if words.next() == Some("acknowledged") {
            let mut number = || words.next().and_then(|word| word.parse().ok());
            if let (Some(writer), Some(through)) = (number(), number()) {
                acknowledged.insert(u32::try_from(writer).unwrap(), through);
                return true;
            }
        }
        false
    };
    let mut seen = 0;
    while seen < 120 {
        seen += usize::from(read(lines.next().expect("the child ended by itself")));
    }
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    // A last line that was cut off in the middle says nothing; it would have to end with a full number to count.
    let mut rest: Vec<String> = lines.collect();
    rest.pop();
    rest.into_iter().for_each(|line| {
        read(line);
    });
    acknowledged
}

async fn write_until_killed(directory: &Path) {
    let store = Arc::new(SqliteStore::open(directory).unwrap());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let vantage = name(&format!("v{writer}"));
            let mut next = u32::try_from(store.watermark(&vantage, boot(writer)).await.unwrap()).unwrap() + 1;
            loop {
                let result = store.ingest(&vantage, boot(writer), numbered(writer, next..=next + BATCH - 1)).await.unwrap();
                println!("acknowledged {writer} {}", result.acknowledged_through);
                next += BATCH;
            }
        });
    }
    writers.join_all().await;
}

fn boot(writer: u32) -> BootId {
    BootId(Uuid::from_u128(u128::from(writer) + 1))
}

fn round(writer: u32) -> RoundId {
    let day: Timestamp = at(0);
    let check = Check { id: CheckId(Uuid::from_u128(0x7000_8000_0000_0000_0000 + u128::from(writer))), ..Check::once("x.test".parse().unwrap(), day) };
    check.round_at(day)
}

/// The same attempts in every process.
fn numbered(writer: u32, numbers: std::ops::RangeInclusive<u32>) -> Vec<(u64, Attempt)> {
    let id = |number: u32| AttemptId(Uuid::from_u128(u128::from(writer) << 64 | u128::from(number)));
    numbers.map(|number| (u64::from(number), Attempt { id: id(number), ..attempt(round(writer), "v", number) })).collect()
}
