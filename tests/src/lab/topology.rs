//! The streets of the lab: which namespaces there are, how they are wired, and the addresses that scenario files name.
//!
//! ```text
//! a ─┐                    ┌ ra1 ─ ra2 ┐             ┌ ctl (198.51.100.10 and 203.0.113.10)
//!    acc-a ─── mb-a ──────┤           ├──── core ───┼ dns (198.18.53.53)
//! d ─┘                    └ rb1 ─ rb2 ┘      │      └ sink (198.18.66.66)
//! b ─ acc-b ── mb-b ─────────────────────────┤
//! c ─ acc-c ── mb-c ─────────────────────────┤
//!                                           edge ─── lan (bridge) ─── s1, s2, i
//! ```
//!
//! A scenario that names one of [`FURTHER`] gets them all: `e` beside `b`, `f` beside `c`, and `g ─ acc-g ── mb-g` at the core.
//!
//! Interfaces are named after the node at their other end. The leg `rb1 ─ rb2` carries nothing until a scenario routes over it.

use std::{collections::BTreeMap, fmt::Write as _};

/// A place where an agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VantagePoint {
    /// The vantage's name, which is also the name of its namespace.
    pub name: &'static str,
    /// Its IPv4 address.
    pub ipv4: &'static str,
    /// Its IPv6 address.
    pub ipv6: &'static str,
    /// The labels its agent is started with.
    pub labels: &'static [&'static str],
}

/// Every vantage of the full lab: three sites outside, a second address at the first, and one beside the servers.
pub const VANTAGES: [VantagePoint; 5] = [
    VantagePoint { name: "a", ipv4: "198.18.1.10", ipv6: "2001:db8:a::10", labels: &["site=alpha", "asn=64501", "upstream=one"] },
    VantagePoint { name: "b", ipv4: "198.18.2.10", ipv6: "2001:db8:b::10", labels: &["site=bravo", "asn=64502", "upstream=two"] },
    VantagePoint { name: "c", ipv4: "198.18.3.10", ipv6: "2001:db8:c::10", labels: &["site=charlie", "asn=64503", "upstream=three"] },
    VantagePoint { name: "d", ipv4: "198.18.1.20", ipv6: "2001:db8:a::20", labels: &["site=alpha", "asn=64501", "upstream=one"] },
    VantagePoint { name: "i", ipv4: "192.0.2.100", ipv6: "2001:db8:5::100", labels: &["site=home", "asn=64500", "role=inside"] },
];

/// Three more outside vantages, for fleets of eight: a second address at two sites, and a site of its own.
pub const FURTHER: [VantagePoint; 3] = [
    VantagePoint { name: "e", ipv4: "198.18.2.20", ipv6: "2001:db8:b::20", labels: &["site=bravo", "asn=64502", "upstream=two"] },
    VantagePoint { name: "f", ipv4: "198.18.3.20", ipv6: "2001:db8:c::20", labels: &["site=charlie", "asn=64503", "upstream=three"] },
    VantagePoint { name: "g", ipv4: "198.18.4.10", ipv6: "2001:db8:d::10", labels: &["site=delta", "asn=64504", "upstream=four"] },
];

/// The witness on the first server's own host, for scenarios that name it among their vantages.
pub const WITNESS: VantagePoint = VantagePoint { name: "s1", ipv4: "192.0.2.11", ipv6: "2001:db8:5::11", labels: &["site=home", "asn=64500", "role=inside"] };

/// Returns the place of this name where an agent may run.
pub fn vantage_point(name: &str) -> Option<&'static VantagePoint> {
    VANTAGES.iter().chain(&FURTHER).chain([&WITNESS]).find(|point| point.name == name)
}

/// The ranges that the lab's agents are allowed to probe: documentation and benchmark networks, which an agent refuses by default.
pub const ALLOWED: [&str; 5] = ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32"];

/// The coordinator's namespace, where the operator's command line runs too.
pub const CONTROL: &str = "ctl";

/// The coordinator's address for agents.
pub const COORDINATOR: &str = "198.51.100.10:7443";

/// The control responders: two networks, both families, one of them on the port that targets use.
pub const RESPONDERS: [&str; 4] = ["198.51.100.10:7444", "[2001:db8:100::10]:7444", "203.0.113.10:443", "[2001:db8:113::10]:443"];

/// The namespace and the address of the resolver that every namespace uses.
pub const RESOLVER: (&str, &str) = ("dns", "198.18.53.53");

const NODES: [&str; 23] = [
    "a", "b", "c", "d", "i", "acc-a", "acc-b", "acc-c", "mb-a", "mb-b", "mb-c", "ra1", "ra2", "rb1", "rb2", "core", "edge", "lan", "s1", "s2", "ctl", "dns",
    "sink",
];

/// The namespaces that the further vantages bring.
const FURTHER_NODES: [&str; 5] = ["e", "f", "g", "acc-g", "mb-g"];

/// Tells whether every lab has a namespace of that name.
pub fn is_node(name: &str) -> bool {
    NODES.contains(&name)
}

/// Returns the names of the namespaces that every lab has.
pub fn nodes() -> &'static [&'static str] {
    &NODES
}

/// The interfaces of the [wire](crate::device::wire) that stands for the link between edge and core where a scenario wants it long.
pub const WIRE: [&str; 2] = ["wire-edge", "wire-core"];

/// Returns the shell script that makes the namespaces, wires them and routes between them; with `is_long` the link between edge
/// and core is made of the interfaces of [`WIRE`], which must exist.
pub fn script(is_long: bool, icmp_limited: bool, vantages: &[String]) -> String {
    let is_large = FURTHER.iter().any(|point| vantages.iter().any(|name| name == point.name));
    let mut plan = Plan { is_long, is_large, ..Plan::default() };
    plan.site("a", &["acc-a", "mb-a", "ra1", "ra2", "core"], &["a", "d"], "198.18.1", "2001:db8:a");
    plan.leg(&["mb-a", "rb1", "rb2", "core"], "198.18.1", "2001:db8:a", 16);
    let present = if is_large { 2 } else { 1 };
    plan.site("b", &["acc-b", "mb-b", "core"], &["b", "e"][..present], "198.18.2", "2001:db8:b");
    plan.site("c", &["acc-c", "mb-c", "core"], &["c", "f"][..present], "198.18.3", "2001:db8:c");
    if is_large {
        plan.site("g", &["acc-g", "mb-g", "core"], &["g"], "198.18.4", "2001:db8:d");
    }
    plan.server_segment();
    plan.stub("ctl", "core", "core", "198.51.100", "2001:db8:100", "10");
    plan.stub("ctl", "core2", "ctl2", "203.0.113", "2001:db8:113", "10");
    plan.stub("dns", "core", "dns", "198.18.53", "2001:db8:53", "53");
    plan.stub("sink", "core", "sink", "198.18.66", "2001:db8:66", "66");
    plan.script(if icmp_limited { "" } else { ICMP_UNLIMITED })
}

#[derive(Default)]
struct Plan {
    is_long: bool,
    is_large: bool,
    links: Vec<String>,
    configuration: BTreeMap<&'static str, Vec<String>>,
}

impl Plan {
    fn at(&mut self, node: &'static str, line: String) {
        self.configuration.entry(node).or_default().push(line);
    }

    /// Joins two namespaces with a pair of interfaces that do no segmentation offload, so that rules see what a wire would carry.
    fn wire(&mut self, left: &'static str, left_interface: &str, right: &'static str, right_interface: &str) {
        if self.is_long && (left, right) == ("edge", "core") {
            for (end, node, interface) in [(WIRE[0], left, left_interface), (WIRE[1], right, right_interface)] {
                self.links.push(format!("link set dev {end} netns {node} name {interface}"));
                self.at(node, format!("link set dev {interface} up"));
            }
            return;
        }
        let one_segment = "gso_max_segs 1 gro_max_size 1500";
        self.links.push(format!("link add name {left_interface} netns {left} {one_segment} type veth peer name {right_interface} netns {right} {one_segment}"));
        self.at(left, format!("link set dev {left_interface} up"));
        self.at(right, format!("link set dev {right_interface} up"));
    }

    fn address(&mut self, node: &'static str, interface: &str, ipv4: &str, ipv6: &str) {
        self.at(node, format!("addr add {ipv4} dev {interface}"));
        self.at(node, format!("addr add {ipv6} dev {interface} nodad"));
    }

    /// Chains routers from a site to the core: defaults point inward, the site's prefixes point back.
    fn leg(&mut self, chain: &[&'static str], ipv4: &str, ipv6: &str, first: usize) {
        for (step, pair) in chain.windows(2).enumerate() {
            let (&[outer, inner], subnet, base) = (pair, first + step, 128 + 4 * (first + step)) else { continue };
            self.wire(outer, inner, inner, outer);
            self.address(outer, inner, &format!("{ipv4}.{}/30", base + 1), &format!("{ipv6}:{subnet:x}::1/64"));
            self.address(inner, outer, &format!("{ipv4}.{}/30", base + 2), &format!("{ipv6}:{subnet:x}::2/64"));
            let spare = first > 1;
            if !(spare && step == 0) {
                self.at(outer, format!("route add default via {ipv4}.{}", base + 2));
                self.at(outer, format!("route add default via {ipv6}:{subnet:x}::2"));
            }
            if !(spare && inner == "core") {
                self.at(inner, format!("route add {ipv4}.0/24 via {ipv4}.{}", base + 1));
                self.at(inner, format!("route add {ipv6}::/48 via {ipv6}:{subnet:x}::1"));
            }
        }
    }

    fn site(&mut self, _name: &str, chain: &[&'static str], hosts: &[&'static str], ipv4: &str, ipv6: &str) {
        self.leg(chain, ipv4, ipv6, 1);
        let Some(&router) = chain.first() else { return };
        for &host in hosts {
            let Some(point) = vantage_point(host) else { continue };
            self.wire(host, router, router, host);
            self.address(host, router, &format!("{}/32", point.ipv4), &format!("{}/128", point.ipv6));
            self.address(router, host, &format!("{ipv4}.1/32"), &format!("{ipv6}::1/128"));
            for gateway in [format!("{ipv4}.1"), format!("{ipv6}::1")] {
                self.at(host, format!("route add {gateway} dev {router}"));
                self.at(host, format!("route add default via {gateway}"));
            }
            self.at(router, format!("route add {} dev {host}", point.ipv4));
            self.at(router, format!("route add {} dev {host}", point.ipv6));
        }
    }

    fn server_segment(&mut self) {
        self.wire("edge", "core", "core", "edge");
        self.address("edge", "core", "198.18.100.2/30", "2001:db8:e::2/64");
        self.address("core", "edge", "198.18.100.1/30", "2001:db8:e::1/64");
        self.at("edge", "route add default via 198.18.100.1".into());
        self.at("edge", "route add default via 2001:db8:e::1".into());
        self.at("core", "route add 192.0.2.0/24 via 198.18.100.2".into());
        self.at("core", "route add 2001:db8:5::/64 via 2001:db8:e::2".into());
        self.at("lan", "link add bridge type bridge forward_delay 0 stp_state 0 mcast_snooping 0".into());
        self.at("lan", "link set dev bridge up".into());
        for (node, hosts) in [("edge", &["1"][..]), ("s1", &["11", "12", "13"]), ("s2", &["21", "22", "23"]), ("i", &["100"])] {
            self.wire(node, "lan", "lan", node);
            self.at("lan", format!("link set dev {node} master bridge"));
            for host in hosts {
                self.address(node, "lan", &format!("192.0.2.{host}/24"), &format!("2001:db8:5::{host}/64"));
            }
            if node != "edge" {
                self.at(node, "route add default via 192.0.2.1".into());
                self.at(node, "route add default via 2001:db8:5::1".into());
            }
        }
    }

    /// Hangs one host on the core by a segment of its own; a second interface routes by its source address.
    fn stub(&mut self, node: &'static str, interface: &str, core_interface: &str, ipv4: &str, ipv6: &str, host: &str) {
        self.wire(node, interface, "core", core_interface);
        self.address(node, interface, &format!("{ipv4}.{host}/24"), &format!("{ipv6}::{host}/64"));
        self.address("core", core_interface, &format!("{ipv4}.1/24"), &format!("{ipv6}::1/64"));
        let table = if interface == "core" { "" } else { " table 2" };
        self.at(node, format!("route add default via {ipv4}.1{table}"));
        self.at(node, format!("route add default via {ipv6}::1{table}"));
    }

    fn script(&self, icmp: &str) -> String {
        let mut text = String::from("set -e\nip -batch - <<'END'\n");
        let nodes = || NODES.iter().chain(FURTHER_NODES.iter().filter(|_| self.is_large));
        for node in nodes() {
            let _ = writeln!(text, "netns add {node}");
        }
        text.push_str("END\n");
        for node in nodes() {
            let _ = writeln!(text, "nsenter --net=/run/netns/{node} sh -c \"$SYSCTLS\"");
        }
        let _ = writeln!(text, "ip -batch - <<'END'\n{}\nEND", self.links.join("\n"));
        for (node, lines) in &self.configuration {
            let _ = writeln!(text, "ip -n {node} -batch - <<'END'\nlink set lo up\n{}\nEND", lines.join("\n"));
        }
        // A batch file takes rules of one family only.
        text.push_str("ip -n ctl rule add from 203.0.113.10 lookup 2\nip -n ctl -6 rule add from 2001:db8:113::10 lookup 2\n");
        format!("SYSCTLS='{SYSCTLS}{icmp}'\n{text}")
    }
}

/// Forwarding on, no duplicate address detection; what an older kernel does not have in a namespace is left as it is.
const SYSCTLS: &str = "
put() { [ -w /proc/sys/net/$1 ] && echo $2 > /proc/sys/net/$1; return 0; }
put ipv4/ip_forward 1
put ipv4/conf/all/rp_filter 0
put ipv4/conf/default/rp_filter 0
put ipv4/icmp_errors_use_inbound_ifaddr 1
put ipv4/ip_unprivileged_port_start 0
put ipv4/tcp_mtu_probing 0
put ipv6/conf/all/accept_dad 0
put ipv6/conf/default/accept_dad 0
put ipv6/conf/default/accept_ra 0
put ipv6/conf/default/router_solicitations 0
put ipv6/conf/all/forwarding 1
";

/// No limit on ICMP errors.
const ICMP_UNLIMITED: &str = "
put ipv4/icmp_ratelimit 0
put ipv4/icmp_msgs_per_sec 100000
put ipv4/icmp_msgs_burst 10000
put ipv6/icmp/ratelimit 0
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configured_node_is_a_namespace_and_every_vantage_has_one() {
        let script = script(false, false, &[]);
        for point in VANTAGES {
            assert!(is_node(point.name));
            assert!(script.contains(&format!("addr add {}/", point.ipv4)), "{}", point.name);
        }
        for node in NODES {
            assert!(script.contains(&format!("ip -n {node} -batch")), "{node} is wired to nothing");
        }
    }

    #[test]
    fn a_fleet_of_eight_has_its_namespaces() {
        let script = script(false, false, &["g".to_owned()]);
        for point in FURTHER {
            assert!(script.contains(&format!("netns add {}\n", point.name)) && script.contains(&format!("addr add {}/32", point.ipv4)), "{}", point.name);
        }
    }

    #[test]
    fn the_witness_stands_on_the_first_server() {
        assert!(script(false, false, &[]).contains(&format!("addr add {}/24", WITNESS.ipv4)) && is_node(WITNESS.name));
    }

    #[test]
    fn the_second_leg_carries_nothing_until_it_is_asked_to() {
        let script = script(false, false, &[]);
        let core = script.split("ip -n core -batch").nth(1).and_then(|rest| rest.split("END").nth(1)).unwrap();
        assert_eq!(core.matches("route add 198.18.1.0/24").count(), 1);
    }
}
