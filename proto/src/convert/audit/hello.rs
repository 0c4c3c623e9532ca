use parallax_model::{
    bytes::Bytes,
    facts::{AlpnFacts, FeatureFacts, FiniteFieldFacts, KeyExchangeFacts, ShareFacts, Ssl2Facts, VersionFacts},
};

use crate::{
    convert::{
        bounds::{MAX_ENTRIES, bytes, cut, cut_text, cut_to, each, entries, messages, text, text_option},
        error::{ConvertError, inner, narrow, narrow_option, required_inner},
    },
    v1,
};

/// Most bytes of a prime or a generator.
const MAX_PRIME_BYTES: usize = 2_048;

impl From<&VersionFacts> for v1::VersionFacts {
    fn from(facts: &VersionFacts) -> Self {
        Self {
            version: u32::from(facts.version),
            answer: Some(facts.answer.into()),
            suites: Some((&facts.suites).into()),
            prefers_chacha: facts.prefers_chacha,
            groups: Some((&facts.groups).into()),
            signature_schemes: Some((&facts.signature_schemes).into()),
            unoffered_suite: facts.unoffered_suite.map(u32::from),
        }
    }
}

impl TryFrom<v1::VersionFacts> for VersionFacts {
    type Error = ConvertError;
    fn try_from(message: v1::VersionFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            version: narrow(message.version, "version")?,
            answer: required_inner(message.answer, "answer")?,
            suites: inner(message.suites, "suites")?.unwrap_or_default(),
            prefers_chacha: message.prefers_chacha,
            groups: inner(message.groups, "groups")?.unwrap_or_default(),
            signature_schemes: inner(message.signature_schemes, "signature_schemes")?.unwrap_or_default(),
            unoffered_suite: narrow_option(message.unoffered_suite, "unoffered_suite")?,
        })
    }
}

impl From<&Ssl2Facts> for v1::Ssl2Facts {
    fn from(facts: &Ssl2Facts) -> Self {
        Self { answer: Some(facts.answer.into()), cipher_kinds: cut(&facts.cipher_kinds).to_vec() }
    }
}

impl TryFrom<v1::Ssl2Facts> for Ssl2Facts {
    type Error = ConvertError;
    fn try_from(message: v1::Ssl2Facts) -> Result<Self, ConvertError> {
        Ok(Self { answer: required_inner(message.answer, "answer")?, cipher_kinds: entries(message.cipher_kinds, "cipher_kinds", MAX_ENTRIES)? })
    }
}

impl From<&FeatureFacts> for v1::FeatureFacts {
    fn from(facts: &FeatureFacts) -> Self {
        let next = |protocols: &Vec<String>| v1::NextProtocols { protocols: texts(protocols) };
        Self {
            version: u32::from(facts.version),
            cipher_suite: u32::from(facts.cipher_suite),
            extensions: cut(&facts.extensions).iter().copied().map(u32::from).collect(),
            renegotiation_info: facts.renegotiation_info,
            extended_master_secret: facts.extended_master_secret,
            encrypt_then_mac: facts.encrypt_then_mac,
            compression: u32::from(facts.compression),
            heartbeat: facts.heartbeat.map(u32::from),
            next_protocols: facts.next_protocols.as_ref().map(next),
            session_ticket: facts.session_ticket,
            session_id_size_bytes: u32::from(facts.session_id_bytes),
            session_id_echoed: facts.session_id_echoed,
            downgrade_sentinel: facts.downgrade_sentinel.map(u32::from),
            fallback_scsv: facts.fallback_scsv.map(Into::into),
        }
    }
}

impl TryFrom<v1::FeatureFacts> for FeatureFacts {
    type Error = ConvertError;
    fn try_from(message: v1::FeatureFacts) -> Result<Self, ConvertError> {
        let next = |message: v1::NextProtocols| each(message.protocols, "next_protocols", |protocol| text(protocol, ""));
        Ok(Self {
            version: narrow(message.version, "version")?,
            cipher_suite: narrow(message.cipher_suite, "cipher_suite")?,
            extensions: each(message.extensions, "extensions", |number| narrow(number, ""))?,
            renegotiation_info: message.renegotiation_info,
            extended_master_secret: message.extended_master_secret,
            encrypt_then_mac: message.encrypt_then_mac,
            compression: narrow(message.compression, "compression")?,
            heartbeat: narrow_option(message.heartbeat, "heartbeat")?,
            next_protocols: message.next_protocols.map(next).transpose()?,
            session_ticket: message.session_ticket,
            session_id_bytes: narrow(message.session_id_size_bytes, "session_id_size_bytes")?,
            session_id_echoed: message.session_id_echoed,
            downgrade_sentinel: narrow_option(message.downgrade_sentinel, "downgrade_sentinel")?,
            fallback_scsv: inner(message.fallback_scsv, "fallback_scsv")?,
        })
    }
}

impl From<&KeyExchangeFacts> for v1::KeyExchangeFacts {
    fn from(facts: &KeyExchangeFacts) -> Self {
        Self {
            hybrid_shares: cut(&facts.hybrid_shares).iter().map(Into::into).collect(),
            finite_field: facts.finite_field.as_ref().map(Into::into),
            curve_value_reused: facts.curve_value_reused,
        }
    }
}

impl TryFrom<v1::KeyExchangeFacts> for KeyExchangeFacts {
    type Error = ConvertError;
    fn try_from(message: v1::KeyExchangeFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            hybrid_shares: messages(message.hybrid_shares, "hybrid_shares")?,
            finite_field: inner(message.finite_field, "finite_field")?,
            curve_value_reused: message.curve_value_reused,
        })
    }
}

impl From<&ShareFacts> for v1::ShareFacts {
    fn from(share: &ShareFacts) -> Self {
        Self { group: u32::from(share.group), answer: Some(share.answer.into()), taken: share.taken, sent_size_bytes: share.bytes_sent }
    }
}

impl TryFrom<v1::ShareFacts> for ShareFacts {
    type Error = ConvertError;
    fn try_from(message: v1::ShareFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            group: narrow(message.group, "group")?,
            answer: required_inner(message.answer, "answer")?,
            taken: message.taken,
            bytes_sent: message.sent_size_bytes,
        })
    }
}

impl From<&FiniteFieldFacts> for v1::FiniteFieldFacts {
    fn from(facts: &FiniteFieldFacts) -> Self {
        Self {
            prime_bits: facts.prime_bits,
            prime: cut_to(&facts.prime.0, MAX_PRIME_BYTES).to_vec(),
            generator: cut_to(&facts.generator.0, MAX_PRIME_BYTES).to_vec(),
            well_known: facts.well_known.as_deref().map(cut_text),
            value_reused: facts.value_reused,
        }
    }
}

impl TryFrom<v1::FiniteFieldFacts> for FiniteFieldFacts {
    type Error = ConvertError;
    fn try_from(message: v1::FiniteFieldFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            prime_bits: message.prime_bits,
            prime: Bytes(bytes(message.prime, "prime", MAX_PRIME_BYTES)?),
            generator: Bytes(bytes(message.generator, "generator", MAX_PRIME_BYTES)?),
            well_known: text_option(message.well_known, "well_known")?,
            value_reused: message.value_reused,
        })
    }
}

impl From<&AlpnFacts> for v1::AlpnFacts {
    fn from(facts: &AlpnFacts) -> Self {
        Self { accepted: texts(&facts.accepted), no_overlap: facts.no_overlap.map(Into::into) }
    }
}

impl TryFrom<v1::AlpnFacts> for AlpnFacts {
    type Error = ConvertError;
    fn try_from(message: v1::AlpnFacts) -> Result<Self, ConvertError> {
        Ok(Self { accepted: each(message.accepted, "accepted", |protocol| text(protocol, ""))?, no_overlap: inner(message.no_overlap, "no_overlap")? })
    }
}

fn texts(list: &[String]) -> Vec<String> {
    cut(list).iter().map(|text| cut_text(text)).collect()
}
