//! The operator's command line.
//!
//! [`args`] are its words, [`commands`] has one file per noun, [`client`] is the one connection to the coordinator, [`config`] says which one,
//! [`render`] is the only place that prints, and [`exit`] holds the codes that scripts read.

pub mod args;
pub mod client;
pub mod commands;
pub mod config;
pub mod exit;
pub mod render;
