use parallax_model::target::Host;

use super::LeafFacts;

/// Tells whether the leaf covers the name or address (RFC 9525 section 6.3): subjectAltName alone counts.
pub(super) fn cover(leaf: &LeafFacts, wanted: &Host) -> bool {
    match wanted {
        Host::Address(address) => leaf.addresses.contains(address),
        Host::Name(name) => leaf.names.iter().any(|presented| matches(presented, name)),
    }
}

/// A wildcard stands for exactly one whole leftmost label.
fn matches(presented: &str, wanted: &str) -> bool {
    let presented = presented.trim_end_matches('.');
    match presented.strip_prefix("*.") {
        Some(parent) => wanted.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => presented.eq_ignore_ascii_case(wanted),
    }
}

impl LeafFacts {
    /// Tells whether the certificate covers a DNS name.
    pub fn covers(&self, name: &str) -> bool {
        self.names.iter().any(|presented| matches(presented, name))
    }

    /// Tells whether the certificate was plainly meant for the name and misses it narrowly: a wildcard one level off, `www.` added or missing, the name only in the subject.
    pub fn nearly_covers(&self, name: &str) -> bool {
        let bare = |text: &str| text.trim_start_matches("*.").trim_start_matches("www.").to_ascii_lowercase();
        let in_subject = self.common_name.as_deref().is_some_and(|common| matches(common, name));
        let wanted = bare(name);
        let near = |presented: &String| {
            let parent = presented.strip_prefix("*.");
            bare(presented) == wanted || parent.is_some_and(|parent| wanted.ends_with(&format!(".{parent}")))
        };
        in_subject || self.names.iter().any(near)
    }
}
