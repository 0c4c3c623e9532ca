use parallax_model::verdict::{Cause, Tier};

use super::Report;
use crate::{draft::Draft, scene::Scene};

/// G2: a clock that is off is the vantage's own trouble; what it saw is scored all the same, since dates are judged by the coordinator's clock.
pub(super) fn run(scene: &mut Scene<'_>, report: &mut Report) {
    for seat in 0..scene.seats.len() {
        let Some(offset_ms) = offset_ms(scene, seat).filter(|offset| offset.abs() > MAX_OFFSET_MS) else { continue };
        let seconds = offset_ms.abs() / 1_000;
        let shown = if seconds >= 172_800 { format!("{} days", seconds / 86_400) } else { format!("{seconds} seconds") };
        let direction = if offset_ms > 0 { "ahead of" } else { "behind" };
        let text =
            format!("the clock of {} is {shown} {direction} the coordinator's; certificates were judged by the coordinator's clock", scene.seats[seat].name);
        report.findings.push(Draft::of_vantage(Cause::VantageClock, Tier::Confirmed, seat).because("clock-offset", text, &[]));
        scene.health[seat].noted.get_or_insert(Cause::VantageClock);
    }
}

fn offset_ms(scene: &Scene<'_>, seat: usize) -> Option<i64> {
    let of_session = scene.seats[seat].view.clock_offset_ms;
    of_session.or_else(|| {
        let own = scene.round.attempts.iter().filter(|attempt| attempt.vantage == scene.seats[seat].view.name);
        own.filter_map(|attempt| attempt.clock_offset_us).next_back().map(|micros| micros / 1_000)
    })
}

/// Two minutes, as methods G2 says.
const MAX_OFFSET_MS: i64 = 120_000;
