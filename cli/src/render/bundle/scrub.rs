//! What must not leave the house: the fleet's own addresses, and where vantages stand that no finding blames.

use std::collections::{BTreeMap, BTreeSet};

use parallax_model::proof::Proof;

/// Texts, and what is written in their place.
pub(super) struct Scrub(BTreeMap<String, String>);

impl Scrub {
    pub(super) fn of(proof: &Proof) -> Self {
        let involved = super::involved(proof);
        let mut hidden: BTreeMap<String, String> = BTreeMap::new();
        for seen in proof.vantages.iter().filter(|seen| !involved.contains(seen.name.as_str())) {
            hidden.insert(seen.egress.clone(), format!("(address of {})", seen.name));
        }
        for attempt in proof.attempts.iter().filter(|attempt| !involved.contains(attempt.vantage.as_str())) {
            let local = attempt.facts.tcp.as_ref().and_then(|tcp| tcp.local).or_else(|| attempt.facts.quic.as_ref().and_then(|quic| quic.local));
            hidden.extend(local.map(|local| (local.ip().to_string(), format!("(address of {})", attempt.vantage))));
        }
        let at_responders =
            proof.attempts.iter().filter(|attempt| super::is_own(attempt)).filter_map(|attempt| attempt.address).map(|address| address.to_string());
        for own in proof.own_addresses.iter().cloned().chain(at_responders) {
            hidden.insert(host_of(&own).to_owned(), "(the fleet's own)".to_owned());
        }
        for open in shown(proof) {
            hidden.remove(&open);
        }
        hidden.remove("");
        Self(hidden)
    }

    /// Replaces what is hidden wherever it stands as a whole, and characters that would make text look like another.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut text: String = text.chars().map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).collect();
        for (hidden, instead) in &self.0 {
            text = replace_whole(&text, hidden, instead);
        }
        text
    }
}

/// Returns what the verdict is about, which is shown: the target and its addresses, and where blamed vantages stand.
fn shown(proof: &Proof) -> BTreeSet<String> {
    let involved = super::involved(proof);
    let addresses = proof.verdict.matrix.iter().map(|cell| host_of(&cell.address).to_owned());
    let own = proof.vantages.iter().filter(|seen| involved.contains(seen.name.as_str())).map(|seen| seen.egress.clone());
    addresses.chain(own).chain([host_of(&proof.verdict.target).to_owned()]).collect()
}

fn host_of(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && (host.starts_with('[') || !host.contains(':')) => host.trim_matches(['[', ']']),
        _ => address,
    }
}

/// Control characters and those that turn the direction of writing.
fn is_deceptive(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn replace_whole(text: &str, wanted: &str, instead: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(wanted) {
        let (before, behind) = (&rest[..at], &rest[at + wanted.len()..]);
        let joined_before = out.chars().chain(before.chars()).next_back().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-'));
        let mut next = behind.chars();
        let joined_behind = match next.next() {
            Some('.' | '-') => next.next().is_some_and(|c| c.is_ascii_alphanumeric()),
            Some(c) => c.is_ascii_alphanumeric() || (c == ':' && wanted.contains(':')),
            None => false,
        };
        out.push_str(before);
        out.push_str(if joined_before || joined_behind { wanted } else { instead });
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_addresses_are_replaced() {
        let scrub = Scrub(BTreeMap::from([("192.0.2.1".to_owned(), "(hidden)".to_owned())]));
        assert_eq!(scrub.apply("192.0.2.1 192.0.2.11 1192.0.2.1 192.0.2.1:443, 192.0.2.1."), "(hidden) 192.0.2.11 1192.0.2.1 (hidden):443, (hidden).");
        assert_eq!(scrub.apply("a\u{202e}b\u{1}\n"), "a\u{fffd}b\u{fffd}\n");
    }

    #[test]
    fn hosts_are_told_from_ports() {
        assert_eq!(["192.0.2.1:443", "[2001:db8::1]:443", "2001:db8::1", "a.test:7443"].map(host_of), ["192.0.2.1", "2001:db8::1", "2001:db8::1", "a.test"]);
    }
}
