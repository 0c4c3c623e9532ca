use parallax_model::{
    check::Check,
    id::{BootId, RoundId},
};

use super::{
    Fixture,
    samples::{at, attempt, check, name, round},
};
use crate::{RoundRecord, ShareState};

fn shares(round: &RoundRecord) -> Vec<(&str, ShareState)> {
    round.vantages.iter().map(|vantage| (vantage.name.as_str(), vantage.share)).collect()
}

pub(crate) async fn a_round_reads_back_as_it_was(fixture: impl Fixture) {
    let store = fixture.store();
    let mut opened = round(&check(Some("shop")), at(60), &["north", "south"]);
    (opened.adhoc, opened.vantages[0].clock_offset_ms, opened.vantages[1].egress) = (true, None, None);
    assert!(store.open_round(&opened).await.unwrap());
    assert_eq!(store.round(opened.id).await.unwrap(), Some(opened));
    assert_eq!(store.round(RoundId::new()).await.unwrap(), None);
}

pub(crate) async fn opening_twice_changes_nothing_but_adds_vantages(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    let opened = round(&shop, at(60), &["north"]);
    store.open_round(&opened).await.unwrap();
    store.set_share(opened.id, &name("north"), ShareState::Reported).await.unwrap();
    let mut again = round(&Check { paused: true, ..shop.clone() }, at(60), &["north", "south"]);
    again.deadline = at(999);
    assert!(!store.open_round(&again).await.unwrap());
    let stored = store.round(opened.id).await.unwrap().unwrap();
    assert_eq!(shares(&stored), [("north", ShareState::Reported), ("south", ShareState::Assigned)]);
    assert_eq!((stored.check, stored.deadline), (shop, opened.deadline));
}

pub(crate) async fn shares_change_also_after_the_close(fixture: impl Fixture) {
    let store = fixture.store();
    let opened = round(&check(None), at(60), &["north"]);
    store.open_round(&opened).await.unwrap();
    for state in ShareState::ALL {
        assert!(store.set_share(opened.id, &name("north"), state).await.unwrap());
        assert_eq!(shares(&store.round(opened.id).await.unwrap().unwrap()), [("north", state)]);
    }
    store.close_round(opened.id, at(130), 0).await.unwrap();
    assert!(store.set_share(opened.id, &name("north"), ShareState::Reported).await.unwrap(), "late results are results");
    assert!(!store.set_share(opened.id, &name("nobody"), ShareState::Reported).await.unwrap());
    assert!(!store.set_share(RoundId::new(), &name("north"), ShareState::Reported).await.unwrap());
}

pub(crate) async fn closing_marks_the_missing_and_keeps_its_time(fixture: impl Fixture) {
    let store = fixture.store();
    let opened = round(&check(None), at(60), &["north", "south"]);
    store.open_round(&opened).await.unwrap();
    store.set_share(opened.id, &name("north"), ShareState::Reported).await.unwrap();
    assert!(store.close_round(opened.id, at(130), 0).await.unwrap());
    assert!(store.close_round(opened.id, at(140), 0).await.unwrap());
    assert!(!store.close_round(RoundId::new(), at(140), 0).await.unwrap());
    let closed = store.round(opened.id).await.unwrap().unwrap();
    assert_eq!(closed.closed_at, Some(at(130)));
    assert_eq!(shares(&closed), [("north", ShareState::Reported), ("south", ShareState::Missed)]);
}

pub(crate) async fn open_rounds_are_listed_oldest_first(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    let rounds = [180, 60, 120].map(|second| round(&shop, at(second), &["north"]));
    for round in &rounds {
        store.open_round(round).await.unwrap();
    }
    let open = async || store.open_rounds().await.unwrap().into_iter().map(|round| round.id).collect::<Vec<_>>();
    assert_eq!(open().await, [rounds[1].id, rounds[2].id, rounds[0].id]);
    store.close_round(rounds[2].id, at(130), 0).await.unwrap();
    assert_eq!(open().await, [rounds[1].id, rounds[0].id]);
    assert_eq!(store.open_rounds().await.unwrap()[0], rounds[1]);
}

pub(crate) async fn results_that_nobody_judged_keep_a_round_open(fixture: impl Fixture) {
    let store = fixture.store();
    let opened = round(&check(Some("shop")), at(60), &["north"]);
    store.open_round(&opened).await.unwrap();
    let boot = BootId::new();
    let come = async |number: u32| {
        let batch = vec![(u64::from(number), attempt(opened.id, "north", number))];
        store.ingest(&name("north"), boot, batch).await.unwrap();
    };
    let unjudged = async || store.open_rounds().await.unwrap().iter().map(|round| round.unjudged).collect::<Vec<_>>();
    come(1).await;
    store.set_share(opened.id, &name("north"), ShareState::Reported).await.unwrap();
    assert_eq!(unjudged().await, [2]);
    store.close_round(opened.id, at(130), 2).await.unwrap();
    assert_eq!(unjudged().await, [0; 0], "all of it was judged");
    come(2).await;
    assert_eq!(unjudged().await, [1], "a late result");
    come(2).await;
    // The second came while the first was judged.
    store.close_round(opened.id, at(140), 1).await.unwrap();
    assert_eq!(unjudged().await, [1], "its acknowledgement may have been lost, and with it the note");
    store.close_round(opened.id, at(150), 7).await.unwrap();
    assert_eq!(unjudged().await, [0; 0]);
    assert_eq!(store.round(opened.id).await.unwrap().unwrap().closed_at, Some(at(130)));
}

pub(crate) async fn a_round_keeps_the_check_as_it_stood(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    store.put_check(&shop, None).await.unwrap();
    let opened = round(&shop, at(60), &[]);
    store.open_round(&opened).await.unwrap();
    store.put_check(&Check { paused: true, ..shop.clone() }, None).await.unwrap();
    assert_eq!(store.round(opened.id).await.unwrap().unwrap().check, shop);
    store.delete_check(shop.id).await.unwrap();
    assert_eq!(store.round(opened.id).await.unwrap().unwrap().check, shop);
}
