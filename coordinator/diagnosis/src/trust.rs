//! The certificates that are trusted.

use std::sync::Arc;

use parallax_model::bytes::Bytes;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The trust anchors of a judgement; made once, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    system: Arc<Vec<Anchor>>,
    own: Arc<Vec<Anchor>>,
}

/// A trust anchor: a name and a key (RFC 5280 section 6.1.1); its dates do not count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Anchor {
    subject: Vec<u8>,
    key: Vec<u8>,
    words: Vec<String>,
}

impl Anchor {
    fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let subject = certificate.subject();
        Some(Self { subject: subject.as_raw().to_vec(), key: certificate.public_key().raw.to_vec(), words: words(&subject.to_string()) })
    }

    /// Returns the key (SPKI, DER).
    pub(crate) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl Trust {
    /// Makes a store of these anchors (DER); what is not a certificate is left out.
    pub fn new(anchors: Vec<Vec<u8>>) -> Self {
        Self { system: Arc::new(anchors.iter().filter_map(|der| Anchor::read(der)).collect()), own: Arc::default() }
    }

    /// Returns the same store with an operator's own anchors (DER), such as those that a check brings.
    pub fn with(&self, extra: &[Bytes]) -> Self {
        if extra.is_empty() {
            return self.clone();
        }
        Self { system: Arc::clone(&self.system), own: Arc::new(extra.iter().filter_map(|der| Anchor::read(&der.0)).collect()) }
    }

    /// Tells whether an operator brought anchors.
    pub(crate) fn has_own_anchors(&self) -> bool {
        !self.own.is_empty()
    }

    /// Tells whether the store that everybody has holds an anchor with one of these names (DER), and the operator's own does not.
    pub(crate) fn is_public(&self, subject: &[u8], issuer: &[u8]) -> bool {
        let named = |anchors: &[Anchor]| anchors.iter().any(|anchor| anchor.subject == subject || anchor.subject == issuer);
        named(&self.system) && !named(&self.own)
    }

    /// Tells whether an anchor's subject and this name have a telling word in common, as an authority's root and its intermediates do.
    pub(crate) fn shares_a_name_with(&self, name: &str) -> bool {
        let wanted = words(name);
        self.own.iter().chain(self.system.iter()).any(|anchor| anchor.words.iter().any(|word| wanted.contains(word)))
    }

    /// Returns the anchors with this subject (DER).
    pub(crate) fn anchors_named(&self, subject: &[u8]) -> impl Iterator<Item = &Anchor> {
        self.own.iter().chain(self.system.iter()).filter(move |anchor| anchor.subject == subject)
    }
}

/// Splits a distinguished name into the words that tell one authority from another.
fn words(name: &str) -> Vec<String> {
    let values = name.split(',').filter_map(|part| part.split_once('=')).filter(|(kind, _)| !kind.trim().eq_ignore_ascii_case("c"));
    let words = values.flat_map(|(_, value)| value.split(|c: char| !c.is_alphanumeric())).map(str::to_lowercase);
    words.filter(|word| word.len() > 2 && !word.chars().any(|c| c.is_ascii_digit()) && !COMMON_WORDS.contains(&word.as_str())).collect()
}

/// Words in which names of unrelated authorities agree.
const COMMON_WORDS: [&str; 38] = [
    "root",
    "intermediate",
    "authority",
    "certification",
    "certificate",
    "certificates",
    "class",
    "global",
    "trust",
    "trusted",
    "services",
    "service",
    "server",
    "network",
    "security",
    "secure",
    "issuing",
    "tls",
    "ssl",
    "rsa",
    "ecc",
    "ecdsa",
    "primary",
    "public",
    "universal",
    "international",
    "corporation",
    "limited",
    "inc",
    "ltd",
    "llc",
    "gmbh",
    "the",
    "test",
    "com",
    "premium",
    "assured",
    "signing",
];
