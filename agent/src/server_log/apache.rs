//! The error log of Apache httpd: `[Tue Nov 24 15:00:00.123456 2026] [ssl:info] [pid 7:tid 8] [client ADDRESS:PORT] AH02008: MESSAGE (server NAME:PORT)`.

use parallax_model::facts::LogEvent;

use super::line::{Entry, Said, address_and_port, openssl_event, quarter_us};

pub(super) fn read(text: &str) -> Option<Said> {
    let (date, rest) = bracketed(text)?;
    let quarter_us = quarter_us(date.split(' ').nth(3)?)?;
    let (_module, rest) = bracketed(rest)?;
    let (thread, rest) = bracketed(rest)?;
    if let Some(message) = rest.strip_prefix("SSL Library Error: ") {
        let LogEvent::HandshakeFailed(reason) = openssl_event(message)? else { return None };
        return Some(Said::Reason { thread: thread.to_owned(), reason });
    }
    let (client, message) = bracketed(rest)?;
    let (client, port) = address_and_port(client.strip_prefix("client ")?)?;
    let event = match message.get(..7)? {
        "AH02008" => LogEvent::HandshakeFailed(0),
        "AH02006" => LogEvent::PeerClosed,
        "AH01996" => LogEvent::NotTls,
        "AH02033" | "AH01797" | "AH01630" => LogEvent::Denied,
        "AH00898" | "AH02003" | "AH00957" | "AH01114" => LogEvent::UpstreamFailed,
        _ => return None,
    };
    let server_port = message.rsplit_once("(server ").and_then(|(_, server)| server.strip_suffix(')')?.rsplit_once(':')?.1.parse().ok());
    let thread = (event == LogEvent::HandshakeFailed(0)).then(|| thread.to_owned());
    Some(Said::Entry(Entry { quarter_us, client, client_port: Some(port), server_port, event, thread }))
}

fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (inner, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((inner, rest.trim_start()))
}
