use parallax_model::{
    assignment::Experiment,
    facts::Direction,
    outcome::Outcome,
    verdict::{Cause, Tier},
};

use super::{Board, throttled_body};
use crate::{
    cell::{Layer, Look},
    contrast::tier_beside,
    draft::Draft,
    explain::{WHERE, WHO, count, seats as named},
    scene::Scene,
};

/// `path.throttling`: bytes trickle at one group, in nearly every attempt and far beyond its round trip, while other groups are fast at the same address.
///
/// Excluded by a slow server, which every group sees, by one that writes a few bytes at a time, by one that lets another group wait in vain, by a seat on its own segment, and by a long round trip. Counter: `server.slow-handshake`; the same download from another network separates the two.
pub(super) fn run(board: &mut Board<'_, '_>) {
    let scene = board.scene;
    for place in (0..scene.places.len()).filter(|place| !scene.ignored.contains(place)) {
        let scored: Vec<usize> = (0..scene.seats.len()).filter(|seat| scene.is_scored(*seat, place) && !board.is_intercepted(*seat, place)).collect();
        // No path leads from the server's own segment to the server.
        for seat in scored.iter().filter(|seat| !scene.seats[**seat].inside) {
            if let Some(draft) = test(scene, *seat, place, &scored).or_else(|| throttled_body::test(scene, *seat, place, &scored)) {
                board.mark_all(*seat, place);
                board.drafts.push(draft);
            }
        }
    }
}

fn test(scene: &Scene<'_>, seat: usize, place: usize, scored: &[usize]) -> Option<Draft> {
    if !scene.looks_of(seat, place).any(|look| end_us(look) > SLOW_US) {
        return None;
    }
    let own = transfers(scene, seat, place);
    let round_trip = least_rtt_us(scene, seat, place);
    let trickles_in = |look: &Look<'_>| end_us(look) > SLOW_US && end_us(look) > 8 * round_trip && !waits(look);
    let slow: Vec<&(Look<'_>, f64)> = own.iter().filter(|(look, rate)| *rate < TRICKLE_BYTES_PER_SECOND && trickles_in(look)).collect();
    let nearly_all = slow.len() >= 4 && slow.len() * 5 >= own.len() * 4;
    // A full path stops some of what it carries; a server that goes silent in the middle stops all.
    if slow.iter().all(|(look, _)| stalls(look)) || (!nearly_all && !only_slow_ones_get_through(scene, seat, place)) {
        return None;
    }
    // A path is slow with whole segments; who writes a few bytes at a time does so at the other end.
    if !slow.is_empty() && slow.iter().all(|(look, _)| dribbles(look)) {
        return None;
    }
    // A server that serves one after the other is slow to whom it pleases: then others wait in vain now and then.
    let waits_in_vain =
        |other: usize| scene.seats[other].group != scene.seats[seat].group && scene.looks_of(other, place).any(|look| look.reach == Outcome::TlsTimeout);
    if scored.iter().any(|other| waits_in_vain(*other)) {
        return None;
    }
    let median = |seat: usize| {
        let mut times: Vec<u64> = transfers(scene, seat, place).iter().map(|(look, _)| end_us(look)).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    };
    let own_median = slow.iter().map(|(look, _)| end_us(look)).min()?;
    let (fast, tier) = contrast(scene, seat, scored, |other| Some(median(other)? * 5 < own_median))?;
    let looks: Vec<Look<'_>> = slow.iter().map(|(look, _)| *look).collect();
    let rate = slow.iter().map(|(_, rate)| *rate).sum::<f64>() / slow.len() as f64;
    let who = named(scene, &[seat]);
    let shown = format!("{:.0} kbit/s", rate * 8.0 / 1_000.0);
    let text = format!(
        "from {who} the bytes of the handshake come at about {shown} in {} of {}, and it takes {:.1} s; {} need less than a fifth of that",
        slow.len(),
        count(own.len(), "attempt"),
        own_median as f64 / 1e6,
        named(scene, &fast)
    );
    let mut draft = Draft::new(Cause::PathThrottling, tier).blaming(&[seat]).at(place).by(Outcome::TlsTimeout, None).because("rate", text, &looks);
    draft.mechanism = Some("tls.throttle".to_owned());
    draft.add_profiles_of(&looks);
    let draft = draft.unless(Cause::ServerSlowHandshake, "download the same body from another network at the same time");
    Some(draft.in_words(format!("bytes from {WHERE} trickle to {WHO} at about {shown}; others are fast")))
}

/// Returns the seats of other groups that are far faster, and what that allows to claim; `is_fast` is none where nothing was measured.
///
/// Where somebody else outside is slow as well, one fast group is no contrast.
pub(super) fn contrast(scene: &Scene<'_>, seat: usize, scored: &[usize], is_fast: impl Fn(usize) -> Option<bool>) -> Option<(Vec<usize>, Tier)> {
    let others = scored.iter().filter(|other| scene.seats[**other].group != scene.seats[seat].group);
    let measured: Vec<(usize, bool)> = others.filter_map(|other| Some((*other, is_fast(*other)?))).collect();
    let fast: Vec<usize> = measured.iter().filter(|(_, fast)| *fast).map(|(other, _)| *other).collect();
    let outside_slow = measured.iter().any(|(other, fast)| !fast && !scene.seats[*other].inside);
    let groups = scene.count_groups(&fast);
    Some((fast, tier_beside(groups).filter(|_| !outside_slow || groups > 1)?))
}

/// Handshakes whose answer began, with the rate of the bytes in them (bytes a second).
fn transfers<'a>(scene: &Scene<'a>, seat: usize, place: usize) -> Vec<(Look<'a>, f64)> {
    let of = |look: &Look<'a>| {
        let tls = look.attempt.facts.tls.as_ref().filter(|_| look.passes(Layer::Tcp) && (look.reach.is_ok() || look.reach == Outcome::TlsTimeout))?;
        let segments = look.attempt.facts.tcp.as_ref().and_then(|tcp| tcp.at_end).map_or(0, |info| info.data_segments_in);
        if !look.reach.is_ok() && segments < 3 {
            return None;
        }
        let received = look.attempt.facts.tcp.as_ref().and_then(|tcp| tcp.at_end).map_or(tls.bytes_read, |info| info.bytes_received.max(tls.bytes_read));
        let seconds = tls.end_us as f64 / 1e6;
        (received > 0 && seconds > 0.0).then(|| (*look, received as f64 / seconds))
    };
    scene.looks_of(seat, place).filter_map(of).collect()
}

/// A path that is full with a few handshakes loses the others whole: then nothing gets through but slowly, and what fails fails in silence.
fn only_slow_ones_get_through(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let silent = |look: &Look<'_>| look.reach.is_ok() || matches!(look.reach, Outcome::TcpTimeout | Outcome::TlsTimeout);
    (trickles(scene, seat, place) || trickles_everywhere(scene, seat)) && scene.looks_of(seat, place).all(silent)
}

/// Tells whether what gets through from a seat gets through slowly: then a failure is a matter of time, and neither of size nor of name.
pub(crate) fn trickles(scene: &Scene<'_>, seat: usize, place: usize) -> bool {
    let (slow, quick) = slow_and_quick(scene, seat, place);
    slow >= 2 && slow > quick
}

/// Tells whether a seat gets nothing but slowly, whatever the address: all of them fill the same path.
fn trickles_everywhere(scene: &Scene<'_>, seat: usize) -> bool {
    let tallies = (0..scene.places.len()).map(|place| slow_and_quick(scene, seat, place));
    let (slow, quick) = tallies.fold((0, 0), |sum, (slow, quick)| (sum.0 + slow, sum.1 + quick));
    slow >= 2 && quick == 0
}

/// Counts what gets through from a seat far slower than a round trip, and what does so quickly; what a long round trip explains is neither.
fn slow_and_quick(scene: &Scene<'_>, seat: usize, place: usize) -> (usize, usize) {
    use Experiment::{ControlName, NoName, SmallHello, SmallMss, SplitName};
    const COMPARABLE: [Experiment; 7] = [ControlName, NoName, SmallHello, SmallMss, SplitName, Experiment::Slow, Experiment::SourcePort];
    let experiments = COMPARABLE.into_iter().flat_map(|experiment| scene.bench(seat, experiment, place));
    let passed = scene.looks_of(seat, place).chain(experiments).filter(|look| look.reach.is_ok());
    let (late, quick): (Vec<&Look<'_>>, Vec<&Look<'_>>) = passed.partition(|look| end_us(look) > SLOW_US);
    let round_trip = least_rtt_us(scene, seat, place);
    (late.iter().filter(|look| end_us(look) > 8 * round_trip).count(), quick.len())
}

/// Tells whether a handshake took far longer than others: where the path is full, what gets through is a matter of luck.
pub(crate) fn is_late(look: &Look<'_>, others: &[Look<'_>]) -> bool {
    let mut times: Vec<u64> = others.iter().map(end_us).collect();
    times.sort_unstable();
    end_us(look) > SLOW_US && times.get(times.len() / 2).is_some_and(|median| median * 5 < end_us(look))
}

/// Tells whether a handshake failed whose bytes stopped in the first half of the time; what a transcript no longer holds came as fast as what it holds.
fn stalls(look: &Look<'_>) -> bool {
    let Some(tls) = look.attempt.facts.tls.as_ref().filter(|_| !look.reach.is_ok()) else { return false };
    let received = || tls.transcript.iter().filter(|entry| entry.direction == Direction::Received);
    let held: u64 = received().map(|entry| entry.bytes.0.len() as u64).sum();
    received().next_back().is_some_and(|last| last.at_us * tls.bytes_read.max(held) / held.max(1) * 2 < tls.end_us)
}

/// Tells whether an answer came in many segments of a few bytes each, none of which was lost.
fn dribbles(look: &Look<'_>) -> bool {
    let info = look.attempt.facts.tcp.as_ref().and_then(|tcp| tcp.at_end);
    info.is_some_and(|info| info.data_segments_in >= MANY_SEGMENTS && info.bytes_received < u64::from(info.data_segments_in) * FEW_BYTES)
        && !look.misses_segments()
}

/// Tells whether nearly all of the time passed before the first byte, although the ClientHello was acknowledged at once: then the server thinks, and no path is full.
fn waits(look: &Look<'_>) -> bool {
    let first_byte_us = look.attempt.facts.tls.as_ref().and_then(|tls| tls.first_byte_us);
    let acknowledged_us = look.attempt.facts.tcp.as_ref().and_then(|tcp| tcp.at_end).map(|info| u64::from(info.rtt_us)).filter(|rtt| *rtt > 0);
    matches!((first_byte_us, acknowledged_us), (Some(first), Some(acknowledged)) if first * 10 >= end_us(look) * 9 && acknowledged * 4 < first)
}

fn end_us(look: &Look<'_>) -> u64 {
    look.attempt.facts.tls.as_ref().map_or(0, |tls| tls.end_us)
}

/// The shortest round trip of a seat's attempts at a place: what is longer only at times waits in a queue.
fn least_rtt_us(scene: &Scene<'_>, seat: usize, place: usize) -> u64 {
    scene.looks_of(seat, place).filter(|look| look.passes(Layer::Tcp)).map(rtt_us).filter(|rtt| *rtt > 0).min().unwrap_or(0)
}

/// The smaller of what connecting took and what the kernel measured.
pub(super) fn rtt_us(look: &Look<'_>) -> u64 {
    let tcp = look.attempt.facts.tcp.as_ref();
    let measured = tcp.and_then(|tcp| tcp.at_connect).map(|info| u64::from(info.min_rtt_us)).filter(|rtt| *rtt > 0);
    let connect = tcp.map_or(0, |tcp| tcp.connect_us);
    measured.map_or(connect, |measured| measured.min(connect))
}

/// 64 kbit/s: a handshake that is slower is felt as broken.
const TRICKLE_BYTES_PER_SECOND: f64 = 8_000.0;
pub(super) const SLOW_US: u64 = 800_000;
/// Far less than a segment holds (RFC 9293 section 3.7.1 has 536 bytes as the least that hosts take).
const FEW_BYTES: u64 = 128;
const MANY_SEGMENTS: u32 = 10;
