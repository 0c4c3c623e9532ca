//! The targets, and where packets are lost.

use std::fmt::Write as _;

use crate::lab::{LabError, Scenario};

/// How many targets there are.
pub(super) const TARGETS: usize = 20;

/// Every vantage of the large lab.
pub(super) const VANTAGES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "i"];

/// The namespaces whose rules lose packets: the router that every outside vantage's packets cross once each way, and both ends of the inside vantage's segment.
pub(super) const LOSSY: [&str; 4] = ["core", "i", "s1", "s2"];

/// Returns a target's name.
pub(super) fn name(number: usize) -> String {
    format!("t{number:02}.example.test")
}

/// Returns the name of its check.
pub(super) fn check(number: usize) -> String {
    format!("t{number:02}")
}

/// Describes the place: each target at an IPv4 and an IPv6 address of the two servers.
pub(super) fn scenario() -> Result<Scenario, LabError> {
    let quoted = |words: &[String]| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let names = quoted(&(0..TARGETS).map(name).collect::<Vec<_>>());
    let mut text = format!("title = \"Nothing is wrong, and one packet of a hundred is lost\"\nvantages = [{}]\n", quoted(&VANTAGES.map(str::to_owned)));
    let _ = writeln!(text, "[[certificate]]\nid = \"www\"\nnames = [{names}]");
    for (server, hosts) in [("s1", [11, 12, 13]), ("s2", [21, 22, 23])] {
        let listen: Vec<String> = hosts.iter().flat_map(|host| [format!("192.0.2.{host}:443"), format!("[2001:db8:5::{host}]:443")]).collect();
        let _ = writeln!(text, "[[origin]]\nat = \"{server}\"\nlisten = [{}]\nnames = [{names}]", quoted(&listen));
    }
    text.push_str("[[resolver]]\n[resolver.records]\n");
    for number in 0..TARGETS {
        let host = [11, 21, 12, 22, 13, 23][number % 6];
        let _ = writeln!(text, "\"{}\" = [\"192.0.2.{host}\", \"2001:db8:5::{host}\"]", name(number));
    }
    for node in LOSSY {
        let _ = writeln!(text, "[[fault]]\nat = \"{node}\"\nnft = '''{}'''", rules(node));
    }
    text.push_str("[[probe]]\nhealthy = true\n");
    Scenario::parse("healthy-fleet", &text)
}

/// Loses one packet of a hundred, and counts: whatever is forwarded, or what the inside vantage and the servers get of each other.
fn rules(node: &str) -> String {
    let (hook, which) = match node {
        "core" => ("forward", &[""][..]),
        "i" => ("input", &["ip saddr 192.0.2.0/24", "ip6 saddr 2001:db8:5::/64"][..]),
        _ => ("input", &["ip saddr 192.0.2.100", "ip6 saddr 2001:db8:5::100"][..]),
    };
    let mut text = format!("table inet loss {{ counter seen {{}}; counter lost {{}}; chain loss {{ type filter hook {hook} priority 0;");
    for which in which {
        let _ = write!(text, " {which} counter name seen; {which} numgen random mod 100 < 1 counter name lost drop;");
    }
    text.push_str(" }; }");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_a_scenario() {
        let scenario = scenario().unwrap();
        assert_eq!((scenario.vantages.len(), scenario.resolvers[0].records.len()), (8, TARGETS));
        assert!(LOSSY.iter().all(|node| scenario.faults.iter().any(|fault| fault.at == *node)));
    }
}
