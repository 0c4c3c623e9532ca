use parallax_model::{
    bytes::Bytes,
    facts::{QuicEnd, QuicFacts},
};

use super::{
    address::{ip_bytes, ip_option},
    bounds::{MAX_ENTRIES, cut, cut_text, entries, text_option},
    error::{ConvertError, inner, known, narrow, required_inner, unspecified},
};
use crate::v1;

impl From<&QuicFacts> for v1::QuicFacts {
    fn from(facts: &QuicFacts) -> Self {
        let message = Self {
            remote: Some(facts.remote.into()),
            local: facts.local.map(Into::into),
            server_name: facts.server_name.as_deref().map(cut_text),
            version: facts.version,
            versions: cut(&facts.versions).to_vec(),
            negotiation_us: facts.negotiation_us,
            retry: facts.retry,
            datagrams_sent: facts.datagrams_sent,
            datagrams_received: facts.datagrams_received,
            bytes_read: facts.bytes_read,
            first_datagram_us: facts.first_datagram_us,
            elapsed_us: facts.elapsed_us,
            reason: facts.reason.as_deref().map(cut_text),
            icmp_from: facts.icmp_from.map_or_else(Vec::new, ip_bytes),
            handshake: facts.handshake.as_ref().map(Into::into),
            certificates: cut(&facts.certificates).iter().map(|certificate| certificate.0.clone()).collect(),
            ..Self::default()
        };
        message.ended(facts.end)
    }
}

impl v1::QuicFacts {
    fn ended(self, end: QuicEnd) -> Self {
        use v1::QuicEnd as Wire;
        let message = |end: Wire| Self { end: end.into(), ..self };
        match end {
            QuicEnd::Established => message(Wire::Established),
            QuicEnd::TimedOut => message(Wire::TimedOut),
            QuicEnd::VersionRefused => message(Wire::VersionRefused),
            QuicEnd::Closed(code) => Self { code, ..message(Wire::Closed) },
            QuicEnd::ApplicationClosed(code) => Self { code, ..message(Wire::ApplicationClosed) },
            QuicEnd::Reset => message(Wire::Reset),
            QuicEnd::Refused => message(Wire::Refused),
            QuicEnd::Unreachable(errno) => Self { errno, ..message(Wire::Unreachable) },
            QuicEnd::LocalRefusal(alert) => Self { alert: u32::from(alert), ..message(Wire::LocalRefusal) },
            QuicEnd::Malformed(code) => Self { code, ..message(Wire::Malformed) },
            QuicEnd::LocalError(errno) => Self { errno, ..message(Wire::LocalError) },
        }
    }

    fn word_end(&self) -> Result<QuicEnd, ConvertError> {
        use v1::QuicEnd as Wire;
        Ok(match known(self.end, "end")? {
            Wire::Unspecified => return Err(unspecified("end")),
            Wire::Established => QuicEnd::Established,
            Wire::TimedOut => QuicEnd::TimedOut,
            Wire::VersionRefused => QuicEnd::VersionRefused,
            Wire::Closed => QuicEnd::Closed(self.code),
            Wire::ApplicationClosed => QuicEnd::ApplicationClosed(self.code),
            Wire::Reset => QuicEnd::Reset,
            Wire::Refused => QuicEnd::Refused,
            Wire::Unreachable => QuicEnd::Unreachable(self.errno),
            Wire::LocalRefusal => QuicEnd::LocalRefusal(narrow(self.alert, "alert")?),
            Wire::Malformed => QuicEnd::Malformed(self.code),
            Wire::LocalError => QuicEnd::LocalError(self.errno),
        })
    }
}

impl TryFrom<v1::QuicFacts> for QuicFacts {
    type Error = ConvertError;
    fn try_from(message: v1::QuicFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            end: message.word_end()?,
            remote: required_inner(message.remote, "remote")?,
            local: inner(message.local, "local")?,
            server_name: text_option(message.server_name, "server_name")?,
            version: message.version,
            versions: entries(message.versions, "versions", MAX_ENTRIES)?,
            negotiation_us: message.negotiation_us,
            retry: message.retry,
            datagrams_sent: message.datagrams_sent,
            datagrams_received: message.datagrams_received,
            bytes_read: message.bytes_read,
            first_datagram_us: message.first_datagram_us,
            elapsed_us: message.elapsed_us,
            reason: text_option(message.reason, "reason")?,
            icmp_from: ip_option(&message.icmp_from, "icmp_from")?,
            handshake: inner(message.handshake, "handshake")?,
            certificates: entries(message.certificates, "certificates", MAX_ENTRIES)?.into_iter().map(Bytes).collect(),
        })
    }
}
