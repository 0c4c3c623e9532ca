//! What this host is as a vantage: its name, where its responders are reached, and what it can do.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};

use parallax_model::assignment::Experiment;

/// Returns the host's name.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

/// Returns the addresses under which others reach a responder that listens on `listen`.
///
/// A wildcard stands for what was advertised, or for the host's own addresses of global scope.
pub(crate) fn advertised(listen: SocketAddr, advertise: &[IpAddr], host: &[IpAddr]) -> Vec<SocketAddr> {
    if !listen.ip().is_unspecified() {
        return vec![listen];
    }
    // A wildcard of IPv6 takes IPv4 too, unless the host says otherwise.
    let fits = |address: &&IpAddr| listen.is_ipv6() || address.is_ipv4();
    let candidates = if advertise.is_empty() { host } else { advertise };
    candidates.iter().filter(fits).map(|address| SocketAddr::new(*address, listen.port())).collect()
}

/// Returns the host's addresses of global scope: not loopback, not link-local.
pub(crate) fn host_addresses() -> Vec<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    let mut addresses: Vec<IpAddr> = interfaces
        .iter()
        .filter_map(|interface| {
            let address = interface.address.as_ref()?;
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        })
        .filter(|address| is_global_scope(*address))
        .collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

fn is_global_scope(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local() && !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local() && !address.is_unspecified(),
    }
}

/// Returns what this agent can do: the names of its experiments, that of a witness only where it is one, and `ipv6` when the host has a route for it.
pub(crate) fn capabilities(witnesses: bool) -> Vec<String> {
    let able = |experiment: &&Experiment| witnesses || **experiment != Experiment::Witness;
    let mut names: Vec<String> = Experiment::ALL.iter().filter(able).map(|experiment| experiment.as_str().to_owned()).collect();
    if has_ipv6_route() {
        names.push("ipv6".to_owned());
    }
    names
}

/// Asks the routing table; nothing is sent.
fn has_ipv6_route() -> bool {
    let connects = |socket: UdpSocket| socket.connect((ANY_GLOBAL_V6, 443)).is_ok();
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok_and(connects)
}

/// An address of the documentation range (RFC 3849), which any default route covers.
const ANY_GLOBAL_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_advertised_as_addresses() {
        let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
        let host: Vec<IpAddr> = ["192.0.2.7", "2001:db8::7"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(advertised(socket("192.0.2.9:7444"), &[], &host), [socket("192.0.2.9:7444")]);
        assert_eq!(advertised(socket("[::]:7444"), &[], &host), [socket("192.0.2.7:7444"), socket("[2001:db8::7]:7444")]);
        assert_eq!(advertised(socket("0.0.0.0:7444"), &[], &host), [socket("192.0.2.7:7444")]);
        assert_eq!(advertised(socket("[::]:7444"), &["198.51.100.1".parse().unwrap()], &host), [socket("198.51.100.1:7444")]);
    }

    #[test]
    fn capabilities_name_every_experiment() {
        assert!(capabilities(true).len() >= Experiment::ALL.len());
        assert!(!capabilities(false).contains(&"witness".to_owned()));
        assert!(host_addresses().iter().all(|address| !address.is_loopback()));
    }
}
