//! Experiments that explain a failure: the coordinator's tasks, and the agent's own at once while the fault is still there.

use std::{collections::BTreeMap, net::SocketAddr, rc::Rc};

use parallax_model::{
    assignment::{Experiment, Task},
    profile::Profile,
};
use tokio::task::JoinSet;

use super::{
    look::Look,
    row::{Row, gate_addresses, resolve},
    share::{Share, Try},
};

/// Runs the coordinator's tasks: side by side at different addresses, one after the other at the same one.
pub(super) async fn run<L: Look>(share: &Rc<Share<L>>, tasks: &[Task]) {
    let mut by_address: BTreeMap<SocketAddr, Vec<Task>> = BTreeMap::new();
    let mut resolved = None;
    for task in tasks {
        if task.experiment == Experiment::Resolve {
            for _ in 0..task.repeat.max(1) {
                share.resolve(&task.profile).await;
            }
            continue;
        }
        let addresses = match task.address {
            Some(address) => vec![address],
            None if is_at_responder(task.experiment) => gate_addresses(&share.tools.responders.read().expect("no code panics while it holds this lock")),
            None => {
                if resolved.is_none() {
                    resolved = Some(resolve(share).await);
                }
                resolved.clone().unwrap_or_default()
            }
        };
        for address in addresses {
            by_address.entry(address).or_default().push(task.clone());
        }
    }
    let mut lines = JoinSet::new();
    for (address, tasks) in by_address {
        lines.spawn_local(at_address(Rc::clone(share), address, tasks));
    }
    lines.join_all().await;
}

async fn at_address<L: Look>(share: Rc<Share<L>>, address: SocketAddr, tasks: Vec<Task>) {
    for task in tasks {
        // A name that only a newer coordinator knows was refused with the message; every other is built in.
        let Some(profile) = Profile::builtin(task.profile.as_str()) else { continue };
        for _ in 0..task.repeat.max(1) {
            share.attempt(Try { profile: &profile, experiment: task.experiment, address, source_port: None, siblings: &[] }).await;
        }
    }
}

fn is_at_responder(experiment: Experiment) -> bool {
    matches!(experiment, Experiment::Responder | Experiment::NameAtResponder)
}

/// Starts the experiments that explain what failed, within the round's budget.
pub(super) async fn explain<L: Look>(_share: &Rc<Share<L>>, _row: &Row) {}
