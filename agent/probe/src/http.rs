//! What follows a finished handshake: one request, one read, or a responder's echo.

use std::time::{Duration, UNIX_EPOCH};

use parallax_model::{
    clock::Timestamp,
    echo::{Echo, MAX_LINE_BYTES},
    facts::{HttpEnd, HttpFacts, TlsEnd},
    target::Target,
};
use tokio::time::Instant;

use crate::{
    body,
    capture::micros,
    net::Connection,
    tls::{Channel, ReadEnd},
};

/// Sends one request and reads the head of the response (RFC 9110), and at most so many bytes of the body, which HEAD spares where it is none.
pub(crate) async fn ask<C: Connection>(channel: &mut Channel<'_, C>, target: &Target, body_bytes: u32, deadline: Instant) -> HttpFacts {
    let started = Instant::now();
    channel.write(request(target, if body_bytes > 0 { "GET" } else { "HEAD" }).as_bytes()).await;
    let patience = if channel.has_protocol() { deadline } else { deadline.min(started + channel.round_trip() * 2 + UNPROMISED) };
    let mut stopped = None;
    while stopped.is_none() && channel.plaintext().len() < MAX_HEAD_BYTES && !head_is_whole(channel.plaintext()) {
        stopped = channel.read(patience).await.err();
    }
    // A server that reads until its client is done, and serves one at a time, must not be held up: it is told, and may still answer.
    let told = patience < deadline && stopped == Some(ReadEnd::Stream(TlsEnd::TimedOut));
    if told {
        channel.finish().await;
        stopped = None;
        while stopped.is_none() && channel.plaintext().len() < MAX_HEAD_BYTES && !head_is_whole(channel.plaintext()) {
            stopped = channel.read(deadline).await.err();
        }
    }
    let received = channel.plaintext();
    let facts = read_head(received).unwrap_or_else(|| {
        // The end of a connection that was given up says nothing.
        if told && received.is_empty() {
            return HttpFacts::ended(HttpEnd::Quiet);
        }
        HttpFacts::ended(
            stopped.filter(|_| received.is_empty() || b"HTTP/1.".starts_with(&received[..received.len().min(7)])).map_or(HttpEnd::NotHttp, http_end),
        )
    });
    let facts = HttpFacts { bytes_read: received.len() as u64, elapsed_us: micros(started.elapsed()), ..facts };
    if body_bytes == 0 || facts.end != HttpEnd::Answered {
        return facts;
    }
    let body = body::read(channel, body_bytes, started, stopped, deadline).await;
    HttpFacts { bytes_read: facts.bytes_read.min(body::head_length(channel.plaintext()).map_or(u64::MAX, |length| length as u64)), body, ..facts }
}

/// Reads the head of a response; none when it begins with no status line.
pub(crate) fn read_head(received: &[u8]) -> Option<HttpFacts> {
    Some(HttpFacts {
        status: Some(status_of(received)?),
        server: header(received, "server", MAX_SERVER_CHARS),
        alt_svc: header(received, "alt-svc", MAX_ALT_SVC_CHARS),
        date: header(received, "date", MAX_DATE_CHARS).as_deref().and_then(date),
        age_seconds: header(received, "age", MAX_DATE_CHARS).and_then(|age| age.parse().ok()),
        strict_transport_security: header(received, "strict-transport-security", MAX_SERVER_CHARS),
        location: header(received, "location", MAX_LOCATION_CHARS),
        ..HttpFacts::ended(HttpEnd::Answered)
    })
}

/// Reads once, to see whether the server takes the handshake back: a demand for a client certificate shows only here in TLS 1.3.
pub(crate) async fn first_read<C: Connection>(channel: &mut Channel<'_, C>, certificate_requested: bool, deadline: Instant) -> HttpFacts {
    let started = Instant::now();
    let round_trip = channel.round_trip();
    // Without a demand for a certificate nothing is due; a reset that follows the handshake at once is still seen.
    let wait =
        if certificate_requested { (round_trip * 2 + QUIET_MARGIN).min(QUIET_LONGEST.max(round_trip + QUIET_MARGIN)) } else { round_trip + GLANCE_MARGIN };
    let end = match channel.read(deadline.min(started + wait)).await {
        Ok(()) => HttpEnd::Answered,
        Err(ReadEnd::Stream(TlsEnd::TimedOut)) => HttpEnd::Quiet,
        // Many servers close when they are done. One that wanted a certificate and goes without a word is not done.
        Err(ReadEnd::Notified | ReadEnd::Stream(TlsEnd::Closed)) if !certificate_requested => HttpEnd::Quiet,
        Err(end) => http_end(end),
    };
    HttpFacts { bytes_read: channel.plaintext().len() as u64, elapsed_us: micros(started.elapsed()), ..HttpFacts::ended(end) }
}

/// Reads the line in which a fleet responder says what arrived of the hello.
pub(crate) async fn echo<C: Connection>(channel: &mut Channel<'_, C>, deadline: Instant) -> Option<Echo> {
    while !channel.plaintext().contains(&b'\n') && channel.plaintext().len() < MAX_LINE_BYTES {
        if channel.read(deadline).await.is_err() {
            break;
        }
    }
    let line = channel.plaintext().split(|byte| *byte == b'\n').next()?;
    Echo::from_line(line)
}

fn request(target: &Target, method: &str) -> String {
    let host = if target.port == 443 { target.host.to_string() } else { target.authority() };
    let version = env!("CARGO_PKG_VERSION");
    format!("{method} {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: parallax/{version}\r\nAccept: */*\r\nConnection: close\r\n\r\n", target.path)
}

fn http_end(end: ReadEnd) -> HttpEnd {
    match end {
        ReadEnd::Notified | ReadEnd::Stream(TlsEnd::Closed) => HttpEnd::Closed,
        ReadEnd::Stream(TlsEnd::Alert(number)) => HttpEnd::Alert(number),
        ReadEnd::Stream(TlsEnd::TimedOut) => HttpEnd::TimedOut,
        ReadEnd::Stream(TlsEnd::Malformed | TlsEnd::NotTls | TlsEnd::OverCap) => HttpEnd::NotHttp,
        ReadEnd::Stream(_) => HttpEnd::Reset,
    }
}

/// Reads a date in one of the three forms of RFC 9110 section 5.6.7.
fn date(text: &str) -> Option<Timestamp> {
    let since_1970 = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since_1970.as_micros()).ok().map(Timestamp::from_micros)
}

fn head_is_whole(bytes: &[u8]) -> bool {
    let not_http = bytes.len() >= 7 && !bytes.starts_with(b"HTTP/1.");
    not_http || bytes.windows(4).any(|window| window == b"\r\n\r\n") || bytes.windows(2).any(|window| window == b"\n\n")
}

/// Reads the status of a status line (RFC 9112 section 4).
pub(crate) fn status_of(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(1..)?.strip_prefix(b" ")?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|status| (100..1000).contains(status))
}

/// Returns the value of the first header of this name, cut at so many characters.
pub(crate) fn header(bytes: &[u8], name: &str, longest: usize) -> Option<String> {
    let lines = bytes.split(|byte| *byte == b'\n').skip(1).map(<[u8]>::trim_ascii).take_while(|line| !line.is_empty());
    let mut fields = lines.filter_map(|line| line.iter().position(|byte| *byte == b':').map(|at| (&line[..at], line[at + 1..].trim_ascii())));
    let (_, value) = fields.find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))?;
    Some(String::from_utf8_lossy(value).chars().take(longest).collect())
}

const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_SERVER_CHARS: usize = 128;
const MAX_ALT_SVC_CHARS: usize = 256;
const MAX_DATE_CHARS: usize = 64;
const MAX_LOCATION_CHARS: usize = 512;
/// Time for the server's part of the work, beyond round trips.
const QUIET_MARGIN: Duration = Duration::from_millis(50);
/// How long an answer to a request may take before a server that chose no protocol by ALPN hears that nothing more is sent.
const UNPROMISED: Duration = Duration::from_millis(100);
const GLANCE_MARGIN: Duration = Duration::from_millis(5);
const QUIET_LONGEST: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_and_rubbish_is_not() {
        let head = b"HTTP/1.1 301 Moved\r\nServer: nginx\r\nLOCATION:  https://shop.example/a \r\n\r\nx: y";
        assert_eq!(status_of(head), Some(301));
        assert_eq!(header(head, "server", 128).as_deref(), Some("nginx"));
        assert_eq!(header(head, "location", 5).as_deref(), Some("https"));
        assert_eq!(header(head, "x", 5), None);
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Timestamp::from_micros(784_111_777_000_000)));
        assert_eq!(date("soon"), None);
        for rubbish in [b"HTTP/1.1".as_slice(), b"HTTP/1.1 abc", b"HTTP/1.1 99", b"SSH-2.0-x", b"", b"HTTP/1.1 20"] {
            assert_eq!(status_of(rubbish), None);
        }
        assert!(head_is_whole(b"SSH-2.0-OpenSSH\r\n"));
        assert!(!head_is_whole(b"HTTP/1.1 200 OK\r\nA: b\r\n"));
    }

    #[test]
    fn the_request_names_host_path_and_prober() {
        let target: Target = "https://shop.example:8443/health".parse().unwrap();
        let text = request(&target, "HEAD");
        assert!(text.starts_with("HEAD /health HTTP/1.1\r\nHost: shop.example:8443\r\n"), "{text}");
        assert!(text.contains("User-Agent: parallax/"));
    }
}
