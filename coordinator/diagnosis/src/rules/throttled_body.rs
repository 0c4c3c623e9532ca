use parallax_model::{
    facts::{BodyEnd, BodyFacts},
    outcome::Outcome,
    verdict::Cause,
};

use crate::{
    cell::Look,
    draft::Draft,
    explain::{WHERE, WHO, count, seats as named},
    rules::throttling::{SLOW_US, contrast, rtt_us},
    scene::Scene,
};

/// A body, over how long it came, and how fast (bytes a second).
struct Stream<'a> {
    look: Look<'a>,
    took_us: u64,
    rate: f64,
    /// Whether it fell silent for long: a full queue makes some do so, while others go on.
    stalled: bool,
}

/// `path.throttling` behind the handshake: a body trickles at one group in nearly every attempt, while the same one is five times as fast or more in other groups.
///
/// Excluded and countered as for the handshake; where every body falls silent, nothing trickles.
pub(super) fn test(scene: &Scene<'_>, seat: usize, place: usize, scored: &[usize]) -> Option<Draft> {
    let own = streams(scene, seat, place);
    let slow: Vec<&Stream<'_>> =
        own.iter().filter(|stream| stream.rate < TRICKLE_BYTES_PER_SECOND && stream.took_us > SLOW_US && stream.took_us > 8 * rtt_us(&stream.look)).collect();
    if slow.len() < LEAST_STREAMS || slow.iter().filter(|stream| !stream.stalled).count() < LEAST_FLOWING || slow.len() * 5 < own.len() * 4 {
        return None;
    }
    let own_rate = slow.iter().map(|stream| stream.rate).fold(0.0, f64::max);
    let (fast, tier) = contrast(scene, seat, scored, |other| Some(median(scene, other, place)? > own_rate * 5.0))?;
    let looks: Vec<Look<'_>> = slow.iter().map(|stream| stream.look).collect();
    let mean = slow.iter().map(|stream| stream.rate).sum::<f64>() / slow.len() as f64;
    let shown = format!("{:.0} kbit/s", mean * 8.0 / 1_000.0);
    let text = format!(
        "from {} the body comes at about {shown} in {} of {}; to {} it comes more than five times as fast",
        named(scene, &[seat]),
        slow.len(),
        count(own.len(), "attempt"),
        named(scene, &fast)
    );
    let mut draft = Draft::new(Cause::PathThrottling, tier).blaming(&[seat]).at(place).by(Outcome::HttpTimeout, None).because("body-rate", text, &looks);
    draft.mechanism = Some("tls.throttle".to_owned());
    draft.add_profiles_of(&looks);
    let draft = draft.unless(Cause::PolicyRateLimited, "read the same body from a second address of the same network");
    Some(draft.in_words(format!("the handshake with {WHERE} is quick, and the bytes after it trickle to {WHO} at about {shown}; others are fast")))
}

fn median(scene: &Scene<'_>, seat: usize, place: usize) -> Option<f64> {
    let mut rates: Vec<f64> = streams(scene, seat, place).iter().map(|stream| stream.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

fn streams<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Vec<Stream<'a>> {
    let of = |look: &Look<'a>| {
        let body = look.attempt.facts.http.as_ref()?.body.as_ref()?;
        let first_us = body.first_byte_us?;
        let till_us = match body.end {
            BodyEnd::Whole | BodyEnd::Capped if body.bytes >= LEAST_BYTES => body.last_byte_us?,
            BodyEnd::TimedOut => body.elapsed_us,
            _ => return None,
        };
        let took_us = till_us.saturating_sub(first_us).max(1);
        Some(Stream { look: *look, took_us, rate: rate(body, took_us), stalled: body.stalled() })
    };
    scene.looks_of(seat, place).filter_map(of).collect()
}

fn rate(body: &BodyFacts, took_us: u64) -> f64 {
    body.bytes as f64 * 1e6 / took_us as f64
}

/// 512 kbit/s: pages that come slower are felt as broken.
const TRICKLE_BYTES_PER_SECOND: f64 = 64_000.0;
/// Fewer come in the first flight or two, and show no rate.
const LEAST_BYTES: u64 = 24 * 1024;
const LEAST_STREAMS: usize = 4;
const LEAST_FLOWING: usize = 2;
