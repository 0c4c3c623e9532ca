//! The control endpoint: answers any server name with a key that the fleet knows, and tells the prober what arrived of its ClientHello.
//!
//! A vantage that reaches a responder and finds the known key behind it has shown that its own host and network are fine.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{path::Path, sync::Arc};
//! let identity = Arc::new(parallax_responder::Identity::load_or_create(Path::new("/var/lib/parallax"))?);
//! let listener = tokio::net::TcpListener::bind("[::]:7444").await?;
//! parallax_responder::serve(listener, identity, std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod connection;
mod hello;
mod identity;
#[cfg(test)]
mod loopback_tests;
mod serve;

pub use hello::{HelloReader, MAX_HELLO_BYTES, Progress};
pub use identity::{Identity, IdentityError};
pub use serve::serve;
