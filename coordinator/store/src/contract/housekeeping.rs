use parallax_model::{
    check::Check,
    clock::Timestamp,
    id::{BootId, RoundId},
};

use super::{
    Fixture,
    samples::{attempt, check, name, round, verdict},
};
use crate::{IngestResult, Retained, Store};

fn on(day: u32) -> Timestamp {
    format!("2026-11-{day:02}T12:00:00Z").parse().unwrap()
}

/// A closed and judged round with one attempt, at noon of a day of November.
async fn history(store: &dyn Store, check: &Check, day: u32) -> RoundId {
    let round = round(check, on(day), &["north"]);
    store.open_round(&round).await.unwrap();
    store.ingest(&name("north"), BootId::new(), vec![(1, attempt(round.id, "north", 1))]).await.unwrap();
    store.close_round(round.id, on(day), 1).await.unwrap();
    store.put_verdict(Some(check.id), &verdict(&round, "x"), on(day)).await.unwrap();
    round.id
}

pub(crate) async fn retention_drops_whole_days(fixture: impl Fixture) {
    let store = &**fixture.store();
    let shop = check(Some("shop"));
    store.put_check(&shop, None).await.unwrap();
    let mut rounds = Vec::new();
    for day in 20..=23 {
        rounds.push(history(store, &shop, day).await);
    }
    assert_eq!(store.retain_since("2026-11-22T18:00:00Z".parse().unwrap()).await.unwrap(), Retained { days_dropped: 2, rounds_deleted: 2 });
    assert_eq!(store.count_attempts(None).await.unwrap(), 2);
    for (number, id) in rounds.iter().enumerate() {
        let kept = number >= 2;
        assert_eq!(store.round(*id).await.unwrap().is_some(), kept);
        assert_eq!(store.verdict(*id, None).await.unwrap().is_some(), kept);
        assert_eq!(store.attempts_of_round(*id).await.unwrap().len(), usize::from(kept));
    }
    assert_eq!(store.verdicts_of_check(shop.id, None, None, 9).await.unwrap().len(), 2);
    assert_eq!(store.checks().await.unwrap(), [shop], "what is no history stays");
    assert_eq!(store.retain_since(on(22)).await.unwrap(), Retained::default());
}

pub(crate) async fn retention_keeps_what_is_young_or_open(fixture: impl Fixture) {
    let store = &**fixture.store();
    let shop = check(Some("shop"));
    let open = round(&shop, on(20), &["north"]);
    store.open_round(&open).await.unwrap();
    let other = check(None);
    for minute in 0..450 {
        let old = round(&other, on(19) + std::time::Duration::from_secs(60 * minute), &["north", "south"]);
        store.open_round(&old).await.unwrap();
        store.close_round(old.id, on(19), 1).await.unwrap();
    }
    let young = history(store, &shop, 23).await;
    let retained = store.retain_since(on(23)).await.unwrap();
    assert_eq!(retained.rounds_deleted, 450, "in several steps");
    assert!(store.round(young).await.unwrap().is_some());
    assert_eq!(store.open_rounds().await.unwrap(), std::slice::from_ref(&open), "the snapshots that it was made of are kept too");
    store.close_round(open.id, on(23), 1).await.unwrap();
    assert_eq!(store.retain_since(on(23)).await.unwrap().rounds_deleted, 1);
}

pub(crate) async fn what_is_too_old_is_acknowledged_and_not_stored(fixture: impl Fixture) {
    let store = &**fixture.store();
    let shop = check(Some("shop"));
    history(store, &shop, 20).await;
    store.retain_since(on(22)).await.unwrap();
    let (old, young) = (attempt(shop.round_at(on(20)), "north", 1), attempt(shop.round_at(on(22)), "north", 2));
    let result = store.ingest(&name("north"), BootId::new(), vec![(1, old), (2, young.clone())]).await.unwrap();
    assert_eq!(result, IngestResult { acknowledged_through: 2, new: 1 });
    assert_eq!(store.count_attempts(None).await.unwrap(), 1);
    assert_eq!(store.attempts_of_round(young.round).await.unwrap(), [young]);
}

pub(crate) async fn a_store_is_healthy(fixture: impl Fixture) {
    fixture.store().health().await.unwrap();
    let after = fixture.restart().await;
    after.store().health().await.unwrap();
}

pub(crate) async fn everything_outlives_a_restart(fixture: impl Fixture) {
    let shop = check(Some("shop"));
    let open = round(&check(None), on(23), &["north"]);
    let store = &**fixture.store();
    store.put_check(&shop, None).await.unwrap();
    let id = history(store, &shop, 23).await;
    store.open_round(&open).await.unwrap();
    let before = (store.round(id).await.unwrap(), store.attempts_of_round(id).await.unwrap(), store.verdict(id, None).await.unwrap());
    let after = fixture.restart().await;
    let store = &**after.store();
    assert_eq!((store.round(id).await.unwrap(), store.attempts_of_round(id).await.unwrap(), store.verdict(id, None).await.unwrap()), before);
    assert_eq!(store.checks().await.unwrap(), [shop]);
    assert_eq!(store.open_rounds().await.unwrap(), [open]);
    let again = store.ingest(&name("north"), BootId::new(), vec![(1, before.1[0].clone())]).await.unwrap();
    assert_eq!(again.new, 0, "what was stored before the restart is known after it");
}
