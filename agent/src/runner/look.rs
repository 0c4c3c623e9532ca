//! The seam to the probe engine: one attempt, one lookup.

use std::time::Duration;

use parallax_model::{
    facts::{DnsFacts, Facts},
    target::Target,
};
use parallax_probe::{Plan, Resolver, SystemNet};

/// Looks at targets. Everything runs on the agent's one thread.
pub(crate) trait Look: 'static {
    /// Asks a resolver for the target's name, or takes its literal address.
    async fn resolve(&self, target: &Target, resolver: &Resolver, limit: Duration) -> DnsFacts;

    /// Makes one attempt.
    async fn run(&self, plan: &Plan) -> Facts;
}

/// Looks from this host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemLook;

impl Look for SystemLook {
    async fn resolve(&self, target: &Target, resolver: &Resolver, limit: Duration) -> DnsFacts {
        parallax_probe::resolve(target, resolver, limit).await
    }

    async fn run(&self, plan: &Plan) -> Facts {
        parallax_probe::run(plan, &SystemNet).await
    }
}
