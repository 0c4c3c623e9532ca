//! What is wrong with a chain of certificates, judged by the coordinator's clock and trust store and never by an agent's.

mod chain;
mod constraints;
mod leaf;
mod names;
mod signature;
mod staple;

use chain::Authority;
pub use chain::End;
pub use leaf::LeafFacts;
pub(crate) use leaf::sha256;
use parallax_model::{bytes::Bytes, clock::Timestamp, outcome::CertificateFault, target::Host};
use signature::Verified;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::trust::Trust;

/// What a chain is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What is wrong, most telling first; empty for an acceptable chain.
    pub faults: Vec<CertificateFault>,
    /// What the leaf says; none when it cannot be read.
    pub leaf: Option<LeafFacts>,
    /// Whether a path leads to a trusted anchor, dates and names aside: then a trusted authority vouches for the leaf's key.
    pub anchored: bool,
    /// Where the longest path ends.
    pub end: End,
    /// When the first expired certificate above the leaf ended, for [`CertificateFault::ChainExpired`].
    pub issuer_not_after: Option<Timestamp>,
    /// How many certificates were sent that the path to the anchor does without.
    pub surplus: usize,
    /// Whether the anchor is one that everybody has, and not the operator's own.
    pub publicly: bool,
}

impl Judgement {
    /// Judges a chain whose leaf cannot be read.
    pub(crate) fn unreadable() -> Self {
        Self {
            faults: vec![CertificateFault::Unreadable],
            leaf: None,
            anchored: false,
            end: End::Unreadable,
            issuer_not_after: None,
            surplus: 0,
            publicly: false,
        }
    }
}

/// What the judgement of a chain depends on, beside the chain.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The name or address that the leaf must cover; none when the client does not verify it.
    pub name: Option<&'a Host>,
    /// The instant of the judgement.
    pub now: Timestamp,
    /// Certificates seen elsewhere in the round that may complete a path; they show whether an intermediate is missing.
    pub elsewhere: &'a [Bytes],
    /// The stapled OCSP response; the outer none when it is unknown whether one came.
    pub staple: Option<Option<&'a Bytes>>,
    /// SHA-256 digests of the keys that the owner expects; empty for any.
    pub expected_keys: &'a [Bytes],
}

/// Judges a chain as it was sent, leaf first.
pub fn judge(sent: &[Bytes], wish: &Wish<'_>, trust: &Trust) -> Judgement {
    Notary::new(trust).judge(sent, wish)
}

/// Judges the chains of a round, which share most of their certificates: each signature is verified once.
pub(crate) struct Notary<'t> {
    trust: &'t Trust,
    verified: Verified,
}

impl<'t> Notary<'t> {
    pub(crate) fn new(trust: &'t Trust) -> Self {
        Self { trust, verified: Verified::default() }
    }

    /// Judges a chain as it was sent, leaf first.
    pub(crate) fn judge(&mut self, sent: &[Bytes], wish: &Wish<'_>) -> Judgement {
        let parsed: Vec<Option<X509Certificate<'_>>> =
            sent.iter().map(|der| X509Certificate::from_der(&der.0).ok().map(|(_, certificate)| certificate)).collect();
        let Some(Some(leaf)) = parsed.first() else {
            return Judgement::unreadable();
        };
        let facts = LeafFacts::of(leaf, &sent[0]);
        let walk = chain::walk(sent, &parsed, &facts, wish, self);
        let mut faults = Vec::new();
        let now = wish.now.as_micros() / 1_000_000;
        let validity = leaf.validity();
        if now > validity.not_after.timestamp() {
            faults.push(CertificateFault::Expired);
        }
        if now < validity.not_before.timestamp() {
            faults.push(CertificateFault::NotYetValid);
        }
        if wish.name.is_some_and(|name| !names::cover(&facts, name)) {
            faults.push(CertificateFault::NameMismatch);
        }
        faults.extend(walk.fault());
        if facts.key_is_weak() {
            faults.push(CertificateFault::WeakKey);
        }
        if facts.key_is_uncommon() {
            faults.push(CertificateFault::KeyType);
        }
        if facts.is_of_another_purpose() {
            faults.push(CertificateFault::Purpose);
        }
        if walk.violates_constraints {
            faults.push(CertificateFault::NameConstraints);
        }
        if walk.weak_signature {
            faults.push(CertificateFault::WeakSignature);
        }
        faults.extend(wish.staple.and_then(|staple| staple::fault(leaf, staple, wish.now)));
        if !wish.expected_keys.is_empty() && !wish.expected_keys.contains(&facts.key_sha256) {
            faults.push(CertificateFault::KeyUnexpected);
        }
        let anchored = matches!(walk.authority, Authority::Anchored { .. } | Authority::WithHelp) && !walk.weak_signature;
        Judgement { faults, leaf: Some(facts), anchored, end: walk.end, issuer_not_after: walk.expired_at, surplus: walk.surplus, publicly: walk.publicly }
    }
}
