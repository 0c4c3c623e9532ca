//! Which certificate a server shows for the target's name, for none, for another one, and for each type of key.

use parallax_model::{
    bytes::Bytes,
    facts::{Accepted, AuditFacts, CertificateAsk, CertificateFacts},
};
use parallax_tls::{
    Extension,
    registry::{Authentication, CipherSuite, ExtensionType, ProtocolVersion, SignatureScheme},
};

use super::{
    ask::{Ask, Reply},
    caller::Caller,
};

/// Tells whether suites of TLS 1.2 or before need keys of both types.
pub(super) fn has_both_keys(suites: &[u16]) -> bool {
    let has = |kind| suites.iter().any(|suite| CipherSuite(*suite).authentication() == kind);
    has(Authentication::Rsa) && has(Authentication::Ecdsa)
}

/// Tells whether a server of TLS 1.3 may have keys of both types, by the schemes that it signs with; some do not show them.
pub(super) fn may_have_both_keys(schemes: &Accepted) -> bool {
    let is_of_rsa: Vec<bool> = schemes.numbers.iter().map(|scheme| is_of_rsa(SignatureScheme(*scheme))).collect();
    is_of_rsa.is_empty() || (is_of_rsa.contains(&true) && is_of_rsa.contains(&false))
}

/// Returns what is asked for certificates, beginning with the target's name if it has one: names, and types of key where there are both.
pub(super) fn asks(caller: &Caller, both_keys: bool) -> Vec<CertificateAsk> {
    let mut asks = Vec::with_capacity(5);
    if caller.name.is_some() {
        asks.extend([CertificateAsk::OwnName, CertificateAsk::OtherName]);
    }
    asks.push(CertificateAsk::NoName);
    if both_keys {
        asks.extend([CertificateAsk::Rsa, CertificateAsk::Ecdsa]);
    }
    asks
}

/// Writes the hello of one ask below TLS 1.3.
pub(super) fn ask(caller: &Caller, what: CertificateAsk, version: ProtocolVersion, accepted: &[u16]) -> Ask {
    let mut offer = caller.offer(version, accepted.iter().copied().map(CipherSuite).collect());
    offer.name = server_name(caller, what);
    offer.more = vec![Extension::StatusRequest, Extension::SignedCertificateTimestamp];
    let only = match what {
        CertificateAsk::Rsa => Some(Authentication::Rsa),
        CertificateAsk::Ecdsa => Some(Authentication::Ecdsa),
        CertificateAsk::OwnName | CertificateAsk::NoName | CertificateAsk::OtherName => None,
    };
    if let Some(only) = only {
        offer.suites.retain(|suite| suite.authentication() == only);
    }
    offer.schemes.retain(|scheme| is_for(*scheme, what));
    caller.ask(offer)
}

/// Tells whether an ask offers a scheme.
pub(super) fn is_for(scheme: SignatureScheme, what: CertificateAsk) -> bool {
    match what {
        CertificateAsk::Rsa => is_of_rsa(scheme),
        CertificateAsk::Ecdsa => !is_of_rsa(scheme),
        CertificateAsk::OwnName | CertificateAsk::NoName | CertificateAsk::OtherName => true,
    }
}

/// Returns the server name that an ask sends.
pub(super) fn server_name(caller: &Caller, what: CertificateAsk) -> Option<String> {
    match what {
        CertificateAsk::OwnName | CertificateAsk::Rsa | CertificateAsk::Ecdsa => caller.name.clone(),
        CertificateAsk::OtherName => Some(caller.other_name.clone()),
        CertificateAsk::NoName => None,
    }
}

fn is_of_rsa(scheme: SignatureScheme) -> bool {
    scheme.name().starts_with("rsa_")
}

/// Notes what came for an ask, with its chain.
pub(super) fn note(facts: &mut AuditFacts, caller: &Caller, what: CertificateAsk, reply: &Reply) {
    let hello = reply.hello();
    let chain = reply.answer.certificates.iter().cloned().map(Bytes).collect();
    let seen = CertificateFacts {
        ask: what,
        server_name: server_name(caller, what),
        answer: reply.end,
        version: hello.map(|hello| hello.selected_version().0),
        cipher_suite: hello.map(|hello| hello.cipher_suite.0),
        chain: chain_index(&mut facts.chains, chain),
        staple: reply.answer.ocsp_response.clone().map(Bytes),
        timestamps: hello.and_then(|hello| hello.extension(ExtensionType::SIGNED_CERTIFICATE_TIMESTAMP)).map(|body| Bytes(body.to_vec())),
    };
    facts.certificates.push(seen);
}

/// Returns where a chain stands, after putting it there; none when it is empty.
pub(super) fn chain_index(chains: &mut Vec<Vec<Bytes>>, chain: Vec<Bytes>) -> Option<u32> {
    if chain.is_empty() {
        return None;
    }
    let at = chains.iter().position(|known| *known == chain).unwrap_or_else(|| {
        chains.push(chain);
        chains.len() - 1
    });
    u32::try_from(at).ok()
}

#[cfg(test)]
mod tests {
    use parallax_model::facts::AuditAnswer;
    use parallax_tls::{ServerAnswer, ServerHello};

    use super::*;
    use crate::audit::tests::{caller, offered_schemes, offered_suites, replied};

    #[test]
    fn key_types_are_asked_for_where_the_server_has_both() {
        let caller = caller();
        assert_eq!(asks(&caller, false), [CertificateAsk::OwnName, CertificateAsk::OtherName, CertificateAsk::NoName]);
        assert_eq!(asks(&caller, true)[3..], [CertificateAsk::Rsa, CertificateAsk::Ecdsa]);
        assert_eq!(asks(&Caller { name: None, ..caller.clone() }, false), [CertificateAsk::NoName]);
        assert!(has_both_keys(&[0xc02f, 0xc02b]) && !has_both_keys(&[0xc02f]));
        let signs_with = |numbers: &[u16]| may_have_both_keys(&Accepted { numbers: numbers.to_vec(), ..Accepted::default() });
        assert!(signs_with(&[0x0403, 0x0804]) && signs_with(&[]) && !signs_with(&[0x0804, 0x0805]) && !signs_with(&[0x0403]));
        let ask = ask(&caller, CertificateAsk::Ecdsa, ProtocolVersion::TLS12, &[0xc02f, 0xc02b]);
        assert_eq!(offered_suites(&ask), [0xc02b]);
        assert!(offered_schemes(&ask).contains(&0x0403) && !offered_schemes(&ask).contains(&0x0804));
    }

    #[test]
    fn names_follow_the_ask_and_the_same_chain_is_kept_once() {
        let caller = caller();
        let mut facts = AuditFacts::default();
        for (what, leaf) in [(CertificateAsk::OwnName, 1), (CertificateAsk::NoName, 2), (CertificateAsk::OtherName, 1)] {
            let answer = ServerAnswer { server_hello: Some(ServerHello::default()), certificates: vec![vec![leaf]], ..ServerAnswer::default() };
            note(&mut facts, &caller, what, &replied(AuditAnswer::Hello, answer));
        }
        note(&mut facts, &caller, CertificateAsk::OtherName, &replied(AuditAnswer::Alert(112), ServerAnswer::default()));
        let seen: Vec<_> = facts.certificates.iter().map(|seen| (seen.server_name.as_deref(), seen.chain)).collect();
        let (own, other) = (caller.name.as_deref(), Some(caller.other_name.as_str()));
        assert_eq!(seen, [(own, Some(0)), (None, Some(1)), (other, Some(0)), (other, None)]);
        assert_eq!(facts.chains, [[Bytes(vec![1])], [Bytes(vec![2])]]);
    }
}
