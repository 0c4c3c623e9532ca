use std::sync::Arc;

use parallax_model::{
    attempt::Attempt,
    bytes::Bytes,
    facts::{Facts, NotCompleted},
    id::{AttemptId, BootId, CheckId, RoundId},
};
use uuid::Uuid;

use super::{
    Fixture,
    samples::{at, attempt, name},
};
use crate::{IngestResult, Store};

fn a_round() -> RoundId {
    RoundId::scheduled(CheckId::new(), at(0))
}

/// Attempts of one round under sequence numbers from 1.
fn numbered(round: RoundId, count: u32) -> Vec<(u64, Attempt)> {
    (1..=count).map(|number| (u64::from(number), attempt(round, "north", number))).collect()
}

async fn ingest(store: &dyn Store, boot: BootId, batch: &[(u64, Attempt)]) -> IngestResult {
    store.ingest(&name("north"), boot, batch.to_vec()).await.unwrap()
}

pub(crate) async fn attempts_read_back_as_they_were(fixture: impl Fixture) {
    let store = &**fixture.store();
    let round = a_round();
    let mut batch = numbered(round, 3);
    batch[1].1.facts = Facts { not_completed: Some(NotCompleted::PolicyDenied("192.0.2.7:443".parse().unwrap())), ..Facts::default() };
    (batch[1].1.address, batch[1].1.clock_offset_us) = (None, None);
    assert_eq!(ingest(store, BootId::new(), &batch).await, IngestResult { acknowledged_through: 3, new: 3 });
    let expected: Vec<Attempt> = batch.iter().map(|entry| entry.1.clone()).collect();
    assert_eq!(store.attempts_of_round(round).await.unwrap(), expected);
    assert_eq!(store.attempt(expected[1].id).await.unwrap().as_ref(), Some(&expected[1]));
    assert_eq!(store.attempt(AttemptId::new()).await.unwrap(), None);
    assert_eq!(store.attempts_of_round(a_round()).await.unwrap(), []);
}

pub(crate) async fn a_batch_that_is_sent_twice_is_stored_once(fixture: impl Fixture) {
    let store = &**fixture.store();
    let (boot, batch) = (BootId::new(), numbered(a_round(), 5));
    assert_eq!(ingest(store, boot, &batch).await.new, 5);
    assert_eq!(ingest(store, boot, &batch).await, IngestResult { acknowledged_through: 5, new: 0 });
    let after_a_restart: Vec<_> = batch.iter().map(|(number, attempt)| (number + 7, attempt.clone())).collect();
    assert_eq!(ingest(store, BootId::new(), &after_a_restart).await.new, 0, "the attempt's own identifier decides, not its number");
    let twice_in_one = [batch[0].clone(), batch[0].clone()];
    assert_eq!(ingest(store, BootId::new(), &twice_in_one).await.new, 0);
    assert_eq!(store.count_attempts(None).await.unwrap(), 5);
}

pub(crate) async fn reordered_batches_are_acknowledged_when_the_hole_is_filled(fixture: impl Fixture) {
    let store = &**fixture.store();
    let (boot, round) = (BootId::new(), a_round());
    let batch = numbered(round, 30);
    assert_eq!(ingest(store, boot, &batch[20..]).await, IngestResult { acknowledged_through: 0, new: 10 });
    assert_eq!(ingest(store, boot, &batch[..10]).await, IngestResult { acknowledged_through: 10, new: 10 });
    let shuffled: Vec<_> = batch[10..20].iter().rev().cloned().collect();
    assert_eq!(ingest(store, boot, &shuffled).await, IngestResult { acknowledged_through: 30, new: 10 });
    assert_eq!(store.attempts_of_round(round).await.unwrap().len(), 30);
}

pub(crate) async fn a_truncated_batch_is_acknowledged_as_far_as_it_came(fixture: impl Fixture) {
    let store = &**fixture.store();
    let (boot, batch) = (BootId::new(), numbered(a_round(), 20));
    assert_eq!(ingest(store, boot, &batch[..13]).await, IngestResult { acknowledged_through: 13, new: 13 });
    assert_eq!(ingest(store, boot, &batch).await, IngestResult { acknowledged_through: 20, new: 7 });
}

pub(crate) async fn settled_numbers_close_holes(fixture: impl Fixture) {
    let store = &**fixture.store();
    let (boot, batch) = (BootId::new(), numbered(a_round(), 10));
    assert_eq!(ingest(store, boot, &batch[4..]).await.acknowledged_through, 0);
    assert_eq!(store.settle(&name("north"), boot, 1..=3).await.unwrap(), 3);
    assert_eq!(store.settle(&name("north"), boot, 4..=4).await.unwrap(), 10);
    assert_eq!(store.watermark(&name("north"), boot).await.unwrap(), 10);
    assert_eq!(store.count_attempts(None).await.unwrap(), 6);
}

pub(crate) async fn every_boot_has_a_watermark_of_its_own(fixture: impl Fixture) {
    let store = &**fixture.store();
    let (first, second) = (BootId::new(), BootId::new());
    ingest(store, first, &numbered(a_round(), 4)).await;
    ingest(store, second, &numbered(a_round(), 2)).await;
    assert_eq!(store.watermark(&name("north"), first).await.unwrap(), 4);
    assert_eq!(store.watermark(&name("north"), second).await.unwrap(), 2);
    assert_eq!(store.watermark(&name("south"), first).await.unwrap(), 0);
    let after = fixture.restart().await;
    assert_eq!(after.store().watermark(&name("north"), first).await.unwrap(), 4);
}

pub(crate) async fn the_session_says_whose_attempts_they_are(fixture: impl Fixture) {
    let store = &**fixture.store();
    let round = a_round();
    store.ingest(&name("south"), BootId::new(), numbered(round, 2)).await.unwrap();
    ingest(store, BootId::new(), &numbered(round, 3)).await;
    let of = async |text: &str| store.count_attempts(Some(&name(text))).await.unwrap();
    assert_eq!((of("north").await, of("south").await, of("west").await), (3, 2, 0));
    let stored = store.attempts_of_round(round).await.unwrap();
    assert_eq!(stored.iter().filter(|attempt| attempt.vantage == name("south")).count(), 2);
}

pub(crate) async fn the_key_holds_across_midnight(fixture: impl Fixture) {
    let store = &**fixture.store();
    let before = RoundId::scheduled(CheckId::new(), "2026-11-23T23:59:59Z".parse().unwrap());
    let after = RoundId::scheduled(CheckId::new(), "2026-11-24T00:00:01Z".parse().unwrap());
    let mut batch = numbered(before, 4);
    (batch[2].1.round, batch[3].1.round) = (after, after);
    let boot = BootId::new();
    assert_eq!(ingest(store, boot, &batch).await, IngestResult { acknowledged_through: 4, new: 4 });
    assert_eq!(ingest(store, boot, &batch).await, IngestResult { acknowledged_through: 4, new: 0 });
    assert_eq!(store.attempts_of_round(before).await.unwrap().len(), 2);
    assert_eq!(store.attempts_of_round(after).await.unwrap().len(), 2);
    for (_, attempt) in batch {
        assert_eq!(store.attempt(attempt.id).await.unwrap(), Some(attempt));
    }
}

pub(crate) async fn chains_come_back_in_their_order(fixture: impl Fixture) {
    let store = &**fixture.store();
    let round = a_round();
    let mut batch = numbered(round, 3);
    let chain = |attempt: &mut Attempt, ders: &[u8]| {
        attempt.facts.tls.as_mut().unwrap().certificates = ders.iter().map(|der| Bytes(vec![*der; 800])).collect();
    };
    chain(&mut batch[0].1, &[1, 2, 3]);
    chain(&mut batch[1].1, &[3, 2, 2, 1]);
    chain(&mut batch[2].1, &[]);
    ingest(store, BootId::new(), &batch).await;
    let expected: Vec<Attempt> = batch.into_iter().map(|entry| entry.1).collect();
    assert_eq!(store.attempts_of_round(round).await.unwrap(), expected);
}

pub(crate) async fn nothing_is_lost_between_fifty_writers(fixture: impl Fixture) {
    let store = fixture.store();
    let round = a_round();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..50 {
        let store = Arc::clone(store);
        writers.spawn(async move {
            let (vantage, boot) = (name(&format!("v{number}")), BootId::new());
            for (start, repeat) in [(1, 1), (21, 2), (41, 1)] {
                let batch: Vec<_> = (start..start + 20).map(|number| (u64::from(number), attempt(round, "north", number))).collect();
                for time in 0..repeat {
                    let result = store.ingest(&vantage, boot, batch.clone()).await.unwrap();
                    assert_eq!(result, IngestResult { acknowledged_through: u64::from(start) + 19, new: if time == 0 { 20 } else { 0 } });
                }
            }
            assert_eq!(store.count_attempts(Some(&vantage)).await.unwrap(), 60, "an acknowledged attempt is read at once");
        });
    }
    writers.join_all().await;
    assert_eq!(store.count_attempts(None).await.unwrap(), 3_000);
    assert_eq!(store.attempts_of_round(round).await.unwrap().len(), 3_000);
}

pub(crate) async fn an_empty_batch_tells_the_watermark(fixture: impl Fixture) {
    let store = &**fixture.store();
    let boot = BootId::new();
    assert_eq!(ingest(store, boot, &[]).await, IngestResult::default());
    ingest(store, boot, &numbered(a_round(), 2)).await;
    assert_eq!(ingest(store, boot, &[]).await, IngestResult { acknowledged_through: 2, new: 0 });
}

pub(crate) async fn an_agents_wild_clock_does_no_harm(fixture: impl Fixture) {
    let store = &**fixture.store();
    let round = a_round();
    let mut batch = numbered(round, 3);
    (batch[0].1.id, batch[1].1.id) = (AttemptId(Uuid::nil()), AttemptId(Uuid::max()));
    (batch[0].1.started_at, batch[1].1.started_at) =
        (parallax_model::clock::Timestamp::from_micros(i64::MIN), parallax_model::clock::Timestamp::from_micros(i64::MAX));
    (batch[1].1.elapsed_us, batch[1].1.clock_offset_us) = (u64::MAX, Some(i64::MIN));
    batch[2].0 = u64::MAX;
    assert_eq!(ingest(store, BootId::new(), &batch).await, IngestResult { acknowledged_through: 2, new: 3 });
    let mut expected: Vec<Attempt> = batch.into_iter().map(|entry| entry.1).collect();
    expected.sort_by_key(|attempt| attempt.id);
    assert_eq!(store.attempts_of_round(round).await.unwrap(), expected);
    let strange = attempt(RoundId(Uuid::max()), "north", 1);
    ingest(store, BootId::new(), &[(1, strange.clone())]).await;
    assert_eq!(store.attempts_of_round(strange.round).await.unwrap(), [strange]);
}
