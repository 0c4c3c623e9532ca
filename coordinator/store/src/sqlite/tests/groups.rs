//! Writes that are committed together succeed and fail each for itself.

use std::sync::Arc;

use parallax_model::id::{BootId, CheckId, RoundId};
use tokio::task::JoinSet;

use super::SqliteStore;
use crate::{
    AuditEntry, OperatorToken, Role, Store, StoreError,
    contract::samples::{at, attempt, bytes, name},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_fails_takes_no_other_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(directory.path()).unwrap());
    let operator = |text: String| OperatorToken { name: text, role: Role::Admin, secret_sha256: bytes(1), created_at: at(1) };
    store.put_operator_token(&operator("ann".into())).await.unwrap();
    let round = RoundId::scheduled(CheckId::new(), at(0));
    let (mut good, mut bad, mut batches) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    for number in 0..40 {
        let line = AuditEntry { at: at(number), actor: "ann".into(), action: "x".into(), object: "y".into(), detail: String::new() };
        let (one, two, three) = (Arc::clone(&store), Arc::clone(&store), Arc::clone(&store));
        good.spawn(async move { one.audit(&line).await });
        // A secret belongs to one operator: the schema refuses the second.
        bad.spawn(async move { two.put_operator_token(&operator(format!("eve{number}"))).await });
        batches.spawn(async move { three.ingest(&name("north"), BootId::new(), vec![(1, attempt(round, "north", 1))]).await });
    }
    assert!(good.join_all().await.iter().all(Result::is_ok));
    assert!(batches.join_all().await.iter().all(Result::is_ok));
    for failed in bad.join_all().await {
        assert!(matches!(failed, Err(StoreError::Bug { during: "put_operator_token", .. })), "{failed:?}");
    }
    assert_eq!(store.audit_log(100).await.unwrap().len(), 40);
    assert_eq!(store.list_operator_tokens().await.unwrap().len(), 1);
    assert_eq!(store.attempts_of_round(round).await.unwrap().len(), 40);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_the_write() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(directory.path()).unwrap();
    let round = RoundId::scheduled(CheckId::new(), at(0));
    let (north, boot) = (name("north"), BootId::new());
    for number in 1..=20 {
        let ingest = store.ingest(&north, boot, vec![(u64::from(number), attempt(round, "north", number))]);
        // The first poll hands the batch over; then the caller is gone.
        let _cut_off = tokio::time::timeout(std::time::Duration::ZERO, ingest).await;
    }
    store.health().await.unwrap();
    assert_eq!(store.watermark(&north, boot).await.unwrap(), 20);
    assert_eq!(store.attempts_of_round(round).await.unwrap().len(), 20);
}
