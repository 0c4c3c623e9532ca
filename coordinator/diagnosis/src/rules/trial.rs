//! What became of one hypothesis where it was tried.

use parallax_model::verdict::{Cause, Tier};

use super::Hypothesis;
use crate::{draft::Draft, suspicion::Suspicion};

/// One hypothesis, tried for some seats that fail at one place with one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trial {
    pub(crate) cause: Cause,
    pub(crate) requires: &'static str,
    pub(crate) excluded_by: &'static str,
    pub(crate) counter: Cause,
    pub(crate) next: &'static str,
    pub(crate) seats: Vec<usize>,
    pub(crate) place: usize,
    pub(crate) profile: usize,
    /// How strongly it held; none when it did not.
    pub(crate) held: Option<Tier>,
}

impl Trial {
    pub(super) fn of(hypothesis: &Hypothesis, suspicion: &Suspicion<'_, '_>, seats: &[usize], found: Option<&Draft>) -> Self {
        let &Hypothesis { cause, requires, excluded_by, counter, next, .. } = hypothesis;
        let held = found.map(|draft| draft.tier);
        Self { cause, requires, excluded_by, counter, next, seats: seats.to_vec(), place: suspicion.place, profile: suspicion.profile, held }
    }
}
