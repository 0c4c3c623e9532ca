//! An access log in the usual format of nginx and Apache httpd: `ADDRESS - USER [24/Nov/2026:15:00:00 +0000] "REQUEST" STATUS …`; the address may have its port behind it.

use parallax_model::facts::LogEvent;

use super::line::{Entry, address_and_port, quarter_us};

pub(super) fn read(text: &str) -> Option<Entry> {
    let (source, rest) = text.split_once(' ')?;
    let (client, client_port) = match source.parse() {
        Ok(address) => (address, None),
        Err(_) => address_and_port(source).map(|(address, port)| (address, Some(port)))?,
    };
    let (_user, rest) = rest.split_once(" [")?;
    let (date, rest) = rest.split_once("] \"")?;
    let quarter_us = quarter_us(date.split_once(':')?.1.split(' ').next()?)?;
    // A quote within the request is escaped.
    let (_request, rest) = rest.split_once("\" ")?;
    let status = rest.split(' ').next()?.parse().ok().filter(|status| (100..600).contains(status))?;
    Some(Entry { quarter_us, client, client_port, server_port: None, event: LogEvent::Served(status), thread: None })
}
