//! The handshake: what is sent, what comes back, as facts.

mod answer;
mod craft;
mod exchange;
mod full;
mod recorder;
mod refusal;
mod renegotiate;
mod resume;
mod template;

pub(crate) use craft::{craft, imitate, public_key, random};
pub(crate) use exchange::{Exchange, Noted};
pub(crate) use full::{Channel, Parts, ReadEnd, Session, handshake, session};
pub(crate) use recorder::Seen;
pub(crate) use renegotiate::{Renegotiable, Said};
pub(crate) use resume::Resumable;

pub(crate) use answer::{answer, ask, assemble};
