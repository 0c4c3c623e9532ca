use std::time::Duration;

use parallax_model::{
    check::Check,
    clock::{Clock, SystemClock, Timestamp},
    facts::Facts,
    id::{CheckId, RoundId},
    verdict::Verdict,
};
use parallax_proto::v1;

use super::{Agent, World, agent::attempt};

/// Creates a check every second and returns it as the agent is told of it.
async fn scheduled(world: &World, agent: &mut Agent) -> Check {
    let mut message = v1::Check::from(&Check::once("192.0.2.7".parse().unwrap(), Timestamp::default()));
    message.name = "web".to_owned();
    message.cadence = Some(v1::Cadence { kind: Some(v1::cadence::Kind::EveryMs(1_000)) });
    world.operator().await.put_check(v1::PutCheckRequest { check: Some(message), ..Default::default() }).await.unwrap();
    loop {
        let set = agent.assignments().await;
        if let Some(held) = set.checks.into_iter().next() {
            assert_eq!((set.vantage.as_str(), held.rank, held.vantages), (agent.name.as_str(), 0, 1));
            return held.check.unwrap().try_into().unwrap();
        }
    }
}

/// Returns the starts of the next rounds after `from`.
fn starts(check: &Check, from: Timestamp, count: usize) -> Vec<Timestamp> {
    std::iter::successors(check.cadence.next_after(check.anchor, from), |start| check.cadence.next_after(check.anchor, *start)).take(count).collect()
}

#[tokio::test]
async fn scheduled_rounds_are_computed_alike_and_judged_one_by_one() {
    let world = World::new().await;
    let mut north = Agent::join(&world, "north").await;
    let check = scheduled(&world, &mut north).await;
    assert!(check.anchor > SystemClock.now(), "an agent knows of the first round before it starts");
    for start in starts(&check, SystemClock.now(), 3) {
        let ahead = start.micros_since(SystemClock.now());
        tokio::time::sleep(Duration::from_micros(u64::try_from(ahead).unwrap_or(0) + 50_000)).await;
        let round = check.round_at(start);
        north.report(&[attempt(check.id, round, start, Facts::default())]).await;
        north.done(round, false).await;
    }
    let verdicts = world.verdicts("web", 3).await;
    assert!(verdicts.windows(2).all(|pair| pair[0].started_at > pair[1].started_at), "{verdicts:?}");
    assert!(verdicts.iter().all(|verdict| verdict.check.as_deref() == Some("web")));
    let listed = world.operator().await.list_checks(v1::ListChecksRequest::default()).await.unwrap().into_inner().checks;
    assert!(listed[0].next_round_us > 0 && !listed[0].last_verdict_json.is_empty());
}

#[tokio::test]
async fn rounds_that_ran_without_the_coordinator_are_opened_by_their_results() {
    let mut world = World::new().await;
    let mut north = Agent::join(&world, "north").await;
    let check = scheduled(&world, &mut north).await;
    let from = SystemClock.now();
    world.stop().await;
    tokio::time::sleep(Duration::from_millis(4_200)).await;
    world.running = Some(crate::serve::start(&world.config()).await.unwrap());
    let mut north = north.reconnect(&world).await.unwrap();
    let missed = starts(&check, from, 3);
    let spooled: Vec<_> = missed.iter().map(|start| attempt(check.id, check.round_at(*start), *start, Facts::default())).collect();
    assert_eq!(north.report(&spooled).await, 3);
    for start in &missed {
        north.done(check.round_at(*start), false).await;
    }
    let verdicts = world.verdicts("web", 3).await;
    let rounds: Vec<RoundId> = verdicts.iter().map(|verdict| verdict.round).collect();
    assert!(missed.iter().all(|start| rounds.contains(&check.round_at(*start))), "{rounds:?}");
    let late = attempt(check.id, check.round_at(missed[0]), missed[0], Facts::default());
    north.report(std::slice::from_ref(&late)).await;
    tokio::time::sleep(Duration::from_millis(2_800)).await;
    let request = v1::GetVerdictRequest { round: late.round.to_string(), revision: 0, with_attempts: true };
    let kept = world.operator().await.get_verdict(request).await.unwrap().into_inner();
    assert_eq!(kept.attempts.len(), 2);
}

#[tokio::test]
async fn late_results_that_a_stop_overtakes_are_judged_by_the_next_start() {
    let mut world = World::new().await;
    let mut north = Agent::join(&world, "north").await;
    let check = scheduled(&world, &mut north).await;
    let missed = world.verdicts("web", 1).await.remove(0);
    assert_eq!(missed.vantages.reported, 0);
    let late = attempt(check.id, missed.round, missed.started_at, Facts::default());
    north.report(std::slice::from_ref(&late)).await;
    // Acknowledged, and the coordinator is gone before it comes to judge.
    world.restart().await;
    let request = v1::GetVerdictRequest { round: missed.round.to_string(), revision: 0, with_attempts: false };
    let mut operator = world.operator().await;
    for _ in 0..100 {
        let kept = operator.get_verdict(request.clone()).await.unwrap().into_inner();
        let verdict: Verdict = serde_json::from_str(&kept.verdict_json).unwrap();
        if verdict.vantages.reported == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the late result was never judged");
}

#[tokio::test]
async fn only_what_a_vantage_holds_is_stored_and_everything_once() {
    let world = World::new().await;
    let mut north = Agent::join(&world, "north").await;
    let mut south = Agent::join(&world, "south").await;
    let check = scheduled_for_north(&world, &mut north).await;
    let start = starts(&check, SystemClock.now() - Duration::from_secs(3), 1)[0];
    let fine = attempt(check.id, check.round_at(start), start, Facts::default());
    let off_beat = attempt(check.id, check.round_at(start + Duration::from_millis(333)), start, Facts::default());
    let future = attempt(check.id, check.round_at(start + Duration::from_secs(3_600)), start, Facts::default());
    let stranger = attempt(CheckId::new(), RoundId::new(), start, Facts::default());
    let batch = north.batch(&[fine.clone(), off_beat, stranger, future]);
    for _ in 0..2 {
        north.send(v1::session_request::Message::AttemptBatch(batch.clone())).await;
        assert_eq!(north.acknowledgement().await, 4);
    }
    assert_eq!(south.report(std::slice::from_ref(&fine)).await, 1);
    let mut after_a_gap = north.batch(&[fine]);
    after_a_gap.first_sequence = 100;
    north.send(v1::session_request::Message::AttemptBatch(after_a_gap)).await;
    assert_eq!(north.acknowledgement().await, 100);
    let status = world.operator().await.get_status(v1::GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.attempts_stored, 1);
}

async fn scheduled_for_north(world: &World, north: &mut Agent) -> Check {
    let mut message = v1::Check::from(&Check::once("192.0.2.7".parse().unwrap(), Timestamp::default()));
    message.name = "web".to_owned();
    message.from = "north".to_owned();
    message.cadence = Some(v1::Cadence { kind: Some(v1::cadence::Kind::EveryMs(1_000)) });
    world.operator().await.put_check(v1::PutCheckRequest { check: Some(message), ..Default::default() }).await.unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    loop {
        if let Some(held) = north.assignments().await.checks.into_iter().next() {
            return held.check.unwrap().try_into().unwrap();
        }
    }
}
