//! The error log of nginx: `2026/11/24 15:00:00 [info] 12#12: *5 MESSAGE, client: ADDRESS, server: ADDRESS:PORT`.

use parallax_model::facts::LogEvent;

use super::line::{Entry, address_and_port, openssl_event, quarter_us};

pub(super) fn read(text: &str) -> Option<Entry> {
    let (quarter_us, message) = head(text)?;
    let (event, rest) = in_handshake(message).or_else(|| in_request(message))?;
    let (client, rest) = rest.split_once(", server: ")?;
    let server = rest.split(", ").next().unwrap_or_default();
    let server_port = address_and_port(server).map(|(_, port)| port);
    Some(Entry { quarter_us, client: client.parse().ok()?, client_port: None, server_port, event, thread: None })
}

fn head(text: &str) -> Option<(u64, &str)> {
    let mut words = text.splitn(5, ' ');
    words.next().filter(|date| date.len() == 10 && date.as_bytes()[4] == b'/')?;
    let quarter_us = quarter_us(words.next()?)?;
    words.next().filter(|level| level.starts_with('['))?;
    words.next().filter(|process| process.contains('#'))?;
    Some((quarter_us, words.next()?.strip_prefix('*')?.split_once(' ')?.1))
}

/// Tells whether a line begins to quote what a client sent, which may hold ends of lines.
pub(super) fn begins_a_quote(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    head(&text).is_some_and(|(_, message)| message.starts_with(QUOTE))
}

/// Tells whether a line ends with what stands behind such a quote.
pub(super) fn ends_a_quote(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    text.rsplit_once(", client: ").is_some_and(|(said, who)| said.ends_with(QUOTE_END) && names_listener(who))
}

fn names_listener(who: &str) -> bool {
    who.split_once(", server: ").is_some_and(|(_, server)| address_and_port(server).is_some())
}

/// Reads what is said before any request: whom it is about stands at the very end, behind whatever the client wrote.
fn in_handshake(message: &str) -> Option<(LogEvent, &str)> {
    let (said, who) = message.rsplit_once(", client: ")?;
    let event = if said.starts_with("SSL_do_handshake() failed") && said.ends_with("while SSL handshaking") {
        openssl_event(said).unwrap_or(LogEvent::HandshakeFailed(0))
    } else if said.starts_with("peer closed connection in SSL handshake") && said.ends_with("while SSL handshaking") {
        if said.contains("(104:") { LogEvent::PeerReset } else { LogEvent::PeerClosed }
    } else if said.starts_with("client timed out") && said.ends_with("while SSL handshaking") {
        LogEvent::PeerSilent
    } else if said.starts_with(QUOTE) && said.ends_with(QUOTE_END) {
        LogEvent::ProxyHeaderMissing
    } else {
        return None;
    };
    // Nothing follows the address of the listener.
    names_listener(who).then_some((event, who))
}

/// Reads what is said of a request or a relayed connection: whom it is about stands before whatever the client wrote.
fn in_request(message: &str) -> Option<(LogEvent, &str)> {
    let (said, who) = message.split_once(", client: ")?;
    let starts = |beginnings: &[&str]| beginnings.iter().any(|beginning| said.starts_with(beginning));
    let event = if starts(&["access forbidden by rule"]) {
        LogEvent::Denied
    } else if starts(&["limiting connections", "limiting requests"]) {
        LogEvent::Limited
    } else if starts(&["client sent plain HTTP request to HTTPS port"]) {
        LogEvent::NotTls
    } else if starts(&["client sent no required SSL certificate", "client SSL certificate verify error"]) {
        LogEvent::ClientCertificate
    } else if starts(&["upstream timed out", "upstream prematurely closed", "no live upstreams", "upstream SSL certificate"])
        || (said.contains(" upstream") && starts(&["connect() failed", "SSL_do_handshake() failed", "peer closed connection in SSL handshake"]))
    {
        LogEvent::UpstreamFailed
    } else {
        return None;
    };
    Some((event, who))
}

const QUOTE: &str = "broken header: ";
const QUOTE_END: &str = "while reading PROXY protocol";
