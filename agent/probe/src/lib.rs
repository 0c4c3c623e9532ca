//! The probe engine: one attempt in, facts out. No meaning, no gRPC, no policy.
//!
//! | module | what it does |
//! |---|---|
//! | [`plan`] | what one attempt shall do, and which server name an experiment carries |
//! | [`net`] | connections and their socket options, of this host or scripted |
//! | [`dns`] | a name's addresses, with every answer as it came |
//! | [`starttls`] | what a mail, directory, chat or database server wants said before TLS |
//! | `tcp`, `tls`, `http` | the stages of a handshake: connect, ClientHello and answer, one request |
//! | `audit` | everything that a server can do, by many small hellos: one file per question |
//! | `quic` | versions and a handshake over UDP |
//! | `path` | whose packets arrive (`authorship`) and where they stop (`hops`) |
//! | [`messages`] | the readers of single messages, for fuzzing |
//! | [`followup`] | which experiments explain a failure, in which order |
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use parallax_model::{assignment::Experiment, check::Limits, profile::Profile};
//! use parallax_probe::{AuditManners, Plan, SystemNet};
//! let plan = Plan {
//!     target: "shop.example:443".parse()?,
//!     profile: Profile::builtin("modern").ok_or("no such profile")?,
//!     experiment: Experiment::Baseline,
//!     address: "192.0.2.7:443".parse()?,
//!     server_name: Some("shop.example".to_owned()),
//!     limits: Limits::default(),
//!     source_port: None,
//!     http: true,
//!     pinned_responder: false,
//!     siblings: Vec::new(),
//!     manners: AuditManners::default(),
//! };
//! let facts = parallax_probe::run(&plan, &SystemNet).await;
//! # let _ = facts; Ok(())
//! # }
//! ```

mod audit;
mod body;
mod capture;
pub mod dns;
pub mod followup;
mod http;
pub mod messages;
pub mod net;
mod path;
pub mod plan;
mod quic;
mod run;
pub mod starttls;
mod tcp;
mod tls;

pub use dns::{Resolver, resolve};

pub use followup::{FollowUp, MOST_CONNECTIONS, RowSoFar, SOURCE_PORTS, drill_down, is_worth_it, wavers};
pub use net::{Net, SystemNet};
pub use plan::{AuditManners, Plan, control_name, server_name_for};
pub use run::run;

#[cfg(test)]
mod tests;
