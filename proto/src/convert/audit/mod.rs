mod hello;
mod server;

use parallax_model::{
    bytes::Bytes,
    facts::{Accepted, AuditAnswer, AuditFacts, AuditStop, Http2Answer, RungFacts},
};

use super::{
    bounds::{MAX_ENTRIES, cut, cut_text, cut_to, each, each_up_to, entries, messages, text, text_option},
    error::{ConvertError, inner, known, narrow, required_inner, unspecified},
};
use crate::v1;

/// Most suites of one list: the registry holds fewer.
const MAX_NUMBERS: usize = 1_024;

impl From<&AuditFacts> for v1::AuditFacts {
    fn from(facts: &AuditFacts) -> Self {
        Self {
            connections: facts.connections,
            elapsed_us: facts.elapsed_us,
            bytes_read: facts.bytes_read,
            stopped: facts.stopped.map_or(v1::AuditStop::Unspecified, Into::into).into(),
            ssl2: facts.ssl2.as_ref().map(Into::into),
            versions: cut(&facts.versions).iter().map(Into::into).collect(),
            features: facts.features.as_ref().map(Into::into),
            key_exchange: Some((&facts.key_exchange).into()),
            alpn: facts.alpn.as_ref().map(Into::into),
            sessions: Some((&facts.sessions).into()),
            chains: cut(&facts.chains).iter().map(|chain| v1::CertificateChain { certificates: byte_strings(chain) }).collect(),
            certificates: cut(&facts.certificates).iter().map(Into::into).collect(),
            client_certificate: facts.client_certificate.as_ref().map(Into::into),
            tolerance: cut(&facts.tolerance).iter().map(Into::into).collect(),
            jarm: facts.jarm.as_deref().map(cut_text),
            ja3s: facts.ja3s.as_deref().map(cut_text),
            renegotiation: facts.renegotiation.map(Into::into),
            http2: facts.http2.map_or(v1::Http2Answer::Unspecified, Into::into).into(),
        }
    }
}

impl TryFrom<v1::AuditFacts> for AuditFacts {
    type Error = ConvertError;
    fn try_from(message: v1::AuditFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            connections: message.connections,
            elapsed_us: message.elapsed_us,
            bytes_read: message.bytes_read,
            stopped: stop(message.stopped)?,
            ssl2: inner(message.ssl2, "ssl2")?,
            versions: messages(message.versions, "versions")?,
            features: inner(message.features, "features")?,
            key_exchange: inner(message.key_exchange, "key_exchange")?.unwrap_or_default(),
            alpn: inner(message.alpn, "alpn")?,
            sessions: inner(message.sessions, "sessions")?.unwrap_or_default(),
            chains: each(message.chains, "chains", |chain| words(chain.certificates, "certificates"))?,
            certificates: messages(message.certificates, "certificates")?,
            client_certificate: inner(message.client_certificate, "client_certificate")?,
            tolerance: messages(message.tolerance, "tolerance")?,
            jarm: text_option(message.jarm, "jarm")?,
            ja3s: text_option(message.ja3s, "ja3s")?,
            renegotiation: inner(message.renegotiation, "renegotiation")?,
            http2: http2(message.http2)?,
        })
    }
}

fn byte_strings(list: &[Bytes]) -> Vec<Vec<u8>> {
    cut(list).iter().map(|item| item.0.clone()).collect()
}

fn words(list: Vec<Vec<u8>>, field: &str) -> Result<Vec<Bytes>, ConvertError> {
    Ok(entries(list, field, MAX_ENTRIES)?.into_iter().map(Bytes).collect())
}

impl From<AuditStop> for v1::AuditStop {
    fn from(stop: AuditStop) -> Self {
        match stop {
            AuditStop::Connections => Self::Connections,
            AuditStop::Time => Self::Time,
            AuditStop::Bytes => Self::Bytes,
            AuditStop::Vanished => Self::Vanished,
        }
    }
}

fn stop(value: i32) -> Result<Option<AuditStop>, ConvertError> {
    if value == 0 {
        return Ok(None);
    }
    Ok(match known(value, "stopped")? {
        v1::AuditStop::Unspecified => None,
        v1::AuditStop::Connections => Some(AuditStop::Connections),
        v1::AuditStop::Time => Some(AuditStop::Time),
        v1::AuditStop::Bytes => Some(AuditStop::Bytes),
        v1::AuditStop::Vanished => Some(AuditStop::Vanished),
    })
}

impl From<Http2Answer> for v1::Http2Answer {
    fn from(answer: Http2Answer) -> Self {
        match answer {
            Http2Answer::Settings => Self::Settings,
            Http2Answer::Http1 => Self::Http1,
            Http2Answer::Other => Self::Other,
            Http2Answer::Ended => Self::Ended,
            Http2Answer::Silence => Self::Silence,
        }
    }
}

fn http2(value: i32) -> Result<Option<Http2Answer>, ConvertError> {
    if value == 0 {
        return Ok(None);
    }
    Ok(match known(value, "http2")? {
        v1::Http2Answer::Unspecified => None,
        v1::Http2Answer::Settings => Some(Http2Answer::Settings),
        v1::Http2Answer::Http1 => Some(Http2Answer::Http1),
        v1::Http2Answer::Other => Some(Http2Answer::Other),
        v1::Http2Answer::Ended => Some(Http2Answer::Ended),
        v1::Http2Answer::Silence => Some(Http2Answer::Silence),
    })
}

impl From<AuditAnswer> for v1::AuditAnswer {
    fn from(answer: AuditAnswer) -> Self {
        use v1::AuditAnswerKind as Wire;
        let of = |kind: Wire| Self { kind: kind.into(), ..Self::default() };
        match answer {
            AuditAnswer::Hello => of(Wire::Hello),
            AuditAnswer::OtherVersion(version) => Self { version: u32::from(version), ..of(Wire::OtherVersion) },
            AuditAnswer::Alert(number) => Self { alert: u32::from(number), ..of(Wire::Alert) },
            AuditAnswer::Closed => of(Wire::Closed),
            AuditAnswer::Reset => of(Wire::Reset),
            AuditAnswer::Silence => of(Wire::Silence),
            AuditAnswer::NotTls => of(Wire::NotTls),
            AuditAnswer::Malformed => of(Wire::Malformed),
            AuditAnswer::OverCap => of(Wire::OverCap),
            AuditAnswer::Broken => of(Wire::Broken),
            AuditAnswer::NotConnected => of(Wire::NotConnected),
        }
    }
}

impl TryFrom<v1::AuditAnswer> for AuditAnswer {
    type Error = ConvertError;
    fn try_from(message: v1::AuditAnswer) -> Result<Self, ConvertError> {
        use v1::AuditAnswerKind as Wire;
        Ok(match known(message.kind, "kind")? {
            Wire::Unspecified => return Err(unspecified("kind")),
            Wire::Hello => Self::Hello,
            Wire::OtherVersion => Self::OtherVersion(narrow(message.version, "version")?),
            Wire::Alert => Self::Alert(narrow(message.alert, "alert")?),
            Wire::Closed => Self::Closed,
            Wire::Reset => Self::Reset,
            Wire::Silence => Self::Silence,
            Wire::NotTls => Self::NotTls,
            Wire::Malformed => Self::Malformed,
            Wire::OverCap => Self::OverCap,
            Wire::Broken => Self::Broken,
            Wire::NotConnected => Self::NotConnected,
        })
    }
}

impl From<&Accepted> for v1::Accepted {
    fn from(accepted: &Accepted) -> Self {
        Self {
            numbers: cut_to(&accepted.numbers, MAX_NUMBERS).iter().copied().map(u32::from).collect(),
            refusal: accepted.refusal.map(Into::into),
            server_order: accepted.server_order,
        }
    }
}

impl TryFrom<v1::Accepted> for Accepted {
    type Error = ConvertError;
    fn try_from(message: v1::Accepted) -> Result<Self, ConvertError> {
        Ok(Self {
            numbers: each_up_to(MAX_NUMBERS, message.numbers, "numbers", |number| narrow(number, ""))?,
            refusal: inner(message.refusal, "refusal")?,
            server_order: message.server_order,
        })
    }
}

impl From<&RungFacts> for v1::RungFacts {
    fn from(rung: &RungFacts) -> Self {
        Self { name: cut_text(&rung.name), sent_size_bytes: rung.bytes_sent, answer: Some(rung.answer.into()), elapsed_us: rung.elapsed_us }
    }
}

impl TryFrom<v1::RungFacts> for RungFacts {
    type Error = ConvertError;
    fn try_from(message: v1::RungFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            name: text(message.name, "name")?,
            bytes_sent: message.sent_size_bytes,
            answer: required_inner(message.answer, "answer")?,
            elapsed_us: message.elapsed_us,
        })
    }
}
