//! What all hellos of one audit share, and the plain hello that the questions vary.

use parallax_tls::{
    ClientHello, Extension,
    registry::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme},
};

use super::ask::Ask;

/// Names and randomness of one audit, handed in so that every question is pure.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The target's name, none for an address.
    pub(super) name: Option<String>,
    /// A name that has nothing to do with the target.
    pub(super) other_name: String,
    pub(super) random: [u8; 32],
    pub(super) session_id: [u8; 32],
    /// A valid public key for each group that one can be made for.
    pub(super) shares: Vec<(NamedGroup, Vec<u8>)>,
}

/// What one plain hello offers.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) version: ProtocolVersion,
    pub(super) suites: Vec<CipherSuite>,
    pub(super) groups: Vec<NamedGroup>,
    pub(super) schemes: Vec<SignatureScheme>,
    /// Groups with a key share, in TLS 1.3.
    pub(super) shares: Vec<NamedGroup>,
    pub(super) name: Option<String>,
    pub(super) more: Vec<Extension>,
}

impl Caller {
    /// Offers the target's name and these suites of one version, with the usual groups and schemes and no key share.
    pub(super) fn offer(&self, version: ProtocolVersion, suites: Vec<CipherSuite>) -> Offer {
        let groups = USUAL_GROUPS.to_vec();
        Offer { version, suites, groups, schemes: usual_schemes(), shares: Vec::new(), name: self.name.clone(), more: Vec::new() }
    }

    /// Writes the hello of an offer: SSL 3 without extensions, TLS 1.3 alone where it is offered.
    pub(super) fn ask(&self, offer: Offer) -> Ask {
        let tls13 = offer.version == ProtocolVersion::TLS13;
        let signal = (!tls13).then_some(CipherSuite::TLS_EMPTY_RENEGOTIATION_INFO_SCSV);
        let hello = ClientHello {
            legacy_version: offer.version.min(ProtocolVersion::TLS12),
            random: self.random,
            session_id: if tls13 { self.session_id.to_vec() } else { Vec::new() },
            cipher_suites: offer.suites.iter().copied().chain(signal).collect(),
            extensions: if offer.version > ProtocolVersion::SSL30 { self.extensions(offer) } else { Vec::new() },
            ..ClientHello::default()
        };
        Ask::new(hello)
    }

    fn extensions(&self, offer: Offer) -> Vec<Extension> {
        let mut extensions = Vec::with_capacity(8);
        extensions.extend(offer.name.map(Extension::ServerName));
        extensions.push(Extension::SupportedGroups(offer.groups));
        if offer.version == ProtocolVersion::TLS13 {
            extensions.push(Extension::SupportedVersions(vec![ProtocolVersion::TLS13]));
            extensions.push(Extension::PskKeyExchangeModes(vec![1]));
            extensions.push(self.key_share(&offer.shares));
        } else {
            extensions.push(Extension::EcPointFormats(vec![0]));
        }
        if offer.version >= ProtocolVersion::TLS12 {
            extensions.push(Extension::SignatureAlgorithms(offer.schemes));
        }
        extensions.extend(offer.more);
        extensions
    }

    /// Writes key shares of these groups; a group without a key here is left out.
    pub(super) fn key_share(&self, groups: &[NamedGroup]) -> Extension {
        let share = |group: &NamedGroup| self.shares.iter().find(|(known, _)| known == group).cloned();
        Extension::KeyShare(groups.iter().filter_map(share).collect())
    }

    /// Says for which of these groups a key share can be made, the first of them.
    pub(super) fn first_share(&self, groups: &[u16]) -> Option<NamedGroup> {
        groups.iter().map(|group| NamedGroup(*group)).find(|group| self.shares.iter().any(|(known, _)| known == group))
    }
}

/// Returns the schemes that servers sign with, the usual ones first.
pub(super) fn usual_schemes() -> Vec<SignatureScheme> {
    USUAL_SCHEMES.to_vec()
}

/// The curves of nearly all servers; few enough that a hello with them stays short.
pub(super) const USUAL_GROUPS: [NamedGroup; 8] = [
    NamedGroup::X25519,
    NamedGroup::SECP256R1,
    NamedGroup::SECP384R1,
    NamedGroup::SECP521R1,
    NamedGroup::X448,
    NamedGroup::BRAINPOOLP256R1,
    NamedGroup::SECT571R1,
    NamedGroup::SECP256K1,
];

const USUAL_SCHEMES: [SignatureScheme; 16] = [
    SignatureScheme::ECDSA_SECP256R1_SHA256,
    SignatureScheme::ECDSA_SECP384R1_SHA384,
    SignatureScheme::ECDSA_SECP521R1_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::ED448,
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PSS_RSAE_SHA384,
    SignatureScheme::RSA_PSS_RSAE_SHA512,
    SignatureScheme::RSA_PSS_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
    SignatureScheme::DSA_SHA256,
    SignatureScheme::ECDSA_SHA1,
    SignatureScheme::RSA_PKCS1_SHA1,
    SignatureScheme::DSA_SHA1,
];
