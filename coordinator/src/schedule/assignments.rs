//! What one agent is told to do by itself: the whole set, signed, sent when it changed.

use parallax_model::id::VantageName;
use parallax_proto::{
    v1::{AssignmentSet, ScheduledCheck, SignedAssignments, session_response::Message},
    wire,
};
use tracing::error;

use super::planner::Plan;
use crate::{app::App, fleet::told_to, pki::sha256};

/// Sends a vantage its assignments when they differ from what it was sent last, or always when `anew`.
pub(crate) fn send_assignments(app: &App, name: &VantageName, anew: bool) {
    let plan = app.plan.snapshot();
    let mut set = assignment_set(&plan, name);
    set.responders = told_to(name, &app.own_responder, &app.fleet.responders()).iter().map(Into::into).collect();
    let digest = sha256(&wire::encode(&set));
    let known = app.fleet.with(name, |link| link.assigned.replace(digest)).flatten();
    if known == Some(digest) && !anew {
        return;
    }
    set.revision = plan.revision;
    let assignment_set = wire::encode(&set);
    match app.assignment_key.sign(&assignment_set) {
        Ok(signature) => drop(app.fleet.send(name, Message::Assignments(SignedAssignments { assignment_set, signature }))),
        Err(failure) => error!(error = &failure as &dyn std::error::Error, "assignments could not be signed"),
    }
}

fn assignment_set(plan: &Plan, name: &VantageName) -> AssignmentSet {
    let held = plan.checks.iter().filter_map(|planned| {
        let rank = planned.vantages.iter().position(|vantage| vantage == name)?;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Some(ScheduledCheck { check: Some((&planned.check).into()), rank: number(rank), vantages: number(planned.vantages.len()) })
    });
    AssignmentSet { revision: 0, checks: held.collect(), responders: Vec::new(), vantage: name.to_string() }
}

#[cfg(test)]
mod tests {
    use parallax_model::{check::Check, clock::Timestamp};

    use super::{super::planner::Planned, *};

    #[test]
    fn a_vantage_is_told_its_checks_and_its_rank_in_each() {
        let check = |name: &str| Check { name: Some(name.parse().unwrap()), ..Check::once("x.test".parse().unwrap(), Timestamp::default()) };
        let names = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let checks = vec![Planned { check: check("one"), vantages: names(&["a", "b", "c"]) }, Planned { check: check("two"), vantages: names(&["a"]) }];
        let set = assignment_set(&Plan { checks, ..Plan::default() }, &"b".parse().unwrap());
        assert_eq!(set.vantage, "b");
        assert_eq!(set.checks.iter().map(|held| (held.rank, held.vantages)).collect::<Vec<_>>(), [(1, 3)]);
    }
}
