//! What a round means: pure functions from facts to a verdict.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod trust;
mod view;
mod wanted;

use parallax_model::{
    clock::Timestamp,
    verdict::{Participation, Verdict},
};
pub use trust::Trust;
pub use view::{History, RoundView, VantageView};
pub use wanted::{Wanted, wanted};

/// The version of the rules; stored with every verdict, so that history can be judged again when it grows.
pub const RULES: &str = "1";

/// Computes what a round means.
pub fn judge(round: &RoundView, _history: &History, _trust: &Trust, now: Timestamp) -> Verdict {
    Verdict {
        api_version: Verdict::API_VERSION.to_owned(),
        kind: Verdict::KIND.to_owned(),
        target: round.check.target.authority(),
        check: round.check.name.as_ref().map(ToString::to_string),
        round: round.round,
        revision: 1,
        rules: RULES.to_owned(),
        started_at: round.started_at,
        closed_at: now,
        headline: String::new(),
        healthy: false,
        vantages: Participation::default(),
        findings: Vec::new(),
        matrix: Vec::new(),
    }
}
