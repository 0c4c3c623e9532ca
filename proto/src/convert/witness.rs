use parallax_model::{
    bytes::Bytes,
    clock::Timestamp,
    facts::{EndKind, EndWitnessed, HelloArrived, Sender, WitnessFacts, WitnessedFlow},
};

use super::{
    address::{ip, ip_bytes},
    bounds::{self, MAX_DIGEST_BYTES, cut, each, messages},
    error::{ConvertError, inner, known, narrow, required_inner, unspecified},
};
use crate::v1;

impl From<&WitnessFacts> for v1::WitnessFacts {
    fn from(facts: &WitnessFacts) -> Self {
        Self {
            sources: cut(&facts.sources).iter().copied().map(ip_bytes).collect(),
            since_us: facts.since.map(Timestamp::as_micros),
            until_us: facts.until.map(Timestamp::as_micros),
            on_host: facts.on_host,
            lost_packets: facts.lost_packets,
            flows: cut(&facts.flows).iter().map(Into::into).collect(),
            log: facts.log.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<v1::WitnessFacts> for WitnessFacts {
    type Error = ConvertError;
    fn try_from(message: v1::WitnessFacts) -> Result<Self, ConvertError> {
        Ok(Self {
            sources: each(message.sources, "sources", |bytes| ip(&bytes, ""))?,
            since: message.since_us.map(Timestamp::from_micros),
            until: message.until_us.map(Timestamp::from_micros),
            on_host: message.on_host,
            lost_packets: message.lost_packets,
            flows: messages(message.flows, "flows")?,
            log: inner(message.log, "log")?.map(Box::new),
        })
    }
}

impl From<&WitnessedFlow> for v1::WitnessedFlow {
    fn from(flow: &WitnessedFlow) -> Self {
        Self {
            client: Some(flow.client.into()),
            server: Some(flow.server.into()),
            begun_at_us: flow.begun_at.as_micros(),
            syns: flow.syns,
            syn_ttl: u32::from(flow.syn_ttl),
            syn_acks: flow.syn_acks,
            client_bytes: flow.client_bytes,
            hello: flow.hello.as_ref().map(Into::into),
            server_bytes: flow.server_bytes,
            ends: cut(&flow.ends).iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::WitnessedFlow> for WitnessedFlow {
    type Error = ConvertError;
    fn try_from(message: v1::WitnessedFlow) -> Result<Self, ConvertError> {
        Ok(Self {
            client: required_inner(message.client, "client")?,
            server: required_inner(message.server, "server")?,
            begun_at: Timestamp::from_micros(message.begun_at_us),
            syns: message.syns,
            syn_ttl: narrow(message.syn_ttl, "syn_ttl")?,
            syn_acks: message.syn_acks,
            client_bytes: message.client_bytes,
            hello: inner(message.hello, "hello")?,
            server_bytes: message.server_bytes,
            ends: messages(message.ends, "ends")?,
        })
    }
}

impl From<&HelloArrived> for v1::HelloArrived {
    fn from(hello: &HelloArrived) -> Self {
        Self { sha256: hello.sha256.0.clone(), bytes: hello.bytes, at_us: hello.at_us }
    }
}

impl TryFrom<v1::HelloArrived> for HelloArrived {
    type Error = ConvertError;
    fn try_from(message: v1::HelloArrived) -> Result<Self, ConvertError> {
        Ok(Self { sha256: Bytes(bounds::bytes(message.sha256, "sha256", MAX_DIGEST_BYTES)?), bytes: message.bytes, at_us: message.at_us })
    }
}

impl From<&EndWitnessed> for v1::EndWitnessed {
    fn from(end: &EndWitnessed) -> Self {
        let (kind, alert) = match end.kind {
            EndKind::Reset => (v1::EndKind::Reset, 0),
            EndKind::Close => (v1::EndKind::Close, 0),
            EndKind::Alert(number) => (v1::EndKind::Alert, u32::from(number)),
        };
        let by = match end.by {
            Sender::Client => v1::Sender::Client,
            Sender::Server => v1::Sender::Server,
        };
        Self { by: by.into(), kind: kind.into(), alert, at_us: end.at_us, ttl: u32::from(end.ttl) }
    }
}

impl TryFrom<v1::EndWitnessed> for EndWitnessed {
    type Error = ConvertError;
    fn try_from(message: v1::EndWitnessed) -> Result<Self, ConvertError> {
        let by = match known(message.by, "by")? {
            v1::Sender::Unspecified => return Err(unspecified("by")),
            v1::Sender::Client => Sender::Client,
            v1::Sender::Server => Sender::Server,
        };
        let kind = match known(message.kind, "kind")? {
            v1::EndKind::Unspecified => return Err(unspecified("kind")),
            v1::EndKind::Reset => EndKind::Reset,
            v1::EndKind::Close => EndKind::Close,
            v1::EndKind::Alert => EndKind::Alert(narrow(message.alert, "alert")?),
        };
        Ok(Self { by, kind, at_us: message.at_us, ttl: narrow(message.ttl, "ttl")? })
    }
}
