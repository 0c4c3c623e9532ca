//! One vantage's share of a round: pushed to the agent, then waited for.

use std::time::Duration;

use parallax_model::{
    assignment::{Assignment, Work},
    clock::Timestamp,
    id::VantageName,
};
use parallax_proto::v1::{CancelTask, RunTask, session_response::Message};

use super::live::Live;
use crate::app::App;

/// Pushes a share and returns when the agent has reported it, is gone, or the round was called off.
pub(super) async fn push(app: &App, live: &Live, vantage: &VantageName, work: Work, deadline: Timestamp) {
    let follow_up = matches!(work, Work::FollowUp(_));
    let _place = app.caps.place(&live.check.target).await;
    if follow_up {
        live.follow_up_due(vantage);
    }
    let assignment = Assignment { round: live.id, check: live.check.clone(), start: live.start, deadline, live: live.adhoc, work };
    if app.fleet.send(vantage, Message::RunTask(RunTask { assignment: Some((&assignment).into()) })) {
        await_done(app, live, vantage, follow_up).await;
    }
}

/// Waits until a share is reported, its agent is gone for good, or the round was called off.
pub(super) async fn await_done(app: &App, live: &Live, vantage: &VantageName, follow_up: bool) {
    let mut changes = live.changes();
    while !live.is_done(vantage, follow_up) && app.is_near(vantage) {
        tokio::select! {
            _ = changes.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            () = live.cancelled.cancelled() => {
                app.fleet.send(vantage, Message::CancelTask(CancelTask { round_id: live.id.0.as_bytes().to_vec() }));
                return;
            }
        }
    }
}

const LOOK_AGAIN: Duration = Duration::from_millis(500);
