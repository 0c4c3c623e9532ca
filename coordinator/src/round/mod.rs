//! Rounds: opened once, filled by ingest, explained by follow-ups, closed with a verdict.

mod again;
mod close;
mod drive;
mod ingest;
mod late;
mod live;
mod open;
mod share;

pub(crate) use again::{Again, Recorded, rejudge};
pub(crate) use ingest::{Expected, admit, share_done, store};
pub(crate) use late::sweep;
pub(crate) use live::{Event, Live, Rounds};
pub(crate) use open::{open_adhoc, open_scheduled, resume, see_to};
