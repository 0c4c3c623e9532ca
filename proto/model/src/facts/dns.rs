use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{bytes::Bytes, resolver::NamedResolver};

/// How a name was resolved, and to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsFacts {
    /// The name that was asked for.
    pub name: String,
    /// Which resolver was asked.
    pub resolver: ResolverKind,
    /// One per query type, A and AAAA, and HTTPS where it was answered.
    pub answers: Vec<DnsAnswer>,
    /// The addresses that came out, in the order of the answers, without repetition.
    pub addresses: Vec<IpAddr>,
    /// What the HTTPS records say (RFC 9460), for targets of the web: at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceRecord>,
    /// The same questions to the same server by TCP, where UDP brought no answer in time or two different ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again_by_tcp: Vec<DnsAnswer>,
    /// The chain that the resolver sent, leaf first, over TLS and HTTPS; it is not judged here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Bytes>,
}

impl DnsFacts {
    /// Makes the facts of a lookup that brought nothing.
    pub fn empty(name: String, resolver: ResolverKind) -> Self {
        Self { name, resolver, answers: Vec::new(), addresses: Vec::new(), services: Vec::new(), again_by_tcp: Vec::new(), certificates: Vec::new() }
    }

    /// Returns the addresses in the answers by TCP that are not among the others.
    pub fn addresses_by_tcp(&self) -> Vec<IpAddr> {
        let found = self.again_by_tcp.iter().flat_map(|answer| &answer.records).filter_map(|record| record.data.parse().ok());
        found.filter(|address| !self.addresses.contains(address)).collect()
    }
}

/// One HTTPS record (RFC 9460).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// 0 for an alias, else smaller is preferred.
    pub priority: u16,
    /// The name that serves, `.` for the owner.
    pub target: String,
    /// The protocols on offer, such as `h3` and `h2`.
    pub alpn: Vec<String>,
    /// The port, where it is another one.
    pub port: Option<u16>,
    /// Whether keys for Encrypted Client Hello are published (RFC 9849).
    pub ech: bool,
}

/// Which resolver was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResolverKind {
    /// The host's own, as its configuration names it.
    System,
    /// One that the check names.
    Named(NamedResolver),
    /// None: the address was given or stands in the host's own table.
    Literal,
}

/// The answer to one query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAnswer {
    /// The query type (RFC 1035 section 3.2.2), 1 for A, 28 for AAAA, 65 for HTTPS.
    pub record_type: u16,
    /// The server that was asked, none when it never came to a query.
    pub server: Option<SocketAddr>,
    /// What carried the query.
    pub transport: DnsTransport,
    /// How the lookup ended.
    pub end: LookupEnd,
    /// The records of the answer section, aliases included.
    pub records: Vec<DnsRecord>,
    /// From query to answer, microseconds.
    pub elapsed_us: u64,
    /// Whether a second, different response to a query that was sent once arrived.
    pub second_answer: bool,
    /// The records of that response.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub second_records: Vec<DnsRecord>,
}

/// What carried a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the protocols' own")]
pub enum DnsTransport {
    Udp,
    Tcp,
    Tls,
    Https,
}

/// How a lookup ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookupEnd {
    /// A response with this RCODE (RFC 1035 section 4.1.1, extended by RFC 6891).
    Response(u16),
    /// No response in time.
    TimedOut,
    /// The query could not be sent or the resolver's host refused it; errno, 0 when unknown.
    Failed(i32),
    /// A response that is not DNS, or none before the connection ended.
    Malformed,
    /// The host has no resolver configured, or the name of a named one has no address.
    NoResolver,
    /// The resolver's TLS handshake failed, or it does not speak HTTP/2 where HTTPS is wanted.
    NotSecured,
    /// The resolver answered over HTTPS with another status than 200.
    HttpStatus(u16),
    /// The agent's own policy refuses the resolver's address.
    Denied,
}

/// One record of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecord {
    /// The owner name.
    pub name: String,
    /// The record type.
    pub record_type: u16,
    /// Time to live, seconds.
    pub ttl_seconds: u32,
    /// The data in presentation form.
    pub data: String,
}
