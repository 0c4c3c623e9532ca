use std::collections::BTreeSet;

use parallax_model::verdict::Cause;

use super::{Hint, Served};

/// Every answer over the authenticated stream is dated minutes before or after the round (RFC 9110 section 6.6.1), to two groups or more.
pub(super) fn test(served: &Served<'_, '_>) -> Option<Hint> {
    let scene = served.scene;
    let round = scene.round.started_at;
    let dated = |look: &crate::cell::Look<'_>| {
        let http = look.attempt.facts.http.as_ref()?;
        Some(http.date?.micros_since(round) / 1_000_000 + i64::from(http.age_seconds.unwrap_or(0)))
    };
    let seen: Vec<(usize, i64)> = served.seen.iter().filter_map(|(seat, look)| Some((*seat, dated(look)?))).collect();
    let seats: Vec<usize> = seen.iter().map(|(seat, _)| *seat).collect::<BTreeSet<usize>>().into_iter().collect();
    let (least, most) = (seen.iter().map(|(_, late)| *late).min()?, seen.iter().map(|(_, late)| *late).max()?);
    let is_wrong = (least > MOST_SECONDS || most < -MOST_SECONDS) && most - least < MOST_SECONDS;
    (is_wrong && scene.count_groups(&seats) > 1).then(|| Hint {
        cause: Cause::ServerClock,
        rule: "date",
        text: format!("the server's clock is {}: it dates its answers so", in_words(least.midpoint(most))),
        counter: Cause::VantageClock,
        next: "look at the clock of the server and of what caches before it (timedatectl, chronyc tracking)",
    })
}

fn in_words(late_seconds: i64) -> String {
    let direction = if late_seconds > 0 { "ahead" } else { "behind" };
    match late_seconds.unsigned_abs() / 60 {
        minutes @ ..120 => format!("{minutes} minutes {direction}"),
        minutes @ ..2_880 => format!("{} hours {direction}", (minutes + 30) / 60),
        minutes => format!("{} days {direction}", (minutes + 720) / 1_440),
    }
}

/// More than a round takes, and more than a client's clock may be off for what depends on time.
const MOST_SECONDS: i64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_the_unit_that_a_person_would_take() {
        assert_eq!(in_words(-420), "7 minutes behind");
        assert_eq!(in_words(-10_790), "3 hours behind");
        assert_eq!(in_words(31 * 86_400), "31 days ahead");
    }
}
