//! One cell of the matrix: what a vantage saw at an address with a profile.

use parallax_model::{
    attempt::Attempt,
    facts::{AlertSeen, Facts},
    outcome::Outcome,
};

/// One completed attempt, as the judgement reads it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'a> {
    pub(crate) seat: usize,
    pub(crate) attempt: &'a Attempt,
    /// The scene's number of its profile; none where the check does not plan it.
    pub(crate) profile: Option<usize>,
    /// What it means, certificate and status included; `Ok` where a status is no fault.
    pub(crate) outcome: Outcome,
    /// What it means up to the end of the handshake.
    pub(crate) reach: Outcome,
    /// The chain that came, as an index into the scene's chains.
    pub(crate) chain: Option<usize>,
    /// The protocol that was chosen by ALPN.
    pub(crate) alpn: Option<&'a str>,
    /// Whether a request was made and nothing came.
    pub(crate) unanswered: bool,
    /// Whether the peer proved that it holds the key of the leaf that it sent.
    pub(crate) authenticated: bool,
}

/// A stage that is judged by itself: what fails below it says nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Layer {
    Tcp,
    Tls,
    Http,
}

/// What the attempts of a cell say together about one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// No attempt reached the layer.
    Empty,
    Pass,
    Fail,
    /// One failure and nothing else: too little.
    Thin,
    /// Successes and failures that the sequential test does not separate.
    Mixed,
}

/// How a silence after the ClientHello looks in `TCP_INFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The ClientHello was never acknowledged.
    Unacknowledged,
    /// It was, and nothing came.
    Acknowledged,
    /// It was, and later data came without the earlier.
    Gap,
    /// The answer began and stopped.
    Partial,
}

impl Look<'_> {
    /// Returns how the layer ended, none when the attempt did not reach it.
    pub(crate) fn at(&self, layer: Layer) -> Option<Outcome> {
        let at_tcp = is_tcp(self.reach);
        match layer {
            Layer::Tcp => Some(if at_tcp { self.reach } else { Outcome::Ok }),
            Layer::Tls => (!at_tcp).then_some(self.reach),
            Layer::Http if !self.reach.is_ok() || self.is_unanswered() => None,
            Layer::Http => Some(if is_http(self.outcome) { self.outcome } else { Outcome::Ok }),
        }
    }

    /// Tells whether a request was made, nothing came, and that is no fault: then HTTP was not reached.
    fn is_unanswered(&self) -> bool {
        self.unanswered && self.outcome.is_ok()
    }

    pub(crate) fn passes(&self, layer: Layer) -> bool {
        self.at(layer).is_some_and(Outcome::is_ok)
    }

    pub(crate) fn fails(&self, layer: Layer) -> bool {
        self.at(layer).is_some_and(Outcome::is_failure)
    }

    pub(crate) fn silence(&self) -> Option<Silence> {
        (self.reach == Outcome::TlsTimeout).then(|| silence(&self.attempt.facts)).flatten()
    }

    /// Tells whether the server's own keys protected the alert that ended it.
    pub(crate) fn alert_is_encrypted(&self) -> bool {
        let after_finished = self.attempt.facts.http.is_some();
        let alerts = self.attempt.facts.tls.as_ref().map(|tls| tls.answer.alerts.as_slice()).unwrap_or_default();
        after_finished || alerts.iter().any(|AlertSeen { level, encrypted, .. }| *encrypted && *level == 2)
    }

    /// Tells whether segments of the peer came in another order than they were sent: those that were overtaken had been lost on their way.
    pub(crate) fn misses_segments(&self) -> bool {
        self.attempt.facts.tcp.as_ref().and_then(|tcp| tcp.at_end).is_some_and(|info| info.out_of_order_in > 0)
    }

    pub(crate) fn certificate_was_requested(&self) -> bool {
        self.attempt.facts.tls.as_ref().is_some_and(|tls| tls.answer.certificate_requested)
    }
}

fn silence(facts: &Facts) -> Option<Silence> {
    let info = facts.tcp.as_ref()?.at_end?;
    let tls = facts.tls.as_ref()?;
    Some(if tls.bytes_read > 0 {
        Silence::Partial
    } else if info.out_of_order_in > 0 {
        Silence::Gap
    } else if info.unacked == 0 && info.bytes_acked > 1 {
        Silence::Acknowledged
    } else {
        Silence::Unacknowledged
    })
}

/// Tells whether bytes that are not TLS reached the peer: answered in any way, or acknowledged.
pub(crate) fn payload_arrived(facts: &Facts) -> bool {
    let answered = facts.tls.as_ref().is_some_and(|tls| tls.bytes_read > 0);
    let acknowledged = facts.tcp.as_ref().and_then(|tcp| tcp.at_end).is_some_and(|info| info.unacked == 0 && info.bytes_acked > 1);
    answered || acknowledged
}

/// Judges attempts by the sequential test of methods 3.3: 0.02 failures expected when healthy, 0.90 when broken.
pub(crate) fn state<'a>(looks: impl Iterator<Item = &'a Look<'a>>, layer: Layer) -> State {
    let (mut passed, mut failed) = (0_u32, 0_u32);
    for look in looks {
        passed += u32::from(look.passes(layer));
        failed += u32::from(look.fails(layer));
    }
    of_counts(passed, failed)
}

/// Judges counts of successes and failures by the same test.
pub(crate) fn of_counts(passed: u32, failed: u32) -> State {
    let score = f64::from(failed) * 3.81 - f64::from(passed) * 2.28;
    match (passed, failed) {
        (0, 0) => State::Empty,
        (_, 0) => State::Pass,
        (0, 1) => State::Thin,
        (0, _) => State::Fail,
        _ if score <= -4.60 && failed * 5 <= passed + failed => State::Pass,
        _ if failed >= 9 * passed => State::Fail,
        _ => State::Mixed,
    }
}

/// Returns the representative of outcomes that differ only by timing or taste: a reset and a close, for example.
pub(crate) fn family(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::TlsClosed | Outcome::TcpReset => Outcome::TlsReset,
        Outcome::TlsMalformed | Outcome::TlsOverCap => Outcome::TlsNotTls,
        Outcome::StartTlsClosed => Outcome::StartTlsReset,
        other => other,
    }
}

/// Returns the family that four failures of five share, and the commonest outcome in it; none when they disagree.
///
/// Silence and a router's late word that there is nobody are one where they mix: which of the two comes first is a matter of time.
pub(crate) fn agreed(outcomes: impl Iterator<Item = Outcome>) -> Option<(Outcome, Outcome)> {
    let all: Vec<Outcome> = outcomes.collect();
    let (first, rest) = all.split_first()?;
    if rest.iter().all(|other| other == first) {
        return Some((family(*first), *first));
    }
    agreed_by(&all, family).or_else(|| agreed_by(&all, nobody))
}

fn agreed_by(all: &[Outcome], family: fn(Outcome) -> Outcome) -> Option<(Outcome, Outcome)> {
    let (family_of_most, times) = most(all.iter().map(|outcome| family(*outcome)))?;
    let (commonest, _) = most(all.iter().copied().filter(|outcome| family(*outcome) == family_of_most))?;
    (times * 5 >= all.len() * 4).then_some((family_of_most, commonest))
}

/// Returns the outcome that comes most often, and how often; of several the one that came last.
fn most(outcomes: impl Iterator<Item = Outcome>) -> Option<(Outcome, usize)> {
    let mut tallies: Vec<(Outcome, usize)> = Vec::new();
    for outcome in outcomes {
        match tallies.iter().position(|(known, _)| *known == outcome) {
            Some(at) => {
                tallies[at].1 += 1;
                tallies[at..].rotate_left(1);
            }
            None => tallies.push((outcome, 1)),
        }
    }
    tallies.into_iter().max_by_key(|(_, times)| *times)
}

/// Returns the wider family of outcomes that show nobody at the address.
pub(crate) fn nobody(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::TcpUnreachable => Outcome::TcpTimeout,
        other => family(other),
    }
}

/// Returns what most of the failures showed, `Ok` when there is none.
pub(crate) fn commonest(outcomes: impl Iterator<Item = Outcome>) -> Outcome {
    most(outcomes.filter(|outcome| outcome.is_failure())).map_or(Outcome::Ok, |(outcome, _)| outcome)
}

/// A reset while connecting is none of these: the SYN was answered, and the end overtook the first bytes by chance.
fn is_tcp(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::TcpRefused | Outcome::TcpTimeout | Outcome::TcpUnreachable)
}

/// Tells whether an outcome is one of the exchange after the handshake.
pub(crate) fn is_http(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Http(_) | Outcome::HttpTimeout | Outcome::HttpClosed | Outcome::HttpNotHttp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_outcomes_that_come_equally_often_the_last_counts() {
        use Outcome::{TcpTimeout, TlsClosed, TlsReset, TlsTimeout};
        assert_eq!(most([TlsTimeout, TcpTimeout, TlsTimeout, TcpTimeout].into_iter()), Some((TcpTimeout, 2)));
        assert_eq!(most([TcpTimeout, TlsTimeout, TlsTimeout, TcpTimeout].into_iter()), Some((TcpTimeout, 2)));
        assert_eq!(most([TlsTimeout, TlsTimeout, TcpTimeout].into_iter()), Some((TlsTimeout, 2)));
        assert_eq!(most([].into_iter()), None);
        assert_eq!(agreed([TlsReset, TlsClosed, TlsReset, TlsClosed, TlsTimeout].into_iter()), Some((TlsReset, TlsClosed)));
        assert_eq!(agreed([TlsReset, TlsTimeout].into_iter()), None);
    }
}
