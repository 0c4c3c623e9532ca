//! Experiments that explain a failure: the coordinator's tasks, and the agent's own at once while the fault is still there.

use std::{collections::BTreeMap, net::SocketAddr, rc::Rc, time::Duration};

use parallax_model::{
    assignment::{Experiment, Task},
    attempt::Attempt,
    facts::{ConnectEnd, NotCompleted},
    id::ProfileName,
    outcome::Outcome,
};
use parallax_probe::{FollowUp, MOST_CONNECTIONS, RowSoFar, SOURCE_PORTS, drill_down, is_worth_it, wavers};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    look::Look,
    row::{BETWEEN_TRIES, resolve},
    share::{Share, Try},
};

/// Runs the coordinator's tasks: side by side at different addresses, and with different profiles where nothing else is varied, else one after the other.
pub(super) async fn run<L: Look>(share: &Rc<Share<L>>, tasks: &[Task]) {
    let mut lines: BTreeMap<(SocketAddr, Option<ProfileName>), Vec<Task>> = BTreeMap::new();
    let mut resolved = None;
    for task in tasks {
        if task.experiment == Experiment::Resolve {
            for _ in 0..task.repeat.max(1) {
                share.resolve(&task.profile, &share.assignment.check.asked_resolvers()[0]).await;
            }
            continue;
        }
        let addresses = match task.address {
            Some(address) => vec![address],
            None if is_at_responder(task.experiment) => share.gate_addresses(),
            None => {
                if resolved.is_none() {
                    resolved = Some(resolve(share).await);
                }
                resolved.clone().unwrap_or_default()
            }
        };
        let line = (task.experiment == Experiment::Baseline).then(|| task.profile.clone());
        for address in addresses {
            lines.entry((address, line.clone())).or_default().push(task.clone());
        }
    }
    let is_audited = |(_, tasks): &(&(SocketAddr, _), &Vec<Task>)| tasks.iter().any(|task| task.experiment == Experiment::Audit);
    let audited: Rc<[SocketAddr]> = lines.iter().filter(is_audited).map(|((address, _), _)| *address).collect();
    let mut running = JoinSet::new();
    for ((address, _), tasks) in lines {
        running.spawn_local(line(Rc::clone(share), address, Rc::clone(&audited), tasks));
    }
    running.join_all().await;
}

async fn line<L: Look>(share: Rc<Share<L>>, address: SocketAddr, audited: Rc<[SocketAddr]>, tasks: Vec<Task>) {
    for task in tasks {
        if task.experiment == Experiment::Witness {
            share.testify(&task, address);
            continue;
        }
        let Some(profile) = share.assignment.check.profile(task.profile.as_str()) else {
            share.refuse(&task.profile, task.experiment, address, NotCompleted::Unsupported);
            continue;
        };
        let siblings = match task.experiment {
            Experiment::ReplyTtl => other_doors(address),
            Experiment::Audit => audited.iter().copied().filter(|other| *other != address).collect(),
            _ => Vec::new(),
        };
        // The engine's own list counts up: what minds the turn and not the port shows in the order.
        let source_ports = SOURCE_PORTS.rev().cycle().take(task.repeat.max(1) as usize);
        for port in source_ports {
            let started = Instant::now();
            let source_port = (task.experiment == Experiment::SourcePort).then_some(port);
            let wanted = Try { profile: &profile, experiment: task.experiment, address, source_port, siblings: &siblings, attempt_ms: None, in_row: false };
            let facts = share.attempt(wanted).await.facts;
            if facts.not_completed.is_some() {
                break;
            }
            let is_cut_off = || facts.tcp.is_some_and(|tcp| tcp.end != ConnectEnd::Connected);
            match task.experiment {
                Experiment::Baseline => sleep_until(started + BETWEEN_TRIES).await,
                Experiment::ControlName if is_cut_off() => sleep_until(started + WHILE_REMEMBERED).await,
                _ => {}
            }
        }
    }
}

/// Runs the experiments that explain what failed in a row, address by address at the same time, within the round's budget; begins none after `until`.
pub(super) async fn explain<L: Look>(share: &Rc<Share<L>>, seen: Vec<Attempt>, until: Instant) {
    let mut failing: Vec<SocketAddr> = seen.iter().filter(|attempt| Outcome::of(attempt).is_failure()).filter_map(|attempt| attempt.address).collect();
    failing.sort();
    failing.dedup();
    let budget = share.connections_left() / u32::try_from(failing.len()).unwrap_or(u32::MAX).max(1);
    let mut running = JoinSet::new();
    for address in failing {
        running.spawn_local(explain_address(Rc::clone(share), address, seen.clone(), budget, until));
    }
    running.join_all().await;
}

async fn explain_address<L: Look>(share: Rc<Share<L>>, address: SocketAddr, mut seen: Vec<Attempt>, budget: u32, until: Instant) {
    let responders = share.gate_addresses();
    let mut budget = budget.min(MOST_CONNECTIONS);
    for _ in 0..MOST_LISTS {
        let row = RowSoFar { check: &share.assignment.check, address, attempts: &seen, responders: &responders, connections_left: budget };
        let (list, wavered) = (drill_down(&row), wavers(&row));
        if list.is_empty() {
            return;
        }
        let mut batches: BTreeMap<u32, Vec<FollowUp>> = BTreeMap::new();
        for follow_up in list {
            batches.entry(follow_up.batch).or_default().push(follow_up);
        }
        for mut batch in batches.into_values() {
            if Instant::now() >= until {
                return;
            }
            let row = RowSoFar { check: &share.assignment.check, address, attempts: &seen, responders: &responders, connections_left: budget };
            if !wavered && wavers(&row) {
                // What seemed to fail always does not: other questions come first.
                break;
            }
            batch.retain(|follow_up| is_worth_it(&row, follow_up.task.experiment));
            budget = budget.saturating_sub(batch.iter().map(FollowUp::connections).sum());
            let mut running = JoinSet::new();
            for follow_up in batch {
                running.spawn_local(follow(Rc::clone(&share), follow_up, until));
            }
            seen.extend(running.join_all().await.into_iter().flatten());
        }
    }
}

async fn follow<L: Look>(share: Rc<Share<L>>, follow_up: FollowUp, until: Instant) -> Vec<Attempt> {
    let FollowUp { task, attempt_ms, source_port, siblings, .. } = follow_up;
    let (Some(profile), Some(address)) = (share.assignment.check.profile(task.profile.as_str()), task.address) else { return Vec::new() };
    let mut attempts = Vec::new();
    for _ in 0..task.repeat.max(1) {
        if Instant::now() >= until {
            break;
        }
        let wanted =
            Try { profile: &profile, experiment: task.experiment, address, source_port, siblings: &siblings, attempt_ms: Some(attempt_ms), in_row: false };
        attempts.push(share.attempt(wanted).await);
    }
    attempts
}

fn is_at_responder(experiment: Experiment) -> bool {
    matches!(experiment, Experiment::Responder | Experiment::NameAtResponder)
}

/// Returns other usual ports of the same address.
fn other_doors(address: SocketAddr) -> Vec<SocketAddr> {
    [443, 80].into_iter().filter(|port| *port != address.port()).map(|port| SocketAddr::new(address.ip(), port)).collect()
}

/// What cuts off whoever it remembers is outlasted by eight controls so far apart, if it forgets within seconds; all at once they are cut off together.
const WHILE_REMEMBERED: Duration = Duration::from_secs(1);
/// What comes of the first list may call for a second one, and a mixture that shows late for another beside; hardly for more.
const MOST_LISTS: usize = 3;
