//! Which cipher suites a server accepts in one version; the first hello also says whether it speaks the version at all.

use parallax_model::facts::Accepted;
use parallax_tls::registry::{Authentication, CipherSuite, ProtocolVersion};

use super::{
    ask::{Ask, Question, Reply},
    caller::Caller,
    elimination::{Elimination, Kind},
};

/// Suites of one version.
#[derive(Debug, Clone, Copy)]
pub(super) struct SuitesOf<'a> {
    pub(super) caller: &'a Caller,
    pub(super) version: ProtocolVersion,
}

/// Asks for every suite that has a name and fits the version.
pub(super) fn suites(caller: &Caller, version: ProtocolVersion) -> Elimination<SuitesOf<'_>> {
    Elimination::new(SuitesOf { caller, version }, candidates(version))
}

impl Kind for SuitesOf<'_> {
    fn ask(&self, offered: &[u16]) -> Ask {
        let mut offer = self.caller.offer(self.version, offered.iter().copied().map(CipherSuite).collect());
        if self.version == ProtocolVersion::TLS13 {
            offer.groups = super::groups::tls13_candidates();
        }
        self.caller.ask(offer)
    }

    fn choice(&self, reply: &Reply) -> Option<u16> {
        reply.suite().map(|suite| suite.0)
    }
}

/// Returns the suites of a version, those first that a server has without secrets of its own, and with a certificate before the anonymous ones.
fn candidates(version: ProtocolVersion) -> Vec<u16> {
    let likelihood = |suite: &CipherSuite| match suite.authentication() {
        Authentication::Tls13 => 0,
        Authentication::Rsa | Authentication::Ecdsa if !is_rare(*suite) => 1,
        Authentication::Anonymous => 2,
        Authentication::Rsa | Authentication::Ecdsa => 3,
        Authentication::Dss => 4,
        Authentication::Other => 5,
    };
    let mut suites: Vec<CipherSuite> = CipherSuite::KNOWN.iter().copied().filter(|suite| suite.fits(version)).collect();
    suites.sort_by_key(likelihood);
    suites.into_iter().map(|suite| suite.0).collect()
}

/// Suites for static Diffie-Hellman certificates, and ciphers that no common library has switched on.
fn is_rare(suite: CipherSuite) -> bool {
    let name = suite.name();
    ["TLS_DH_", "TLS_ECDH_", "_ARIA_128_CBC_", "_ARIA_256_CBC_", "TLS_SRP_"].iter().any(|part| name.contains(part))
}

/// Asks whether a client that puts ChaCha20 first gets it from a server that keeps to its own order.
#[derive(Debug)]
pub(super) struct ChachaFirst<'a> {
    suites: SuitesOf<'a>,
    offered: Vec<u16>,
    preferred: Option<bool>,
}

impl<'a> ChachaFirst<'a> {
    /// Starts with the accepted suites; nothing is asked where the answer is known or there is no choice.
    pub(super) fn new(caller: &'a Caller, version: ProtocolVersion, accepted: &Accepted) -> Self {
        let (chacha, others): (Vec<u16>, Vec<u16>) = accepted.numbers.iter().copied().partition(|suite| is_chacha(*suite));
        let own_order = accepted.server_order == Some(true);
        let is_open = own_order && !chacha.is_empty() && !others.is_empty() && accepted.numbers.first().is_some_and(|first| !is_chacha(*first));
        let offered = if is_open { [chacha, others].concat() } else { Vec::new() };
        Self { suites: SuitesOf { caller, version }, offered, preferred: None }
    }
}

impl Question for ChachaFirst<'_> {
    type Finding = Option<bool>;

    fn next(&self) -> Option<Ask> {
        (!self.offered.is_empty()).then(|| self.suites.ask(&self.offered))
    }

    fn learn(&mut self, reply: &Reply) {
        self.preferred = self.suites.choice(reply).map(is_chacha);
        self.offered.clear();
    }

    fn finding(self) -> Option<bool> {
        self.preferred
    }
}

fn is_chacha(suite: u16) -> bool {
    CipherSuite(suite).name().contains("CHACHA20")
}

#[cfg(test)]
mod tests {
    use parallax_model::facts::AuditAnswer;
    use parallax_tls::{ServerAnswer, ServerHello};

    use super::*;
    use crate::audit::tests::{caller, offered_suites, replied};

    #[test]
    fn every_named_suite_is_a_candidate_of_some_version_once() {
        let tls12 = candidates(ProtocolVersion::TLS12);
        let tls13 = candidates(ProtocolVersion::TLS13);
        let named = CipherSuite::KNOWN.iter().filter(|suite| !suite.is_signal() && suite.0 != 0);
        for suite in named {
            assert_eq!(tls12.iter().chain(&tls13).filter(|candidate| **candidate == suite.0).count(), 1, "{suite}");
        }
        assert!(candidates(ProtocolVersion::SSL30).iter().all(|suite| tls12.contains(suite)));
    }

    #[test]
    fn the_first_offer_holds_what_common_servers_have() {
        let first: Vec<u16> = candidates(ProtocolVersion::TLS12).into_iter().take(super::super::elimination::LONGEST_OFFER).collect();
        for suite in [0xc02f, 0xc02b, 0xcca8, 0x009e, 0x002f, 0x000a, 0x0005, 0xc011, 0xc0ac, 0xc060, 0x0003, 0x0002, 0x0088, 0xc09d, 0x0096] {
            assert!(first.contains(&suite), "{}", CipherSuite(suite));
        }
    }

    #[test]
    fn chacha_is_asked_for_where_the_server_has_an_order_and_another_favourite() {
        let caller = caller();
        let accepted = |numbers: &[u16], server_order| Accepted { numbers: numbers.to_vec(), server_order, refusal: None };
        let question = |accepted: &Accepted| ChachaFirst::new(&caller, ProtocolVersion::TLS12, accepted);
        assert_eq!(question(&accepted(&[0xc02f, 0xcca8], Some(false))).next(), None);
        assert_eq!(question(&accepted(&[0xcca8, 0xc02f], Some(true))).next(), None);
        let mut open = question(&accepted(&[0xc02f, 0xcca8], Some(true)));
        assert_eq!(offered_suites(&open.next().unwrap()), [0xcca8, 0xc02f]);
        let hello = ServerHello { cipher_suite: CipherSuite(0xcca8), ..ServerHello::default() };
        open.learn(&replied(AuditAnswer::Hello, ServerAnswer { server_hello: Some(hello), ..ServerAnswer::default() }));
        assert_eq!((open.next(), open.finding()), (None, Some(true)));
    }
}
