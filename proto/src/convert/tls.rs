use parallax_model::{
    bytes::Bytes,
    facts::{AlertSeen, Direction, HandshakeFacts, HelloSent, LocalRefusal, ServerAnswerFacts, TlsEnd, TlsFacts, TranscriptEntry},
};

use super::{
    bounds::{MAX_DIGEST_BYTES, MAX_ENTRIES, MAX_NOT_TLS_BYTES, bytes, cut, cut_text, cut_to, each, entries, messages, text_option},
    error::{ConvertError, inner, known, narrow, narrow_option, required_inner, unspecified},
};
use crate::v1;

impl From<&TlsFacts> for v1::TlsFacts {
    fn from(facts: &TlsFacts) -> Self {
        let message = Self {
            hello: Some((&facts.hello).into()),
            end_us: facts.end_us,
            first_byte_us: facts.first_byte_us,
            bytes_read: facts.bytes_read,
            answer: Some((&facts.answer).into()),
            handshake: facts.handshake.as_ref().map(Into::into),
            certificates: cut(&facts.certificates).iter().map(|certificate| certificate.0.clone()).collect(),
            transcript: cut(&facts.transcript).iter().map(Into::into).collect(),
            ..Self::default()
        };
        message.ended(facts.end)
    }
}

impl v1::TlsFacts {
    fn ended(self, end: TlsEnd) -> Self {
        use v1::TlsEnd as Wire;
        let message = |end: Wire| Self { end: end.into(), ..self };
        match end {
            TlsEnd::Established => message(Wire::Established),
            TlsEnd::Answered => message(Wire::Answered),
            TlsEnd::Closed => message(Wire::Closed),
            TlsEnd::Reset => message(Wire::Reset),
            TlsEnd::TimedOut => message(Wire::TimedOut),
            TlsEnd::Alert(number) => Self { alert: u32::from(number), ..message(Wire::Alert) },
            TlsEnd::NotTls => message(Wire::NotTls),
            TlsEnd::Malformed => message(Wire::Malformed),
            TlsEnd::LocalRefusal(what) => Self { local_refusal: v1::LocalRefusal::from(what).into(), ..message(Wire::LocalRefusal) },
            TlsEnd::Unreachable(errno) => Self { errno, ..message(Wire::Unreachable) },
            TlsEnd::OverCap => message(Wire::OverCap),
            TlsEnd::LocalError(errno) => Self { errno, ..message(Wire::LocalError) },
        }
    }

    fn word_end(&self) -> Result<TlsEnd, ConvertError> {
        use v1::TlsEnd as Wire;
        Ok(match known(self.end, "end")? {
            Wire::Unspecified => return Err(unspecified("end")),
            Wire::Established => TlsEnd::Established,
            Wire::Answered => TlsEnd::Answered,
            Wire::Closed => TlsEnd::Closed,
            Wire::Reset => TlsEnd::Reset,
            Wire::TimedOut => TlsEnd::TimedOut,
            Wire::Alert => TlsEnd::Alert(narrow(self.alert, "alert")?),
            Wire::NotTls => TlsEnd::NotTls,
            Wire::Malformed => TlsEnd::Malformed,
            Wire::LocalRefusal => TlsEnd::LocalRefusal(known::<v1::LocalRefusal>(self.local_refusal, "local_refusal")?.try_into()?),
            Wire::Unreachable => TlsEnd::Unreachable(self.errno),
            Wire::OverCap => TlsEnd::OverCap,
            Wire::LocalError => TlsEnd::LocalError(self.errno),
        })
    }
}

impl TryFrom<v1::TlsFacts> for TlsFacts {
    type Error = ConvertError;
    fn try_from(message: v1::TlsFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            end: message.word_end()?,
            hello: required_inner(message.hello, "hello")?,
            end_us: message.end_us,
            first_byte_us: message.first_byte_us,
            bytes_read: message.bytes_read,
            answer: required_inner(message.answer, "answer")?,
            handshake: inner(message.handshake, "handshake")?,
            certificates: entries(message.certificates, "certificates", MAX_ENTRIES)?.into_iter().map(Bytes).collect(),
            transcript: messages(message.transcript, "transcript")?,
        })
    }
}

impl From<LocalRefusal> for v1::LocalRefusal {
    fn from(what: LocalRefusal) -> Self {
        match what {
            LocalRefusal::Version => Self::Version,
            LocalRefusal::CipherSuite => Self::CipherSuite,
            LocalRefusal::Group => Self::Group,
            LocalRefusal::ApplicationProtocol => Self::ApplicationProtocol,
            LocalRefusal::Signature => Self::Signature,
            LocalRefusal::CertificateEncoding => Self::CertificateEncoding,
            LocalRefusal::Other => Self::Other,
        }
    }
}

impl TryFrom<v1::LocalRefusal> for LocalRefusal {
    type Error = ConvertError;
    fn try_from(what: v1::LocalRefusal) -> Result<Self, ConvertError> {
        Ok(match what {
            v1::LocalRefusal::Unspecified => return Err(unspecified("local_refusal")),
            v1::LocalRefusal::Version => Self::Version,
            v1::LocalRefusal::CipherSuite => Self::CipherSuite,
            v1::LocalRefusal::Group => Self::Group,
            v1::LocalRefusal::ApplicationProtocol => Self::ApplicationProtocol,
            v1::LocalRefusal::Signature => Self::Signature,
            v1::LocalRefusal::CertificateEncoding => Self::CertificateEncoding,
            v1::LocalRefusal::Other => Self::Other,
        })
    }
}

impl From<&HelloSent> for v1::HelloSent {
    fn from(hello: &HelloSent) -> Self {
        Self {
            server_name: hello.server_name.as_deref().map(cut_text),
            size_bytes: hello.bytes,
            writes: u32::from(hello.writes),
            sha256: cut_to(&hello.sha256.0, MAX_DIGEST_BYTES).to_vec(),
        }
    }
}

impl TryFrom<v1::HelloSent> for HelloSent {
    type Error = ConvertError;
    fn try_from(message: v1::HelloSent) -> Result<Self, ConvertError> {
        Ok(Self {
            server_name: text_option(message.server_name, "server_name")?,
            bytes: message.size_bytes,
            writes: narrow(message.writes, "writes")?,
            sha256: Bytes(bytes(message.sha256, "sha256", MAX_DIGEST_BYTES)?),
        })
    }
}

impl From<&ServerAnswerFacts> for v1::ServerAnswerFacts {
    fn from(answer: &ServerAnswerFacts) -> Self {
        Self {
            version: answer.version.map(u32::from),
            cipher_suite: answer.cipher_suite.map(u32::from),
            group: answer.group.map(u32::from),
            dh_bits: answer.dh_bits.map(u32::from),
            alpn: answer.alpn.as_deref().map(cut_text),
            extensions: cut(&answer.extensions).iter().copied().map(u32::from).collect(),
            hello_retry_requests: u32::from(answer.hello_retry_requests),
            certificate_requested: answer.certificate_requested,
            alerts: cut(&answer.alerts).iter().map(Into::into).collect(),
            encrypted_records: answer.encrypted_records,
            not_tls: answer.not_tls.as_ref().map(|seen| cut_to(&seen.0, MAX_NOT_TLS_BYTES).to_vec()),
        }
    }
}

impl TryFrom<v1::ServerAnswerFacts> for ServerAnswerFacts {
    type Error = ConvertError;
    fn try_from(message: v1::ServerAnswerFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            version: narrow_option(message.version, "version")?,
            cipher_suite: narrow_option(message.cipher_suite, "cipher_suite")?,
            group: narrow_option(message.group, "group")?,
            dh_bits: narrow_option(message.dh_bits, "dh_bits")?,
            alpn: text_option(message.alpn, "alpn")?,
            extensions: each(message.extensions, "extensions", |number| narrow(number, ""))?,
            hello_retry_requests: narrow(message.hello_retry_requests, "hello_retry_requests")?,
            certificate_requested: message.certificate_requested,
            alerts: messages(message.alerts, "alerts")?,
            encrypted_records: message.encrypted_records,
            not_tls: message.not_tls.map(|seen| bytes(seen, "not_tls", MAX_NOT_TLS_BYTES)).transpose()?.map(Bytes),
        })
    }
}

impl From<&AlertSeen> for v1::AlertSeen {
    fn from(alert: &AlertSeen) -> Self {
        Self { level: u32::from(alert.level), description: u32::from(alert.description), encrypted: alert.encrypted }
    }
}

impl TryFrom<v1::AlertSeen> for AlertSeen {
    type Error = ConvertError;
    fn try_from(message: v1::AlertSeen) -> Result<Self, ConvertError> {
        Ok(Self { level: narrow(message.level, "level")?, description: narrow(message.description, "description")?, encrypted: message.encrypted })
    }
}

impl From<&HandshakeFacts> for v1::HandshakeFacts {
    fn from(facts: &HandshakeFacts) -> Self {
        Self {
            version: facts.version.map(u32::from),
            cipher_suite: facts.cipher_suite.map(u32::from),
            group: facts.group.map(u32::from),
            alpn: facts.alpn.as_deref().map(cut_text),
            hello_retry: facts.hello_retry,
            signature_verified: facts.signature_verified,
            staple: facts.staple.as_ref().map(|staple| staple.0.clone()),
            elapsed_us: facts.elapsed_us,
            echo_sha256: facts.echo_sha256.as_ref().map(|digest| cut_to(&digest.0, MAX_DIGEST_BYTES).to_vec()),
        }
    }
}

impl TryFrom<v1::HandshakeFacts> for HandshakeFacts {
    type Error = ConvertError;
    fn try_from(message: v1::HandshakeFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            version: narrow_option(message.version, "version")?,
            cipher_suite: narrow_option(message.cipher_suite, "cipher_suite")?,
            group: narrow_option(message.group, "group")?,
            alpn: text_option(message.alpn, "alpn")?,
            hello_retry: message.hello_retry,
            signature_verified: message.signature_verified,
            staple: message.staple.map(Bytes),
            elapsed_us: message.elapsed_us,
            echo_sha256: message.echo_sha256.map(|digest| bytes(digest, "echo_sha256", MAX_DIGEST_BYTES)).transpose()?.map(Bytes),
        })
    }
}

impl From<&TranscriptEntry> for v1::TranscriptEntry {
    fn from(entry: &TranscriptEntry) -> Self {
        let direction = match entry.direction {
            Direction::Sent => v1::Direction::Sent,
            Direction::Received => v1::Direction::Received,
        };
        Self { direction: direction.into(), at_us: entry.at_us, payload: entry.bytes.0.clone() }
    }
}

impl TryFrom<v1::TranscriptEntry> for TranscriptEntry {
    type Error = ConvertError;
    fn try_from(message: v1::TranscriptEntry) -> Result<Self, ConvertError> {
        let direction = match known(message.direction, "direction")? {
            v1::Direction::Unspecified => return Err(unspecified("direction")),
            v1::Direction::Sent => Direction::Sent,
            v1::Direction::Received => Direction::Received,
        };
        Ok(Self { direction, at_us: message.at_us, bytes: Bytes(message.payload) })
    }
}
