use parallax_model::{
    bytes::Bytes,
    facts::{CertificateAsk, CertificateFacts, ClientCertificateFacts, ElsewhereFacts, Resumption, SessionFacts},
};

use super::{byte_strings, words};
use crate::{
    convert::{
        bounds::{bytes, cut, cut_text, cut_to, each, messages, text_option},
        error::{ConvertError, known, narrow, narrow_option, required_inner, unspecified},
    },
    v1,
};

/// Most bytes of a ticket's key name.
const MAX_KEY_NAME_BYTES: usize = 16;

impl From<&SessionFacts> for v1::SessionFacts {
    fn from(facts: &SessionFacts) -> Self {
        let resumption = |seen: Option<Resumption>| seen.map_or(v1::Resumption::Unspecified, Into::into).into();
        Self {
            tls12_ticket: resumption(facts.tls12_ticket),
            tls12_id: resumption(facts.tls12_id),
            tls13_psk: resumption(facts.tls13_psk),
            tls12_lifetime_seconds: facts.tls12_lifetime_seconds,
            tls13_lifetime_seconds: facts.tls13_lifetime_seconds,
            tls13_tickets: facts.tls13_tickets.map(u32::from),
            max_early_data_bytes: facts.max_early_data_bytes,
            ticket_key_name: facts.ticket_key_name.as_ref().map(|name| cut_to(&name.0, MAX_KEY_NAME_BYTES).to_vec()),
            elsewhere: cut(&facts.elsewhere).iter().map(Into::into).collect(),
            across_names: resumption(facts.across_names),
        }
    }
}

impl TryFrom<v1::SessionFacts> for SessionFacts {
    type Error = ConvertError;
    fn try_from(message: v1::SessionFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            tls12_ticket: resumption(message.tls12_ticket, "tls12_ticket")?,
            tls12_id: resumption(message.tls12_id, "tls12_id")?,
            tls13_psk: resumption(message.tls13_psk, "tls13_psk")?,
            tls12_lifetime_seconds: message.tls12_lifetime_seconds,
            tls13_lifetime_seconds: message.tls13_lifetime_seconds,
            tls13_tickets: narrow_option(message.tls13_tickets, "tls13_tickets")?,
            max_early_data_bytes: message.max_early_data_bytes,
            ticket_key_name: message.ticket_key_name.map(|name| bytes(name, "ticket_key_name", MAX_KEY_NAME_BYTES)).transpose()?.map(Bytes),
            elsewhere: messages(message.elsewhere, "elsewhere")?,
            across_names: resumption(message.across_names, "across_names")?,
        })
    }
}

impl From<&ElsewhereFacts> for v1::ElsewhereFacts {
    fn from(facts: &ElsewhereFacts) -> Self {
        Self { address: Some(facts.address.into()), version: u32::from(facts.version), resumption: v1::Resumption::from(facts.resumption).into() }
    }
}

impl TryFrom<v1::ElsewhereFacts> for ElsewhereFacts {
    type Error = ConvertError;
    fn try_from(message: v1::ElsewhereFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            address: required_inner(message.address, "address")?,
            version: narrow(message.version, "version")?,
            resumption: resumption(message.resumption, "resumption")?.ok_or_else(|| unspecified("resumption"))?,
        })
    }
}

impl From<Resumption> for v1::Resumption {
    fn from(seen: Resumption) -> Self {
        match seen {
            Resumption::Resumed => Self::Resumed,
            Resumption::Refused => Self::Refused,
            Resumption::NotIssued => Self::NotIssued,
        }
    }
}

fn resumption(value: i32, field: &str) -> Result<Option<Resumption>, ConvertError> {
    if value == 0 {
        return Ok(None);
    }
    Ok(match known(value, field)? {
        v1::Resumption::Unspecified => None,
        v1::Resumption::Resumed => Some(Resumption::Resumed),
        v1::Resumption::Refused => Some(Resumption::Refused),
        v1::Resumption::NotIssued => Some(Resumption::NotIssued),
    })
}

impl From<&CertificateFacts> for v1::CertificateFacts {
    fn from(facts: &CertificateFacts) -> Self {
        Self {
            ask: v1::CertificateAsk::from(facts.ask).into(),
            server_name: facts.server_name.as_deref().map(cut_text),
            answer: Some(facts.answer.into()),
            version: facts.version.map(u32::from),
            cipher_suite: facts.cipher_suite.map(u32::from),
            chain: facts.chain,
            staple: facts.staple.as_ref().map(|staple| staple.0.clone()),
            timestamps: facts.timestamps.as_ref().map(|timestamps| timestamps.0.clone()),
        }
    }
}

impl TryFrom<v1::CertificateFacts> for CertificateFacts {
    type Error = ConvertError;
    fn try_from(message: v1::CertificateFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            ask: known::<v1::CertificateAsk>(message.ask, "ask")?.try_into()?,
            server_name: text_option(message.server_name, "server_name")?,
            answer: required_inner(message.answer, "answer")?,
            version: narrow_option(message.version, "version")?,
            cipher_suite: narrow_option(message.cipher_suite, "cipher_suite")?,
            chain: message.chain,
            staple: message.staple.map(Bytes),
            timestamps: message.timestamps.map(Bytes),
        })
    }
}

impl From<CertificateAsk> for v1::CertificateAsk {
    fn from(ask: CertificateAsk) -> Self {
        match ask {
            CertificateAsk::OwnName => Self::OwnName,
            CertificateAsk::NoName => Self::NoName,
            CertificateAsk::OtherName => Self::OtherName,
            CertificateAsk::Rsa => Self::Rsa,
            CertificateAsk::Ecdsa => Self::Ecdsa,
        }
    }
}

impl TryFrom<v1::CertificateAsk> for CertificateAsk {
    type Error = ConvertError;
    fn try_from(ask: v1::CertificateAsk) -> Result<Self, ConvertError> {
        Ok(match ask {
            v1::CertificateAsk::Unspecified => return Err(unspecified("ask")),
            v1::CertificateAsk::OwnName => Self::OwnName,
            v1::CertificateAsk::NoName => Self::NoName,
            v1::CertificateAsk::OtherName => Self::OtherName,
            v1::CertificateAsk::Rsa => Self::Rsa,
            v1::CertificateAsk::Ecdsa => Self::Ecdsa,
        })
    }
}

impl From<&ClientCertificateFacts> for v1::ClientCertificateFacts {
    fn from(facts: &ClientCertificateFacts) -> Self {
        Self {
            certificate_types: cut(&facts.certificate_types).iter().copied().map(u32::from).collect(),
            signature_schemes: cut(&facts.signature_schemes).iter().copied().map(u32::from).collect(),
            authorities: byte_strings(&facts.authorities),
            authorities_count: facts.authorities_count,
            flight_size_bytes: facts.flight_bytes,
        }
    }
}

impl TryFrom<v1::ClientCertificateFacts> for ClientCertificateFacts {
    type Error = ConvertError;
    fn try_from(message: v1::ClientCertificateFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            certificate_types: each(message.certificate_types, "certificate_types", |number| narrow(number, ""))?,
            signature_schemes: each(message.signature_schemes, "signature_schemes", |number| narrow(number, ""))?,
            authorities: words(message.authorities, "authorities")?,
            authorities_count: message.authorities_count,
            flight_bytes: message.flight_size_bytes,
        })
    }
}
