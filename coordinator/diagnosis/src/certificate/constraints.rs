use x509_parser::{
    extensions::{GeneralName, GeneralSubtree},
    prelude::X509Certificate,
};

use super::LeafFacts;

/// Tells whether an authority's name constraints (RFC 5280 section 4.2.1.10) leave out a DNS name of the leaf.
pub(super) fn leave_out(authority: &X509Certificate<'_>, leaf: &LeafFacts) -> bool {
    let Some(constraints) = authority.name_constraints().ok().flatten().map(|extension| extension.value) else { return false };
    let permitted = domains(constraints.permitted_subtrees.as_deref());
    let excluded = domains(constraints.excluded_subtrees.as_deref());
    leaf.names.iter().any(|name| {
        let is_within = |domain: &&str| is_within(name, domain);
        (!permitted.is_empty() && !permitted.iter().any(is_within)) || excluded.iter().any(is_within)
    })
}

fn domains<'a>(subtrees: Option<&'a [GeneralSubtree<'_>]>) -> Vec<&'a str> {
    let names = subtrees.unwrap_or_default().iter().map(|subtree| &subtree.base);
    names.filter_map(|name| if let GeneralName::DNSName(domain) = name { Some(*domain) } else { None }).collect()
}

/// Any name that is made by adding labels to the left of the domain satisfies it; a leading dot is read as none.
fn is_within(name: &str, domain: &str) -> bool {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    domain.is_empty() || name == domain || name.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn a_domain_covers_itself_and_what_is_below() {
        assert!(is_within("www.example.test", "example.test") && is_within("example.test", "example.test") && is_within("a.example.test", ".Example.test"));
        assert!(!is_within("www.badexample.test", "example.test") && !is_within("example.test", "www.example.test"));
    }
}
