use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// What the server's own log says of connections, as an agent on its host read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFacts {
    /// From when on the log was followed, by the coordinator's clock.
    pub since: Timestamp,
    /// Until when, likewise.
    pub until: Timestamp,
    /// Lines that were understood meanwhile, whoever they are about.
    pub read: u64,
    /// Lines that were too long, or too many at once; where this is not 0, what is not there says nothing.
    pub lost: u64,
    /// The lines about connections from the sources that were asked about, oldest first.
    pub lines: Vec<LogLine>,
}

/// One line of a server's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written, by the coordinator's clock; as exact as the log, which often counts whole seconds.
    pub at: Timestamp,
    /// Whom it is about.
    pub client: IpAddr,
    /// From which port, where the log says so.
    pub client_port: Option<u16>,
    /// The port of the server, where the log says so.
    pub server_port: Option<u16>,
    /// What it says.
    pub event: LogEvent,
}

/// What a server says of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogEvent {
    /// It answered a request with this status.
    Served(u16),
    /// It failed the handshake itself; the reason's number in OpenSSL's table, 0 where the log has none.
    HandshakeFailed(u16),
    /// The client's alert ended the handshake; its number.
    AlertReceived(u8),
    /// The client closed the connection in the handshake.
    PeerClosed,
    /// A reset came in the handshake.
    PeerReset,
    /// The client did not go on with the handshake.
    PeerSilent,
    /// The bytes that came were no TLS.
    NotTls,
    /// No PROXY protocol header came where one is expected.
    ProxyHeaderMissing,
    /// A rule of its own configuration refused the client.
    Denied,
    /// A limit of its own configuration refused the connection.
    Limited,
    /// The client gave no certificate, or a wrong one.
    ClientCertificate,
    /// Its own upstream failed it.
    UpstreamFailed,
    /// Something that this version does not know.
    Other,
}

impl LogEvent {
    /// Tells whether the line says that the server itself ended the connection, and not what it suffered.
    pub fn is_an_act(self) -> bool {
        match self {
            Self::HandshakeFailed(reason) => OWN_REASONS.iter().any(|(own, ..)| *own == reason),
            Self::ProxyHeaderMissing | Self::Denied | Self::Limited | Self::UpstreamFailed => true,
            _ => false,
        }
    }

    /// Returns the alert that the server sends with it, where there is only one.
    pub fn alert(self) -> Option<u8> {
        let Self::HandshakeFailed(reason) = self else { return None };
        OWN_REASONS.iter().find(|(own, ..)| *own == reason)?.1
    }

    /// Says it in words, as the end of a sentence about the server.
    pub fn in_words(self) -> String {
        match self {
            Self::Served(status) => format!("it answered with {status}"),
            Self::HandshakeFailed(reason) => match OWN_REASONS.iter().find(|(own, ..)| *own == reason) {
                Some((_, _, words)) => format!("it failed the handshake itself: {words}"),
                None => "the handshake failed".to_owned(),
            },
            Self::AlertReceived(number) => format!("alert {number} came from the client"),
            Self::PeerClosed => "the client closed the connection".to_owned(),
            Self::PeerReset => "a reset came".to_owned(),
            Self::PeerSilent => "the client did not go on".to_owned(),
            Self::NotTls => "what came was no TLS".to_owned(),
            Self::ProxyHeaderMissing => "it expected a PROXY protocol header, and none came".to_owned(),
            Self::Denied => "a rule of its configuration refused the client".to_owned(),
            Self::Limited => "a limit of its configuration refused the connection".to_owned(),
            Self::ClientCertificate => "the client gave no certificate that it accepts".to_owned(),
            Self::UpstreamFailed => "its upstream failed".to_owned(),
            Self::Other => "something else".to_owned(),
        }
    }
}

/// Reasons for which OpenSSL fails a handshake as a server by its own configuration (`sslerr.h`), with the alert that it sends, where it sends always the same.
///
/// What damaged or foreign bytes can cause is not among them: it may be somebody else's act.
const OWN_REASONS: [(u16, Option<u8>, &str); 11] = [
    (101, Some(40), "no suitable key share"),
    (118, Some(40), "no suitable signature algorithm"),
    (193, Some(40), "no shared cipher"),
    (199, None, "the peer did not return a certificate"),
    (234, None, "callback failed, which is how a name is refused"),
    (235, Some(120), "no application protocol"),
    (258, Some(70), "unsupported protocol"),
    (295, Some(40), "no suitable groups"),
    (373, Some(86), "inappropriate fallback"),
    (376, Some(40), "no shared signature algorithms"),
    (396, Some(70), "version too low"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_server_decided_is_its_act() {
        let acts = [LogEvent::HandshakeFailed(258), LogEvent::ProxyHeaderMissing, LogEvent::Denied, LogEvent::Limited, LogEvent::UpstreamFailed];
        assert!(acts.iter().all(|event| event.is_an_act()));
        let suffered = [
            LogEvent::HandshakeFailed(0),
            LogEvent::HandshakeFailed(294),
            LogEvent::PeerReset,
            LogEvent::PeerClosed,
            LogEvent::PeerSilent,
            LogEvent::NotTls,
            LogEvent::AlertReceived(48),
            LogEvent::Served(200),
            LogEvent::ClientCertificate,
            LogEvent::Other,
        ];
        assert!(!suffered.iter().any(|event| event.is_an_act()));
        assert_eq!((LogEvent::HandshakeFailed(235).alert(), LogEvent::HandshakeFailed(234).alert()), (Some(120), None));
    }
}
