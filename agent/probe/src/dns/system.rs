//! The host's own resolver configuration.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::{
    op::Query,
    rr::{Name, RecordType},
};
use hickory_resolver::{Hosts, system_conf};
use parallax_model::facts::DnsTransport;

use super::absolute;

/// Servers, search domains and the host's own table.
#[derive(Debug)]
pub(super) struct SystemConfig {
    /// The servers in the order in which they are asked.
    pub(super) servers: Vec<SocketAddr>,
    /// What carries the queries.
    pub(super) transport: DnsTransport,
    search: Vec<Name>,
    hosts: Hosts,
}

impl SystemConfig {
    /// Reads `/etc/resolv.conf` and `/etc/hosts`; what cannot be read is empty.
    pub(super) fn read() -> Self {
        let hosts = Hosts::from_system().unwrap_or_default();
        let Ok((config, _)) = system_conf::read_system_conf() else {
            return Self { servers: Vec::new(), transport: DnsTransport::Udp, search: Vec::new(), hosts };
        };
        let servers = config.name_servers().iter().map(|server| SocketAddr::new(server.ip, DNS_PORT)).collect();
        Self { servers, transport: DnsTransport::Udp, search: config.search().to_vec(), hosts }
    }

    /// Makes a configuration of one server and nothing else.
    pub(super) fn of_server(server: SocketAddr, transport: DnsTransport) -> Self {
        Self { servers: vec![server], transport, search: Vec::new(), hosts: Hosts::default() }
    }

    /// Returns the addresses that the host's own table lists, IPv4 first.
    pub(super) fn listed_addresses(&self, name: &str) -> Vec<IpAddr> {
        let Some(name) = absolute(name) else { return Vec::new() };
        let listed = |record_type| self.hosts.lookup_static_host(&Query::query(name.clone(), record_type));
        let lookups = [RecordType::A, RecordType::AAAA].into_iter().filter_map(listed);
        lookups.flat_map(|lookup| lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>()).collect()
    }

    /// Returns the absolute names that may be meant: a name of one label is tried under the search domains first.
    pub(super) fn candidates(&self, name: &str) -> Vec<Name> {
        let Some(as_it_is) = absolute(name) else { return Vec::new() };
        let mut candidates = Vec::new();
        if !name.contains('.') {
            let under = |domain: &Name| Name::from_ascii(name).and_then(|label| label.append_domain(domain)).ok();
            candidates.extend(self.search.iter().filter_map(under));
        }
        candidates.push(as_it_is);
        candidates
    }
}

const DNS_PORT: u16 = 53;
