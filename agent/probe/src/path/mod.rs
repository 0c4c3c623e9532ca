//! Whose packets arrive, and where they stop.

mod authorship;
mod hops;
mod search;

pub(crate) use authorship::reply_ttl;
pub(crate) use hops::{hello_walk, syn_walk};
