//! Under which names and addresses others reach this coordinator.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use crate::config::HostPort;

/// Returns the addresses that go into join strings, best first: what is advertised, else where it listens, else the host's own addresses.
pub(super) fn coordinators(advertise: &[HostPort], listen: SocketAddr) -> Vec<HostPort> {
    if !advertise.is_empty() {
        return advertise.to_vec();
    }
    if !listen.ip().is_unspecified() {
        return vec![listen.into()];
    }
    let mut hosts: Vec<IpAddr> = host_addresses().into_iter().filter(|address| listen.is_ipv6() || address.is_ipv4()).collect();
    // Other hosts come by the global addresses; agents on this one by loopback.
    hosts.sort_by_key(|address| address.is_loopback());
    hosts.into_iter().map(|address| SocketAddr::new(address, listen.port()).into()).collect()
}

/// Returns the names for the server certificate.
pub(super) fn certificate_names(coordinators: &[HostPort], listen: SocketAddr) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = coordinators.iter().map(|address| address.host.clone()).collect();
    names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
    if !listen.ip().is_unspecified() {
        names.insert(listen.ip().to_string());
    }
    names
}

/// Returns where the administrator's own command line connects; none to take the first of the coordinator's addresses.
pub(super) fn for_admin(advertise: &[HostPort], listen: SocketAddr) -> Option<String> {
    (advertise.is_empty() && listen.ip().is_unspecified()).then(|| format!("127.0.0.1:{}", listen.port()))
}

/// Returns the addresses of this host's interfaces, loopback included, link-local ones not.
fn host_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return vec![IpAddr::from([127, 0, 0, 1])] };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::from(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::from(address.ip())))
    };
    let usable = |address: &IpAddr| match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => !address.is_unicast_link_local(),
    };
    interfaces.filter_map(address).filter(usable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_advertised_wins_and_a_wildcard_means_this_host() {
        let advertised: Vec<HostPort> = vec!["co.example:7443".parse().unwrap()];
        assert_eq!(coordinators(&advertised, "[::]:7443".parse().unwrap()), advertised);
        assert_eq!(coordinators(&[], "192.0.2.1:7443".parse().unwrap())[0].to_string(), "192.0.2.1:7443");
        let own = coordinators(&[], "[::]:7443".parse().unwrap());
        assert!(own.iter().any(|address| address.to_string() == "127.0.0.1:7443"), "{own:?}");
        let names = certificate_names(&advertised, "192.0.2.1:7443".parse().unwrap());
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["127.0.0.1", "192.0.2.1", "::1", "co.example", "localhost"]);
        assert_eq!(for_admin(&[], "[::]:7443".parse().unwrap()).as_deref(), Some("127.0.0.1:7443"));
        assert_eq!(for_admin(&advertised, "[::]:7443".parse().unwrap()), None);
    }
}
