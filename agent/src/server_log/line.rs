//! One line of a log, whichever server wrote it: pure, never panics, believes nothing that a client can write.

use std::net::IpAddr;

use parallax_model::facts::LogEvent;

use super::{access, apache, haproxy, nginx};

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Of one connection.
    Entry(Entry),
    /// The reason for what the line before said for the same thread.
    Reason { thread: String, reason: u16 },
}

/// A line about one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Microseconds into a quarter of an hour: every time zone is whole quarters away from every other, so that the zone of a log does not matter.
    pub(crate) quarter_us: u64,
    pub(crate) client: IpAddr,
    pub(crate) client_port: Option<u16>,
    pub(crate) server_port: Option<u16>,
    pub(crate) event: LogEvent,
    /// The server's thread, where a reason may follow.
    pub(crate) thread: Option<String>,
}

/// Reads a line of the error or access log of nginx or Apache httpd, or of the log of HAProxy.
pub(crate) fn read(line: &[u8]) -> Option<Said> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    if text.starts_with('[') && !text.contains("haproxy[") {
        return apache::read(text);
    }
    nginx::read(text).or_else(|| haproxy::read(text)).or_else(|| access::read(text)).map(Said::Entry)
}

/// Reads `HH:MM:SS`, with or without a fraction, as microseconds into a quarter of an hour.
pub(super) fn quarter_us(clock: &str) -> Option<u64> {
    let mut parts = clock.splitn(3, ':');
    number(parts.next()?, 23)?;
    let minute = number(parts.next()?, 59)?;
    let seconds = parts.next()?;
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let second = number(second, 60)?;
    if fraction.is_empty() || fraction.len() > 6 {
        return None;
    }
    let micros = fraction.parse::<u64>().ok().filter(|_| fraction.bytes().all(|byte| byte.is_ascii_digit()))? * 10_u64.pow(6 - fraction.len() as u32);
    Some((minute * 60 + second) * 1_000_000 % QUARTER_US + micros)
}

fn number(text: &str, most: u64) -> Option<u64> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= most)
}

/// Reads an address with a port behind a colon; IPv6 with or without brackets.
pub(super) fn address_and_port(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.rsplit_once(':')?;
    let address = address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(address);
    Some((address.parse::<IpAddr>().ok()?.to_canonical(), port.parse().ok()?))
}

/// Reads what OpenSSL says of a failed handshake, such as `error:0A000102:SSL routines::unsupported protocol`.
pub(super) fn openssl_event(text: &str) -> Option<LogEvent> {
    let code = text.split_once("error:")?.1.get(..8)?;
    let reason = (u32::from_str_radix(code, 16).ok()? & REASON_MASK) as u16;
    Some(match reason {
        ALERT_BASE..=ALERT_LAST => LogEvent::AlertReceived((reason - ALERT_BASE) as u8),
        UNEXPECTED_EOF => LogEvent::PeerClosed,
        HTTPS_PROXY_REQUEST | HTTP_REQUEST | WRONG_VERSION_NUMBER => LogEvent::NotTls,
        _ => LogEvent::HandshakeFailed(reason),
    })
}

/// A quarter of an hour.
pub(crate) const QUARTER_US: u64 = 900 * 1_000_000;
/// Both the codes of OpenSSL 1 and of OpenSSL 3 hold the reason in their last twelve bits.
const REASON_MASK: u32 = 0xfff;
/// Alerts of the peer stand in the same table (`SSL_AD_REASON_OFFSET`).
const ALERT_BASE: u16 = 1_000;
const ALERT_LAST: u16 = 1_255;
const HTTPS_PROXY_REQUEST: u16 = 155;
const HTTP_REQUEST: u16 = 156;
const WRONG_VERSION_NUMBER: u16 = 267;
const UNEXPECTED_EOF: u16 = 294;
