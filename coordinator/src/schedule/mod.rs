//! The schedule: which vantages hold which checks, when rounds start, and what is ordered when a round wants more.

mod assignments;
mod cadence;
pub(crate) mod followup;
mod plan;
mod planner;
mod rounds;

pub(crate) use assignments::send_assignments;
pub(crate) use cadence::{next_start, start_of};
pub(crate) use plan::eligible;
pub(crate) use planner::{Planner, keep_planned, replan};
pub(crate) use rounds::keep_opening;
