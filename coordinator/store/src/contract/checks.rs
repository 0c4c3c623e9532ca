use std::{collections::BTreeSet, sync::Arc};

use parallax_model::{check::Check, id::CheckId};

use super::{Fixture, samples::check};
use crate::PutCheck;

pub(crate) async fn a_check_reads_back_as_it_was(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    assert_eq!(store.put_check(&shop, None).await.unwrap(), PutCheck::Created);
    assert_eq!(store.check(shop.id).await.unwrap(), Some(shop.clone()));
    assert_eq!(store.check_by_name(&"shop".parse().unwrap()).await.unwrap(), Some(shop));
    assert_eq!(store.check(CheckId::new()).await.unwrap(), None);
    assert_eq!(store.check_by_name(&"other".parse().unwrap()).await.unwrap(), None);
}

pub(crate) async fn revisions_grow_by_one(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    store.put_check(&shop, Some(0)).await.unwrap();
    let paused = Check { paused: true, revision: 77, ..shop.clone() };
    assert_eq!(store.put_check(&paused, Some(1)).await.unwrap(), PutCheck::Updated { revision: 2 });
    assert_eq!(store.put_check(&paused, None).await.unwrap(), PutCheck::Updated { revision: 3 });
    assert_eq!(store.check(shop.id).await.unwrap(), Some(Check { revision: 3, ..paused }));
}

pub(crate) async fn a_stale_revision_changes_nothing(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    let paused = Check { paused: true, ..shop.clone() };
    assert_eq!(store.put_check(&paused, Some(1)).await.unwrap(), PutCheck::RevisionConflict, "nothing to replace yet");
    assert_eq!(store.check(shop.id).await.unwrap(), None);
    store.put_check(&shop, None).await.unwrap();
    assert_eq!(store.put_check(&paused, Some(0)).await.unwrap(), PutCheck::RevisionConflict);
    assert_eq!(store.put_check(&paused, Some(2)).await.unwrap(), PutCheck::RevisionConflict);
    assert_eq!(store.check(shop.id).await.unwrap(), Some(shop));
}

pub(crate) async fn a_name_belongs_to_one_check(fixture: impl Fixture) {
    let store = fixture.store();
    let (shop, blog) = (check(Some("shop")), check(Some("blog")));
    store.put_check(&shop, None).await.unwrap();
    store.put_check(&blog, None).await.unwrap();
    assert_eq!(store.put_check(&check(Some("shop")), None).await.unwrap(), PutCheck::NameTaken);
    let renamed = |text: &str| Check { name: Some(text.parse().unwrap()), ..blog.clone() };
    assert_eq!(store.put_check(&renamed("shop"), Some(1)).await.unwrap(), PutCheck::NameTaken);
    assert_eq!(store.put_check(&renamed("news"), Some(1)).await.unwrap(), PutCheck::Updated { revision: 2 });
    assert_eq!(store.check_by_name(&"blog".parse().unwrap()).await.unwrap(), None);
    assert_eq!(store.check_by_name(&"shop".parse().unwrap()).await.unwrap(), Some(shop));
}

pub(crate) async fn a_deleted_check_is_gone_and_its_name_free(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    store.put_check(&shop, None).await.unwrap();
    assert!(store.delete_check(shop.id).await.unwrap());
    assert!(!store.delete_check(shop.id).await.unwrap());
    assert_eq!(store.checks().await.unwrap(), []);
    assert_eq!(store.put_check(&check(Some("shop")), None).await.unwrap(), PutCheck::Created);
}

pub(crate) async fn checks_are_listed_by_name(fixture: impl Fixture) {
    let store = fixture.store();
    for name in [None, Some("shop"), Some("blog"), None] {
        assert_eq!(store.put_check(&check(name), None).await.unwrap(), PutCheck::Created, "any number of checks have no name");
    }
    let names = store.checks().await.unwrap().into_iter().map(|check| check.name.map(String::from)).collect::<Vec<_>>();
    assert_eq!(names, [Some("blog".to_owned()), Some("shop".to_owned()), None, None]);
}

pub(crate) async fn fifty_writers_each_get_a_revision_of_their_own(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    store.put_check(&shop, None).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, shop) = (Arc::clone(store), shop.clone());
        writers.spawn(async move { store.put_check(&shop, None).await.unwrap() });
    }
    let revision = |put| match put {
        PutCheck::Updated { revision } => revision,
        other => panic!("{other:?}"),
    };
    let revisions: BTreeSet<u64> = writers.join_all().await.into_iter().map(revision).collect();
    assert_eq!(revisions, (2..=51).collect());
}
