//! A question in a version that nobody speaks: the answer names the versions that a server does (RFC 8999 section 6, RFC 9000 section 6). No key is needed.

use std::time::Duration;

use aws_lc_rs::rand;
use tokio::time::{Instant, timeout_at};

use crate::{capture::micros, net::Datagrams};

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Negotiated {
    pub(super) versions: Vec<u32>,
    pub(super) after_us: Option<u64>,
}

/// Asks, and asks again while nothing comes.
pub(super) async fn ask<D: Datagrams>(socket: &D, deadline: Instant) -> Negotiated {
    let started = Instant::now();
    let question = Question::new();
    let wire = question.to_datagram();
    let mut buffer = vec![0; MAX_DATAGRAM];
    for _ in 0..TRIES {
        let until = deadline.min(Instant::now() + TRY_TIME);
        if socket.send(&wire).await.is_err() {
            break;
        }
        while let Ok(Ok(length)) = timeout_at(until, socket.receive(&mut buffer)).await {
            if let Some(versions) = question.answered_by(&buffer[..length]) {
                return Negotiated { versions, after_us: Some(micros(started.elapsed())) };
            }
        }
    }
    Negotiated::default()
}

/// Reads a datagram as the answer to the question with these identifiers.
pub(crate) fn read_versions(datagram: &[u8], destination: [u8; ID_LEN], source: [u8; ID_LEN]) -> Option<Vec<u32>> {
    Question { destination, source }.answered_by(datagram)
}

/// A question, known by its connection identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Question {
    destination: [u8; ID_LEN],
    source: [u8; ID_LEN],
}

impl Question {
    fn new() -> Self {
        let mut question = Self { destination: [0; ID_LEN], source: [0; ID_LEN] };
        // Without randomness the answer is recognised all the same.
        let _ = rand::fill(&mut question.destination);
        let _ = rand::fill(&mut question.source);
        question
    }

    /// Writes a long header (RFC 8999 section 5.1), padded to the least size of an Initial, below which servers stay silent.
    fn to_datagram(self) -> Vec<u8> {
        let mut wire = vec![LONG_HEADER | FIXED_BIT];
        wire.extend_from_slice(&NOBODYS_VERSION.to_be_bytes());
        for id in [self.destination, self.source] {
            wire.push(ID_LEN as u8);
            wire.extend_from_slice(&id);
        }
        wire.resize(LEAST_INITIAL, 0);
        wire
    }

    /// Reads the versions of an answer to this question; none when it is something else.
    fn answered_by(self, datagram: &[u8]) -> Option<Vec<u32>> {
        let (first, rest) = datagram.split_first()?;
        let rest = rest.strip_prefix(&[0; 4]).filter(|_| first & LONG_HEADER != 0)?;
        let rest = prefixed(rest, &self.source)?;
        let rest = prefixed(rest, &self.destination)?;
        let (versions, odd) = rest.as_chunks::<4>();
        (odd.is_empty() && !versions.is_empty()).then(|| versions.iter().take(MAX_VERSIONS).map(|version| u32::from_be_bytes(*version)).collect())
    }
}

/// Takes an identifier with its length off the front.
fn prefixed<'a>(bytes: &'a [u8], id: &[u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first()?;
    rest.strip_prefix(id).filter(|_| usize::from(*length) == id.len())
}

/// A version of the pattern that is reserved to exercise version negotiation (RFC 9000 section 15).
const NOBODYS_VERSION: u32 = 0x1a2a_3a4a;
const LONG_HEADER: u8 = 0x80;
const FIXED_BIT: u8 = 0x40;
const ID_LEN: usize = 8;
/// RFC 9000 section 14.1.
const LEAST_INITIAL: usize = 1_200;
const MAX_DATAGRAM: usize = 2_048;
const MAX_VERSIONS: usize = 32;
const TRIES: usize = 2;
const TRY_TIME: Duration = Duration::from_millis(750);

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const QUESTION: Question = Question { destination: [1; ID_LEN], source: [2; ID_LEN] };

    fn answer(source: &[u8], versions: &[u8]) -> Vec<u8> {
        [&[0xb7, 0, 0, 0, 0, 8][..], source, &[8], &[1; 8], versions].concat()
    }

    proptest! {
        #[test]
        fn any_datagram_is_read_within_the_cap(head in vec(any::<u8>(), 0..40), tail in vec(any::<u8>(), 0..400), genuine in any::<bool>()) {
            let datagram = if genuine { answer(&[2; 8], &tail) } else { head };
            let read = QUESTION.answered_by(&datagram);
            prop_assert_eq!(read.is_some(), genuine && !tail.is_empty() && tail.len() % 4 == 0);
            prop_assert!(read.is_none_or(|versions| versions.len() <= MAX_VERSIONS));
        }
    }

    #[test]
    fn the_question_is_as_large_as_an_initial_and_names_no_real_version() {
        let wire = QUESTION.to_datagram();
        assert_eq!((wire.len(), wire[0] & 0xc0, &wire[1..5]), (1_200, 0xc0, &[0x1a, 0x2a, 0x3a, 0x4a][..]));
        assert_eq!(wire[5..23], [&[8][..], &[1; 8], &[8], &[2; 8]].concat());
    }

    #[test]
    fn answers_are_read_and_everything_else_is_not() {
        assert_eq!(QUESTION.answered_by(&answer(&[2; 8], &[0, 0, 0, 1, 0x6b, 0x33, 0x43, 0xcf])), Some(vec![1, 0x6b33_43cf]));
        let many = [0, 0, 0, 1].repeat(400);
        assert_eq!(QUESTION.answered_by(&answer(&[2; 8], &many)).map(|versions| versions.len()), Some(MAX_VERSIONS));
        let good = answer(&[2; 8], &[0, 0, 0, 1]);
        for cut in 0..good.len() {
            assert_eq!(QUESTION.answered_by(&good[..cut]), None, "{cut}");
        }
        for wrong in
            [answer(&[3; 8], &[0, 0, 0, 1]), answer(&[2; 8], &[0, 0, 1]), answer(&[2; 8], &[]), [&[0x40][..], &good[1..]].concat(), QUESTION.to_datagram()]
        {
            assert_eq!(QUESTION.answered_by(&wrong), None);
        }
    }
}
