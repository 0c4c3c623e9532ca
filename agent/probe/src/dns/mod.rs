//! A name's addresses, with every answer as it came: raw RCODE, aliases, times.
//!
//! `query` asks by UDP and TCP, `secure` over TLS and HTTPS; `system` reads whom the host asks.

mod query;
mod secure;
mod system;

use std::{
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};

use futures_util::future::{Either, select};
use hickory_proto::rr::{Name, RecordType};
use parallax_model::{
    facts::{DnsFacts, DnsTransport, LookupEnd, ResolverKind},
    resolver::NamedResolver,
    target::{Host, Scheme, Target},
};
use tokio::time::{Instant, timeout_at};

use query::ask;
pub(crate) use query::read_answer;
use system::SystemConfig;

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Resolver {
    /// What `/etc/hosts` and `/etc/resolv.conf` say, read anew each time.
    #[default]
    System,
    /// This server alone, at this address.
    Named(NamedResolver, SocketAddr),
}

impl Resolver {
    /// Makes a resolver that is asked by UDP.
    pub fn udp(address: SocketAddr) -> Self {
        Self::Named(NamedResolver::udp(address), address)
    }
}

/// Resolves a target's name, A, AAAA and for the web HTTPS at the same time; a literal or pinned address needs no query.
///
/// Never fails: what went wrong stands in the answers.
pub async fn resolve(target: &Target, resolver: &Resolver, timeout: Duration) -> DnsFacts {
    let host = target.host.to_string();
    if let Some(address) = target.literal_address() {
        return in_no_need(host, vec![address]);
    }
    let Host::Name(name) = &target.host else { unreachable!("an address has no name to resolve") };
    match resolver {
        Resolver::Named(named, server) => match named.transport {
            DnsTransport::Udp | DnsTransport::Tcp => {
                lookup(target, name, ResolverKind::Named(named.clone()), &SystemConfig::of_server(*server, named.transport), timeout).await
            }
            DnsTransport::Tls | DnsTransport::Https => secured(target, name, (named, *server), timeout).await,
        },
        Resolver::System => {
            let system = SystemConfig::read();
            let listed = system.listed_addresses(name);
            if listed.is_empty() { lookup(target, name, ResolverKind::System, &system, timeout).await } else { in_no_need(host, listed) }
        }
    }
}

/// Makes the facts of a lookup at a named resolver that is not asked, and why.
pub fn not_asked(target: &Target, named: &NamedResolver, server: Option<SocketAddr>, end: LookupEnd) -> DnsFacts {
    let mut unasked = query::Answered::without_query(RecordType::A, end);
    unasked.answer.server = server;
    unasked.answer.transport = named.transport;
    gather(&target.host.to_string(), ResolverKind::Named(named.clone()), std::iter::once(unasked))
}

fn in_no_need(name: String, addresses: Vec<IpAddr>) -> DnsFacts {
    DnsFacts { addresses, ..DnsFacts::empty(name, ResolverKind::Literal) }
}

async fn lookup(target: &Target, name: &str, resolver: ResolverKind, system: &SystemConfig, timeout: Duration) -> DnsFacts {
    let deadline = Instant::now() + timeout;
    let families = pin!(async { tokio::join!(first_useful(name, RecordType::A, system, deadline), first_useful(name, RecordType::AAAA, system, deadline)) });
    let service = pin!(service(target, name, system, deadline));
    // Old resolvers never answer a query of this type: the addresses are not kept waiting for it.
    let ((v4, v6), service) = match select(families, service).await {
        Either::Left((families, service)) => (families, timeout_at(Instant::now() + SERVICE_GRACE, service).await.ok().flatten()),
        Either::Right((service, families)) => (families.await, service),
    };
    gather(name, resolver, [v4, v6].into_iter().chain(service))
}

/// Asks everything over one connection that is secured.
async fn secured(target: &Target, name: &str, (named, server): (&NamedResolver, SocketAddr), timeout: Duration) -> DnsFacts {
    let families = [RecordType::A, RecordType::AAAA].map(|record_type| (name.to_owned(), record_type));
    let wanted = families.into_iter().chain(service_owner(target, name).map(|owner| (owner, RecordType::HTTPS)));
    let questions: Vec<query::Question> = wanted.filter_map(|(name, record_type)| query::Question::of(&absolute(&name)?, record_type)).collect();
    let secure::Secured { answered, certificates } = secure::ask(&questions, named, server, Instant::now() + timeout).await;
    let is_told = |found: &query::Answered| found.answer.record_type != u16::from(RecordType::HTTPS) || matches!(found.answer.end, LookupEnd::Response(_));
    DnsFacts { certificates, ..gather(name, ResolverKind::Named(named.clone()), answered.into_iter().filter(is_told)) }
}

fn gather(name: &str, resolver: ResolverKind, answered: impl Iterator<Item = query::Answered>) -> DnsFacts {
    let mut facts = DnsFacts::empty(name.to_owned(), resolver);
    for query::Answered { answer, addresses, services, again_by_tcp } in answered {
        if answer.record_type == u16::from(RecordType::HTTPS) {
            facts.services = services;
        } else {
            let new: Vec<IpAddr> = addresses.into_iter().filter(|address| !facts.addresses.contains(address)).collect();
            facts.addresses.extend(new);
            facts.again_by_tcp.extend(again_by_tcp);
        }
        facts.answers.push(answer);
    }
    facts
}

/// Asks for the HTTPS records of a target of the web (RFC 9460 section 9.1); none when it is no such target or nobody answers.
async fn service(target: &Target, name: &str, system: &SystemConfig, deadline: Instant) -> Option<query::Answered> {
    let found = first_useful(&service_owner(target, name)?, RecordType::HTTPS, system, deadline).await;
    matches!(found.answer.end, LookupEnd::Response(_)).then_some(found)
}

/// Returns the name whose HTTPS records describe the target.
fn service_owner(target: &Target, name: &str) -> Option<String> {
    match (target.scheme, target.port) {
        (Scheme::Https | Scheme::Quic, 443) => Some(name.to_owned()),
        (Scheme::Https | Scheme::Quic, port) => Some(format!("_{port}._https.{name}")),
        (Scheme::Tls | Scheme::Tcp | Scheme::StartTls(_), _) => None,
    }
}

/// Asks server after server and search domain after search domain, as the host's own resolver does, until one gives a definite answer.
async fn first_useful(name: &str, record_type: RecordType, system: &SystemConfig, deadline: Instant) -> query::Answered {
    let mut last = query::Answered::without_query(record_type, if system.servers.is_empty() { LookupEnd::NoResolver } else { LookupEnd::Malformed });
    for candidate in system.candidates(name) {
        let mut definite = false;
        for (asked, server) in system.servers.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return last;
            }
            let share = left / u32::try_from(system.servers.len() - asked).unwrap_or(1);
            let before = std::mem::take(&mut last.again_by_tcp);
            last = ask(&candidate, record_type, (*server, system.transport), Instant::now() + share).await;
            last.again_by_tcp.splice(0..0, before);
            definite = matches!(last.answer.end, LookupEnd::Response(NO_ERROR | NAME_ERROR));
            if definite {
                break;
            }
        }
        if !definite || last.answer.end == LookupEnd::Response(NO_ERROR) {
            return last;
        }
    }
    last
}

/// Reads a name for a query, from the root.
fn absolute(name: &str) -> Option<Name> {
    let mut parsed = Name::from_ascii(name).ok()?;
    parsed.set_fqdn(true);
    Some(parsed)
}

/// RCODEs (RFC 1035 section 4.1.1).
const NO_ERROR: u16 = 0;
const NAME_ERROR: u16 = 3;
/// How much longer than the addresses the HTTPS records may take.
const SERVICE_GRACE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests;
