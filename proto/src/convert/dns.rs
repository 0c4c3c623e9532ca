use parallax_model::{
    bytes::Bytes,
    facts::{DnsAnswer, DnsFacts, DnsRecord, DnsTransport, LookupEnd, ResolverKind, ServiceRecord},
    resolver::NamedResolver,
};

use super::{
    address::{ip, ip_bytes},
    bounds::{MAX_ENTRIES, cut, cut_text, each, entries, messages, parsed, text},
    error::{ConvertError, inner, known, narrow, narrow_option, required_inner, unspecified},
};
use crate::v1;

impl From<&DnsFacts> for v1::DnsFacts {
    fn from(facts: &DnsFacts) -> Self {
        let (resolver, named) = match &facts.resolver {
            ResolverKind::System => (v1::ResolverKind::System, None),
            ResolverKind::Named(named) => (v1::ResolverKind::Named, Some(named)),
            ResolverKind::Literal => (v1::ResolverKind::Literal, None),
        };
        Self {
            name: cut_text(&facts.name),
            resolver: resolver.into(),
            named_resolver: named.and_then(NamedResolver::address).map(Into::into),
            resolver_name: named.map_or_else(String::new, ToString::to_string),
            answers: cut(&facts.answers).iter().map(Into::into).collect(),
            addresses: cut(&facts.addresses).iter().copied().map(ip_bytes).collect(),
            services: cut(&facts.services).iter().map(Into::into).collect(),
            again_by_tcp: cut(&facts.again_by_tcp).iter().map(Into::into).collect(),
            certificates: cut(&facts.certificates).iter().map(|der| der.0.clone()).collect(),
        }
    }
}

impl TryFrom<v1::DnsFacts> for DnsFacts {
    type Error = ConvertError;
    fn try_from(message: v1::DnsFacts) -> Result<Self, ConvertError> {
        let resolver = match known(message.resolver, "resolver")? {
            v1::ResolverKind::Unspecified => return Err(unspecified("resolver")),
            v1::ResolverKind::System => ResolverKind::System,
            v1::ResolverKind::Named if message.resolver_name.is_empty() => {
                let asked = NamedResolver::udp(required_inner(message.named_resolver, "named_resolver")?);
                ResolverKind::Named(parsed(asked.to_string(), "named_resolver")?)
            }
            v1::ResolverKind::Named => ResolverKind::Named(parsed(message.resolver_name, "resolver_name")?),
            v1::ResolverKind::Literal => ResolverKind::Literal,
        };
        Ok(Self {
            name: text(message.name, "name")?,
            resolver,
            answers: messages(message.answers, "answers")?,
            addresses: each(message.addresses, "addresses", |address| ip(&address, ""))?,
            services: messages(message.services, "services")?,
            again_by_tcp: messages(message.again_by_tcp, "again_by_tcp")?,
            certificates: entries(message.certificates, "certificates", MAX_ENTRIES)?.into_iter().map(Bytes).collect(),
        })
    }
}

impl From<&DnsAnswer> for v1::DnsAnswer {
    fn from(answer: &DnsAnswer) -> Self {
        let (end, response_code, errno) = match answer.end {
            LookupEnd::Response(code) => (v1::LookupEnd::Response, u32::from(code), 0),
            LookupEnd::TimedOut => (v1::LookupEnd::TimedOut, 0, 0),
            LookupEnd::Failed(errno) => (v1::LookupEnd::Failed, 0, errno),
            LookupEnd::Malformed => (v1::LookupEnd::Malformed, 0, 0),
            LookupEnd::NoResolver => (v1::LookupEnd::NoResolver, 0, 0),
            LookupEnd::NotSecured => (v1::LookupEnd::NotSecured, 0, 0),
            LookupEnd::HttpStatus(status) => (v1::LookupEnd::HttpStatus, u32::from(status), 0),
            LookupEnd::Denied => (v1::LookupEnd::Denied, 0, 0),
        };
        Self {
            record_type: u32::from(answer.record_type),
            server: answer.server.map(Into::into),
            transport: v1::DnsTransport::from(answer.transport).into(),
            end: end.into(),
            response_code,
            errno,
            records: cut(&answer.records).iter().map(Into::into).collect(),
            elapsed_us: answer.elapsed_us,
            second_answer: answer.second_answer,
            second_records: cut(&answer.second_records).iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<v1::DnsAnswer> for DnsAnswer {
    type Error = ConvertError;
    fn try_from(message: v1::DnsAnswer) -> Result<Self, ConvertError> {
        let end = match known(message.end, "end")? {
            v1::LookupEnd::Unspecified => return Err(unspecified("end")),
            v1::LookupEnd::Response => LookupEnd::Response(narrow(message.response_code, "response_code")?),
            v1::LookupEnd::TimedOut => LookupEnd::TimedOut,
            v1::LookupEnd::Failed => LookupEnd::Failed(message.errno),
            v1::LookupEnd::Malformed => LookupEnd::Malformed,
            v1::LookupEnd::NoResolver => LookupEnd::NoResolver,
            v1::LookupEnd::NotSecured => LookupEnd::NotSecured,
            v1::LookupEnd::HttpStatus => LookupEnd::HttpStatus(narrow(message.response_code, "response_code")?),
            v1::LookupEnd::Denied => LookupEnd::Denied,
        };
        let transport = match known(message.transport, "transport")? {
            v1::DnsTransport::Unspecified => return Err(unspecified("transport")),
            v1::DnsTransport::Udp => DnsTransport::Udp,
            v1::DnsTransport::Tcp => DnsTransport::Tcp,
            v1::DnsTransport::Tls => DnsTransport::Tls,
            v1::DnsTransport::Https => DnsTransport::Https,
        };
        Ok(Self {
            record_type: narrow(message.record_type, "record_type")?,
            server: inner(message.server, "server")?,
            transport,
            end,
            records: messages(message.records, "records")?,
            elapsed_us: message.elapsed_us,
            second_answer: message.second_answer,
            second_records: messages(message.second_records, "second_records")?,
        })
    }
}

impl From<DnsTransport> for v1::DnsTransport {
    fn from(transport: DnsTransport) -> Self {
        match transport {
            DnsTransport::Udp => Self::Udp,
            DnsTransport::Tcp => Self::Tcp,
            DnsTransport::Tls => Self::Tls,
            DnsTransport::Https => Self::Https,
        }
    }
}

impl From<&DnsRecord> for v1::DnsRecord {
    fn from(record: &DnsRecord) -> Self {
        Self { name: cut_text(&record.name), record_type: u32::from(record.record_type), ttl_seconds: record.ttl_seconds, data: cut_text(&record.data) }
    }
}

impl TryFrom<v1::DnsRecord> for DnsRecord {
    type Error = ConvertError;
    fn try_from(message: v1::DnsRecord) -> Result<Self, ConvertError> {
        Ok(Self {
            name: text(message.name, "name")?,
            record_type: narrow(message.record_type, "record_type")?,
            ttl_seconds: message.ttl_seconds,
            data: text(message.data, "data")?,
        })
    }
}

impl From<&ServiceRecord> for v1::ServiceRecord {
    fn from(service: &ServiceRecord) -> Self {
        Self {
            priority: u32::from(service.priority),
            target: cut_text(&service.target),
            alpn: cut(&service.alpn).iter().map(|protocol| cut_text(protocol)).collect(),
            port: service.port.map(u32::from),
            ech: service.ech,
        }
    }
}

impl TryFrom<v1::ServiceRecord> for ServiceRecord {
    type Error = ConvertError;
    fn try_from(message: v1::ServiceRecord) -> Result<Self, ConvertError> {
        Ok(Self {
            priority: narrow(message.priority, "priority")?,
            target: text(message.target, "target")?,
            alpn: each(message.alpn, "alpn", |protocol| text(protocol, ""))?,
            port: narrow_option(message.port, "port")?,
            ech: message.ech,
        })
    }
}
