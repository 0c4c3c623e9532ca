use parallax_model::facts::{Reply, ReplyTtlFacts, Sibling, StepEnd, TtlRange, WalkFacts, WalkPayload, WalkStep};

use super::{
    address::{ip, ip_bytes, ip_option},
    bounds::{cut, cut_text, messages, text_option},
    error::{ConvertError, inner, known, narrow, required_inner, unspecified},
};
use crate::v1;

impl From<&ReplyTtlFacts> for v1::ReplyTtlFacts {
    fn from(facts: &ReplyTtlFacts) -> Self {
        Self {
            syn_ack: facts.syn_ack.map(Into::into),
            reply: facts.reply.map_or(v1::Reply::Unspecified, Into::into).into(),
            reply_ttl: facts.reply_ttl.map(Into::into),
            passed_when_filtered: facts.passed_when_filtered,
            siblings: cut(&facts.siblings).iter().map(Into::into).collect(),
            connections: facts.connections,
        }
    }
}

impl TryFrom<v1::ReplyTtlFacts> for ReplyTtlFacts {
    type Error = ConvertError;
    fn try_from(message: v1::ReplyTtlFacts) -> Result<Self, ConvertError> {
        let seen = message.reply != v1::Reply::Unspecified as i32;
        Ok(Self {
            syn_ack: inner(message.syn_ack, "syn_ack")?,
            reply: seen.then(|| reply(message.reply)).transpose()?,
            reply_ttl: inner(message.reply_ttl, "reply_ttl")?,
            passed_when_filtered: message.passed_when_filtered,
            siblings: messages(message.siblings, "siblings")?,
            connections: message.connections,
        })
    }
}

fn reply(value: i32) -> Result<Reply, ConvertError> {
    Ok(match known(value, "reply")? {
        v1::Reply::Unspecified => return Err(unspecified("reply")),
        v1::Reply::SynAck => Reply::SynAck,
        v1::Reply::Refusal => Reply::Refusal,
        v1::Reply::Reset => Reply::Reset,
        v1::Reply::Close => Reply::Close,
        v1::Reply::Alert => Reply::Alert,
        v1::Reply::Data => Reply::Data,
    })
}

impl From<Reply> for v1::Reply {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::SynAck => Self::SynAck,
            Reply::Refusal => Self::Refusal,
            Reply::Reset => Self::Reset,
            Reply::Close => Self::Close,
            Reply::Alert => Self::Alert,
            Reply::Data => Self::Data,
        }
    }
}

impl From<TtlRange> for v1::TtlRange {
    fn from(range: TtlRange) -> Self {
        Self { least: u32::from(range.least), most: u32::from(range.most) }
    }
}

impl TryFrom<v1::TtlRange> for TtlRange {
    type Error = ConvertError;
    fn try_from(message: v1::TtlRange) -> Result<Self, ConvertError> {
        Ok(Self { least: narrow(message.least, "least")?, most: narrow(message.most, "most")? })
    }
}

impl From<&Sibling> for v1::Sibling {
    fn from(sibling: &Sibling) -> Self {
        Self { ip: ip_bytes(sibling.address), port: u32::from(sibling.port), reply: v1::Reply::from(sibling.reply).into(), ttl: Some(sibling.ttl.into()) }
    }
}

impl TryFrom<v1::Sibling> for Sibling {
    type Error = ConvertError;
    fn try_from(message: v1::Sibling) -> Result<Self, ConvertError> {
        Ok(Self {
            address: ip(&message.ip, "ip")?,
            port: narrow(message.port, "port")?,
            reply: reply(message.reply)?,
            ttl: required_inner(message.ttl, "ttl")?,
        })
    }
}

impl From<&WalkFacts> for v1::WalkFacts {
    fn from(facts: &WalkFacts) -> Self {
        let (payload, server_name) = match &facts.payload {
            WalkPayload::Syn => (v1::WalkPayload::Syn, None),
            WalkPayload::Hello(name) => (v1::WalkPayload::Hello, name.as_deref().map(cut_text)),
        };
        Self { payload: payload.into(), server_name, source_port: u32::from(facts.source_port), steps: cut(&facts.steps).iter().map(Into::into).collect() }
    }
}

impl TryFrom<v1::WalkFacts> for WalkFacts {
    type Error = ConvertError;
    fn try_from(message: v1::WalkFacts) -> Result<Self, ConvertError> {
        let payload = match known(message.payload, "payload")? {
            v1::WalkPayload::Unspecified => return Err(unspecified("payload")),
            v1::WalkPayload::Syn => WalkPayload::Syn,
            v1::WalkPayload::Hello => WalkPayload::Hello(text_option(message.server_name, "server_name")?),
        };
        Ok(Self { payload, source_port: narrow(message.source_port, "source_port")?, steps: messages(message.steps, "steps")? })
    }
}

impl From<&WalkStep> for v1::WalkStep {
    fn from(step: &WalkStep) -> Self {
        use v1::StepEnd as Wire;
        let (end, router, alert) = match step.end {
            StepEnd::Expired(router) => (Wire::Expired, router, 0),
            StepEnd::Prohibited(router) => (Wire::Prohibited, router, 0),
            StepEnd::Answered => (Wire::Answered, None, 0),
            StepEnd::Refused => (Wire::Refused, None, 0),
            StepEnd::Reset => (Wire::Reset, None, 0),
            StepEnd::Closed => (Wire::Closed, None, 0),
            StepEnd::Alert(number) => (Wire::Alert, None, u32::from(number)),
            StepEnd::Silent => (Wire::Silent, None, 0),
            StepEnd::NotConnected => (Wire::NotConnected, None, 0),
        };
        Self { hop_limit: u32::from(step.hop_limit), end: end.into(), router: router.map_or_else(Vec::new, ip_bytes), alert, elapsed_us: step.elapsed_us }
    }
}

impl TryFrom<v1::WalkStep> for WalkStep {
    type Error = ConvertError;
    fn try_from(message: v1::WalkStep) -> Result<Self, ConvertError> {
        use v1::StepEnd as Wire;
        let end = match known(message.end, "end")? {
            Wire::Unspecified => return Err(unspecified("end")),
            Wire::Expired => StepEnd::Expired(ip_option(&message.router, "router")?),
            Wire::Prohibited => StepEnd::Prohibited(ip_option(&message.router, "router")?),
            Wire::Answered => StepEnd::Answered,
            Wire::Refused => StepEnd::Refused,
            Wire::Reset => StepEnd::Reset,
            Wire::Closed => StepEnd::Closed,
            Wire::Alert => StepEnd::Alert(narrow(message.alert, "alert")?),
            Wire::Silent => StepEnd::Silent,
            Wire::NotConnected => StepEnd::NotConnected,
        };
        Ok(Self { hop_limit: narrow(message.hop_limit, "hop_limit")?, end, elapsed_us: message.elapsed_us })
    }
}
