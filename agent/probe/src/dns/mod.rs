//! A name's addresses, with every answer as it came: raw RCODE, aliases, times.

mod query;
mod system;

use std::{
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};

use futures_util::future::{Either, select};
use hickory_proto::rr::{Name, RecordType};
use parallax_model::{
    facts::{DnsFacts, LookupEnd, ResolverKind},
    target::{Host, Scheme, Target},
};
use tokio::time::{Instant, timeout_at};

use query::ask;
pub(crate) use query::read_answer;
use system::SystemConfig;

/// Whom to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resolver {
    /// What `/etc/hosts` and `/etc/resolv.conf` say, read anew each time.
    #[default]
    System,
    /// This server alone.
    Named(SocketAddr),
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
        Resolver::Named(server) => lookup(target, name, ResolverKind::Named(*server), &SystemConfig::of_server(*server), timeout).await,
        Resolver::System => {
            let system = SystemConfig::read();
            let listed = system.listed_addresses(name);
            if listed.is_empty() { lookup(target, name, ResolverKind::System, &system, timeout).await } else { in_no_need(host, listed) }
        }
    }
}

fn in_no_need(name: String, addresses: Vec<IpAddr>) -> DnsFacts {
    DnsFacts { name, resolver: ResolverKind::Literal, answers: Vec::new(), addresses, services: Vec::new() }
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
    let mut addresses = Vec::new();
    for address in [&v4, &v6].into_iter().flat_map(|found| &found.addresses) {
        if !addresses.contains(address) {
            addresses.push(*address);
        }
    }
    let (service, services) = service.map_or((None, Vec::new()), |found| (Some(found.answer), found.services));
    let answers = [v4.answer, v6.answer].into_iter().chain(service).collect();
    DnsFacts { name: name.to_owned(), resolver, answers, addresses, services }
}

/// Asks for the HTTPS records of a target of the web (RFC 9460 section 9.1); none when it is no such target or nobody answers.
async fn service(target: &Target, name: &str, system: &SystemConfig, deadline: Instant) -> Option<query::Answered> {
    let owner = match (target.scheme, target.port) {
        (Scheme::Https | Scheme::Quic, 443) => name.to_owned(),
        (Scheme::Https | Scheme::Quic, port) => format!("_{port}._https.{name}"),
        (Scheme::Tls | Scheme::Tcp | Scheme::StartTls(_), _) => return None,
    };
    let found = first_useful(&owner, RecordType::HTTPS, system, deadline).await;
    matches!(found.answer.end, LookupEnd::Response(_)).then_some(found)
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
            last = ask(&candidate, record_type, *server, Instant::now() + share).await;
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
