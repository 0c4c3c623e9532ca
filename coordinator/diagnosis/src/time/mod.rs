//! Many rounds of one check: which cells and findings hold over time, what belongs to one event, and what changed when it began.
//!
//! [`Fold`] reads verdicts in the order of their rounds and is never told to forget: a late result is folded in by folding again, so that the history has one
//! order and the incidents follow from the verdicts alone. Nothing is stored beside them: what survives retention, a restart or a further revision is what the
//! kept verdicts say, and rules that grow say it anew.
//!
//! | module | question |
//! |---|---|
//! | `cell` | does this cell pass, fail, or come and go? |
//! | `track` | is this finding the same event as the round before, and is it over? |
//! | `place` | do two findings speak of the same place? |
//! | `change` | what was different against the last good round? |
//! | `gap` | who was not heard, and how long? |
//! | `rollout` | does a new certificate take over, and does it finish? |
//! | `news` | which incidents opened, were confirmed and ended? |
//! | `difference` | what differs between two windows? |

mod cell;
mod change;
mod difference;
mod fold;
mod gap;
mod news;
mod place;
mod rollout;
mod snapshot;
#[cfg(test)]
mod tests;
mod track;

pub use difference::difference;
pub use fold::Fold;
pub use news::news;
