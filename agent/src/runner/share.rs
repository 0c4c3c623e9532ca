//! One share under way: admission of every attempt, and its record.

use std::{
    net::{IpAddr, SocketAddr},
    rc::Rc,
    sync::{Arc, RwLock},
    time::Duration,
};

use parallax_model::{
    assignment::{Assignment, Experiment, Task},
    attempt::Attempt,
    check::Limits,
    clock::Timestamp,
    facts::{DnsFacts, Facts, LookupEnd, NotCompleted, WitnessFacts},
    id::{AttemptId, CheckId, ProfileName, RoundId, VantageName},
    outcome::Outcome,
    profile::{Depth, Profile},
    resolver::{NamedResolver, Resolver},
    target::{Host, Scheme, Target},
    vantage::Responder,
};
use parallax_probe::{AuditManners, Plan, server_name_for};
use parallax_proto::{
    v1::{self, session_request::Message},
    wire,
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    book::RoundBook,
    look::Look,
    pace::{Gate, Manners},
};
use crate::{
    fleet_clock::FleetClock,
    guard::Guard,
    server_log::ServerLog,
    spool::{Entry, Kind, Spool},
    witness::Witness,
};

/// What every share uses.
pub(crate) struct Tools<L> {
    /// The seam to the probe engine.
    pub(crate) look: L,
    /// The witness, where this agent is one.
    pub(crate) witness: Option<Rc<Witness>>,
    /// The server's own log, where this agent reads it.
    pub(crate) log: Option<Rc<ServerLog>>,
    /// The site owner's policy.
    pub(crate) guard: Arc<Guard>,
    /// The coordinator's time.
    pub(crate) clock: Arc<FleetClock>,
    /// Where every attempt goes.
    pub(crate) spool: Spool,
    /// Where progress goes that somebody watches.
    pub(crate) outgoing: mpsc::Sender<Message>,
    /// This vantage.
    pub(crate) vantage: VantageName,
    /// The fleet's responders, without the agent's own.
    pub(crate) responders: RwLock<Vec<Responder>>,
    /// Limits over all shares.
    pub(super) manners: Manners,
}

/// One share under way.
pub(crate) struct Share<L> {
    pub(super) tools: Rc<Tools<L>>,
    pub(super) assignment: Assignment,
    book: Arc<RoundBook>,
    gate: Arc<Gate>,
}

/// One attempt to make.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try<'a> {
    pub(super) profile: &'a Profile,
    pub(super) experiment: Experiment,
    pub(super) address: SocketAddr,
    pub(super) source_port: Option<u16>,
    pub(super) siblings: &'a [SocketAddr],
    /// The time that it may take, milliseconds; none for what the check says.
    pub(super) attempt_ms: Option<u64>,
    /// Whether it is one of the row's own tries, which decide whether anything fails at all and come no faster than their pauses allow.
    pub(super) in_row: bool,
}

impl<L: Look> Tools<L> {
    /// Keeps an attempt, and shows it at once when somebody watches.
    fn keep(&self, attempt: &Attempt, is_watched: bool) {
        let message = v1::Attempt::from(attempt);
        let important = !Outcome::of(attempt).is_ok();
        self.spool.post(vec![Entry { kind: Kind::Attempt, important, payload: wire::encode(&message) }]);
        if is_watched {
            let event = v1::RunEvent { round_id: attempt.round.0.as_bytes().to_vec(), attempt: Some(message) };
            // Nobody is shown progress while the coordinator is away; the attempt itself waits in the spool.
            let _ = self.outgoing.try_send(Message::RunEvent(event));
        }
    }

    /// Records that a share was not run, or not to its end.
    pub(super) fn keep_not_completed(&self, round: RoundId, check: CheckId, profile: &ProfileName, reason: NotCompleted) {
        let facts = Facts { not_completed: Some(reason), ..Facts::default() };
        let attempt = Attempt {
            id: AttemptId::new(),
            round,
            check,
            vantage: self.vantage.clone(),
            profile: profile.clone(),
            experiment: Experiment::Baseline,
            address: None,
            sequence: 0,
            started_at: self.clock.now(),
            elapsed_us: 0,
            clock_offset_us: self.clock.offset_us(),
            facts,
        };
        self.keep(&attempt, false);
    }

    /// Records the end of a share; durable on return, behind all its attempts.
    pub(super) async fn keep_done(&self, round: RoundId, follow_up: bool, reason: Option<NotCompleted>) {
        let not_completed = reason.map_or_else(String::new, |reason| name_of(reason).to_owned());
        let done = v1::ShareDone { round_id: round.0.as_bytes().to_vec(), follow_up, not_completed };
        self.spool.append(vec![Entry { kind: Kind::ShareDone, important: true, payload: wire::encode(&done) }]).await;
    }
}

impl<L: Look> Share<L> {
    pub(super) fn new(tools: Rc<Tools<L>>, assignment: Assignment, book: Arc<RoundBook>) -> Self {
        let gate = tools.manners.gate(&assignment.check.target.authority());
        Self { tools, assignment, book, gate }
    }

    /// Returns how many connections this round may still open.
    pub(super) fn connections_left(&self) -> u32 {
        self.book.connections_left()
    }

    /// Has the witness watch these addresses of the target until the share's deadline.
    pub(super) fn watch(&self, addresses: &[IpAddr]) {
        if let Some(witness) = &self.tools.witness {
            witness.watch(self.assignment.check.target.port, addresses, self.assignment.deadline);
        }
        if let Some(log) = &self.tools.log {
            log.watch(self.assignment.deadline);
        }
    }

    /// Records what the witness saw of connections from these sources to an address; no connection is made.
    pub(super) fn testify(&self, task: &Task, address: SocketAddr) {
        let Tools { witness, log, .. } = &*self.tools;
        let packets = witness.as_ref().map(|witness| witness.testify(address, &task.sources));
        let log = log.as_ref().and_then(|log| log.testify(address, &task.sources));
        let facts = if packets.is_none() && log.is_none() {
            Facts { not_completed: Some(NotCompleted::Unsupported), ..Facts::default() }
        } else {
            let packets = packets.unwrap_or_else(|| WitnessFacts { sources: task.sources.clone(), ..WitnessFacts::default() });
            Facts { witness: Some(Box::new(WitnessFacts { log: log.map(Box::new), ..packets })), ..Facts::default() }
        };
        self.record(&task.profile, task.experiment, Some(address), (self.tools.clock.now(), Duration::ZERO), facts);
    }

    /// Resolves the target and records the lookup.
    pub(super) async fn resolve(&self, profile: &ProfileName, resolver: &Resolver) -> DnsFacts {
        let check = &self.assignment.check;
        self.look_up(profile, &check.target, resolver, Duration::from_millis(check.limits.attempt_ms)).await
    }

    /// Resolves a name that is not the target's, at a resolver that was of no use for it, and records the lookup.
    pub(super) async fn resolve_another(&self, profile: &ProfileName, name: String, resolver: &Resolver) {
        self.look_up(profile, &bare(Host::Name(name), 443), resolver, OTHER_LOOKUP).await;
    }

    async fn look_up(&self, profile: &ProfileName, target: &Target, resolver: &Resolver, limit: Duration) -> DnsFacts {
        let (started_at, started) = (self.tools.clock.now(), Instant::now());
        let facts = match resolver {
            Resolver::System => self.tools.look.resolve(target, &parallax_probe::Resolver::System, limit).await,
            Resolver::Named(named) => match self.address_of(named, limit).await {
                Ok(address) => self.tools.look.resolve(target, &parallax_probe::Resolver::Named(named.clone(), address), limit).await,
                Err((end, server)) => parallax_probe::dns::not_asked(target, named, server, end),
            },
        };
        let all = Facts { dns: Some(facts.clone()), ..Facts::default() };
        self.record(profile, Experiment::Resolve, None, (started_at, started.elapsed()), all);
        facts
    }

    /// Returns where a named resolver is asked: the address that it bears, or the first one of its name's that policy allows.
    async fn address_of(&self, named: &NamedResolver, limit: Duration) -> Result<SocketAddr, (LookupEnd, Option<SocketAddr>)> {
        let addresses = match (named.address(), &named.host) {
            (Some(address), _) => vec![address],
            (None, host) => {
                let found = self.tools.look.resolve(&bare(host.clone(), named.port), &parallax_probe::Resolver::System, limit).await;
                found.addresses.into_iter().map(|address| SocketAddr::new(address, named.port)).collect()
            }
        };
        let permitted = addresses.iter().copied().find(|address| self.tools.guard.permits(*address));
        permitted.ok_or_else(|| addresses.first().map_or((LookupEnd::NoResolver, None), |address| (LookupEnd::Denied, Some(*address))))
    }

    /// Makes one attempt as soon as policy, budget and manners allow, and records it.
    pub(super) async fn attempt(&self, wanted: Try<'_>) -> Attempt {
        let Try { profile, experiment, address, .. } = wanted;
        let refuse = |reason| self.refuse(&profile.name, experiment, address, reason);
        if !self.tools.guard.permits(address) {
            return refuse(NotCompleted::PolicyDenied(address));
        }
        let at_target = !matches!(experiment, Experiment::Responder | Experiment::NameAtResponder);
        if at_target && !self.book.take_connection() {
            return refuse(NotCompleted::OverLimit);
        }
        let pace = self.pace().map(|pace| if wanted.in_row { pace * ROW_HASTE } else { pace });
        let _leave = if at_target { Some(self.tools.manners.leave(&self.gate, pace).await) } else { None };
        let plan = self.plan(wanted);
        let (started_at, started) = (self.tools.clock.now(), Instant::now());
        let facts = self.tools.look.run(&plan).await;
        let further = connections_of(&facts).saturating_sub(1);
        self.book.charge(further);
        if at_target && further > 0 {
            self.tools.manners.charge(&self.gate, pace, further);
        }
        let attempt = self.record(&profile.name, experiment, Some(address), (started_at, started.elapsed()), facts);
        let outcome = Outcome::of(&attempt);
        // An alert to a client's own hello is the answer that was asked for, and no sign of trouble.
        let is_answer = profile.client.is_some() && matches!(outcome, Outcome::TlsAlert(_));
        if at_target && outcome.is_failure() && !is_answer {
            self.book.note_failure();
        }
        attempt
    }

    /// Returns the cap on connections a second that holds since something failed at the target.
    fn pace(&self) -> Option<u32> {
        self.book.has_failed().then_some(self.assignment.check.limits.connections_per_second)
    }

    /// Returns how long an audit may take: most of what is left of the share, so that it reports what it found by then.
    fn time_for_audit(&self) -> Duration {
        let left_us = self.assignment.deadline.micros_since(self.tools.clock.now());
        Duration::from_micros(u64::try_from(left_us).unwrap_or(0)).mul_f64(AUDIT_SHARE)
    }

    /// Records that an attempt is not made.
    pub(super) fn refuse(&self, profile: &ProfileName, experiment: Experiment, address: SocketAddr, reason: NotCompleted) -> Attempt {
        let facts = Facts { not_completed: Some(reason), ..Facts::default() };
        self.record(profile, experiment, Some(address), (self.tools.clock.now(), Duration::ZERO), facts)
    }

    /// Returns one address of each family of each of the first two responders.
    pub(super) fn gate_addresses(&self) -> Vec<SocketAddr> {
        gate_addresses(&self.tools.responders.read().expect("no code panics while it holds this lock"))
    }

    fn plan(&self, wanted: Try<'_>) -> Plan {
        let Try { profile, experiment, address, source_port, siblings, attempt_ms, .. } = wanted;
        let check = &self.assignment.check;
        let pinned_responder = matches!(experiment, Experiment::Responder | Experiment::NameAtResponder);
        // A responder speaks TLS, whatever the target does.
        let scheme = if pinned_responder { Scheme::Tls } else { check.target.scheme };
        Plan {
            target: Target { scheme, ..check.target.clone() },
            profile: profile.clone(),
            experiment,
            address,
            server_name: server_name_for(experiment, &check.target),
            limits: Limits { attempt_ms: attempt_ms.unwrap_or(check.limits.attempt_ms), ..check.limits.clone() },
            source_port,
            http: check.target.scheme == Scheme::Https && profile.depth == Depth::Full && !pinned_responder,
            pinned_responder,
            siblings: siblings.iter().copied().filter(|sibling| self.tools.guard.permits(*sibling)).collect(),
            manners: AuditManners { per_second: self.tools.manners.cap(self.pace()), time: self.time_for_audit(), ..AuditManners::default() },
        }
    }

    fn record(
        &self,
        profile: &ProfileName,
        experiment: Experiment,
        address: Option<SocketAddr>,
        (started_at, elapsed): (Timestamp, Duration),
        facts: Facts,
    ) -> Attempt {
        let Assignment { round, check, live, .. } = &self.assignment;
        let attempt = Attempt {
            id: AttemptId::new(),
            round: *round,
            check: check.id,
            vantage: self.tools.vantage.clone(),
            profile: profile.clone(),
            experiment,
            address,
            sequence: self.book.number(profile, experiment, address),
            started_at,
            elapsed_us: u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX),
            clock_offset_us: self.tools.clock.offset_us(),
            facts,
        };
        self.tools.keep(&attempt, *live);
        attempt
    }
}

/// Returns one address of each family of each of the first two responders.
fn gate_addresses(responders: &[Responder]) -> Vec<SocketAddr> {
    let families = |responder: &Responder| {
        let first = |is_v4: bool| responder.addresses.iter().copied().find(|address| address.is_ipv4() == is_v4);
        [first(true), first(false)]
    };
    responders.iter().take(MOST_RESPONDERS).flat_map(families).flatten().collect()
}

/// Returns how many connections an attempt took out of the round's budget; an audit has its own.
fn connections_of(facts: &Facts) -> u32 {
    let of_walk = facts.walk.as_ref().map_or(0, |walk| u32::try_from(walk.connections()).unwrap_or(u32::MAX));
    let of_replies = facts.reply_ttl.as_ref().map_or(0, |replies| replies.connections);
    of_walk.max(of_replies).max(1)
}

/// Returns the reason as [`v1::ShareDone`] carries it.
pub(super) fn name_of(reason: NotCompleted) -> &'static str {
    parallax_model::outcome::NotCompletedKind::from(reason).as_str()
}

/// Makes a target of which nothing but the addresses is wanted.
fn bare(host: Host, port: u16) -> Target {
    Target { scheme: Scheme::Tls, host, port, path: "/".to_owned(), pinned: None }
}

const MOST_RESPONDERS: usize = 2;
/// How much faster than what explains a failure a row may make its own tries.
const ROW_HASTE: u32 = 4;
/// How much of the time that a share has left an audit may take; the rest is for its last answers and the report.
const AUDIT_SHARE: f64 = 0.75;
/// A resolver that lives answers for it at once.
const OTHER_LOOKUP: Duration = Duration::from_secs(3);
