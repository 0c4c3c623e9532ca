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
}

impl Anchor {
    fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self { subject: certificate.subject().as_raw().to_vec(), key: certificate.public_key().raw.to_vec() })
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

    /// Returns the anchors with this subject (DER).
    pub(crate) fn anchors_named(&self, subject: &[u8]) -> impl Iterator<Item = &Anchor> {
        self.own.iter().chain(self.system.iter()).filter(move |anchor| anchor.subject == subject)
    }
}
