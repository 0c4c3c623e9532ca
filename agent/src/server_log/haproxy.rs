//! The log of HAProxy, bare or behind a syslog header: `ADDRESS:PORT [24/Nov/2026:15:00:00.123] frontend …`.

use parallax_model::facts::LogEvent;

use super::line::{Entry, address_and_port, openssl_event, quarter_us};

pub(super) fn read(text: &str) -> Option<Entry> {
    let text = match text.split_once("haproxy[") {
        Some((_, rest)) => rest.split_once("]: ")?.1,
        None => text,
    };
    let (source, rest) = text.split_once(" [")?;
    let (client, port) = address_and_port(source)?;
    let (date, rest) = rest.split_once("] ")?;
    let (_day, clock) = date.split_once(':')?;
    let quarter_us = quarter_us(clock).filter(|_| clock.contains('.'))?;
    let event = of_connection(rest).or_else(|| of_traffic(rest))?;
    Some(Entry { quarter_us, client, client_port: Some(port), server_port: None, event, thread: None })
}

/// Reads `frontend/bind: MESSAGE`, which is written where a connection did not come to a session.
fn of_connection(rest: &str) -> Option<LogEvent> {
    let (_, message) = rest.split_once(": ")?;
    Some(if message.starts_with("SSL handshake failure") {
        // Without a reason it may have been the client's doing.
        openssl_event(message).unwrap_or(LogEvent::HandshakeFailed(0))
    } else if message.starts_with("Received something which does not look like a PROXY protocol header") {
        LogEvent::ProxyHeaderMissing
    } else if message.starts_with("Connection closed during SSL handshake") {
        LogEvent::PeerClosed
    } else if message.starts_with("Timeout during SSL handshake") {
        LogEvent::PeerSilent
    } else {
        return None;
    })
}

/// Reads the line of a session: how it ended stands in the two letters of its state.
fn of_traffic(rest: &str) -> Option<LogEvent> {
    let words: Vec<&str> = rest.split_whitespace().take(9).collect();
    let timers = words.get(2)?;
    let is_http = timers.matches('/').count() == 4;
    let state = words.get(if is_http { 7 } else { 4 }).filter(|state| matches!(state.len(), 2 | 4))?;
    match state.as_bytes() {
        [b'P', b'R', ..] => Some(LogEvent::Denied),
        [b'S' | b's', b'C', ..] => Some(LogEvent::UpstreamFailed),
        _ if is_http => words.get(3)?.parse().ok().filter(|status| (100..600).contains(status)).map(LogEvent::Served),
        _ => None,
    }
}
