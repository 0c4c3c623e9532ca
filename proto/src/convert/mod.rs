//! The single door between wire and words.
//!
//! A word becomes a message by `v1::X::from(&word)`, which never fails: lists and texts beyond the bounds here are cut by the sender. A message
//! becomes a word by `Word::try_from(message)`, which refuses what is missing, out of range, beyond the bounds or unknown to this build, and names the field.

mod address;
mod assignment;
mod attempt;
mod audit;
mod bounds;
mod check;
mod dns;
mod error;
mod http;
mod id;
mod path;
mod quic;
mod server_log;
mod starttls;
mod tcp;
mod tls;
mod vantage;
mod witness;

pub use attempt::attempt_from;
pub use bounds::{MAX_DIGEST_BYTES, MAX_ENTRIES, MAX_TEXT_BYTES};
pub use check::check_from_operator;
pub use error::{ConvertError, Reason, required};
pub use id::{attempt_id, boot_id, check_id, round_id};
pub use vantage::ListedVantage;
