//! The agent at a vantage.

mod files;
mod fleet_clock;
mod guard;
mod session {
    mod backoff;
}
mod spool;
