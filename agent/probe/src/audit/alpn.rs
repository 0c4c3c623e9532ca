//! Which application protocols a server accepts (RFC 7301): in clear in TLS 1.2 and before, under the handshake's keys in TLS 1.3.

use parallax_model::facts::{AlpnFacts, AuditAnswer, LocalRefusal, TlsEnd, VersionFacts};
use parallax_tls::{
    Extension,
    registry::{CipherSuite, ProtocolVersion},
};

use super::{
    ask::{Ask, Question, Reply},
    caller::Caller,
    driver::Driver,
    sessions,
};
use crate::net::Net;

/// What is left to offer, and what came of it so far.
#[derive(Debug)]
struct Protocols {
    left: Vec<&'static str>,
    facts: AlpnFacts,
}

impl Protocols {
    fn all() -> Self {
        Self { left: PROTOCOLS.to_vec(), facts: AlpnFacts::default() }
    }

    /// Returns what to offer next; none when the server has shown what it does without overlap.
    fn offer(&self) -> Option<Vec<String>> {
        self.facts.no_overlap.is_none().then(|| self.left.iter().copied().chain([UNKNOWN_PROTOCOL]).map(str::to_owned).collect())
    }

    fn learn(&mut self, chosen: &[u8], answer: AuditAnswer) {
        match self.left.iter().position(|protocol| protocol.as_bytes() == chosen) {
            Some(at) => self.facts.accepted.push(self.left.remove(at).to_owned()),
            None if chosen.is_empty() => self.facts.no_overlap = Some(answer),
            None => self.facts.no_overlap = Some(AuditAnswer::Malformed),
        }
    }

    /// Returns what was found; none when the server answered nothing.
    fn facts(self) -> Option<AlpnFacts> {
        Some(self.facts).filter(|facts| facts.no_overlap.is_some() || !facts.accepted.is_empty())
    }
}

/// Asks a server of TLS 1.3 by full handshakes, up to the first that ends in neither a choice nor an alert.
pub(super) async fn tls13<N: Net>(driver: &Driver<'_, N>, version: &VersionFacts) -> Option<AlpnFacts> {
    let mut protocols = Protocols::all();
    while let Some(offer) = protocols.offer() {
        let Some(chosen) = sessions::tls13_protocol(driver, version, offer).await else { break };
        match chosen {
            Ok(chosen) => protocols.learn(chosen.unwrap_or_default().as_bytes(), AuditAnswer::Hello),
            Err(TlsEnd::Alert(number)) => protocols.learn(b"", AuditAnswer::Alert(number)),
            Err(TlsEnd::LocalRefusal(LocalRefusal::ApplicationProtocol)) => protocols.learn(b"", AuditAnswer::Malformed),
            Err(_) => break,
        }
    }
    protocols.facts()
}

/// The question which of [`PROTOCOLS`] a server accepts before TLS 1.3, and what it does without overlap.
#[derive(Debug)]
pub(super) struct Alpn<'a> {
    caller: &'a Caller,
    version: ProtocolVersion,
    suites: Vec<CipherSuite>,
    protocols: Protocols,
}

impl<'a> Alpn<'a> {
    /// Starts with a version below TLS 1.3 and its suites.
    pub(super) fn new(caller: &'a Caller, version: ProtocolVersion, accepted: &[u16]) -> Self {
        let suites = accepted.iter().copied().map(CipherSuite).collect();
        Self { caller, version, suites, protocols: Protocols::all() }
    }
}

impl Question for Alpn<'_> {
    type Finding = Option<AlpnFacts>;

    fn next(&self) -> Option<Ask> {
        self.protocols.offer().map(|protocols| {
            let mut offer = self.caller.offer(self.version, self.suites.clone());
            offer.more = vec![Extension::Alpn(protocols.into_iter().map(String::into_bytes).collect())];
            self.caller.ask(offer)
        })
    }

    fn learn(&mut self, reply: &Reply) {
        let chosen = reply.hello().and_then(|hello| hello.alpn()).unwrap_or_default();
        self.protocols.learn(chosen, reply.end);
    }

    fn finding(self) -> Option<AlpnFacts> {
        self.protocols.facts()
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
        (question.finding().unwrap(), asked)
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
