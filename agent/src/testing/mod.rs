//! Helpers of the crate's own tests.

pub(crate) mod coordinator;
pub(crate) mod fleet;
