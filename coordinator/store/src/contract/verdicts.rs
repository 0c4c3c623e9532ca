use std::collections::BTreeSet;

use parallax_model::{
    id::{CheckId, RoundId},
    verdict::Verdict,
};

use super::{
    Fixture,
    samples::{at, check, round, verdict},
};
use crate::JudgedSpan;

fn headlines(verdicts: &[Verdict]) -> Vec<&str> {
    verdicts.iter().map(|verdict| verdict.headline.as_str()).collect()
}

pub(crate) async fn revisions_count_up_from_one(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    let round = round(&shop, at(60), &["north"]);
    let (first, second) = (verdict(&round, "first"), verdict(&round, "second"));
    assert_eq!(store.put_verdict(Some(shop.id), &first, at(130)).await.unwrap(), 1);
    assert_eq!(store.put_verdict(Some(shop.id), &second, at(140)).await.unwrap(), 2);
    let (first, second) = (Verdict { revision: 1, ..first }, Verdict { revision: 2, ..second });
    assert_eq!(store.verdict(round.id, Some(1)).await.unwrap(), Some(first));
    assert_eq!(store.verdict(round.id, Some(2)).await.unwrap(), Some(second.clone()));
    assert_eq!(store.verdict(round.id, None).await.unwrap(), Some(second));
    assert_eq!(store.verdict(round.id, Some(3)).await.unwrap(), None);
    assert_eq!(store.verdict(RoundId::new(), None).await.unwrap(), None);
}

pub(crate) async fn the_newest_revision_of_every_round_is_listed(fixture: impl Fixture) {
    let store = fixture.store();
    let (shop, blog) = (check(Some("shop")), check(Some("blog")));
    for (check, second, headline) in [(&shop, 60, "a"), (&shop, 120, "b"), (&blog, 90, "c"), (&shop, 60, "a again")] {
        store.put_verdict(Some(check.id), &verdict(&round(check, at(second), &[]), headline), at(500)).await.unwrap();
    }
    let adhoc = check(None);
    store.put_verdict(None, &verdict(&round(&adhoc, at(100), &[]), "adhoc"), at(500)).await.unwrap();
    let of_shop = store.verdicts_of_check(shop.id, None, None, 10).await.unwrap();
    assert_eq!(headlines(&of_shop), ["b", "a again"]);
    assert_eq!(of_shop[1].revision, 2);
    assert_eq!(headlines(&store.recent_verdicts(10, None).await.unwrap()), ["b", "adhoc", "c", "a again"]);
    assert_eq!(store.verdicts_of_check(CheckId::new(), None, None, 10).await.unwrap(), []);
}

pub(crate) async fn lists_keep_to_their_span_and_limit(fixture: impl Fixture) {
    let store = fixture.store();
    let shop = check(Some("shop"));
    for second in [60, 120, 180, 240] {
        store.put_verdict(Some(shop.id), &verdict(&round(&shop, at(second), &[]), &second.to_string()), at(500)).await.unwrap();
    }
    let spanned = async |since, until, limit| {
        let found = store.verdicts_of_check(shop.id, since, until, limit).await.unwrap();
        headlines(&found).join(" ")
    };
    assert_eq!(spanned(Some(at(120)), Some(at(240)), 9).await, "180 120", "from the first moment on, without the last");
    assert_eq!(spanned(None, None, 3).await, "240 180 120");
    assert_eq!(spanned(Some(at(121)), None, usize::MAX).await, "240 180");
    assert_eq!(headlines(&store.recent_verdicts(9, Some(at(180))).await.unwrap()), ["240", "180"]);
    assert_eq!(headlines(&store.recent_verdicts(1, None).await.unwrap()), ["240"]);
}

pub(crate) async fn keys_are_remembered_per_target(fixture: impl Fixture) {
    let store = fixture.store();
    let keys = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(store.known_keys("api.example.test:443", None).await.unwrap(), keys(&[]));
    store.remember_keys("api.example.test:443", &keys(&["aa", "bb"]), at(1)).await.unwrap();
    store.remember_keys("api.example.test:443", &keys(&["bb", "cc"]), at(2)).await.unwrap();
    store.remember_keys("other.example.test:443", &keys(&["dd"]), at(2)).await.unwrap();
    assert_eq!(store.known_keys("api.example.test:443", None).await.unwrap(), keys(&["aa", "bb", "cc"]));
    assert_eq!(store.known_keys("api.example.test:443", Some(at(2))).await.unwrap(), keys(&["aa", "bb"]), "what was known at that time");
}

pub(crate) async fn judged_rounds_come_page_by_page_with_their_newest_verdict(fixture: impl Fixture) {
    let store = fixture.store();
    let (shop, blog) = (check(Some("shop")), check(Some("blog")));
    for (check, second) in [(&shop, 60), (&blog, 60), (&shop, 120), (&shop, 180)] {
        let round = round(check, at(second), &["north"]);
        store.open_round(&round).await.unwrap();
        if second < 180 {
            store.put_verdict(Some(check.id), &verdict(&round, "first"), at(second + 30)).await.unwrap();
            store.close_round(round.id, at(second + 30), 0).await.unwrap();
        }
    }
    let late = round(&shop, at(120), &["north"]);
    store.put_verdict(Some(shop.id), &verdict(&late, "second"), at(400)).await.unwrap();
    let whole = JudgedSpan { check: None, since: at(0), until: at(1_000), after: None };
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.judged_rounds(JudgedSpan { after, ..whole }, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.record.started_at, last.record.id));
        seen.extend(page);
    }
    assert_eq!(seen.len(), 3, "a round without a verdict is none that was judged");
    assert_eq!(seen[2].record.id, late.id);
    assert_eq!(seen[2].check, Some(shop.id));
    assert_eq!((seen[2].verdict.revision, seen[2].verdict.headline.as_str()), (2, "second"));
    let of_shop = store.judged_rounds(JudgedSpan { check: Some(shop.id), ..whole }, 9).await.unwrap();
    assert_eq!(of_shop.iter().map(|judged| judged.record.started_at).collect::<Vec<_>>(), [at(60), at(120)]);
    assert_eq!(store.judged_rounds(JudgedSpan { since: at(61), until: at(120), ..whole }, 9).await.unwrap(), []);
}
