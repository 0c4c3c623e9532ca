//! The agent at a vantage.

mod args;
mod config;
mod files;
mod fleet_clock;
mod guard;
mod identity;
mod memory;
mod schedule;
mod session;
mod spool;
mod telemetry;
#[cfg(test)]
mod testing;
mod vantage;
