use parallax_model::vantage::{Standing, Vantage};

use super::{
    Fixture,
    samples::{at, bytes, certificate, labels, name, token, vantage},
};
use crate::{EnrolOutcome, Store, VantageSeen};

async fn enrol(store: &dyn Store, token: &str, text: &str, key: u8) -> EnrolOutcome {
    store.enrol(token, &bytes(1), &vantage(text), &certificate(key), at(5)).await.unwrap()
}

async fn uses_left(store: &dyn Store, id: &str) -> u32 {
    store.list_join_tokens().await.unwrap().iter().find(|token| token.id == id).unwrap().uses_left
}

pub(crate) async fn tokens_are_kept_replaced_listed_and_deleted(fixture: impl Fixture) {
    let store = fixture.store();
    let (first, mut second) = (token("first", 1), token("second", 5));
    second.created_at = at(9);
    store.put_join_token(&first).await.unwrap();
    store.put_join_token(&second).await.unwrap();
    assert_eq!(store.list_join_tokens().await.unwrap(), [second.clone(), first.clone()]);
    second.uses_left = 7;
    store.put_join_token(&second).await.unwrap();
    assert!(store.delete_join_token("first").await.unwrap());
    assert!(!store.delete_join_token("first").await.unwrap());
    assert_eq!(store.list_join_tokens().await.unwrap(), [second]);
}

pub(crate) async fn a_token_lets_in_as_many_vantages_as_it_may(fixture: impl Fixture) {
    let store = &**fixture.store();
    store.put_join_token(&token("t", 2)).await.unwrap();
    assert_eq!(enrol(store, "t", "north", 2).await, EnrolOutcome::Enrolled);
    assert_eq!(enrol(store, "t", "south", 3).await, EnrolOutcome::Enrolled);
    assert_eq!(enrol(store, "t", "west", 4).await, EnrolOutcome::UsedUp);
    let expected = |text: &str| Vantage { labels: labels(&[("rack", "7"), ("country", "de"), ("site", "fra-1")]), ..vantage(text) };
    assert_eq!(store.vantages().await.unwrap(), [expected("north"), expected("south")]);
    assert_eq!(store.vantage(&name("north")).await.unwrap(), Some(expected("north")));
    assert_eq!(store.certificate(&name("south")).await.unwrap(), Some(certificate(3)));
    assert_eq!(uses_left(store, "t").await, 0);
}

pub(crate) async fn a_token_is_refused_for_the_right_reason(fixture: impl Fixture) {
    let store = &**fixture.store();
    store.put_join_token(&token("t", 5)).await.unwrap();
    assert_eq!(enrol(store, "unknown", "north", 2).await, EnrolOutcome::UnknownToken);
    let wrong_secret = store.enrol("t", &bytes(8), &vantage("north"), &certificate(2), at(5)).await.unwrap();
    assert_eq!(wrong_secret, EnrolOutcome::UnknownToken);
    let too_late = store.enrol("t", &bytes(1), &vantage("north"), &certificate(2), at(3_600)).await.unwrap();
    assert_eq!(too_late, EnrolOutcome::Expired);
    assert_eq!(enrol(store, "t", "north", 2).await, EnrolOutcome::Enrolled);
    assert_eq!(enrol(store, "t", "north", 3).await, EnrolOutcome::NameTaken);
    assert_eq!(uses_left(store, "t").await, 4, "a refusal costs no use");
    assert_eq!(store.certificate(&name("north")).await.unwrap(), Some(certificate(2)), "a refusal changes nothing");
}

pub(crate) async fn a_lost_answer_is_given_again(fixture: impl Fixture) {
    let store = &**fixture.store();
    store.put_join_token(&token("t", 1)).await.unwrap();
    assert_eq!(enrol(store, "t", "north", 2).await, EnrolOutcome::Enrolled);
    store.set_labels(&name("north"), &labels(&[("site", "moved")])).await.unwrap();
    let mut second = certificate(2);
    second.serial = "0b".to_owned();
    let again = store.enrol("t", &bytes(1), &vantage("north"), &second, at(6)).await.unwrap();
    assert_eq!(again, EnrolOutcome::Enrolled);
    assert_eq!(store.certificate(&name("north")).await.unwrap(), Some(second));
    assert_eq!(store.vantage(&name("north")).await.unwrap().unwrap().labels["site"], "moved", "what an operator set meanwhile stays");
    assert_eq!(store.vantages().await.unwrap().len(), 1);
}

pub(crate) async fn a_new_token_brings_a_known_key_back(fixture: impl Fixture) {
    let store = &**fixture.store();
    store.put_join_token(&token("old", 1)).await.unwrap();
    store.put_join_token(&crate::JoinToken { labels: labels(&[("site", "ams-2")]), ..token("new", 1) }).await.unwrap();
    assert_eq!(enrol(store, "old", "north", 2).await, EnrolOutcome::Enrolled);
    store.set_standing(&name("north"), Standing::Cordoned).await.unwrap();
    assert_eq!(enrol(store, "new", "north", 2).await, EnrolOutcome::Enrolled);
    assert_eq!(uses_left(store, "new").await, 0);
    let north = store.vantage(&name("north")).await.unwrap().unwrap();
    assert_eq!((north.labels["site"].as_str(), north.standing), ("ams-2", Standing::Cordoned));
    store.put_join_token(&token("spent", 0)).await.unwrap();
    assert_eq!(enrol(store, "spent", "north", 2).await, EnrolOutcome::UsedUp);
}

pub(crate) async fn a_banned_identity_does_not_come_back(fixture: impl Fixture) {
    let store = &**fixture.store();
    store.put_join_token(&token("t", 5)).await.unwrap();
    enrol(store, "t", "north", 2).await;
    assert!(store.set_standing(&name("north"), Standing::Banned).await.unwrap());
    assert_eq!(enrol(store, "t", "north", 2).await, EnrolOutcome::Banned);
    assert_eq!(store.vantage(&name("north")).await.unwrap().unwrap().standing, Standing::Banned);
}

pub(crate) async fn fifty_agents_share_one_use(fixture: impl Fixture) {
    let store = fixture.store();
    store.put_join_token(&token("t", 1)).await.unwrap();
    let mut agents = tokio::task::JoinSet::new();
    for number in 0..50 {
        let store = std::sync::Arc::clone(store);
        agents.spawn(async move { enrol(&*store, "t", &format!("v{number}"), number).await });
    }
    let outcomes = agents.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == EnrolOutcome::Enrolled).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == EnrolOutcome::UsedUp).count(), 49);
    assert_eq!(store.vantages().await.unwrap().len(), 1);
}

pub(crate) async fn what_a_session_tells_is_kept(fixture: impl Fixture) {
    let store = &**fixture.store();
    store.put_join_token(&token("t", 1)).await.unwrap();
    enrol(store, "t", "north", 2).await;
    let mut seen = VantageSeen {
        at: at(60),
        egress: Some("2001:db8::1".parse().unwrap()),
        version: "0.2.0".into(),
        capabilities: vec!["reply-ttl".into(), "responder".into()],
        clock_offset_ms: Some(-12),
        labels: labels(&[("rack", "8")]),
    };
    assert!(store.touch_vantage(&name("north"), &seen).await.unwrap());
    let expected = Vantage {
        labels: labels(&[("rack", "8"), ("country", "de"), ("site", "fra-1")]),
        version: "0.2.0".into(),
        last_seen: Some(at(60)),
        egress: seen.egress,
        clock_offset_ms: Some(-12),
        capabilities: seen.capabilities.clone(),
        ..vantage("north")
    };
    assert_eq!(store.vantage(&name("north")).await.unwrap(), Some(expected.clone()));
    (seen.at, seen.clock_offset_ms) = (at(61), None);
    store.touch_vantage(&name("north"), &seen).await.unwrap();
    let later = Vantage { last_seen: Some(at(61)), ..expected };
    assert_eq!(store.vantage(&name("north")).await.unwrap(), Some(later), "an unmeasured offset leaves the former one");
}

pub(crate) async fn given_labels_win_over_own_ones(fixture: impl Fixture) {
    let store = &**fixture.store();
    store.put_join_token(&token("t", 1)).await.unwrap();
    enrol(store, "t", "north", 2).await;
    assert_eq!(store.given_labels(&name("north")).await.unwrap(), Some(labels(&[("country", "de"), ("site", "fra-1")])));
    assert!(store.set_labels(&name("north"), &labels(&[("asn", "64500")])).await.unwrap());
    let now = store.vantage(&name("north")).await.unwrap().unwrap().labels;
    assert_eq!(now, labels(&[("asn", "64500"), ("rack", "7"), ("country", "fr")]));
}

pub(crate) async fn sessions_are_numbered(fixture: impl Fixture) {
    store_with_north(&fixture).await;
    let store = fixture.store();
    assert_eq!(store.begin_session(&name("north")).await.unwrap(), Some(1));
    assert_eq!(store.begin_session(&name("north")).await.unwrap(), Some(2));
    let after = fixture.restart().await;
    assert_eq!(after.store().begin_session(&name("north")).await.unwrap(), Some(3));
}

pub(crate) async fn certificates_are_renewed(fixture: impl Fixture) {
    store_with_north(&fixture).await;
    let store = fixture.store();
    assert!(store.renew_certificate(&name("north"), &certificate(7)).await.unwrap());
    assert_eq!(store.certificate(&name("north")).await.unwrap(), Some(certificate(7)));
}

pub(crate) async fn deleting_a_vantage_frees_its_name(fixture: impl Fixture) {
    store_with_north(&fixture).await;
    let store = &**fixture.store();
    assert!(store.delete_vantage(&name("north")).await.unwrap());
    assert_eq!(store.vantage(&name("north")).await.unwrap(), None);
    assert_eq!(enrol(store, "t", "north", 99).await, EnrolOutcome::Enrolled);
}

pub(crate) async fn unknown_vantages_are_said_to_be_unknown(fixture: impl Fixture) {
    let (store, nobody) = (fixture.store(), name("nobody"));
    let seen = VantageSeen { at: at(1), egress: None, version: String::new(), capabilities: vec![], clock_offset_ms: None, labels: labels(&[]) };
    assert_eq!(store.vantage(&nobody).await.unwrap(), None);
    assert_eq!(store.certificate(&nobody).await.unwrap(), None);
    assert_eq!(store.begin_session(&nobody).await.unwrap(), None);
    assert_eq!(store.given_labels(&nobody).await.unwrap(), None);
    assert!(!store.renew_certificate(&nobody, &certificate(1)).await.unwrap());
    assert!(!store.touch_vantage(&nobody, &seen).await.unwrap());
    assert!(!store.set_labels(&nobody, &labels(&[])).await.unwrap());
    assert!(!store.set_standing(&nobody, Standing::Draining).await.unwrap());
    assert!(!store.delete_vantage(&nobody).await.unwrap());
}

async fn store_with_north(fixture: &impl Fixture) {
    fixture.store().put_join_token(&token("t", 2)).await.unwrap();
    assert_eq!(enrol(&**fixture.store(), "t", "north", 2).await, EnrolOutcome::Enrolled);
}
