//! Userspace devices of the lab: what firewall rules cannot do, and a client that sees what happens on the wire.

pub mod client;
pub mod defect;
pub mod front;
pub mod inject;
pub mod intercept;
pub mod measure;
pub mod outrun;
pub mod queue;
pub mod quic;
pub mod relic;
pub mod tcp_info;
pub mod wire;
