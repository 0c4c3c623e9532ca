//! How many vantages may look at one target at the same time, over the whole fleet and all rounds.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use parallax_model::target::Target;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Shares in flight per target, counted where shares are pushed.
#[derive(Debug, Default)]
pub(crate) struct TargetCaps {
    targets: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl TargetCaps {
    /// Waits for a place among the shares that are in flight to this target.
    pub(crate) async fn place(&self, target: &Target) -> OwnedSemaphorePermit {
        let semaphore = {
            let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
            targets.retain(|_, semaphore| Arc::strong_count(semaphore) > 1 || semaphore.available_permits() < SHARES_IN_FLIGHT);
            Arc::clone(targets.entry(target.authority()).or_insert_with(|| Arc::new(Semaphore::new(SHARES_IN_FLIGHT))))
        };
        semaphore.acquire_owned().await.expect("the semaphore is never closed")
    }
}

/// Enough for every fleet of ordinary size to start together; a larger one comes in waves.
const SHARES_IN_FLIGHT: usize = 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_target_is_not_looked_at_by_everybody_at_once() {
        let caps = TargetCaps::default();
        let target: Target = "a.test".parse().unwrap();
        let mut places = Vec::new();
        for _ in 0..SHARES_IN_FLIGHT {
            places.push(caps.place(&target).await);
        }
        let soon = Duration::from_millis(10);
        assert!(tokio::time::timeout(soon, caps.place(&target)).await.is_err());
        assert!(tokio::time::timeout(soon, caps.place(&"b.test".parse().unwrap())).await.is_ok());
        places.pop();
        assert!(tokio::time::timeout(soon, caps.place(&target)).await.is_ok());
    }
}
