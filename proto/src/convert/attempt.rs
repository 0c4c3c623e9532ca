use parallax_model::{
    attempt::Attempt,
    clock::Timestamp,
    facts::{Facts, NotCompleted},
    id::VantageName,
};

use super::{
    bounds::parsed,
    error::{ConvertError, inner, known, required_inner, unspecified},
    id::{attempt_id, check_id, id_bytes, round_id},
};
use crate::v1;

/// Reads an attempt that came over the session of `vantage`, whatever the agent wrote in that place.
pub fn attempt_from(message: v1::Attempt, vantage: &VantageName) -> Result<Attempt, ConvertError> {
    Attempt::try_from(v1::Attempt { vantage: vantage.to_string(), ..message })
}

impl From<&Attempt> for v1::Attempt {
    fn from(attempt: &Attempt) -> Self {
        Self {
            id: id_bytes(&attempt.id.0),
            round_id: id_bytes(&attempt.round.0),
            check_id: id_bytes(&attempt.check.0),
            vantage: attempt.vantage.to_string(),
            profile: attempt.profile.to_string(),
            experiment: attempt.experiment.as_str().to_owned(),
            address: attempt.address.map(Into::into),
            sequence: attempt.sequence,
            started_at_us: attempt.started_at.as_micros(),
            elapsed_us: attempt.elapsed_us,
            clock_offset_us: attempt.clock_offset_us,
            facts: Some((&attempt.facts).into()),
        }
    }
}

impl TryFrom<v1::Attempt> for Attempt {
    type Error = ConvertError;
    fn try_from(message: v1::Attempt) -> Result<Self, ConvertError> {
        Ok(Self {
            id: attempt_id(&message.id, "id")?,
            round: round_id(&message.round_id, "round_id")?,
            check: check_id(&message.check_id, "check_id")?,
            vantage: parsed(message.vantage, "vantage")?,
            profile: parsed(message.profile, "profile")?,
            experiment: parsed(message.experiment, "experiment")?,
            address: inner(message.address, "address")?,
            sequence: message.sequence,
            started_at: Timestamp::from_micros(message.started_at_us),
            elapsed_us: message.elapsed_us,
            clock_offset_us: message.clock_offset_us,
            facts: required_inner(message.facts, "facts")?,
        })
    }
}

impl From<&Facts> for v1::Facts {
    fn from(facts: &Facts) -> Self {
        Self {
            not_completed: facts.not_completed.map(Into::into),
            dns: facts.dns.as_ref().map(Into::into),
            tcp: facts.tcp.as_ref().map(Into::into),
            starttls: facts.starttls.as_ref().map(Into::into),
            tls: facts.tls.as_ref().map(Into::into),
            quic: facts.quic.as_ref().map(Into::into),
            http: facts.http.as_ref().map(Into::into),
            reply_ttl: facts.reply_ttl.as_ref().map(Into::into),
            walk: facts.walk.as_ref().map(Into::into),
            witness: facts.witness.as_deref().map(Into::into),
            audit: facts.audit.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<v1::Facts> for Facts {
    type Error = ConvertError;
    fn try_from(message: v1::Facts) -> Result<Self, ConvertError> {
        Ok(Self {
            not_completed: inner(message.not_completed, "not_completed")?,
            dns: inner(message.dns, "dns")?,
            tcp: inner(message.tcp, "tcp")?,
            starttls: inner(message.starttls, "starttls")?,
            tls: inner(message.tls, "tls")?,
            quic: inner(message.quic, "quic")?,
            http: inner(message.http, "http")?,
            reply_ttl: inner(message.reply_ttl, "reply_ttl")?,
            walk: inner(message.walk, "walk")?,
            witness: inner(message.witness, "witness")?.map(Box::new),
            audit: inner(message.audit, "audit")?.map(Box::new),
        })
    }
}

impl From<NotCompleted> for v1::NotCompleted {
    fn from(reason: NotCompleted) -> Self {
        use v1::NotCompletedReason as Wire;
        let of = |reason: Wire| Self { reason: reason.into(), ..Self::default() };
        match reason {
            NotCompleted::PolicyDenied(address) => Self { denied: Some(address.into()), ..of(Wire::PolicyDenied) },
            NotCompleted::Unsupported => of(Wire::Unsupported),
            NotCompleted::SkippedLate => of(Wire::SkippedLate),
            NotCompleted::Interrupted => of(Wire::Interrupted),
            NotCompleted::Cancelled => of(Wire::Cancelled),
            NotCompleted::OverLimit => of(Wire::OverLimit),
            NotCompleted::OutOfResources(errno) => Self { errno, ..of(Wire::OutOfResources) },
        }
    }
}

impl TryFrom<v1::NotCompleted> for NotCompleted {
    type Error = ConvertError;
    fn try_from(message: v1::NotCompleted) -> Result<Self, ConvertError> {
        use v1::NotCompletedReason as Wire;
        Ok(match known(message.reason, "reason")? {
            Wire::Unspecified => return Err(unspecified("reason")),
            Wire::PolicyDenied => Self::PolicyDenied(required_inner(message.denied, "denied")?),
            Wire::Unsupported => Self::Unsupported,
            Wire::SkippedLate => Self::SkippedLate,
            Wire::Interrupted => Self::Interrupted,
            Wire::Cancelled => Self::Cancelled,
            Wire::OverLimit => Self::OverLimit,
            Wire::OutOfResources => Self::OutOfResources(message.errno),
        })
    }
}
