//! A disk that is really full: a small file system in a user namespace.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use parallax_model::{
    attempt::Attempt,
    clock::Timestamp,
    id::{BootId, CheckId, RoundId},
};

use super::SqliteStore;
use crate::{
    Store, StoreError,
    contract::samples::{at, attempt, name},
};

/// Tells the test that it runs in the namespace, and where the small disk is.
const SMALL_DISK: &str = "PARALLAX_STORE_SMALL_DISK";

#[tokio::test]
async fn a_full_disk_refuses_loses_nothing_and_recovers() {
    match env::var_os(SMALL_DISK) {
        None => on_a_small_disk("sqlite::tests::full_disk::a_full_disk_refuses_loses_nothing_and_recovers"),
        Some(disk) => fill_and_make_room(&PathBuf::from(disk)).await,
    }
}

#[tokio::test]
async fn retention_frees_a_full_disk() {
    match env::var_os(SMALL_DISK) {
        None => on_a_small_disk("sqlite::tests::full_disk::retention_frees_a_full_disk"),
        Some(disk) => fill_and_retain(&PathBuf::from(disk)).await,
    }
}

/// Runs a test of this module again with a disk of 40 MB, and passes when that passes.
fn on_a_small_disk(test: &str) {
    let disk = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=40m tmpfs "$1" && exec "$2" --exact "$3" --nocapture"#;
    let output = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script, "sh"])
        .args([disk.path().as_os_str(), env::current_exe().unwrap().as_os_str(), test.as_ref()])
        .env(SMALL_DISK, disk.path())
        .output()
        .expect("unshare (util-linux) starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "needs user and mount namespaces, or failed in them:\n{said}");
    assert!(text.contains("1 passed"), "the test did not run in the namespace:\n{said}");
}

/// A spool as an agent has it: what is not acknowledged is sent again.
struct Spool {
    boot: BootId,
    round: RoundId,
    unacknowledged: Vec<(u64, Attempt)>,
    next: u32,
}

impl Spool {
    fn starting(at: Timestamp) -> Self {
        Self { boot: BootId::new(), round: RoundId::scheduled(CheckId::new(), at), unacknowledged: Vec::new(), next: 1 }
    }

    /// Adds 50 attempts and sends everything.
    async fn send(&mut self, store: &SqliteStore) -> crate::Result<()> {
        self.unacknowledged.extend((self.next..self.next + 50).map(|number| (u64::from(number), attempt(self.round, "north", number))));
        self.next += 50;
        let result = store.ingest(&name("north"), self.boot, self.unacknowledged.clone()).await?;
        self.unacknowledged.retain(|entry| entry.0 > result.acknowledged_through);
        Ok(())
    }

    /// Sends until the disk is full.
    async fn send_until_full(&mut self, store: &SqliteStore) {
        for _ in 0..2_000 {
            match self.send(store).await {
                Ok(()) => {}
                Err(StoreError::DiskFull { .. }) => return,
                Err(other) => panic!("{other:?}"),
            }
        }
        panic!("the disk never filled");
    }

    fn acknowledged(&self) -> u64 {
        u64::from(self.next) - 1 - self.unacknowledged.len() as u64
    }
}

async fn fill_and_make_room(disk: &Path) {
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![1; 32_000_000]).unwrap();
    let directory = disk.join("store");
    let store = SqliteStore::open(&directory).unwrap();
    let mut spool = Spool::starting(at(0));
    spool.send_until_full(&store).await;
    let acknowledged = spool.acknowledged();
    assert!(acknowledged > 100, "{acknowledged}");
    for _ in 0..3 {
        assert!(matches!(spool.send(&store).await, Err(StoreError::DiskFull { .. })), "it stays full");
    }
    assert_eq!(spool.acknowledged(), acknowledged);
    assert_eq!(store.watermark(&name("north"), spool.boot).await.unwrap(), acknowledged, "reading goes on");
    assert!(store.count_attempts(None).await.unwrap() >= acknowledged);

    fs::remove_file(&ballast).unwrap();
    spool.send(&store).await.expect("it goes on by itself when there is room");
    store.health().await.unwrap();
    assert_eq!(spool.unacknowledged, []);
    let sent = spool.acknowledged();
    assert_eq!(store.count_attempts(None).await.unwrap(), sent);
    drop(store);
    fill(&ballast);
    let error = SqliteStore::open(&directory).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    fs::remove_file(&ballast).unwrap();
    let store = SqliteStore::open(&directory).unwrap();
    assert_eq!(store.attempts_of_round(spool.round).await.unwrap().len() as u64, sent, "none lost, none twice");
}

/// Takes all the room that is left.
fn fill(ballast: &Path) {
    let mut file = fs::File::create(ballast).unwrap();
    let full = loop {
        if let Err(error) = file.write_all(&[1; 4_096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}

async fn fill_and_retain(disk: &Path) {
    let store = SqliteStore::open(&disk.join("store")).unwrap();
    let mut old = Spool::starting(at(0));
    for _ in 0..100 {
        old.send(&store).await.unwrap();
    }
    let tomorrow: Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
    let mut young = Spool::starting(tomorrow);
    young.send_until_full(&store).await;
    assert_eq!(store.retain_since(tomorrow).await.unwrap().days_dropped, 1);
    young.send(&store).await.unwrap();
    assert_eq!(young.unacknowledged, []);
    assert_eq!(store.count_attempts(None).await.unwrap(), young.acknowledged());
}
