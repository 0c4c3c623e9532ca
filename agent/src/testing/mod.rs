//! Helpers of the crate's own tests.

pub(crate) mod fleet;
