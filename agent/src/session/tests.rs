use std::time::Duration;

use parallax_model::{
    clock::{Clock, ManualClock},
    id::{CheckId, RoundId},
};
use parallax_proto::{join::JoinString, v1::session_response::Message as Down, wire};
use tokio::time::timeout;
use tonic::Status;

use super::*;
use crate::{
    identity::{EnrollError, Enrolment, enroll},
    spool::{Caps, Entry, Kind},
    testing::coordinator::{Coordinator, Session, start},
};

/// An agent's session without the rest of the agent.
struct Agent {
    dir: tempfile::TempDir,
    clock: Arc<FleetClock>,
    spool: Spool,
    inbox: mpsc::UnboundedReceiver<Order>,
    outgoing: mpsc::Sender<Message>,
    stop: watch::Sender<bool>,
    online: watch::Receiver<bool>,
    task: tokio::task::JoinHandle<()>,
}

fn agent(coordinator: &Coordinator, coordinators: &[&str], wall: &str) -> Agent {
    let dir = tempfile::tempdir().unwrap();
    let keystore = Keystore::new(dir.path());
    keystore.store(&coordinator.script.fleet.identity("fra-1")).unwrap();
    agent_in(dir, coordinators, wall)
}

fn agent_in(dir: tempfile::TempDir, coordinators: &[&str], wall: &str) -> Agent {
    let memory = TimeMemory::load(dir.path()).unwrap();
    let wall: Arc<dyn Clock> = Arc::new(ManualClock::at(wall.parse().unwrap()));
    let clock = Arc::new(FleetClock::new(wall, memory.offset_us()));
    let boot = BootId::new();
    let spool = Spool::open(&dir.path().join("spool"), boot, Caps::default()).unwrap();
    let (orders, inbox) = mpsc::unbounded_channel();
    let (outgoing, to_send) = mpsc::channel(8);
    let (stop, stops) = watch::channel(false);
    let online = watch::Sender::new(false);
    let introduction = Introduction {
        boot,
        capabilities: vec!["baseline".to_owned()],
        policy_sha256: vec![1],
        labels: Labels::new(),
        responder_addresses: vec![],
        responder_key_sha256: vec![],
    };
    let context = Context {
        introduction,
        coordinators: coordinators.iter().map(|text| (*text).to_owned()).collect(),
        keystore: Keystore::new(dir.path()),
        clock: Arc::clone(&clock),
        memory,
        spool: spool.clone(),
        orders,
        revision: watch::channel(7).1,
        running: watch::channel(0).1,
        online: online.clone(),
    };
    let online = online.subscribe();
    let task = tokio::task::spawn_local(keep(context, to_send, stops));
    Agent { dir, clock, spool, inbox, outgoing, stop, online, task }
}

impl Agent {
    /// Ends the session without a goodbye, as a kill would.
    fn kill(self) -> tempfile::TempDir {
        self.task.abort();
        self.dir
    }
}

const NOW: &str = "2026-11-23T12:00:00Z";

async fn session(coordinator: &mut Coordinator) -> Session {
    timeout(Duration::from_secs(10), coordinator.sessions.recv()).await.expect("a session in time").unwrap()
}

fn attempt(number: u8) -> Entry {
    let message = v1::Attempt {
        id: vec![number; 16],
        round_id: RoundId::new().0.as_bytes().to_vec(),
        check_id: CheckId::new().0.as_bytes().to_vec(),
        ..v1::Attempt::default()
    };
    Entry { kind: Kind::Attempt, important: false, payload: wire::encode(&message) }
}

fn done(round: RoundId) -> Entry {
    let message = v1::ShareDone { round_id: round.0.as_bytes().to_vec(), follow_up: false, not_completed: String::new() };
    Entry { kind: Kind::ShareDone, important: true, payload: wire::encode(&message) }
}

async fn batch(session: &mut Session) -> (Vec<u8>, u64, Vec<u8>) {
    match timeout(Duration::from_secs(10), session.next()).await.expect("a batch in time") {
        Some(Message::AttemptBatch(batch)) => (batch.boot_id, batch.first_sequence, batch.attempts.iter().map(|attempt| attempt.id[0]).collect()),
        other => panic!("expected a batch, not {other:?}"),
    }
}

/// Runs a test on one thread, as the agent runs.
async fn locally<F: Future<Output = ()>>(test: F) {
    tokio::task::LocalSet::new().run_until(test).await;
}

fn join(coordinator: &Coordinator) -> JoinString {
    JoinString {
        coordinators: vec![coordinator.address.to_string()],
        authority_sha256: coordinator.script.fleet.fingerprint(),
        token_id: "k7f3".to_owned(),
        secret: vec![1; 32],
    }
}

fn wanted() -> Enrolment {
    Enrolment { name: "fra-1".parse().unwrap(), labels: Labels::new(), coordinators: vec![] }
}

#[tokio::test]
async fn a_join_string_makes_an_identity_that_opens_a_session() {
    locally(async {
        let mut coordinator = start(|_| {}).await;
        let identity = enroll(&join(&coordinator), &wanted()).await.unwrap();
        assert_eq!((identity.name.as_str(), &identity.coordinators), ("fra-1", &coordinator.script.fleet.coordinators));
        let dir = tempfile::tempdir().unwrap();
        Keystore::new(dir.path()).store(&identity).unwrap();
        let agent = agent_in(dir, &[], NOW);
        let session = session(&mut coordinator).await;
        assert_eq!(session.certificate, identity.certificate.0);
        assert_eq!((session.hello.protocol, session.hello.assignment_revision), (1, 7));
        drop(agent);
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_at_enrolment_says_what_to_do() {
    locally(async {
        let (ours, theirs) = (start(|_| {}).await, start(|_| {}).await);
        let mut foreign = join(&ours);
        foreign.coordinators = vec![theirs.address.to_string()];
        let refused = enroll(&foreign, &wanted()).await.unwrap_err();
        assert!(matches!(refused, EnrollError::OtherAuthority(_)), "{refused}");

        let mut unreachable = join(&ours);
        unreachable.coordinators = vec!["127.0.0.1:1".to_owned()];
        let refused = enroll(&unreachable, &wanted()).await.unwrap_err();
        assert!(refused.to_string().contains("--coordinator"), "{refused}");
        enroll(&unreachable, &Enrolment { coordinators: vec![ours.address.to_string()], ..wanted() }).await.unwrap();

        let used_up = start(|script| script.refuse_enrolment = Some(Status::permission_denied("the token is used up"))).await;
        let refused = enroll(&join(&used_up), &wanted()).await.unwrap_err().to_string();
        assert!(refused.contains("the token is used up") && refused.contains("vantage token create"), "{refused}");

        let taken = start(|script| script.refuse_enrolment = Some(Status::already_exists("taken"))).await;
        let refused = enroll(&join(&taken), &wanted()).await.unwrap_err().to_string();
        assert!(refused.contains("fra-1 is taken") && refused.contains("--name"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again_after_a_break() {
    locally(async {
        let mut coordinator = start(|_| {}).await;
        let agent = agent(&coordinator, &[], NOW);
        let mut first = session(&mut coordinator).await;
        let boot = first.hello.boot_id.clone();
        agent.spool.append(vec![attempt(1), attempt(2), done(RoundId::new())]).await;
        assert_eq!(batch(&mut first).await, (boot.clone(), 1, vec![1, 2]));
        assert!(matches!(first.next().await, Some(Message::ShareDone(_))), "the end of the share comes behind its attempts");
        first.send(Down::BatchAck(v1::BatchAck { boot_id: boot.clone(), acknowledged_through: 1 })).await;
        while agent.spool.status().waiting > 1 {
            tokio::task::yield_now().await;
        }
        drop(first);
        let mut second = session(&mut coordinator).await;
        assert_eq!(second.hello.spooled_attempts, 1);
        assert_eq!(batch(&mut second).await, (boot.clone(), 2, vec![2]));
        second.send(Down::BatchAck(v1::BatchAck { boot_id: boot, acknowledged_through: 2 })).await;
        timeout(Duration::from_secs(5), agent.spool.emptied()).await.unwrap();
        agent.stop.send(true).unwrap();
        timeout(Duration::from_secs(5), agent.task).await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_killed_agent_loses_nothing_that_was_spooled() {
    locally(async {
        let mut coordinator = start(|_| {}).await;
        let agent = agent(&coordinator, &[], NOW);
        let first = session(&mut coordinator).await;
        let old_boot = first.hello.boot_id.clone();
        agent.spool.append((1..=250).map(|number| attempt(u8::try_from(number % 256).unwrap())).collect()).await;
        let dir = agent.kill();
        drop(first);
        let again = agent_in(dir, &[], NOW);
        let mut second = session(&mut coordinator).await;
        assert_ne!(second.hello.boot_id, old_boot);
        let (boot, first_sequence, one) = batch(&mut second).await;
        assert_eq!((boot, first_sequence, one.len()), (old_boot.clone(), 1, 200));
        let (boot, first_sequence, two) = batch(&mut second).await;
        assert_eq!((boot, first_sequence, two.len()), (old_boot, 201, 50));
        drop(again);
    })
    .await;
}

#[tokio::test]
async fn at_most_eight_batches_are_ahead_of_their_acknowledgement() {
    locally(async {
        let mut coordinator = start(|_| {}).await;
        let agent = agent(&coordinator, &[], NOW);
        let mut up = session(&mut coordinator).await;
        agent.spool.append((0..2_000).map(|_| attempt(1)).collect()).await;
        let mut last = 0;
        for _ in 0..8 {
            let (_, first, attempts) = batch(&mut up).await;
            last = first + attempts.len() as u64 - 1;
        }
        assert!(timeout(Duration::from_millis(300), up.next()).await.is_err(), "the ninth waits");
        let boot_id = up.hello.boot_id.clone();
        up.send(Down::BatchAck(v1::BatchAck { boot_id, acknowledged_through: last })).await;
        assert_eq!(batch(&mut up).await.1, last + 1);
        drop(agent);
    })
    .await;
}

#[tokio::test]
async fn a_clock_a_year_off_does_not_keep_an_agent_away() {
    locally(async {
        for wall in ["2025-11-23T12:00:00Z", "2027-11-23T12:00:00Z"] {
            let mut coordinator = start(|_| {}).await;
            let mut agent = agent(&coordinator, &[], wall);
            session(&mut coordinator).await;
            agent.online.wait_for(|online| *online).await.unwrap();
            let stated = coordinator.script.now;
            assert!(agent.clock.now().micros_since(stated).abs() < 5_000_000);
            assert!(agent.clock.offset_us().unwrap().abs() > 360 * 86_400 * 1_000_000);
        }
    })
    .await;
}

#[tokio::test]
async fn a_coordinator_whose_certificate_is_out_of_date_by_its_own_time_is_refused() {
    locally(async {
        let mut coordinator = start(|script| script.now = "2028-01-01T00:00:00Z".parse().unwrap()).await;
        let agent = agent(&coordinator, &[], NOW);
        drop(session(&mut coordinator).await);
        drop(session(&mut coordinator).await);
        assert!(!*agent.online.borrow());
        assert_eq!(TimeMemory::load(agent.dir.path()).unwrap().newest_seen(), None, "what it stated is not believed");
    })
    .await;
}

#[tokio::test]
async fn a_renewed_certificate_is_tried_before_the_old_one_is_dropped() {
    locally(async {
        for refuse_renewed in [false, true] {
            // The certificates of the test fleet are past half of their life by then.
            let later = "2026-12-20T00:00:00Z".parse().unwrap();
            let mut coordinator = start(|script| (script.refuse_renewed, script.now) = (refuse_renewed, later)).await;
            let agent = agent(&coordinator, &[], NOW);
            let first = session(&mut coordinator).await;
            let old = first.certificate.clone();
            let second = session(&mut coordinator).await;
            let new = coordinator.script.renewed.lock().unwrap()[0].clone();
            let mut online = agent.online.clone();
            online.wait_for(|online| *online).await.unwrap();
            let kept = Keystore::new(agent.dir.path());
            let expected = if refuse_renewed { old } else { new };
            assert_eq!(second.certificate, expected);
            assert_eq!(kept.load().unwrap().unwrap().certificate.0, expected);
            drop((first, agent));
        }
    })
    .await;
}

#[tokio::test]
async fn coordinators_are_tried_in_turn() {
    locally(async {
        let mut coordinator = start(|_| {}).await;
        let second = coordinator.address.to_string();
        let agent = agent(&coordinator, &["127.0.0.1:1", &second], NOW);
        session(&mut coordinator).await;
        drop(agent);
    })
    .await;
}

#[tokio::test]
async fn orders_arrive_and_a_ban_ends_the_session_for_good() {
    locally(async {
        let mut coordinator = start(|_| {}).await;
        let mut agent = agent(&coordinator, &[], NOW);
        let mut up = session(&mut coordinator).await;
        let round = RoundId::new();
        up.send(Down::CancelTask(v1::CancelTask { round_id: round.0.as_bytes().to_vec() })).await;
        up.send(Down::Throttle(v1::Throttle { connections_per_second: 3 })).await;
        agent.outgoing.send(Message::AssignmentAck(v1::AssignmentAck { revision: 9, rejections: vec![] })).await.unwrap();
        assert!(matches!(up.next().await, Some(Message::AssignmentAck(ack)) if ack.revision == 9));
        up.send(Down::Revoked(v1::Revoked { reason: "lost laptop".to_owned() })).await;
        timeout(Duration::from_secs(5), agent.task).await.unwrap().unwrap();
        let mut orders = Vec::new();
        while let Ok(order) = agent.inbox.try_recv() {
            orders.push(format!("{order:?}"));
        }
        assert_eq!(orders.len(), 4, "{orders:?}");
        assert!(orders[0].starts_with("Responders") && orders[1].contains(&round.to_string()) && orders[2].contains('3') && orders[3].contains("lost laptop"));
    })
    .await;
}
