use parallax_model::verdict::Cause;

use super::{Hint, Served};

/// Less than a tenth of the lifetime is left, and less than thirty days: renewal comes earlier where it works by itself.
pub(super) fn test(served: &Served<'_, '_>) -> Option<Hint> {
    let leaf = served.leaf()?;
    let left = leaf.not_after.micros_since(served.scene.now);
    let lifetime = leaf.not_after.micros_since(leaf.not_before);
    (left < lifetime / 10 && left < 30 * DAY_US).then(|| Hint {
        cause: Cause::ServerCertificateExpiring,
        rule: "dates",
        text: format!("the certificate for {} ends on {}, {} days from now", leaf.shown_names(), leaf.not_after, left / DAY_US),
        counter: Cause::ServerCertificateRollout,
        next: "look again after the next renewal",
    })
}

pub(super) const DAY_US: i64 = 86_400_000_000;
