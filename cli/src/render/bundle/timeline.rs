//! The attempts in time: a lane per vantage, a bar per attempt.

use maud::{Markup, html};
use parallax_model::attempt::Attempt;

use super::Case;
use crate::render::facts;

const LEFT: f64 = 110.0;
const WIDTH: f64 = 980.0;
const ROW: f64 = 15.0;

/// Draws the time line.
pub(super) fn draw(case: &Case<'_>) -> Markup {
    let Some(first) = case.attempts.first() else { return html! { p.dim { "No attempt is kept." } } };
    let start = first.started_at;
    let offset = |attempt: &Attempt| attempt.started_at.micros_since(start).max(0) as f64;
    let span = case.attempts.iter().map(|attempt| offset(attempt) + attempt.elapsed_us as f64).fold(1.0, f64::max);
    let scale = (WIDTH - LEFT - 10.0) / span;
    let mut names: Vec<&str> = case.attempts.iter().map(|attempt| attempt.vantage.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let (mut y, mut lanes) = (24.0, Vec::new());
    for name in names {
        let mut ends: Vec<f64> = Vec::new();
        let mut bars = Vec::new();
        for attempt in case.attempts.iter().filter(|attempt| attempt.vantage.as_str() == name) {
            let x = LEFT + offset(attempt) * scale;
            let width = (attempt.elapsed_us as f64 * scale).max(3.0);
            let row = ends.iter().position(|end| *end < x).unwrap_or(ends.len());
            if row == ends.len() {
                ends.push(0.0);
            }
            ends[row] = x + width + 1.0;
            bars.push((*attempt, x, width, y + row as f64 * ROW));
        }
        lanes.push((name, y, bars));
        y += ends.len().max(1) as f64 * ROW + 12.0;
    }
    let (step, digits) = ticks(span / 1e6);
    let last = (span / 1e6 / step).floor() as u32;
    html! {
        p.dim { "A bar per attempt. 0 s is " (start.to_jiff().strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()) ". The numbers are those of the list of all attempts." }
        p.legend {
            span.key.okbar {} " passed  " span.key.badbar {} " failed  " span.key.otherbar {} " not tried to its end"
        }
        div.scroll { svg.time viewBox=(format!("0 0 {WIDTH} {}", y + 4.0)) role="img" aria-label="time line of the attempts" {
            @for tick in 0..=last {
                @let seconds = f64::from(tick) * step;
                @let x = LEFT + seconds * 1e6 * scale;
                line.axis x1=(px(x)) x2=(px(x)) y1="16" y2=(px(y)) {}
                text.dim x=(px(x)) y="11" text-anchor=(if tick == 0 { "start" } else if x > WIDTH - 40.0 { "end" } else { "middle" }) { (format!("{seconds:.digits$} s")) }
            }
            @for (name, top, bars) in &lanes {
                text x="2" y=(px(top + 11.0)) { (name) }
                @for (attempt, x, width, at) in bars { (bar(case, attempt, *x, *width, *at)) }
            }
        } }
    }
}

/// Returns the distance of the ticks over a span in seconds, and the digits behind the point that it takes to write them.
fn ticks(span: f64) -> (f64, usize) {
    const STEPS: [(f64, usize); 14] =
        [(0.01, 2), (0.02, 2), (0.05, 2), (0.1, 1), (0.2, 1), (0.5, 1), (1.0, 0), (2.0, 0), (5.0, 0), (10.0, 0), (30.0, 0), (60.0, 0), (300.0, 0), (600.0, 0)];
    const MOST: f64 = 7.0;
    STEPS.into_iter().find(|(step, _)| span / step <= MOST).unwrap_or((3_600.0, 0))
}

fn bar(case: &Case<'_>, attempt: &Attempt, x: f64, width: f64, y: f64) -> Markup {
    let outcome = case.outcome(attempt);
    let (class, height) = if outcome.is_ok() {
        ("okbar", 4.0)
    } else if outcome.is_failure() {
        ("badbar", 11.0)
    } else {
        ("otherbar", 2.0)
    };
    html! {
        a href=(format!("#a{}", case.number(attempt))) {
            rect class=(class) x=(px(x)) y=(px(y)) width=(px(width)) height=(px(height)) {
                title { "#" (case.number(attempt)) " " (attempt.profile) " " (attempt.experiment) ": " (facts::judged(outcome)) }
            }
        }
    }
}

pub(super) fn px(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_stand_at_round_seconds() {
        assert_eq!([0.3, 4.2, 11.0, 26.0].map(ticks), [(0.05, 2), (1.0, 0), (2.0, 0), (5.0, 0)]);
    }
}
