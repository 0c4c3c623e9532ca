//! Which groups a server accepts: by HelloRetryRequest in TLS 1.3, which costs it no signature, by ServerKeyExchange before.

use parallax_tls::registry::{Authentication, CipherSuite, KeyExchange, NamedGroup, ProtocolVersion};

use super::{
    ask::{Ask, Reply},
    caller::Caller,
    elimination::{Elimination, Kind},
};

/// Groups of one version, with suites that the server accepts.
#[derive(Debug, Clone)]
pub(super) struct GroupsOf<'a> {
    caller: &'a Caller,
    version: ProtocolVersion,
    suites: Vec<CipherSuite>,
}

/// Asks for the groups of a version with the suites that the server was found to accept; none when no suite of them has a group.
pub(super) fn groups<'a>(caller: &'a Caller, version: ProtocolVersion, accepted: &[u16]) -> Option<Elimination<GroupsOf<'a>>> {
    let suites: Vec<CipherSuite> = accepted.iter().copied().map(CipherSuite).collect();
    if version == ProtocolVersion::TLS13 {
        let candidates = tls13_candidates().into_iter().map(|group| group.0).collect();
        return (!suites.is_empty()).then(|| Elimination::new(GroupsOf { caller, version, suites }, candidates));
    }
    let curves: Vec<CipherSuite> = suites.into_iter().filter(|suite| suite.key_exchange() == KeyExchange::EllipticCurve).collect();
    let with_rsa: Vec<CipherSuite> = curves.iter().copied().filter(|suite| suite.authentication() == Authentication::Rsa).collect();
    // The curve of an ECDSA certificate must be on offer too (RFC 8422 section 5.1), which ties the other groups to it.
    let anchor = with_rsa.is_empty().then_some(NamedGroup::SECP256R1.0);
    let suites = if with_rsa.is_empty() { curves } else { with_rsa };
    let candidates = curve_candidates().map(|group| group.0).collect();
    (!suites.is_empty()).then(|| Elimination::new(GroupsOf { caller, version, suites }, candidates).anchored_to(anchor))
}

impl Kind for GroupsOf<'_> {
    fn ask(&self, offered: &[u16]) -> Ask {
        let mut offer = self.caller.offer(self.version, self.suites.clone());
        offer.groups = offered.iter().copied().map(NamedGroup).collect();
        self.caller.ask(offer)
    }

    fn choice(&self, reply: &Reply) -> Option<u16> {
        reply.group().map(|group| group.0)
    }
}

/// Returns every group that TLS 1.3 can have: the retired curves must not be offered there (RFC 8446 section 4.2.7).
pub(super) fn tls13_candidates() -> Vec<NamedGroup> {
    let tls13 = |group: &NamedGroup| {
        let is_hybrid_or_lattice = group.0 >= NamedGroup::MLKEM512.0;
        let is_finite_field = (NamedGroup::FFDHE2048.0..=NamedGroup::FFDHE8192.0).contains(&group.0);
        let is_curve = matches!(group.0, 23..=25 | 29..=41);
        is_hybrid_or_lattice || is_finite_field || is_curve
    };
    NamedGroup::KNOWN.iter().copied().filter(tls13).collect()
}

fn curve_candidates() -> impl Iterator<Item = NamedGroup> {
    let is_usual = |group: &NamedGroup| super::caller::USUAL_GROUPS.contains(group);
    let others = NamedGroup::KNOWN.iter().copied().filter(|group| group.0 < NamedGroup::BRAINPOOLP256R1TLS13.0);
    super::caller::USUAL_GROUPS.into_iter().chain(others.filter(move |group| !is_usual(group)))
}

#[cfg(test)]
mod tests {
    use parallax_model::facts::AuditAnswer;
    use parallax_tls::{
        ServerAnswer, ServerHello,
        registry::ExtensionType,
        server_flight::{HELLO_RETRY_REQUEST_RANDOM, KeyExchangeGroup, ServerKeyExchange},
    };

    use super::*;
    use crate::audit::{
        ask::Question,
        tests::{caller, offered_groups, replied},
    };

    fn retry(group: u16) -> Reply {
        let extensions = vec![(ExtensionType::SUPPORTED_VERSIONS, vec![3, 4]), (ExtensionType::KEY_SHARE, group.to_be_bytes().to_vec())];
        let hello = ServerHello { random: HELLO_RETRY_REQUEST_RANDOM, extensions, ..ServerHello::default() };
        replied(AuditAnswer::Hello, ServerAnswer { hello_retry_requests: vec![hello], ..ServerAnswer::default() })
    }

    fn curve(group: u16) -> Reply {
        let exchange = ServerKeyExchange { group: KeyExchangeGroup::Named(NamedGroup(group)), public_value: vec![4], signature_scheme: None };
        let answer = ServerAnswer { server_hello: Some(ServerHello::default()), server_key_exchange: Some(exchange), ..ServerAnswer::default() };
        replied(AuditAnswer::Hello, answer)
    }

    fn refusal() -> Reply {
        replied(AuditAnswer::Alert(40), ServerAnswer::default())
    }

    #[test]
    fn a_retry_names_each_group_in_turn_hybrids_included() {
        let caller = caller();
        let mut question = groups(&caller, ProtocolVersion::TLS13, &[0x1301]).unwrap();
        for group in [0x11ec, 0x001d] {
            let ask = question.next().unwrap();
            assert!(offered_groups(&ask).contains(&group) && ask.hello.key_share_groups().is_empty());
            question.learn(&retry(group));
        }
        assert!(!offered_groups(&question.next().unwrap()).contains(&0x11ec));
        question.learn(&refusal());
        assert_eq!(offered_groups(&question.next().unwrap()), [0x001d, 0x11ec]);
        question.learn(&retry(0x001d));
        let accepted = question.finding().accepted;
        assert_eq!((accepted.numbers, accepted.server_order), (vec![0x11ec, 0x001d], Some(false)));
    }

    #[test]
    fn groups_that_lean_on_the_certificates_curve_are_offered_with_it() {
        let caller = caller();
        let mut question = groups(&caller, ProtocolVersion::TLS12, &[0xc02b]).unwrap();
        question.learn(&curve(0x001d));
        question.learn(&curve(0x0017));
        question.learn(&refusal());
        assert_eq!(offered_groups(&question.next().unwrap()).last(), Some(&0x0017));
        question.learn(&curve(0x0018));
        question.learn(&curve(0x0017));
        question.learn(&curve(0x001d));
        let accepted = question.finding().accepted;
        assert_eq!((accepted.numbers, accepted.server_order), (vec![0x001d, 0x0017, 0x0018], Some(true)));
    }

    #[test]
    fn without_a_suite_that_has_a_group_nothing_is_asked() {
        assert!(groups(&caller(), ProtocolVersion::TLS12, &[0x002f, 0x009e]).is_none());
        assert!(groups(&caller(), ProtocolVersion::TLS13, &[]).is_none());
    }
}
