//! Which signature schemes a server signs with: ServerKeyExchange names them in TLS 1.2; in TLS 1.3 only a refusal in clear shows that none fits.

use parallax_model::facts::{Accepted, AuditAnswer};
use parallax_tls::registry::{Authentication, CipherSuite, KeyExchange, NamedGroup, ProtocolVersion, SignatureScheme};

use super::{
    ask::{Ask, Question, Reply},
    caller::Caller,
    elimination::{Elimination, Kind},
};

/// Schemes of TLS 1.2 for one type of key, with the suites for it that the server accepts.
#[derive(Debug, Clone)]
pub(super) struct SchemesOf<'a> {
    caller: &'a Caller,
    suites: Vec<CipherSuite>,
}

/// Asks for the schemes of TLS 1.2, key type by key type: a server may choose the suite before it looks whether a scheme fits its key.
pub(super) fn tls12_schemes<'a>(caller: &'a Caller, accepted: &[u16]) -> Vec<Elimination<SchemesOf<'a>>> {
    let of_key = |(key, prefixes): &(Authentication, &[&str])| {
        let is_signed = |suite: &CipherSuite| matches!(suite.key_exchange(), KeyExchange::EllipticCurve | KeyExchange::FiniteField);
        let suites: Vec<CipherSuite> = accepted.iter().copied().map(CipherSuite).filter(|suite| suite.authentication() == *key && is_signed(suite)).collect();
        let fits = |scheme: &&SignatureScheme| prefixes.iter().any(|prefix| scheme.name().starts_with(prefix));
        let candidates = SignatureScheme::KNOWN.iter().rev().filter(fits).map(|scheme| scheme.0).collect();
        (!suites.is_empty()).then(|| Elimination::new(SchemesOf { caller, suites }, candidates))
    };
    KEYS.iter().filter_map(of_key).collect()
}

/// The types of keys in suites, with the names of the schemes that they sign with.
const KEYS: [(Authentication, &[&str]); 3] =
    [(Authentication::Rsa, &["rsa_"]), (Authentication::Ecdsa, &["ecdsa_", "ed25519", "ed448", "mldsa", "sm2sig"]), (Authentication::Dss, &["dsa_"])];

impl Kind for SchemesOf<'_> {
    fn ask(&self, offered: &[u16]) -> Ask {
        let mut offer = self.caller.offer(ProtocolVersion::TLS12, self.suites.clone());
        offer.schemes = offered.iter().copied().map(SignatureScheme).collect();
        self.caller.ask(offer)
    }

    fn choice(&self, reply: &Reply) -> Option<u16> {
        reply.signature_scheme().map(|scheme| scheme.0)
    }
}

/// The question which schemes of TLS 1.3 a server can sign with: sets are offered, and an accepted one is taken apart.
#[derive(Debug)]
pub(super) struct Tls13Schemes<'a> {
    caller: &'a Caller,
    suites: Vec<CipherSuite>,
    share: NamedGroup,
    sets: Vec<Vec<SignatureScheme>>,
    accepted: Accepted,
}

impl<'a> Tls13Schemes<'a> {
    /// Starts with the suites and groups that the server accepts; none when no key share can be made for any of them.
    pub(super) fn new(caller: &'a Caller, suites: &[u16], groups: &[u16]) -> Option<Self> {
        let share = caller.first_share(groups)?;
        let suites = suites.iter().copied().map(CipherSuite).collect();
        Some(Self { caller, suites, share, sets: sets(), accepted: Accepted::default() })
    }

    fn ask_with(&self, schemes: Vec<SignatureScheme>) -> Ask {
        let mut offer = self.caller.offer(ProtocolVersion::TLS13, self.suites.clone());
        offer.groups = vec![self.share];
        offer.shares = vec![self.share];
        offer.schemes = schemes;
        self.caller.ask(offer)
    }
}

impl Question for Tls13Schemes<'_> {
    type Finding = Accepted;

    fn next(&self) -> Option<Ask> {
        self.sets.last().map(|set| self.ask_with(set.clone()))
    }

    fn learn(&mut self, reply: &Reply) {
        let Some(set) = self.sets.pop() else { return };
        match reply.end {
            AuditAnswer::Hello if set == [NOBODYS] => self.sets.clear(),
            AuditAnswer::Hello if set.len() == 1 => self.accepted.numbers.extend(set.iter().map(|scheme| scheme.0)),
            AuditAnswer::Hello => {
                let (first, second) = set.split_at(set.len().div_ceil(2));
                self.sets.push(second.to_vec());
                self.sets.push(first.to_vec());
                if self.accepted.refusal.is_none() {
                    self.sets.push(vec![NOBODYS]);
                }
            }
            // Whatever else comes instead of a refusal says nothing about the schemes.
            AuditAnswer::Alert(_) => self.accepted.refusal = Some(reply.end),
            end => {
                self.accepted.refusal = Some(end);
                self.sets.clear();
            }
        }
    }

    /// A server that refuses nothing sends its hello before it looks at the schemes, and the refusal under the session's keys: then nothing is known.
    fn finding(self) -> Accepted {
        if self.accepted.refusal.is_none() {
            return Accepted { refusal: Some(AuditAnswer::Hello), ..Accepted::default() };
        }
        self.accepted
    }
}

/// Returns the schemes of TLS 1.3 in sets, the last one first: most servers have one key, of RSA or on P-256, so that they refuse all others at once.
fn sets() -> Vec<Vec<SignatureScheme>> {
    let p256 = vec![SignatureScheme::ECDSA_SECP256R1_SHA256];
    let rsa = vec![SignatureScheme::RSA_PSS_RSAE_SHA256, SignatureScheme::RSA_PSS_RSAE_SHA384, SignatureScheme::RSA_PSS_RSAE_SHA512];
    let is_other = |scheme: &SignatureScheme| {
        // The schemes for PKCS #1 and SHA-1 are for certificates alone (RFC 8446 section 4.2.3).
        let is_of_tls13 = matches!(scheme.0, 0x0503 | 0x0603 | 0x0708) || scheme.0 >> 8 >= 0x08;
        is_of_tls13 && !p256.contains(scheme) && !rsa.contains(scheme)
    };
    let others = SignatureScheme::KNOWN.iter().copied().filter(is_other).collect();
    vec![rsa, p256, others]
}

/// A scheme that the registry has not assigned: whoever answers it with a hello has not looked.
const NOBODYS: SignatureScheme = SignatureScheme(0xfe77);

#[cfg(test)]
mod tests {
    use parallax_tls::{ServerAnswer, ServerHello};

    use super::*;
    use crate::audit::tests::{caller, offered_schemes, offered_suites, replied};

    fn run(accepts: &[u16]) -> (Accepted, usize) {
        let caller = caller();
        let mut question = Tls13Schemes::new(&caller, &[0x1301], &[0x001e, 0x001d]).unwrap();
        let mut asked = 0;
        while let Some(ask) = question.next() {
            asked += 1;
            let fits = offered_schemes(&ask).iter().any(|scheme| accepts.contains(scheme));
            let answer = ServerAnswer { server_hello: fits.then(ServerHello::default), ..ServerAnswer::default() };
            question.learn(&replied(if fits { AuditAnswer::Hello } else { AuditAnswer::Alert(40) }, answer));
        }
        (question.finding(), asked)
    }

    #[test]
    fn schemes_of_tls_1_3_are_found_by_elimination() {
        let (accepted, asked) = run(&[0x0403]);
        assert_eq!((accepted.numbers, accepted.refusal, asked), (vec![0x0403], Some(AuditAnswer::Alert(40)), 3));
        let (accepted, asked) = run(&[0x0804, 0x0805, 0x0806]);
        assert_eq!((accepted.numbers, asked), (vec![0x0804, 0x0805, 0x0806], 7));
        assert_eq!(run(&[0x0807]).0.numbers, [0x0807]);
        assert_eq!(run(&[0x0403, 0x0807]).0.numbers, [0x0807, 0x0403], "in the order in which they were asked");
    }

    #[test]
    fn a_server_that_refuses_under_its_keys_tells_nothing() {
        let everything: Vec<u16> = sets().into_iter().flatten().map(|scheme| scheme.0).collect();
        let (accepted, asked) = run(&[everything, vec![NOBODYS.0]].concat());
        assert_eq!((accepted, asked), (Accepted { refusal: Some(AuditAnswer::Hello), ..Accepted::default() }, 2));
    }

    #[test]
    fn without_a_share_nothing_is_asked_and_a_reset_is_no_refusal() {
        let caller = caller();
        assert!(Tls13Schemes::new(&caller, &[0x1301], &[0x0105]).is_none());
        let mut question = Tls13Schemes::new(&caller, &[0x1301], &[0x001d]).unwrap();
        question.learn(&replied(AuditAnswer::Reset, ServerAnswer::default()));
        assert_eq!((question.next(), question.finding().refusal), (None, Some(AuditAnswer::Reset)));
    }

    #[test]
    fn tls_1_2_needs_a_signed_exchange() {
        assert!(tls12_schemes(&caller(), &[0x002f, 0xc018]).is_empty());
        let caller = caller();
        let questions = tls12_schemes(&caller, &[0xc02b, 0x009e, 0x002f]);
        let offered: Vec<Vec<u16>> = questions.iter().filter_map(Question::next).map(|ask| offered_suites(&ask)).collect();
        assert_eq!(offered, [[0x009e], [0xc02b]], "one question for each type of key");
        let schemes: Vec<u16> = questions.iter().filter_map(Question::next).flat_map(|ask| offered_schemes(&ask)).collect();
        assert!([0x0401, 0x0804, 0x0403, 0x0807].iter().all(|scheme| schemes.contains(scheme)) && !schemes.contains(&0x0202));
    }
}
