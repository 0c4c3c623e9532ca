//! What is probed: scheme, host, port, and where to connect.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

/// What is spoken on the connection after TCP is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// TLS, then one HTTP HEAD request.
    Https,
    /// TLS, then one read.
    Tls,
    /// TCP alone.
    Tcp,
    /// QUIC version 1 (RFC 9000).
    Quic,
    /// TLS after the plain-text upgrade command of the protocol.
    StartTls(StartTls),
}

/// A protocol that upgrades to TLS on its plain-text port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are the protocols' own")]
pub enum StartTls {
    Smtp,
    Imap,
    Pop3,
    Ftp,
    Xmpp,
    XmppServer,
    Ldap,
    Postgres,
    Mysql,
    Nntp,
    Sieve,
}

const STARTTLS: [(StartTls, &str, u16); 11] = [
    (StartTls::Smtp, "smtp", 25),
    (StartTls::Imap, "imap", 143),
    (StartTls::Pop3, "pop3", 110),
    (StartTls::Ftp, "ftp", 21),
    (StartTls::Xmpp, "xmpp", 5222),
    (StartTls::XmppServer, "xmpp-server", 5269),
    (StartTls::Ldap, "ldap", 389),
    (StartTls::Postgres, "postgres", 5432),
    (StartTls::Mysql, "mysql", 3306),
    (StartTls::Nntp, "nntp", 119),
    (StartTls::Sieve, "sieve", 4190),
];

impl StartTls {
    /// Every protocol that is known, in the order of the documentation.
    pub const ALL: [Self; 11] = {
        let mut all = [Self::Smtp; 11];
        let mut at = 0;
        while at < all.len() {
            all[at] = STARTTLS[at].0;
            at += 1;
        }
        all
    };

    /// Returns the name before `+starttls`.
    pub fn as_str(self) -> &'static str {
        STARTTLS.iter().find(|row| row.0 == self).map_or("", |row| row.1)
    }
}

impl Scheme {
    /// Returns the port that is meant when none is given.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Https | Self::Tls | Self::Tcp | Self::Quic => 443,
            Self::StartTls(protocol) => STARTTLS.iter().find(|row| row.0 == protocol).map_or(0, |row| row.2),
        }
    }

    /// Tells whether TLS is spoken over TCP, which an audit needs.
    pub fn speaks_tls_over_tcp(self) -> bool {
        !matches!(self, Self::Tcp | Self::Quic)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Https => f.write_str("https"),
            Self::Tls => f.write_str("tls"),
            Self::Tcp => f.write_str("tcp"),
            Self::Quic => f.write_str("quic"),
            Self::StartTls(protocol) => write!(f, "{}+starttls", protocol.as_str()),
        }
    }
}

impl FromStr for Scheme {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        let starttls = || {
            let protocol = text.strip_suffix("+starttls")?;
            STARTTLS.iter().find(|row| row.1 == protocol).map(|row| Self::StartTls(row.0))
        };
        match text {
            "https" => Ok(Self::Https),
            "tls" => Ok(Self::Tls),
            "tcp" => Ok(Self::Tcp),
            "quic" => Ok(Self::Quic),
            _ => starttls().ok_or_else(|| TargetError::Scheme(text.to_owned())),
        }
    }
}

/// A DNS name or an address literal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A DNS name, lower case, without the trailing dot, international labels as A-labels (RFC 5890).
    Name(String),
    /// An IP address; no server name is sent for it (RFC 6066 section 3).
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
        }
    }
}

/// What an operator wants probed: `[SCHEME://]HOST[:PORT][/PATH][@ADDRESS]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Target {
    /// What is spoken after TCP is up.
    pub scheme: Scheme,
    /// The name or address that is wanted.
    pub host: Host,
    /// The TCP or UDP port, 1 to 65535.
    pub port: u16,
    /// The path of the HEAD request; starts with `/`, `/` when none was given.
    pub path: String,
    /// The address to connect to instead of what the name resolves to.
    pub pinned: Option<IpAddr>,
}

/// Says why a text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The scheme is unknown.
    #[error("unknown scheme {0:?}: use https, tls, tcp, quic or PROTOCOL+starttls")]
    Scheme(String),
    /// There is no host or it is not a DNS name or address.
    #[error("{0:?} is neither a host name nor an IP address: write HOST[:PORT], for example api.example.com:443 or [2001:db8::7]:8443")]
    Host(String),
    /// The port is not a number from 1 to 65535.
    #[error("{0:?} is not a port: a port is a number from 1 to 65535")]
    Port(String),
    /// The address after `@` is not an IP address.
    #[error("{0:?} after @ is not an IP address")]
    Pinned(String),
    /// The path holds a character that cannot stand in a request line.
    #[error("the path {0:?} holds a space or a control character")]
    Path(String),
}

impl Target {
    /// Returns the server name that a ClientHello carries, none for an address literal.
    pub fn server_name(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => Some(name),
            Host::Address(_) => None,
        }
    }

    /// Returns the one address that needs no resolution: the pinned one, or the address literal.
    pub fn literal_address(&self) -> Option<IpAddr> {
        self.pinned.or(match self.host {
            Host::Address(address) => Some(address),
            Host::Name(_) => None,
        })
    }

    /// Returns `HOST:PORT`, as verdicts show a target.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

impl FromStr for Target {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        // What stands after the authority is part of the path.
        let (scheme, rest) = match text.split_once("://").filter(|(scheme, _)| !scheme.contains('/')) {
            Some((scheme, rest)) => (Some(scheme.parse::<Scheme>()?), rest),
            None => (None, text),
        };
        let (rest, pinned) = match rest.rsplit_once('@') {
            Some((rest, address)) => {
                let bare = address.trim_start_matches('[').trim_end_matches(']');
                (rest, Some(bare.parse().map_err(|_| TargetError::Pinned(address.to_owned()))?))
            }
            None => (rest, None),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        if path.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(TargetError::Path(path.to_owned()));
        }
        let (host, port) = split_authority(authority)?;
        let port = port.map(|digits| digits.parse().ok().filter(|port| *port > 0).ok_or_else(|| TargetError::Port(digits.to_owned()))).transpose()?;
        let scheme_of_port = if port.unwrap_or(443) == 443 { Scheme::Https } else { Scheme::Tls };
        let scheme = scheme.unwrap_or(scheme_of_port);
        Ok(Self { scheme, host, port: port.unwrap_or_else(|| scheme.default_port()), path: path.to_owned(), pinned })
    }
}

/// Splits `HOST[:PORT]`.
pub(crate) fn split_authority(authority: &str) -> Result<(Host, Option<&str>), TargetError> {
    let wrong = || TargetError::Host(authority.to_owned());
    if let Ok(address) = authority.parse::<IpAddr>() {
        return Ok((Host::Address(address), None));
    }
    if let Some(inside) = authority.strip_prefix('[') {
        let (address, after) = inside.split_once(']').ok_or_else(wrong)?;
        let address = IpAddr::V6(address.parse().map_err(|_| wrong())?);
        return match after.strip_prefix(':') {
            Some(port) => Ok((Host::Address(address), Some(port))),
            None if after.is_empty() => Ok((Host::Address(address), None)),
            None => Err(wrong()),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok((Host::Address(address), port));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    // What a person types is what a browser looks up: the A-labels of an international name (UTS 46).
    let name = if host.is_ascii() { host.to_ascii_lowercase() } else { idna::domain_to_ascii(host).map_err(|_| wrong())? };
    let label = |label: &str| {
        let edges = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && !edges && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let all_digits = name.chars().all(|c| c.is_ascii_digit() || c == '.');
    if name.len() > 253 || all_digits || !name.split('.').all(label) {
        return Err(wrong());
    }
    Ok((Host::Name(name), port))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let implied = if self.port == 443 { Scheme::Https } else { Scheme::Tls };
        if self.scheme != implied {
            write!(f, "{}://", self.scheme)?;
        }
        write!(f, "{}:{}", self.host, self.port)?;
        if self.path != "/" {
            f.write_str(&self.path)?;
        }
        self.pinned.map_or(Ok(()), |address| write!(f, "@{address}"))
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;
    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_operators_type_is_understood_and_printed_back() {
        for (typed, shown) in [
            ("api.example.test", "api.example.test:443"),
            ("API.Example.Test.:443", "api.example.test:443"),
            ("api.example.test:8443", "api.example.test:8443"),
            ("Bücher.example.test", "xn--bcher-kva.example.test:443"),
            ("https://api.example.test:8443/a/b", "https://api.example.test:8443/a/b"),
            ("tls://api.example.test", "tls://api.example.test:443"),
            ("api.example.test:443@192.0.2.7", "api.example.test:443@192.0.2.7"),
            ("api.example.test@[2001:db8::7]", "api.example.test:443@2001:db8::7"),
            ("api.example.test/go?to=https://b.test", "api.example.test:443/go?to=https://b.test"),
            ("2001:db8::7", "[2001:db8::7]:443"),
            ("[2001:db8::7]:8443", "[2001:db8::7]:8443"),
            ("192.0.2.7:25", "192.0.2.7:25"),
            ("smtp+starttls://mail.example.test", "smtp+starttls://mail.example.test:25"),
            ("xmpp-server+starttls://chat.example.test", "xmpp-server+starttls://chat.example.test:5269"),
        ] {
            let target: Target = typed.parse().unwrap_or_else(|error| panic!("{typed}: {error}"));
            assert_eq!(target.to_string(), shown);
            assert_eq!(shown.parse::<Target>().unwrap(), target, "{shown}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for typed in ["", "://", "ftp://x", "a b", "x:0", "x:65536", "x:y", "-x", "x@y", "[::1", "256.1.1.1", "x/a b", "a..b"] {
            assert!(typed.parse::<Target>().is_err(), "{typed:?}");
        }
    }

    #[test]
    fn every_upgrading_protocol_has_a_name_and_a_port() {
        for protocol in StartTls::ALL {
            let target: Target = format!("{}+starttls://x.test", protocol.as_str()).parse().unwrap();
            assert_eq!(target.scheme, Scheme::StartTls(protocol));
            assert!(target.port > 0);
        }
    }

    #[test]
    fn the_port_implies_the_scheme() {
        assert_eq!("x".parse::<Target>().unwrap().scheme, Scheme::Https);
        assert_eq!("x:443".parse::<Target>().unwrap().scheme, Scheme::Https);
        assert_eq!("x:8443".parse::<Target>().unwrap().scheme, Scheme::Tls);
    }
}
