//! From what the diagnosis wants to what vantages are ordered: pure, nothing twice, nothing that an agent has not said it can do.

use std::collections::BTreeSet;

use parallax_diagnosis::Wanted;
use parallax_model::{
    assignment::{Experiment, Task},
    id::VantageName,
};

/// Follow-up work for one vantage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Who.
    pub(crate) vantage: VantageName,
    /// What.
    pub(crate) tasks: Vec<Task>,
    /// Why.
    pub(crate) why: String,
}

impl Order {
    /// Says what is ordered, for those who watch the round.
    pub(crate) fn sentence(&self) -> String {
        let mut experiments: Vec<&str> = self.tasks.iter().map(|task| task.experiment.as_str()).collect();
        experiments.sort_unstable();
        experiments.dedup();
        format!("{}: {} ({})", self.vantage, experiments.join(", "), self.why)
    }
}

/// Turns wishes into orders for the vantages that are connected and able; `ordered` remembers what was ordered before in this round.
pub(crate) fn orders(
    wanted: &[Wanted],
    ordered: &mut BTreeSet<(VantageName, Experiment, String)>,
    capabilities: impl Fn(&VantageName) -> Option<Vec<String>>,
) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    for wish in wanted {
        let Some(able) = capabilities(&wish.vantage) else { continue };
        let can = |experiment: Experiment| PLAIN.contains(&experiment) || able.iter().any(|name| name == experiment.as_str());
        let fresh =
            |task: &&Task| can(task.experiment) && ordered.insert((wish.vantage.clone(), task.experiment, format!("{} {:?}", task.profile, task.address)));
        let tasks: Vec<Task> = wish.tasks.iter().filter(fresh).cloned().collect();
        match orders.iter_mut().find(|order| order.vantage == wish.vantage) {
            _ if tasks.is_empty() => {}
            Some(order) => order.tasks.extend(tasks),
            None => orders.push(Order { vantage: wish.vantage.clone(), tasks, why: wish.why.clone() }),
        }
    }
    orders
}

/// What every agent can do.
const PLAIN: [Experiment; 2] = [Experiment::Baseline, Experiment::Resolve];

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(vantage: &str, experiments: &[Experiment]) -> Wanted {
        let task =
            |experiment: &Experiment| Task { profile: "modern".parse().unwrap(), experiment: *experiment, address: None, repeat: 2, sources: Vec::new() };
        Wanted { vantage: vantage.parse().unwrap(), tasks: experiments.iter().map(task).collect(), why: "to compare".into() }
    }

    #[test]
    fn only_what_is_new_and_possible_is_ordered() {
        let mut ordered = BTreeSet::new();
        let able = |vantage: &VantageName| (vantage.as_str() != "gone").then(|| vec!["control-name".to_owned()]);
        let wishes = [
            wish("a", &[Experiment::Baseline, Experiment::ControlName, Experiment::HelloWalk]),
            wish("a", &[Experiment::ControlName]),
            wish("gone", &[Experiment::Baseline]),
        ];
        let first = orders(&wishes, &mut ordered, able);
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].sentence(), "a: baseline, control-name (to compare)");
        assert!(orders(&wishes, &mut ordered, able).is_empty());
    }
}
