//! Every word survives the wire, and nothing that arrives over it can do harm.
#![expect(clippy::unwrap_used, reason = "tests may unwrap")]

mod audit;
mod corpus;
mod facts;
mod hostile;
mod round_trip;
mod typical;
mod witness;
mod words;
