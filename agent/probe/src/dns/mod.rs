//! A name's addresses, with every answer as it came: raw RCODE, aliases, times.

mod query;
mod system;

use std::{net::SocketAddr, time::Duration};

use hickory_proto::rr::{Name, RecordType};
use parallax_model::{
    facts::{DnsFacts, LookupEnd, ResolverKind},
    target::{Host, Target},
};
use tokio::time::Instant;

use query::ask;
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

/// Resolves a target's name, A and AAAA at the same time; a literal or pinned address needs no query.
///
/// Never fails: what went wrong stands in the answers.
pub async fn resolve(target: &Target, resolver: &Resolver, timeout: Duration) -> DnsFacts {
    let host = target.host.to_string();
    if let Some(address) = target.literal_address() {
        return DnsFacts { name: host, resolver: ResolverKind::Literal, answers: Vec::new(), addresses: vec![address] };
    }
    let Host::Name(name) = &target.host else { unreachable!("an address has no name to resolve") };
    match resolver {
        Resolver::Named(server) => lookup(name, ResolverKind::Named(*server), &SystemConfig::of_server(*server), timeout).await,
        Resolver::System => {
            let system = SystemConfig::read();
            let listed = system.listed_addresses(name);
            if listed.is_empty() {
                lookup(name, ResolverKind::System, &system, timeout).await
            } else {
                DnsFacts { name: host, resolver: ResolverKind::Literal, answers: Vec::new(), addresses: listed }
            }
        }
    }
}

async fn lookup(name: &str, resolver: ResolverKind, system: &SystemConfig, timeout: Duration) -> DnsFacts {
    let deadline = Instant::now() + timeout;
    let (v4, v6) = tokio::join!(first_useful(name, RecordType::A, system, deadline), first_useful(name, RecordType::AAAA, system, deadline));
    let mut addresses = Vec::new();
    for address in [&v4, &v6].into_iter().flat_map(|found| &found.addresses) {
        if !addresses.contains(address) {
            addresses.push(*address);
        }
    }
    DnsFacts { name: name.to_owned(), resolver, answers: vec![v4.answer, v6.answer], addresses }
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

#[cfg(test)]
mod tests;
