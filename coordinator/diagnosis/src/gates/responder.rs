use std::net::SocketAddr;

use parallax_model::{assignment::Experiment, bytes::Bytes, outcome::Outcome};

use crate::{
    cell::{Layer, Look},
    scene::Scene,
};

/// How a seat found a responder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Contact {
    /// It proved the pinned key.
    Good,
    /// Somebody else answered: with this key, or with something that is not TLS.
    Stranger(Option<Bytes>),
    /// TCP came about and TLS did not.
    TcpOnly,
    /// Not even TCP; whether it was refused.
    NoTcp {
        /// Whether somebody answered with a refusal.
        refused: bool,
    },
}

/// Returns how a seat found the responders, attempt by attempt.
pub(crate) fn contacts<'s, 'a>(scene: &'s Scene<'a>, seat: usize) -> impl Iterator<Item = (SocketAddr, Contact, &'s Look<'a>)> {
    scene.everywhere(seat, Experiment::Responder).iter().filter_map(move |look| Some((look.attempt.address?, contact(scene, look), look)))
}

/// Reads one attempt at a responder.
pub(crate) fn contact(scene: &Scene<'_>, look: &Look<'_>) -> Contact {
    let is_pinned = |key: &Bytes| scene.round.responders.iter().any(|responder| responder.key_sha256 == *key);
    let key = look.chain.and_then(|at| scene.chains[at].key());
    match (key, look.reach) {
        (Some(key), _) if is_pinned(key) => Contact::Good,
        (Some(key), _) => Contact::Stranger(Some(key.clone())),
        (None, Outcome::TlsNotTls | Outcome::TlsMalformed) => Contact::Stranger(None),
        (None, outcome) if look.passes(Layer::Tcp) => {
            // A handshake without a certificate in the facts cannot be told from the real responder's.
            if outcome.is_ok() { Contact::Good } else { Contact::TcpOnly }
        }
        (None, outcome) => Contact::NoTcp { refused: outcome == Outcome::TcpRefused },
    }
}
