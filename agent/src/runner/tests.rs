use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
};

use parallax_model::{
    assignment::{Experiment, Task},
    attempt::Attempt,
    bytes::Bytes,
    check::Check,
    clock::{ManualClock, Timestamp},
    facts::{AuditFacts, ConnectEnd, DnsAnswer, DnsFacts, DnsTransport, Facts, LookupEnd, ResolverKind, TcpFacts},
    id::BootId,
    outcome::{NotCompletedKind, Outcome},
    target::Target,
};
use parallax_probe::{Plan, Resolver};
use parallax_proto::{v1, wire};
use tokio::{task::LocalSet, time::sleep};

use super::*;
use crate::spool::{Caps, Piece};

mod survey;

/// Answers by address and profile; what is not scripted connects after 20 ms.
#[derive(Default)]
struct Script {
    addresses: Vec<IpAddr>,
    /// What the resolver answers to every name, with no address.
    denies: Option<u16>,
    ends: HashMap<(SocketAddr, String), Vec<ConnectEnd>>,
    slow: Option<Duration>,
    /// Profiles without TLS 1.3 get alert 70.
    tls13_alone: bool,
    seen: RefCell<Vec<(Instant, Experiment, SocketAddr, String)>>,
    /// How long each baseline attempt might take, milliseconds.
    given: RefCell<Vec<u64>>,
}

impl Look for Rc<Script> {
    async fn resolve(&self, target: &Target, _resolver: &Resolver, _limit: Duration) -> DnsFacts {
        let answers = self.denies.map(denial).into_iter().collect();
        DnsFacts { addresses: self.addresses.clone(), answers, ..DnsFacts::empty(target.host.to_string(), ResolverKind::System) }
    }

    async fn run(&self, plan: &Plan) -> Facts {
        let key = (plan.address, plan.profile.name.to_string());
        let before = self.seen.borrow().iter().filter(|seen| (seen.2, &seen.3) == (key.0, &key.1)).count();
        self.seen.borrow_mut().push((Instant::now(), plan.experiment, key.0, key.1.clone()));
        if plan.experiment == Experiment::Baseline {
            self.given.borrow_mut().push(plan.limits.attempt_ms);
        }
        sleep(self.slow.unwrap_or(Duration::from_millis(20))).await;
        let ends = self.ends.get(&key);
        let end = ends.map_or(ConnectEnd::Connected, |ends| *ends.get(before).or_else(|| ends.last()).unwrap());
        let tcp = TcpFacts {
            remote: plan.address,
            local: None,
            source_port_pinned: false,
            end,
            connect_us: 20_000,
            hop_limit: None,
            mss_clamp: None,
            icmp_from: None,
            at_connect: None,
            at_end: None,
            ack_ttl: None,
        };
        if plan.experiment == Experiment::Audit {
            let audit = AuditFacts { connections: plan.limits.audit_connections, ..AuditFacts::default() };
            return Facts { tcp: Some(tcp), audit: Some(Box::new(audit)), ..Facts::default() };
        }
        let turned_down = self.tls13_alone && !plan.profile.hello.versions.contains(&0x0304);
        Facts { tcp: Some(tcp), tls: turned_down.then(survey::alert_70), ..Facts::default() }
    }
}

struct World {
    script: Rc<Script>,
    runner: Rc<Runner<Rc<Script>>>,
    spool: Spool,
    events: mpsc::Receiver<Message>,
    dir: tempfile::TempDir,
}

/// What reached the spool: attempts, and ends of shares with their reason.
#[derive(Debug, Default)]
struct Reported {
    attempts: Vec<Attempt>,
    done: Vec<(bool, String)>,
}

impl Reported {
    fn outcomes(&self, experiment: Experiment) -> BTreeMap<(String, String), Vec<String>> {
        let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for attempt in self.attempts.iter().filter(|attempt| attempt.experiment == experiment) {
            let address = attempt.address.map_or_else(String::new, |address| address.to_string());
            found.entry((address, attempt.profile.to_string())).or_default().push(Outcome::of(attempt).to_string());
        }
        found
    }
}

fn world(script: Script, allow: &[&str]) -> World {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&dir.path().join("spool"), BootId::new(), Caps::default()).unwrap();
    let (outgoing, events) = mpsc::channel(1_000);
    let script = Rc::new(script);
    let runner = Runner::new(Parts {
        look: Rc::clone(&script),
        witness: None,
        log: None,
        guard: Arc::new(Guard::new(allow.iter().map(|net| crate::guard::parse_range(net).unwrap()).collect(), vec![])),
        clock: Arc::new(FleetClock::new(Arc::new(ManualClock::at(Timestamp::from_micros(0))), None)),
        spool: spool.clone(),
        outgoing,
        vantage: "fra-1".parse().unwrap(),
        journal: Journal::open(dir.path()).unwrap().0,
        max_rate: None,
    });
    World { script, runner, spool, events, dir }
}

impl World {
    async fn run(&mut self, assignment: Assignment) -> Reported {
        self.runner.start(assignment, Queue::AdHoc);
        self.runner.running().wait_for(|running| *running == 0).await.unwrap();
        self.reported().await
    }

    async fn reported(&self) -> Reported {
        let (mut at, mut reported) = (0, Reported::default());
        while let Some(piece) = self.spool.read(at).await {
            at = piece.next();
            match piece {
                Piece::Attempts { attempts, .. } => {
                    reported.attempts.extend(attempts.iter().map(|bytes| Attempt::try_from(wire::decode::<v1::Attempt>(bytes).unwrap()).unwrap()));
                }
                Piece::ShareDone { payload, .. } => {
                    let done: v1::ShareDone = wire::decode(&payload).unwrap();
                    reported.done.push((done.follow_up, done.not_completed));
                }
            }
        }
        reported
    }
}

fn assignment(target: &str, work: Work) -> Assignment {
    let at = Timestamp::from_micros(0);
    let check = Check::once(target.parse().unwrap(), at);
    Assignment { round: RoundId::new(), check, start: at, deadline: at + Duration::from_secs(60), live: false, work }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Makes the answer to a query for IPv4 addresses that brings nothing but this RCODE.
fn denial(code: u16) -> DnsAnswer {
    DnsAnswer {
        record_type: 1,
        server: None,
        transport: DnsTransport::Udp,
        end: LookupEnd::Response(code),
        records: Vec::new(),
        elapsed_us: 1_000,
        second_answer: false,
        second_records: Vec::new(),
    }
}

fn script(addresses: &[&str]) -> Script {
    Script { addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(), ..Script::default() }
}

#[tokio::test(start_paused = true)]
async fn a_healthy_row_tries_every_cell_twice_and_ends_fast() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(script(&["192.0.2.1", "2001:db8::1"]), &["192.0.2.0/24", "2001:db8::/32"]);
            let responder = |text: &str| Responder { addresses: vec![address(text)], key_sha256: Bytes(vec![7; 32]), vantage: None };
            world.runner.set_responders(vec![responder("127.0.0.1:7444"), responder("127.0.0.2:7444"), responder("127.0.0.3:7444")]);
            let begun = Instant::now();
            let mut watched = assignment("shop.example.test", Work::Row);
            watched.live = true;
            let reported = world.run(watched).await;
            assert!(begun.elapsed() < Duration::from_millis(150), "{:?}", begun.elapsed());
            let cells = reported.outcomes(Experiment::Baseline);
            assert_eq!(cells.len(), 8);
            assert!(cells.values().all(|outcomes| *outcomes == ["ok", "ok"]), "{cells:?}");
            assert_eq!(reported.outcomes(Experiment::Resolve).len(), 1);
            assert_eq!(reported.outcomes(Experiment::Responder).len(), 2, "two responders prove enough");
            assert_eq!(reported.attempts.len(), 1 + 16 + 2);
            assert_eq!(reported.done, [(false, String::new())]);
            let mut shown = 0;
            while world.events.try_recv().is_ok() {
                shown += 1;
            }
            assert_eq!(shown, 19, "every attempt was shown to the watcher");
            let times: Vec<Instant> = world
                .script
                .seen
                .borrow()
                .iter()
                .filter(|seen| (seen.1, seen.2, seen.3.as_str()) == (Experiment::Baseline, address("192.0.2.1:443"), "modern"))
                .map(|seen| seen.0)
                .collect();
            assert_eq!(times[1] - times[0], Duration::from_millis(50), "after a pass no loss has to die away");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn refused_addresses_are_reported_and_never_connected_to() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(script(&["10.0.0.1", "192.0.2.1"]), &["192.0.2.0/24"]);
            let reported = world.run(assignment("shop.example.test", Work::Row)).await;
            let cells = reported.outcomes(Experiment::Baseline);
            let denied: Vec<_> = cells.iter().filter(|(key, _)| key.0 == "10.0.0.1:443").collect();
            assert_eq!(denied.len(), 4);
            assert!(denied.iter().all(|(_, outcomes)| **outcomes == ["missing.policy-denied"]), "{denied:?}");
            assert!(world.script.seen.borrow().iter().all(|seen| seen.2 == address("192.0.2.1:443")));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_failure_is_explained_at_once_within_the_budget() {
    LocalSet::new()
        .run_until(async {
            let mut broken = script(&["192.0.2.1"]);
            for profile in parallax_model::profile::DEFAULT_PROFILES {
                broken.ends.insert((address("192.0.2.1:443"), profile.to_owned()), vec![ConnectEnd::Refused]);
            }
            let mut world = world(broken, &["192.0.2.0/24"]);
            let mut order = assignment("shop.example.test", Work::Row);
            order.check.limits.connections = 40;
            let reported = world.run(order).await;
            let explained = reported.attempts.iter().filter(|attempt| !matches!(attempt.experiment, Experiment::Baseline | Experiment::Resolve)).count();
            assert!(explained > 0, "experiments followed");
            assert!(world.script.seen.borrow().len() <= 40, "{}", world.script.seen.borrow().len());
            assert_eq!(reported.done, [(false, String::new())]);
            let mut numbers: Vec<u32> = reported
                .attempts
                .iter()
                .filter(|attempt| attempt.experiment == Experiment::Baseline && attempt.profile.as_str() == "modern")
                .map(|attempt| attempt.sequence)
                .collect();
            numbers.sort_unstable();
            assert!(numbers.iter().copied().eq(0..u32::try_from(numbers.len()).unwrap()), "tries are numbered over row and follow-ups: {numbers:?}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_turns_out_to_be_a_mixture_is_looked_into_as_one() {
    LocalSet::new()
        .run_until(async {
            let mut wavering = script(&["192.0.2.1"]);
            let three_times = vec![ConnectEnd::Refused, ConnectEnd::Refused, ConnectEnd::Refused, ConnectEnd::Connected];
            wavering.ends.insert((address("192.0.2.1:443"), "modern".to_owned()), three_times);
            let mut world = world(wavering, &["192.0.2.0/24"]);
            let reported = world.run(assignment("shop.example.test", Work::Row)).await;
            let count = |wanted: Experiment| reported.attempts.iter().filter(|attempt| attempt.experiment == wanted).count();
            assert_eq!(count(Experiment::SourcePort), 10, "ports that all pass decide nothing, and are not tried again");
            assert_eq!((count(Experiment::Slow), count(Experiment::SynWalk)), (2, 0));
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_the_time_for_explanations_ends_is_told() {
    LocalSet::new()
        .run_until(async {
            let mut silent = script(&["192.0.2.1"]);
            silent.slow = Some(Duration::from_millis(4_100));
            for profile in parallax_model::profile::DEFAULT_PROFILES {
                silent.ends.insert((address("192.0.2.1:443"), profile.to_owned()), vec![ConnectEnd::TimedOut]);
            }
            let mut world = world(silent, &["192.0.2.0/24"]);
            let mut order = assignment("shop.example.test", Work::Row);
            order.deadline = Timestamp::from_micros(0) + Duration::from_secs(25);
            let reported = world.run(order).await;
            let told = reported.attempts.iter().filter(|attempt| attempt.address.is_some()).count();
            assert_eq!(told, world.script.seen.borrow().len(), "what was begun was told");
            assert_eq!(reported.done, [(false, String::new())]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_in_a_short_round_leaves_the_coordinator_its_time() {
    LocalSet::new()
        .run_until(async {
            let mut refusing = script(&["192.0.2.1"]);
            refusing.slow = Some(Duration::from_millis(1_400));
            for profile in parallax_model::profile::DEFAULT_PROFILES {
                refusing.ends.insert((address("192.0.2.1:443"), profile.to_owned()), vec![ConnectEnd::Refused]);
            }
            let mut world = world(refusing, &["192.0.2.0/24"]);
            let mut order = assignment("shop.example.test", Work::Row);
            order.deadline = Timestamp::from_micros(0) + Duration::from_secs(5);
            let begun = Instant::now();
            let reported = world.run(order).await;
            assert_eq!(reported.done, [(false, String::new())]);
            assert!(begun.elapsed() <= Duration::from_secs(4), "{:?}", begun.elapsed());
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_cell_that_mixes_success_and_failure_is_tried_more_often() {
    LocalSet::new()
        .run_until(async {
            let mut flaky = script(&["192.0.2.1"]);
            flaky.ends.insert((address("192.0.2.1:443"), "tls12".to_owned()), vec![ConnectEnd::TimedOut, ConnectEnd::Connected]);
            let mut world = world(flaky, &["192.0.2.0/24"]);
            let reported = world.run(assignment("shop.example.test", Work::Row)).await;
            let cells = reported.outcomes(Experiment::Baseline);
            let tries = |profile: &str| cells[&("192.0.2.1:443".to_owned(), profile.to_owned())].len();
            assert!(tries("tls12") >= 8 && tries("modern-pq") == 2, "{cells:?}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_answered_late_is_given_the_time_again() {
    LocalSet::new()
        .run_until(async {
            for (slow, again) in [(20, 3_000), (500, 3_000), (1_500, 5_000)] {
                let script = Script { slow: Some(Duration::from_millis(slow)), ..script(&["192.0.2.1"]) };
                let mut world = world(script, &["192.0.2.0/24"]);
                let _ = world.run(assignment("shop.example.test", Work::Row)).await;
                let given = world.script.given.borrow();
                assert_eq!(given.iter().min(), Some(&again), "{given:?}");
            }
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_without_addresses_is_asked_for_twice() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(script(&[]), &[]);
            let reported = world.run(assignment("shop.example.test", Work::Row)).await;
            assert_eq!(
                reported.attempts.iter().map(|attempt| (attempt.experiment, attempt.sequence)).collect::<Vec<_>>(),
                [(Experiment::Resolve, 0), (Experiment::Resolve, 1)]
            );
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn controls_that_do_not_connect_outlast_what_remembers_the_source() {
    LocalSet::new()
        .run_until(async {
            let mut remembered = script(&["192.0.2.1"]);
            remembered.ends.insert((address("192.0.2.1:443"), "modern".to_owned()), [[ConnectEnd::Refused; 3], [ConnectEnd::Connected; 3]].concat());
            let mut world = world(remembered, &["192.0.2.0/24"]);
            let profile = "modern".parse().unwrap();
            let controls = Task { profile, experiment: Experiment::ControlName, address: Some(address("192.0.2.1:443")), repeat: 6, sources: Vec::new() };
            world.run(assignment("shop.example.test", Work::FollowUp(vec![controls]))).await;
            let seen: Vec<Instant> = world.script.seen.borrow().iter().map(|seen| seen.0).collect();
            let pauses: Vec<u128> = seen.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
            assert_eq!(pauses.len(), 5);
            assert!(pauses[..3].iter().all(|pause| *pause >= 1_000) && pauses[3..].iter().all(|pause| *pause < 1_000), "{pauses:?}");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn follow_ups_are_run_as_given_and_never_twice() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(script(&["192.0.2.1", "192.0.2.2"]), &["192.0.2.0/24"]);
            let task = |experiment, at: Option<&str>, repeat| Task {
                profile: "modern".parse().unwrap(),
                experiment,
                address: at.map(address),
                repeat,
                sources: Vec::new(),
            };
            let tasks = vec![
                task(Experiment::ControlName, Some("192.0.2.9:443"), 3),
                task(Experiment::NoName, None, 1),
                task(Experiment::SourcePort, Some("192.0.2.9:443"), 2),
            ];
            let order = assignment("shop.example.test", Work::FollowUp(tasks));
            let reported = world.run(order.clone()).await;
            assert_eq!(reported.outcomes(Experiment::ControlName).values().map(Vec::len).sum::<usize>(), 3);
            assert_eq!(reported.outcomes(Experiment::NoName).len(), 2, "at every address of the target");
            assert_eq!(reported.outcomes(Experiment::SourcePort).values().map(Vec::len).sum::<usize>(), 2);
            assert_eq!(reported.done, [(true, String::new())]);
            assert_eq!(world.run(order).await.attempts.len(), reported.attempts.len(), "a share that came twice ran once");
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn an_audit_does_not_use_up_the_connections_of_the_round() {
    LocalSet::new()
        .run_until(async {
            let mut world = world(script(&["192.0.2.1"]), &["192.0.2.0/24"]);
            let task = |experiment, repeat| Task {
                profile: "modern".parse().unwrap(),
                experiment,
                address: Some(address("192.0.2.1:443")),
                repeat,
                sources: Vec::new(),
            };
            let order = assignment("shop.example.test", Work::FollowUp(vec![task(Experiment::Audit, 1), task(Experiment::ControlName, 3)]));
            assert!(order.check.limits.audit_connections > order.check.limits.connections);
            let reported = world.run(order).await;
            assert_eq!(reported.outcomes(Experiment::Audit).values().flatten().collect::<Vec<_>>(), ["ok"]);
            assert_eq!(reported.outcomes(Experiment::ControlName).values().flatten().collect::<Vec<_>>(), ["ok"; 3]);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_called_off_or_interrupted_says_so() {
    LocalSet::new()
        .run_until(async {
            let mut slow = script(&["192.0.2.1"]);
            slow.slow = Some(Duration::from_secs(10));
            let world = world(slow, &["192.0.2.0/24"]);
            let (first, second) = (assignment("shop.example.test", Work::Row), assignment("shop.example.test", Work::Row));
            world.runner.start(first.clone(), Queue::AdHoc);
            world.runner.start(second, Queue::Scheduled);
            sleep(Duration::from_secs(1)).await;
            assert_eq!(Journal::open(world.dir.path()).unwrap().1.len(), 2);
            world.runner.cancel(first.round);
            sleep(Duration::from_millis(1)).await;
            world.runner.interrupt();
            world.runner.running().wait_for(|running| *running == 0).await.unwrap();
            let reported = world.reported().await;
            assert_eq!(reported.done, [(false, "cancelled".to_owned()), (false, "interrupted".to_owned())]);
            let kinds: Vec<Outcome> = reported.attempts.iter().filter(|attempt| attempt.experiment == Experiment::Baseline).map(Outcome::of).collect();
            assert_eq!(kinds, [Outcome::NotCompleted(NotCompletedKind::Cancelled), Outcome::NotCompleted(NotCompletedKind::Interrupted)]);
            assert_eq!(Journal::open(world.dir.path()).unwrap().1, []);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_share_and_a_passed_one_is_skipped() {
    LocalSet::new()
        .run_until(async {
            let mut slow = script(&["192.0.2.1"]);
            slow.slow = Some(Duration::from_secs(600));
            let mut world = world(slow, &["192.0.2.0/24"]);
            let begun = Instant::now();
            let reported = world.run(assignment("shop.example.test", Work::Row)).await;
            assert!(begun.elapsed() < Duration::from_secs(60));
            assert_eq!(reported.done, [(false, "over-limit".to_owned())]);
            let mut late = assignment("shop.example.test", Work::Row);
            late.deadline = Timestamp::from_micros(-1);
            assert_eq!(world.run(late).await.done[1], (false, "skipped-late".to_owned()));
        })
        .await;
}

#[tokio::test]
async fn shares_that_a_kill_cut_off_are_reported_and_not_run_again() {
    LocalSet::new()
        .run_until(async {
            let world = world(script(&["192.0.2.1"]), &["192.0.2.0/24"]);
            let order = assignment("shop.example.test", Work::Row);
            let journal = Journal::open(world.dir.path()).unwrap().0;
            journal.begin(begun(&order));
            let left = Journal::open(world.dir.path()).unwrap().1;
            world.runner.report_interrupted(left).await;
            let reported = world.reported().await;
            assert_eq!(reported.done, [(false, "interrupted".to_owned())]);
            assert_eq!(Outcome::of(&reported.attempts[0]), Outcome::NotCompleted(NotCompletedKind::Interrupted));
            assert!(world.script.seen.borrow().is_empty());
            assert_eq!(Journal::open(world.dir.path()).unwrap().1, []);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_answers_with_errors_is_asked_for_the_parent_and_for_a_name_that_all_know() {
    LocalSet::new()
        .run_until(async {
            let names =
                |reported: Reported| -> Vec<String> { reported.attempts.iter().filter_map(|attempt| Some(attempt.facts.dns.as_ref()?.name.clone())).collect() };
            let refusing = Script { denies: Some(5), ..script(&[]) };
            let asked = names(world(refusing, &["192.0.2.0/24"]).run(assignment("shop.example.test", Work::Row)).await);
            assert_eq!(asked, ["shop.example.test", "shop.example.test", "example.test", "example.com"]);
            let denying = Script { denies: Some(3), ..script(&[]) };
            let asked = names(world(denying, &["192.0.2.0/24"]).run(assignment("shop.example.test", Work::Row)).await);
            assert_eq!(asked, ["shop.example.test", "shop.example.test"], "a name that does not exist is a definite answer");
        })
        .await;
}
