use parallax_model::{
    clock::Timestamp,
    facts::{LogEvent, LogFacts, LogLine},
};

use super::{
    address::{ip, ip_bytes},
    bounds::{cut, messages},
    error::{ConvertError, narrow},
};
use crate::v1;

impl From<&LogFacts> for v1::LogFacts {
    fn from(facts: &LogFacts) -> Self {
        Self {
            since_us: facts.since.as_micros(),
            until_us: facts.until.as_micros(),
            read: facts.read,
            lost: facts.lost,
            lines: cut(&facts.lines).iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::LogFacts> for LogFacts {
    type Error = ConvertError;
    fn try_from(message: v1::LogFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            since: Timestamp::from_micros(message.since_us),
            until: Timestamp::from_micros(message.until_us),
            read: message.read,
            lost: message.lost,
            lines: messages(message.lines, "lines")?,
        })
    }
}

impl From<&LogLine> for v1::LogLine {
    fn from(line: &LogLine) -> Self {
        let (event, number) = event_and_number(line.event);
        Self {
            at_us: line.at.as_micros(),
            client: ip_bytes(line.client),
            client_port: line.client_port.map_or(0, u32::from),
            server_port: line.server_port.map_or(0, u32::from),
            event: event.into(),
            number,
        }
    }
}

impl TryFrom<v1::LogLine> for LogLine {
    type Error = ConvertError;
    fn try_from(message: v1::LogLine) -> Result<Self, ConvertError> {
        let port = |port: u32, field: &str| Ok::<_, ConvertError>(Some(narrow(port, field)?).filter(|port| *port != 0));
        Ok(Self {
            at: Timestamp::from_micros(message.at_us),
            client: ip(&message.client, "client")?,
            client_port: port(message.client_port, "client_port")?,
            server_port: port(message.server_port, "server_port")?,
            event: event(message.event, message.number)?,
        })
    }
}

fn event_and_number(event: LogEvent) -> (v1::LogEvent, u32) {
    use v1::LogEvent as Wire;
    match event {
        LogEvent::Served(status) => (Wire::Served, status.into()),
        LogEvent::HandshakeFailed(reason) => (Wire::HandshakeFailed, reason.into()),
        LogEvent::AlertReceived(number) => (Wire::AlertReceived, number.into()),
        LogEvent::PeerClosed => (Wire::PeerClosed, 0),
        LogEvent::PeerReset => (Wire::PeerReset, 0),
        LogEvent::PeerSilent => (Wire::PeerSilent, 0),
        LogEvent::NotTls => (Wire::NotTls, 0),
        LogEvent::ProxyHeaderMissing => (Wire::ProxyHeaderMissing, 0),
        LogEvent::Denied => (Wire::Denied, 0),
        LogEvent::Limited => (Wire::Limited, 0),
        LogEvent::ClientCertificate => (Wire::ClientCertificate, 0),
        LogEvent::UpstreamFailed => (Wire::UpstreamFailed, 0),
        LogEvent::Other => (Wire::Other, 0),
    }
}

/// A newer agent may know events that this build does not: its other lines still count.
fn event(event: i32, number: u32) -> Result<LogEvent, ConvertError> {
    use v1::LogEvent as Wire;
    Ok(match Wire::try_from(event).unwrap_or(Wire::Other) {
        Wire::Served => LogEvent::Served(narrow(number, "number")?),
        Wire::HandshakeFailed => LogEvent::HandshakeFailed(narrow(number, "number")?),
        Wire::AlertReceived => LogEvent::AlertReceived(narrow(number, "number")?),
        Wire::PeerClosed => LogEvent::PeerClosed,
        Wire::PeerReset => LogEvent::PeerReset,
        Wire::PeerSilent => LogEvent::PeerSilent,
        Wire::NotTls => LogEvent::NotTls,
        Wire::ProxyHeaderMissing => LogEvent::ProxyHeaderMissing,
        Wire::Denied => LogEvent::Denied,
        Wire::Limited => LogEvent::Limited,
        Wire::ClientCertificate => LogEvent::ClientCertificate,
        Wire::UpstreamFailed => LogEvent::UpstreamFailed,
        Wire::Unspecified | Wire::Other => LogEvent::Other,
    })
}
