//! Which application protocols a server accepts, in clear in TLS 1.2 and before (RFC 7301).

use parallax_model::facts::{AlpnFacts, AuditAnswer};
use parallax_tls::{
    Extension,
    registry::{CipherSuite, ProtocolVersion},
};

use super::{
    ask::{Ask, Question, Reply},
    caller::Caller,
};

/// The question which of [`PROTOCOLS`] a server accepts, and what it does without overlap.
#[derive(Debug)]
pub(super) struct Alpn<'a> {
    caller: &'a Caller,
    version: ProtocolVersion,
    suites: Vec<CipherSuite>,
    offered: Vec<&'static str>,
    facts: AlpnFacts,
}

impl<'a> Alpn<'a> {
    /// Starts with a version below TLS 1.3 and its suites.
    pub(super) fn new(caller: &'a Caller, version: ProtocolVersion, accepted: &[u16]) -> Self {
        let suites = accepted.iter().copied().map(CipherSuite).collect();
        Self { caller, version, suites, offered: PROTOCOLS.to_vec(), facts: AlpnFacts::default() }
    }
}

impl Question for Alpn<'_> {
    type Finding = AlpnFacts;

    fn next(&self) -> Option<Ask> {
        self.facts.no_overlap.is_none().then(|| {
            let mut offer = self.caller.offer(self.version, self.suites.clone());
            let protocols = self.offered.iter().copied().chain([UNKNOWN_PROTOCOL]);
            offer.more = vec![Extension::Alpn(protocols.map(|protocol| protocol.as_bytes().to_vec()).collect())];
            self.caller.ask(offer)
        })
    }

    fn learn(&mut self, reply: &Reply) {
        let chosen = reply.hello().and_then(|hello| hello.alpn()).unwrap_or_default();
        match self.offered.iter().position(|protocol| protocol.as_bytes() == chosen) {
            Some(at) => self.facts.accepted.push(self.offered.remove(at).to_owned()),
            None if chosen.is_empty() => self.facts.no_overlap = Some(reply.end),
            None => self.facts.no_overlap = Some(AuditAnswer::Malformed),
        }
    }

    fn finding(self) -> AlpnFacts {
        self.facts
    }
}

/// Registered protocols that TLS servers speak on their own port.
const PROTOCOLS: [&str; 12] = ["h2", "http/1.1", "http/1.0", "spdy/3.1", "spdy/3", "ftp", "imap", "pop3", "managesieve", "xmpp-client", "dot", "acme-tls/1"];
/// A protocol that nobody has registered.
pub(super) const UNKNOWN_PROTOCOL: &str = "parallax/0";

#[cfg(test)]
mod tests {
    use parallax_tls::{ServerAnswer, ServerHello, registry::ExtensionType};

    use super::*;
    use crate::audit::tests::{caller, replied};

    fn run(accepts: &[&str], otherwise: AuditAnswer) -> (AlpnFacts, usize) {
        let caller = caller();
        let mut question = Alpn::new(&caller, ProtocolVersion::TLS12, &[0xc02f]);
        let mut asked = 0;
        while let Some(ask) = question.next() {
            asked += 1;
            let offered = ask.hello.alpn();
            let chosen = accepts.iter().find(|protocol| offered.iter().any(|other| other == protocol.as_bytes()));
            let body = chosen.map(|protocol| [&[0, protocol.len() as u8 + 1, protocol.len() as u8], protocol.as_bytes()].concat());
            let extensions = body.map(|body| (ExtensionType::ALPN, body)).into_iter().collect();
            let end = if chosen.is_some() { AuditAnswer::Hello } else { otherwise };
            let hello = (end == AuditAnswer::Hello).then(|| ServerHello { extensions, ..ServerHello::default() });
            question.learn(&replied(end, ServerAnswer { server_hello: hello, ..ServerAnswer::default() }));
        }
        (question.finding(), asked)
    }

    #[test]
    fn protocols_come_in_the_servers_order_and_the_end_says_what_it_does_without() {
        let (facts, asked) = run(&["http/1.1", "h2"], AuditAnswer::Alert(120));
        assert_eq!((facts.accepted, facts.no_overlap, asked), (vec!["http/1.1".to_owned(), "h2".to_owned()], Some(AuditAnswer::Alert(120)), 3));
        let (facts, asked) = run(&[], AuditAnswer::Hello);
        assert_eq!((facts.accepted.len(), facts.no_overlap, asked), (0, Some(AuditAnswer::Hello), 1));
        assert_eq!(run(&[UNKNOWN_PROTOCOL], AuditAnswer::Hello).0.no_overlap, Some(AuditAnswer::Malformed), "nobody speaks that one");
    }
}
