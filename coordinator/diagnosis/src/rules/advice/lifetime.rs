use parallax_model::verdict::Cause;

use super::{Hint, Served, expiring::DAY_US};

/// The lifetime exceeds Apple's limit for every authority, or that of the CA/Browser Forum for public ones at the time of its beginning.
pub(super) fn test(served: &Served<'_, '_>) -> Option<Hint> {
    let leaf = served.leaf()?;
    let begin = leaf.not_before.as_micros();
    let days = leaf.not_after.micros_since(leaf.not_before) / DAY_US;
    let public = PUBLIC_LIMITS.iter().rev().find(|(since, _)| begin >= since * DAY_US).map(|(_, limit)| *limit);
    let limit = public.filter(|_| served.judgement().publicly).unwrap_or(APPLE_LIMIT);
    (days > limit).then(|| Hint {
        cause: Cause::ServerCertificateLifetime,
        rule: "dates",
        text: format!("the certificate for {} is valid for {days} days, and clients that hold to the limit accept {limit}", leaf.shown_names()),
        counter: Cause::ServerCertificateUntrusted,
        next: "try with the clients that matter: Safari refuses what others take",
    })
}

const APPLE_LIMIT: i64 = 825;
/// Days since 1970-01-01 at which a limit begins (2020-09-01, 2026-03-15, 2027-03-15, 2029-03-15; CA/Browser Forum SC-081), and the limit in days.
const PUBLIC_LIMITS: [(i64, i64); 4] = [(18_506, 398), (20_527, 200), (20_892, 100), (21_623, 47)];
