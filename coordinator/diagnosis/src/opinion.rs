//! What is said of the target's name beside a vantage's own lookups: by the same resolver over TCP, and by the resolvers that the check names further.

use std::{collections::BTreeSet, net::IpAddr};

use parallax_model::{
    attempt::Attempt,
    clock::Timestamp,
    facts::{DnsFacts, DnsTransport, ResolverKind},
    outcome::CertificateFault,
    resolver::{NamedResolver, Resolver},
};

use crate::{
    certificate::{self, Wish},
    scene::Seat,
    trust::Trust,
};

/// Another word on where the target is.
#[derive(Debug, Clone)]
pub(crate) struct Opinion<'a> {
    pub(crate) attempt: &'a Attempt,
    /// Whose it is, in words.
    pub(crate) source: String,
    pub(crate) addresses: BTreeSet<IpAddr>,
    /// Whether it comes from the address of a resolver that the vantage's own lookups asked.
    pub(crate) same_server: bool,
    /// Whether a trusted authority vouches for who said it.
    pub(crate) vouched: bool,
}

/// Tells whether these facts are of a resolver that the check's first one is compared with.
pub(crate) fn is_beside(dns: &DnsFacts, first: &Resolver) -> bool {
    match (&dns.resolver, first) {
        (ResolverKind::Literal, _) | (ResolverKind::System, Resolver::System) => false,
        (ResolverKind::Named(asked), Resolver::Named(first)) => asked != first,
        _ => true,
    }
}

impl<'a> Opinion<'a> {
    /// Gathers the opinions that a seat has, from its own lookups and from those beside them; answers without an address say nothing.
    pub(crate) fn of_seat(seat: &Seat<'a>, beside: &[&'a Attempt], trust: &Trust, now: Timestamp) -> Vec<Self> {
        let own = || seat.lookups.iter().filter_map(|attempt| Some((*attempt, attempt.facts.dns.as_ref()?)));
        let servers: BTreeSet<IpAddr> = own().flat_map(|(_, dns)| &dns.answers).filter_map(|answer| answer.server).map(|server| server.ip()).collect();
        let by_tcp = own().map(|(attempt, dns)| Self {
            attempt,
            source: "the same resolver by TCP".to_owned(),
            addresses: dns.addresses_by_tcp().into_iter().collect(),
            same_server: true,
            vouched: false,
        });
        let named = beside.iter().filter_map(|attempt| {
            let dns = attempt.facts.dns.as_ref()?;
            let same_server = dns.answers.iter().filter_map(|answer| answer.server).any(|server| servers.contains(&server.ip()));
            let source = match &dns.resolver {
                ResolverKind::Named(named) if same_server => format!("the same resolver by {} ({named})", transport(named)),
                ResolverKind::Named(named) => named.to_string(),
                ResolverKind::System | ResolverKind::Literal => "the vantage's own resolver".to_owned(),
            };
            Some(Self { attempt, source, addresses: dns.addresses.iter().copied().collect(), same_server, vouched: is_vouched(dns, trust, now) })
        });
        by_tcp.chain(named).filter(|opinion| !opinion.addresses.is_empty()).collect()
    }
}

fn transport(named: &NamedResolver) -> &'static str {
    match named.transport {
        DnsTransport::Udp => "UDP",
        DnsTransport::Tcp => "TCP",
        DnsTransport::Tls => "TLS",
        DnsTransport::Https => "HTTPS",
    }
}

fn is_vouched(dns: &DnsFacts, trust: &Trust, now: Timestamp) -> bool {
    let ResolverKind::Named(named) = &dns.resolver else { return false };
    if dns.certificates.is_empty() {
        return false;
    }
    let wish = Wish { name: Some(&named.host), now, elsewhere: &[], staple: None, expected_keys: &[] };
    let judged = certificate::judge(&dns.certificates, &wish, trust);
    let spoiled = [CertificateFault::NameMismatch, CertificateFault::Expired, CertificateFault::NotYetValid];
    judged.anchored && !spoiled.iter().any(|fault| judged.faults.contains(fault))
}
