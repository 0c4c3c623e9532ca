use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use parallax_model::{
    digest::{AddressDigest, LeafDigest},
    incident::{Change, ChangeKind},
};

use super::snapshot::Snapshot;

/// Whom and what a comparison is about; none for everybody and everything.
#[derive(Debug, Default)]
pub(super) struct Focus {
    pub(super) vantages: Option<BTreeSet<Arc<str>>>,
    pub(super) addresses: Option<BTreeSet<Arc<str>>>,
}

impl Focus {
    fn has_vantage(&self, name: &str) -> bool {
        self.vantages.as_ref().is_none_or(|vantages| vantages.contains(name))
    }

    fn has_address(&self, name: &str) -> bool {
        self.addresses.as_ref().is_none_or(|addresses| addresses.contains(name))
    }
}

/// Says what is different in `after`, in the order of their kinds; what only one of the two rounds saw is no difference, but for addresses.
pub(super) fn changes(before: &Snapshot, after: &Snapshot, focus: &Focus) -> Vec<Change> {
    let mut found = BTreeSet::new();
    addresses(before, after, focus, &mut found);
    for now in after.digest.addresses.iter().filter(|address| focus.has_address(&address.address)) {
        if let Some(then) = before.digest.addresses.iter().find(|address| address.address == now.address) {
            leaves(then, now, before, after, &mut found);
            alpn(then, now, &mut found);
            hops(then, now, focus, &mut found);
        }
    }
    for ((address, profile), now) in after.negotiated.iter().filter(|entry| focus.has_address(&entry.0.0)) {
        let then = before.negotiated.get(&(Arc::clone(address), Arc::clone(profile)));
        if let Some(then) = then.filter(|then| then.is_disjoint(now)) {
            found.insert(change(ChangeKind::Negotiated, format!("{address} {profile}"), Some(joined(then)), Some(joined(now))));
        }
    }
    for (vantage, now) in after.digest.builds.iter().filter(|entry| focus.has_vantage(entry.0)) {
        if let Some(then) = before.digest.builds.get(vantage).filter(|then| *then != now) {
            found.insert(change(ChangeKind::Build, vantage.clone(), Some(then.clone()), Some(now.clone())));
        }
    }
    found.into_iter().collect()
}

/// A vantage that connects nowhere says nothing of addresses.
fn addresses(before: &Snapshot, after: &Snapshot, focus: &Focus, found: &mut BTreeSet<Change>) {
    let mut who: BTreeMap<(&Arc<str>, bool), Vec<&str>> = BTreeMap::new();
    for (vantage, now) in after.tried.iter().filter(|entry| focus.has_vantage(entry.0)) {
        if let Some(then) = before.tried.get(vantage) {
            now.difference(then).for_each(|address| who.entry((address, true)).or_default().push(vantage));
            then.difference(now).for_each(|address| who.entry((address, false)).or_default().push(vantage));
        }
    }
    for ((address, is_new), vantages) in who {
        let tried = Some(format!("tried from {}", vantages.join(", ")));
        let (then, now) = if is_new { (None, tried) } else { (tried, None) };
        found.insert(change(ChangeKind::Address, address.to_string(), then, now));
    }
}

fn leaves(then: &AddressDigest, now: &AddressDigest, before: &Snapshot, after: &Snapshot, found: &mut BTreeSet<Change>) {
    for leaf in &now.leaves {
        // Another profile may be given another certificate: only what the same ones got is compared.
        let alike = |other: &&LeafDigest| other.profiles.iter().any(|profile| leaf.profiles.contains(profile));
        let former: Vec<&LeafDigest> = then.leaves.iter().filter(alike).collect();
        let same_key: Vec<&&LeafDigest> = former.iter().filter(|other| other.key == leaf.key).collect();
        if former.is_empty() {
            continue;
        }
        let subject = now.address.clone();
        if same_key.is_empty() {
            let then: BTreeSet<String> = former.iter().map(|other| key(other)).collect();
            found.insert(change(ChangeKind::Key, subject, Some(joined(&then)), Some(key(leaf))));
        } else if !same_key.iter().any(|other| other.chain == leaf.chain) {
            let then: BTreeSet<String> = same_key.iter().map(|other| chain(other)).collect();
            found.insert(change(ChangeKind::Chain, subject, Some(joined(&then)), Some(chain(leaf))));
        } else if leaf.not_after < after.at && same_key.iter().any(|other| other.chain == leaf.chain && other.not_after >= before.at) {
            found.insert(change(ChangeKind::CertificateEnded, subject, None, Some(leaf.not_after.to_string())));
        }
    }
}

fn alpn(then: &AddressDigest, now: &AddressDigest, found: &mut BTreeSet<Change>) {
    if !then.alpn.is_empty() && now.alpn.iter().any(|protocol| !then.alpn.contains(protocol)) {
        found.insert(change(ChangeKind::Alpn, now.address.clone(), Some(then.alpn.join(", ")), Some(now.alpn.join(", "))));
    }
}

/// One hop more or less is what equal-cost paths do all day.
fn hops(then: &AddressDigest, now: &AddressDigest, focus: &Focus, found: &mut BTreeSet<Change>) {
    for (vantage, arrived) in now.ttl.iter().filter(|entry| focus.has_vantage(entry.0)) {
        if let Some(former) = then.ttl.get(vantage).filter(|former| former.abs_diff(*arrived) > 1) {
            let subject = format!("{vantage} to {}", now.address);
            found.insert(change(ChangeKind::Hops, subject, Some(format!("TTL {former}")), Some(format!("TTL {arrived}"))));
        }
    }
}

fn key(leaf: &LeafDigest) -> String {
    format!("{} until {}", leaf.key, leaf.not_after)
}

fn chain(leaf: &LeafDigest) -> String {
    let fault = if leaf.valid { "" } else { ", not acceptable" };
    format!("{} until {}{fault}", leaf.chain, leaf.not_after)
}

fn change(what: ChangeKind, subject: String, before: Option<String>, after: Option<String>) -> Change {
    Change { what, subject, before, after }
}

fn joined(texts: &BTreeSet<String>) -> String {
    texts.iter().map(String::as_str).collect::<Vec<_>>().join(" or ")
}
