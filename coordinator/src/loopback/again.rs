use std::collections::BTreeSet;

use parallax_model::{facts::Facts, proof::Excluded, verdict::Verdict};
use parallax_proto::v1::{
    self,
    rejudge_verdicts_response::{Changed, Event, Progress},
};
use parallax_store::{SqliteStore, Store as _};

use super::{
    Agent, World,
    rounds::{obey, probe, to_the_end},
};

async fn rejudge(world: &World, store: bool) -> (Vec<Changed>, Progress) {
    let request = v1::RejudgeVerdictsRequest { store, ..Default::default() };
    let mut events = world.operator().await.rejudge_verdicts(request).await.unwrap().into_inner();
    let mut changes = Vec::new();
    while let Some(response) = events.message().await.unwrap() {
        match response.event.unwrap() {
            Event::Changed(changed) => changes.push(changed),
            Event::Progress(_) => {}
            Event::Summary(tally) => return (changes, tally),
        }
    }
    panic!("the stream ended without a summary");
}

async fn judged_round(world: &World) -> Verdict {
    let agents = [Agent::join(world, "north").await, Agent::join(world, "south").await];
    let obeying = agents.map(|agent| tokio::spawn(obey(agent, Facts::default())));
    let (_, verdict) = to_the_end(&mut probe(world).await).await;
    obeying.iter().for_each(tokio::task::JoinHandle::abort);
    verdict.unwrap()
}

#[tokio::test]
async fn a_stored_round_is_explained_with_everything_that_it_rests_on() {
    let world = World::new().await;
    let verdict = judged_round(&world).await;
    let request = v1::ExplainVerdictRequest { round: verdict.round.to_string(), revision: 0 };
    let told = world.operator().await.explain_verdict(request).await.unwrap().into_inner();
    assert_eq!(serde_json::from_str::<Verdict>(&told.verdict_json).unwrap(), verdict);
    assert_eq!(told.vantages.iter().map(|seen| seen.name.as_str()).collect::<Vec<_>>(), ["north", "south"]);
    assert_eq!(told.vantages[0].labels["site"], "lab");
    let heard: BTreeSet<&str> = told.attempts.iter().map(|attempt| attempt.vantage.as_str()).collect();
    assert_eq!(heard.into_iter().collect::<Vec<_>>(), ["north", "south"]);
    assert_eq!(told.present_rules, parallax_diagnosis::RULES);
    assert!(told.own_addresses.iter().any(|address| address.starts_with("127.0.0.1:")), "{:?}", told.own_addresses);
    assert!(told.excluded_json.iter().all(|text| serde_json::from_str::<Excluded>(text).is_ok()), "{:?}", told.excluded_json);
}

#[tokio::test]
async fn judging_again_changes_nothing_until_the_rules_do_and_keeps_what_changes_on_demand() {
    let mut world = World::new().await;
    let verdict = judged_round(&world).await;
    let (changes, tally) = rejudge(&world, false).await;
    assert_eq!((changes.len(), tally.rounds, tally.changed, tally.reworded, tally.failed), (0, 1, 0, 0, 0));

    world.stop().await;
    let mut other = Verdict { rules: "0".to_owned(), ..verdict.clone() };
    other.healthy = !verdict.healthy;
    let store = SqliteStore::open(&world.config().data_dir.join("store")).unwrap();
    assert_eq!(store.put_verdict(None, &other, verdict.closed_at).await.unwrap(), 2);
    drop(store);
    world.running = Some(crate::serve::start(&world.config()).await.unwrap());

    let (changes, tally) = rejudge(&world, false).await;
    assert_eq!((tally.rounds, tally.changed, tally.stored), (1, 1, 0));
    let after: Verdict = serde_json::from_str(&changes[0].after_json).unwrap();
    assert_eq!((after.healthy, after.closed_at), (verdict.healthy, verdict.closed_at), "judged by the clock of the time");
    let newest = async |world: &World| {
        let request = v1::GetVerdictRequest { round: verdict.round.to_string(), ..Default::default() };
        let kept = world.operator().await.get_verdict(request).await.unwrap().into_inner();
        serde_json::from_str::<Verdict>(&kept.verdict_json).unwrap()
    };
    assert_eq!(newest(&world).await.revision, 2, "nothing is kept unless it is asked for");

    let (_, tally) = rejudge(&world, true).await;
    assert_eq!((tally.changed, tally.stored), (1, 1));
    let kept = newest(&world).await;
    assert_eq!((kept.revision, kept.rules.as_str(), kept.healthy), (3, parallax_diagnosis::RULES, verdict.healthy));
    let (_, tally) = rejudge(&world, true).await;
    assert_eq!((tally.changed, tally.stored), (0, 0));
    world.stop().await;
    let store = SqliteStore::open(&world.config().data_dir.join("store")).unwrap();
    let log = store.audit_log(2).await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["rejudge", "rejudge"]);
    assert!(log[1].detail.contains("1 of 1 rounds got a further revision"), "{:?}", log[1]);
}
