use std::net::SocketAddr;

use parallax_model::{
    assignment::Work,
    check::Check,
    clock::Timestamp,
    facts::{Facts, NotCompleted},
    verdict::Verdict,
};
use parallax_proto::v1::{self, RunRoundResponse, run_round_request::What, run_round_response::Event, session_request::Message as Up};
use tonic::{Code, Status, Streaming};

use super::{Agent, World, agent::attempt};

pub(super) async fn probe(world: &World) -> Streaming<RunRoundResponse> {
    let mut check = Check::once("192.0.2.7".parse().unwrap(), Timestamp::default());
    check.limits.round_ms = 8_000;
    let request = v1::RunRoundRequest { what: Some(What::Check((&check).into())) };
    world.operator().await.run_round(request).await.unwrap().into_inner()
}

/// Collects what happens until the round ends.
pub(super) async fn to_the_end(events: &mut Streaming<RunRoundResponse>) -> (Vec<Event>, Result<Verdict, Status>) {
    let mut seen = Vec::new();
    loop {
        match events.message().await.map(|response| response.and_then(|response| response.event)) {
            Ok(Some(Event::VerdictJson(json))) => return (seen, Ok(serde_json::from_str(&json).unwrap())),
            Ok(Some(event)) => seen.push(event),
            Ok(None) => panic!("the stream ended without a verdict after {seen:?}"),
            Err(status) => return (seen, Err(status)),
        }
    }
}

/// Runs one row and whatever follow-ups come, with the same facts everywhere.
pub(super) async fn obey(mut agent: Agent, facts: Facts) -> Agent {
    let row = agent.task().await;
    assert_eq!(row.work, Work::Row);
    let mut seen = attempt(row.check.id, row.round, row.start, facts);
    agent.send(Up::RunEvent(v1::RunEvent { round_id: row.round.0.as_bytes().to_vec(), attempt: Some((&seen).into()) })).await;
    let batch = agent.batch(std::slice::from_ref(&seen));
    agent.send(Up::AttemptBatch(batch)).await;
    agent.done(row.round, false).await;
    while let Ok(message) = agent.next().await {
        let v1::session_response::Message::RunTask(v1::RunTask { assignment: Some(order) }) = message else { continue };
        seen.id = parallax_model::id::AttemptId::new();
        let batch = agent.batch(std::slice::from_ref(&seen));
        agent.send(Up::AttemptBatch(batch)).await;
        agent.done(parallax_proto::convert::round_id(&order.round_id, "").unwrap(), true).await;
    }
    agent
}

#[tokio::test]
async fn a_probe_is_pushed_watched_judged_and_kept_over_a_restart() {
    let mut world = World::new().await;
    let north = Agent::join(&world, "north").await;
    let south = Agent::join(&world, "south").await;
    let obeying = [tokio::spawn(obey(north, Facts::default())), tokio::spawn(obey(south, Facts::default()))];
    let mut events = probe(&world).await;
    let (seen, verdict) = to_the_end(&mut events).await;
    let verdict = verdict.unwrap();
    assert!(matches!(&seen[0], Event::Opened(opened) if opened.vantages == ["north", "south"] && opened.silent.is_empty()), "{seen:?}");
    let mut shown: Vec<&str> =
        seen.iter().filter_map(|event| if let Event::Attempt(attempt) = event { Some(attempt.vantage.as_str()) } else { None }).collect();
    shown.sort_unstable();
    assert_eq!(shown, ["north", "south"]);
    assert_eq!(seen.iter().filter(|event| matches!(event, Event::Done(done) if !done.follow_up)).count(), 2);
    assert_eq!((verdict.target.as_str(), verdict.revision), ("192.0.2.7:443", 1));
    obeying.iter().for_each(tokio::task::JoinHandle::abort);
    world.restart().await;
    let request = v1::GetVerdictRequest { round: verdict.round.to_string(), revision: 0, with_attempts: true };
    let kept = world.operator().await.get_verdict(request).await.unwrap().into_inner();
    assert_eq!(serde_json::from_str::<Verdict>(&kept.verdict_json).unwrap(), verdict);
    let mut vantages: Vec<&str> = kept.attempts.iter().map(|attempt| attempt.vantage.as_str()).collect();
    vantages.sort_unstable();
    vantages.dedup();
    assert_eq!(vantages, ["north", "south"]);
}

#[tokio::test]
async fn a_target_that_every_policy_refuses_is_an_error_with_a_sentence() {
    let world = World::new().await;
    let north = Agent::join(&world, "north").await;
    let address: SocketAddr = "192.0.2.7:443".parse().unwrap();
    let obeying = tokio::spawn(obey(north, Facts { not_completed: Some(NotCompleted::PolicyDenied(address)), ..Facts::default() }));
    let (_, end) = to_the_end(&mut probe(&world).await).await;
    let refused = end.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("every vantage's own policy refuses 192.0.2.7:443"), "{refused:?}");
    obeying.abort();
}

#[tokio::test]
async fn an_agent_that_is_gone_does_not_hold_a_round_up() {
    let world = World::new().await;
    let north = Agent::join(&world, "north").await;
    let mut south = Agent::join(&world, "south").await;
    let obeying = tokio::spawn(obey(north, Facts::default()));
    let mut events = probe(&world).await;
    let _ = south.task().await;
    drop(south);
    let began = std::time::Instant::now();
    let (_, verdict) = to_the_end(&mut events).await;
    verdict.unwrap();
    assert!(began.elapsed().as_secs_f64() < 7.5, "{:?}", began.elapsed());
    obeying.abort();
}

#[tokio::test]
async fn a_fleet_without_a_session_cannot_probe() {
    let world = World::new().await;
    drop(Agent::join(&world, "north").await);
    let mut operator = world.operator().await;
    for _ in 0..100 {
        let listed = operator.list_vantages(v1::ListVantagesRequest {}).await.unwrap().into_inner().vantages;
        if listed[0].state == "silent" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let check = Check::once("x.test".parse().unwrap(), Timestamp::default());
    let refused = operator.run_round(v1::RunRoundRequest { what: Some(What::Check((&check).into())) }).await.err().unwrap();
    assert_eq!((refused.code(), refused.message()), (Code::FailedPrecondition, "none of the chosen vantages is connected: north"));
}

#[tokio::test]
async fn an_operator_who_leaves_calls_the_round_off() {
    let world = World::new().await;
    let mut north = Agent::join(&world, "north").await;
    let events = probe(&world).await;
    let row = north.task().await;
    drop(events);
    let cancelled = north.expect(|message| if let v1::session_response::Message::CancelTask(cancel) = message { Some(cancel.round_id) } else { None }).await;
    assert_eq!(cancelled, row.round.0.as_bytes());
}

#[tokio::test]
async fn a_round_that_a_stop_interrupts_is_taken_up_by_the_next_start() {
    let mut world = World::new().await;
    let mut north = Agent::join(&world, "north").await;
    let events = probe(&world).await;
    let row = north.task().await;
    let early = attempt(row.check.id, row.round, row.start, Facts::default());
    assert_eq!(north.report(std::slice::from_ref(&early)).await, 1);
    world.restart().await;
    drop(events);
    let mut north = north.reconnect(&world).await.unwrap();
    let late = attempt(row.check.id, row.round, row.start, Facts::default());
    north.report(&[early, late]).await;
    north.done(row.round, false).await;
    let request = v1::GetVerdictRequest { round: row.round.to_string(), revision: 0, with_attempts: true };
    let mut operator = world.operator().await;
    for _ in 0..100 {
        if let Ok(kept) = operator.get_verdict(request.clone()).await {
            assert_eq!(kept.into_inner().attempts.len(), 2);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the round was never judged");
}
