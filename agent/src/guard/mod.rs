//! The site owner's own say: which addresses this agent may connect to, whatever the coordinator asks.

mod special;

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::RwLock,
};

use aws_lc_rs::digest::{SHA256, digest};
use ipnet::IpNet;

/// Decides on every resolved address before anything is sent to it.
///
/// A range that is denied stays closed; a range that is allowed is open; the fleet's responders are open at exactly their address and port; of the
/// rest, whatever the IANA registries set aside as special-purpose is closed.
#[derive(Debug)]
pub(crate) struct Guard {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
    responders: RwLock<HashSet<SocketAddr>>,
}

impl Guard {
    /// Makes a guard that opens `allow` and closes `deny`.
    #[must_use]
    pub(crate) fn new(allow: Vec<IpNet>, deny: Vec<IpNet>) -> Self {
        Self { allow, deny, responders: RwLock::default() }
    }

    /// Replaces the endpoints of the fleet's responders.
    pub(crate) fn set_responders(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let addresses = addresses.into_iter().map(canonical).collect();
        *self.responders.write().expect("no code panics while it holds this lock") = addresses;
    }

    /// Tells whether this agent may connect to `address`.
    pub(crate) fn permits(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        if self.deny.iter().any(|net| covers(net, ip)) {
            return false;
        }
        let is_responder = || self.responders.read().expect("no code panics while it holds this lock").contains(&canonical(address));
        self.allow.iter().any(|net| covers(net, ip)) || is_responder() || !special::is_special_purpose(ip)
    }

    /// Returns the SHA-256 of the policy in a canonical text, so that the coordinator sees when it changes.
    #[must_use]
    pub(crate) fn digest(&self) -> Vec<u8> {
        let lines = |verb: &str, nets: &[IpNet]| {
            let mut lines: Vec<String> = nets.iter().map(|net| format!("{verb} {}\n", net.trunc())).collect();
            lines.sort();
            lines.dedup();
            lines.concat()
        };
        let text = lines("allow", &self.allow) + &lines("deny", &self.deny);
        digest(&SHA256, text.as_bytes()).as_ref().to_vec()
    }
}

/// Reads a range, or a single address as the range of itself.
pub(crate) fn parse_range(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(single).ok_or_else(|| format!("{text:?} is neither a range such as 10.0.0.0/8 nor an IP address"))
}

/// Tells whether a range holds an address, also when the address carries an IPv4 address inside IPv6.
fn covers(net: &IpNet, ip: IpAddr) -> bool {
    net.contains(&ip) || special::embedded_ipv4(ip).is_some_and(|inner| net.contains(&IpAddr::V4(inner)))
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str], deny: &[&str]) -> Guard {
        let nets = |texts: &[&str]| texts.iter().map(|text| parse_range(text).unwrap()).collect();
        Guard::new(nets(allow), nets(deny))
    }

    fn permits(guard: &Guard, ip: &str) -> bool {
        guard.permits(SocketAddr::new(ip.parse().unwrap(), 443))
    }

    #[test]
    fn ranges_open_and_close_and_deny_wins() {
        let guard = guard(&["10.1.0.0/16", "fd00::/8", "127.0.0.1"], &["10.1.2.0/24", "8.8.8.0/24"]);
        for open in ["10.1.1.1", "::ffff:10.1.1.1", "64:ff9b::10.1.1.1", "fd00::7", "127.0.0.1", "9.9.9.9", "2600::1"] {
            assert!(permits(&guard, open), "{open}");
        }
        for closed in ["10.1.2.1", "::ffff:10.1.2.1", "64:ff9b::10.1.2.1", "10.2.0.1", "127.0.0.2", "8.8.8.8", "64:ff9b::8.8.8.8", "fe80::1"] {
            assert!(!permits(&guard, closed), "{closed}");
        }
    }

    #[test]
    fn responders_are_open_at_exactly_their_endpoint() {
        let guard = guard(&[], &["10.0.0.9"]);
        let endpoint = |text: &str| text.parse::<SocketAddr>().unwrap();
        guard.set_responders([endpoint("10.0.0.1:7444"), endpoint("10.0.0.9:7444")]);
        assert!(guard.permits(endpoint("10.0.0.1:7444")) && guard.permits(endpoint("[::ffff:10.0.0.1]:7444")));
        assert!(!guard.permits(endpoint("10.0.0.1:443")), "another port");
        assert!(!guard.permits(endpoint("10.0.0.9:7444")), "denied stays closed");
        guard.set_responders([]);
        assert!(!guard.permits(endpoint("10.0.0.1:7444")));
    }

    #[test]
    fn the_digest_follows_the_meaning_and_not_the_order() {
        assert_eq!(guard(&["10.0.0.0/8", "fd00::/8"], &[]).digest(), guard(&["fd00::/8", "10.0.0.1/8"], &[]).digest());
        assert_ne!(guard(&["10.0.0.0/8"], &[]).digest(), guard(&[], &["10.0.0.0/8"]).digest());
    }
}
