//! What every verb is handed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parallax_diagnosis::Trust;
use parallax_model::{
    clock::{Clock, Timestamp},
    id::VantageName,
};
use parallax_store::{AuditEntry, Store};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::error;

use crate::{
    bus::Bus,
    fleet::{Advertised, Fleet, TargetCaps},
    incidents::Incidents,
    pki::{AssignmentKey, Authority},
    round::Rounds,
    schedule::Planner,
    telemetry::Counters,
};

/// The coordinator's parts; verbs live in their own files and take it by reference.
pub(crate) struct App {
    /// The coordinator's time.
    pub(crate) clock: Arc<dyn Clock>,
    /// What is kept.
    pub(crate) store: Arc<dyn Store>,
    /// The fleet's certificate authority.
    pub(crate) authority: Authority,
    /// The key that signs assignments.
    pub(crate) assignment_key: AssignmentKey,
    /// Who is connected.
    pub(crate) fleet: Fleet,
    /// How many vantages may look at one target at once.
    pub(crate) caps: TargetCaps,
    /// What is under way.
    pub(crate) rounds: Rounds,
    /// Who holds which checks.
    pub(crate) plan: Planner,
    /// What many rounds say together.
    pub(crate) incidents: Incidents,
    /// News of verdicts.
    pub(crate) bus: Bus,
    /// Numbers.
    pub(crate) counters: Counters,
    /// The roots by which certificates are judged.
    pub(crate) trust: Arc<Trust>,
    /// How others reach this coordinator, `HOST:PORT`, best first.
    pub(crate) coordinators: Vec<String>,
    /// The coordinator's own responders.
    pub(crate) own_responder: Advertised,
    /// How long an agent's certificate is valid.
    pub(crate) certificate_life: Duration,
    /// Says that the coordinator stops.
    pub(crate) stopping: CancellationToken,
    /// Everything that runs beside the services and has to end before the store is closed.
    pub(crate) tasks: TaskTracker,
    /// When it started.
    pub(crate) started: Instant,
}

impl App {
    /// Waits, or returns `true` at once when the coordinator stops.
    pub(crate) async fn pause(&self, span: Duration) -> bool {
        tokio::time::timeout(span, self.stopping.cancelled()).await.is_ok()
    }

    /// Tells whether a vantage is connected or may come back any moment: agents reconnect within seconds, and after a start of the coordinator all of them do.
    pub(crate) fn is_near(&self, vantage: &VantageName) -> bool {
        self.fleet.is_near(vantage, RECONNECT) || self.started.elapsed() < RECONNECT
    }

    /// Returns the present instant.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Writes a line of the audit log; a failure to do so is logged and does not undo what was done.
    pub(crate) async fn audit(&self, actor: &str, action: &str, object: &str, detail: String) {
        let entry = AuditEntry { at: self.now(), actor: actor.to_owned(), action: action.to_owned(), object: object.to_owned(), detail };
        if let Err(failure) = self.store.audit(&entry).await {
            error!(error = &failure as &dyn std::error::Error, audit.action = action, "the audit log could not be written");
        }
    }
}

const RECONNECT: Duration = Duration::from_secs(5);
