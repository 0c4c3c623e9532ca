//! Which control responders a vantage is told of.

use std::net::{IpAddr, SocketAddr};

use parallax_model::{bytes::Bytes, id::VantageName, vantage::Responder};

use crate::config::HostPort;

/// The coordinator's own responders as others reach them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Advertised {
    /// None when none is configured.
    pub(crate) responder: Option<Responder>,
}

impl Advertised {
    /// Computes the addresses: where a responder listens on every address, those of `reachable` stand for it.
    pub(crate) fn new(bound: &[SocketAddr], reachable: &[IpAddr], key_sha256: [u8; 32]) -> Self {
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for listener in bound {
            if listener.ip().is_unspecified() {
                let fits = |address: &&IpAddr| address.is_ipv4() || listener.is_ipv6();
                addresses.extend(reachable.iter().filter(fits).map(|address| SocketAddr::new(*address, listener.port())));
            } else {
                addresses.push(*listener);
            }
        }
        addresses.dedup();
        let responder = (!addresses.is_empty()).then(|| Responder { addresses, key_sha256: Bytes(key_sha256.to_vec()), vantage: None });
        Self { responder }
    }
}

/// Returns the addresses behind advertised hosts; names are looked up by the system's resolver.
pub(crate) async fn reachable(advertise: &[HostPort]) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for host_port in advertise {
        match host_port.address() {
            Some(address) => addresses.push(address),
            None => match tokio::net::lookup_host((host_port.host.as_str(), host_port.port)).await {
                Ok(found) => addresses.extend(found.map(|address| address.ip())),
                Err(error) => tracing::warn!(host = %host_port.host, %error, "an advertised name does not resolve here: its responder is not told to vantages"),
            },
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    addresses.retain(|address| seen.insert(*address));
    addresses
}

/// Returns the responders for one vantage: the coordinator's, then those of other vantages.
pub(crate) fn told_to(name: &VantageName, own: &Advertised, announced: &[Responder]) -> Vec<Responder> {
    let others = announced.iter().filter(|responder| responder.vantage.as_ref() != Some(name) && !responder.addresses.is_empty());
    own.responder.iter().chain(others).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_told_as_the_advertised_addresses() {
        let bound = |text: &str| vec![text.parse::<SocketAddr>().unwrap()];
        let reachable: Vec<IpAddr> = ["192.0.2.1", "2001:db8::1"].map(|text| text.parse().unwrap()).into();
        let told = |bound: &[SocketAddr]| {
            Advertised::new(bound, &reachable, [7; 32]).responder.map(|responder| responder.addresses.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(told(&bound("[::]:7444")).unwrap(), ["192.0.2.1:7444", "[2001:db8::1]:7444"]);
        assert_eq!(told(&bound("0.0.0.0:7444")).unwrap(), ["192.0.2.1:7444"]);
        assert_eq!(told(&bound("127.0.0.1:9")).unwrap(), ["127.0.0.1:9"]);
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn a_vantage_is_not_told_of_its_own() {
        let responder = |vantage: &str| Responder {
            addresses: vec!["192.0.2.9:7444".parse().unwrap()],
            key_sha256: Bytes(vec![1; 32]),
            vantage: Some(vantage.parse().unwrap()),
        };
        let told = told_to(&"a".parse().unwrap(), &Advertised::default(), &[responder("a"), responder("b")]);
        assert_eq!(told, [responder("b")]);
    }
}
