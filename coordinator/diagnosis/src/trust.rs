//! The certificates that are trusted.

use std::sync::Arc;

use parallax_model::bytes::Bytes;

/// The trust anchors of a judgement; made once, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    anchors: Arc<Vec<Vec<u8>>>,
}

impl Trust {
    /// Makes a store of these anchors (DER); what is not a certificate is left out.
    pub fn new(anchors: Vec<Vec<u8>>) -> Self {
        Self { anchors: Arc::new(anchors) }
    }

    /// Returns the same store with further anchors (DER), such as those that a check brings.
    pub fn with(&self, extra: &[Bytes]) -> Self {
        let mut anchors = (*self.anchors).clone();
        anchors.extend(extra.iter().map(|der| der.0.clone()));
        Self::new(anchors)
    }
}
