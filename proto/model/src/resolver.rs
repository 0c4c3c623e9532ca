//! Which resolvers are asked for a target's addresses.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{
    facts::DnsTransport,
    target::{Host, split_authority},
};

/// A resolver that a check asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Resolver {
    /// The vantage's own, as its configuration names it.
    System,
    /// One that the operator names.
    Named(NamedResolver),
}

/// A resolver by name or address: `udp://ADDRESS[:PORT]`, `tcp://ADDRESS[:PORT]`, `tls://[NAME@]ADDRESS[:PORT]`, `https://NAME[:PORT][/PATH][@ADDRESS]`.
///
/// A name without an address is resolved by the vantage's own resolver first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NamedResolver {
    /// What carries the queries.
    pub transport: DnsTransport,
    /// The name or address that its certificate must cover, over TLS and HTTPS; else its address.
    pub host: Host,
    /// The port: 53, 853 over TLS, 443 over HTTPS unless another one is given.
    pub port: u16,
    /// The path of the requests over HTTPS; empty elsewhere.
    pub path: String,
    /// Where to connect instead of what the name resolves to.
    pub pinned: Option<IpAddr>,
}

/// Says why a text names no resolver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolverError {
    /// It has another form.
    #[error(
        "{0:?} names no resolver: write system, udp://ADDRESS, tcp://ADDRESS, tls://NAME@ADDRESS, tls://ADDRESS, https://NAME/dns-query or https://NAME/dns-query@ADDRESS"
    )]
    Form(String),
    /// A name where only an address tells whom to ask.
    #[error("{0:?} names a resolver of a transport without certificates by its name: give its address")]
    NameOfPlain(String),
}

impl NamedResolver {
    /// Makes a resolver that is asked by UDP.
    pub fn udp(address: SocketAddr) -> Self {
        Self { transport: DnsTransport::Udp, host: Host::Address(address.ip()), port: address.port(), path: String::new(), pinned: None }
    }

    /// Returns where to connect, none when the name has to be resolved first.
    pub fn address(&self) -> Option<SocketAddr> {
        let own = match self.host {
            Host::Address(address) => Some(address),
            Host::Name(_) => None,
        };
        self.pinned.or(own).map(|address| SocketAddr::new(address, self.port))
    }
}

impl FromStr for NamedResolver {
    type Err = ResolverError;
    fn from_str(text: &str) -> Result<Self, ResolverError> {
        let wrong = || ResolverError::Form(text.to_owned());
        let (scheme, rest) = text.split_once("://").unwrap_or(("udp", text));
        let (transport, usual_port) = match scheme {
            "udp" => (DnsTransport::Udp, 53),
            "tcp" => (DnsTransport::Tcp, 53),
            "tls" => (DnsTransport::Tls, 853),
            "https" => (DnsTransport::Https, 443),
            _ => return Err(wrong()),
        };
        let is_https = transport == DnsTransport::Https;
        let (before, after) = rest.split_once('@').map_or((rest, None), |(before, after)| (before, Some(after)));
        let (authority, path) = match before.find('/') {
            Some(at) if is_https => (&before[..at], &before[at..]),
            Some(_) => return Err(wrong()),
            None => (before, if is_https { USUAL_PATH } else { "" }),
        };
        if path.chars().any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii()) || path.len() > MAX_PATH {
            return Err(wrong());
        }
        let (host, port) = split_authority(authority).map_err(|_| wrong())?;
        let at = after.map(|after| split_authority(after).map_err(|_| wrong())).transpose()?;
        let (pinned, port_of_address) = match at {
            Some((Host::Address(address), port)) => (Some(address), port),
            Some((Host::Name(_), _)) => return Err(wrong()),
            None => (None, None),
        };
        let port = match (port, port_of_address) {
            (Some(_), Some(_)) => return Err(wrong()),
            (port, other) => port.or(other).map_or(Ok(usual_port), |digits| digits.parse().ok().filter(|port| *port > 0).ok_or_else(wrong))?,
        };
        let is_plain = matches!(transport, DnsTransport::Udp | DnsTransport::Tcp);
        match host {
            Host::Name(_) if is_plain => return Err(ResolverError::NameOfPlain(text.to_owned())),
            Host::Address(_) if pinned.is_some() => return Err(wrong()),
            _ => {}
        }
        Ok(Self { transport, host, port, path: path.to_owned(), pinned })
    }
}

impl fmt::Display for NamedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, usual_port) = match self.transport {
            DnsTransport::Udp => ("udp", 53),
            DnsTransport::Tcp => ("tcp", 53),
            DnsTransport::Tls => ("tls", 853),
            DnsTransport::Https => ("https", 443),
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port != usual_port {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)?;
        self.pinned.map_or(Ok(()), |address| write!(f, "@{}", Host::Address(address)))
    }
}

impl FromStr for Resolver {
    type Err = ResolverError;
    fn from_str(text: &str) -> Result<Self, ResolverError> {
        if text == SYSTEM { Ok(Self::System) } else { text.parse().map(Self::Named) }
    }
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.pad(SYSTEM),
            Self::Named(resolver) => resolver.fmt(f),
        }
    }
}

macro_rules! as_text {
    ($($word:ty),*) => {$(
        impl TryFrom<String> for $word {
            type Error = ResolverError;
            fn try_from(text: String) -> Result<Self, ResolverError> {
                text.parse()
            }
        }

        impl From<$word> for String {
            fn from(word: $word) -> Self {
                word.to_string()
            }
        }
    )*};
}

as_text!(Resolver, NamedResolver);

const SYSTEM: &str = "system";
/// The path of RFC 8484's examples, which all public resolvers serve.
const USUAL_PATH: &str = "/dns-query";
const MAX_PATH: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_back() {
        for (text, written, address) in [
            ("system", "system", None),
            ("192.0.2.53", "udp://192.0.2.53", Some("192.0.2.53:53")),
            ("udp://192.0.2.53:5353", "udp://192.0.2.53:5353", Some("192.0.2.53:5353")),
            ("tcp://[2001:db8::53]", "tcp://[2001:db8::53]", Some("[2001:db8::53]:53")),
            ("tcp://2001:db8::53", "tcp://[2001:db8::53]", Some("[2001:db8::53]:53")),
            ("tls://192.0.2.53", "tls://192.0.2.53", Some("192.0.2.53:853")),
            ("tls://dns.example@192.0.2.53", "tls://dns.example@192.0.2.53", Some("192.0.2.53:853")),
            ("tls://dns.example@[2001:db8::53]:8853", "tls://dns.example:8853@[2001:db8::53]", Some("[2001:db8::53]:8853")),
            ("tls://dns.example", "tls://dns.example", None),
            ("https://dns.example", "https://dns.example/dns-query", None),
            ("https://dns.example:8443/q@192.0.2.53", "https://dns.example:8443/q@192.0.2.53", Some("192.0.2.53:8443")),
            ("https://192.0.2.53/dns-query", "https://192.0.2.53/dns-query", Some("192.0.2.53:443")),
        ] {
            let resolver: Resolver = text.parse().unwrap();
            assert_eq!(resolver.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(resolver.clone()), "{text}");
            let found = match &resolver {
                Resolver::System => None,
                Resolver::Named(named) => named.address(),
            };
            assert_eq!(found, address.map(|address| address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_names_no_resolver_is_refused() {
        for text in [
            "",
            "dns.example",
            "udp://dns.example",
            "quic://192.0.2.53",
            "tls://192.0.2.53@192.0.2.54",
            "tls://a.test@b.test",
            "udp://192.0.2.53:0",
            "udp://192.0.2.53/x",
            "https://a.test/a b",
            "tls://a.test:853@192.0.2.53:854",
            "udp://192.0.2.53:65536",
        ] {
            assert!(text.parse::<Resolver>().is_err(), "{text}");
        }
    }
}
