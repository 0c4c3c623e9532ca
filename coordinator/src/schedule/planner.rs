//! The plan that is in force: recomputed when checks or vantages change, and handed to the agents that it concerns.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use parallax_model::{
    check::Check,
    id::{CheckId, VantageName},
    vantage::Vantage,
};
use parallax_store::StoreError;
use tokio::sync::Notify;
use tracing::error;

use super::{assignments::send_assignments, plan::eligible};
use crate::app::App;

/// Holds the plan that is in force.
#[derive(Debug, Default)]
pub(crate) struct Planner {
    plan: ArcSwap<Plan>,
    stale: Notify,
}

/// Scheduled checks with the vantages that hold them.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Grows with every plan, over restarts too.
    pub(crate) revision: u64,
    /// Every scheduled check.
    pub(crate) checks: Vec<Planned>,
    /// Every vantage.
    pub(crate) vantages: BTreeMap<VantageName, Vantage>,
}

/// One scheduled check.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The check.
    pub(crate) check: Check,
    /// Who holds it, by name.
    pub(crate) vantages: Vec<VantageName>,
}

impl Plan {
    /// Returns a scheduled check.
    pub(crate) fn check(&self, id: CheckId) -> Option<&Planned> {
        self.checks.iter().find(|planned| planned.check.id == id)
    }

    /// Returns the vantages of a check with all that is known of them.
    pub(crate) fn members(&self, planned: &Planned) -> Vec<Vantage> {
        planned.vantages.iter().filter_map(|name| self.vantages.get(name)).cloned().collect()
    }
}

impl Planner {
    /// Returns the plan that is in force.
    pub(crate) fn snapshot(&self) -> Arc<Plan> {
        self.plan.load_full()
    }

    /// Says that checks or vantages changed; the plan follows within a moment.
    pub(crate) fn invalidate(&self) {
        self.stale.notify_one();
    }
}

/// Recomputes the plan whenever something changed, until the coordinator stops.
pub(crate) async fn keep_planned(app: Arc<App>) {
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = app.plan.stale.notified() => {}
        }
        if let Err(failure) = replan(&app).await {
            error!(error = &failure as &dyn std::error::Error, "the schedule could not be recomputed; it is tried again");
            app.plan.invalidate();
        }
        // Many changes at once, such as a whole fleet that joins, make few plans.
        if app.pause(SETTLE).await {
            return;
        }
    }
}

/// Recomputes the plan from the store, and sends assignments to the connected agents whose set changed.
pub(crate) async fn replan(app: &Arc<App>) -> Result<(), StoreError> {
    let vantages = app.store.vantages().await?;
    let checks = app.store.checks().await?;
    let nobody = BTreeSet::new();
    let planned = |check: Check| {
        let names = eligible(&check, &vantages, &nobody).into_iter().map(|vantage| vantage.name.clone()).collect();
        Planned { check, vantages: names }
    };
    let checks = checks.into_iter().filter(|check| check.name.is_some()).map(planned).collect();
    let moment = u64::try_from(app.clock.now().as_micros()).unwrap_or(0);
    let revision = moment.max(app.plan.snapshot().revision + 1);
    app.plan.plan.store(Arc::new(Plan { revision, checks, vantages: vantages.into_iter().map(|vantage| (vantage.name.clone(), vantage)).collect() }));
    app.fleet.online().iter().for_each(|name| send_assignments(app, name, false));
    Ok(())
}

const SETTLE: Duration = Duration::from_millis(50);
