//! A ClientHello of the own codec, from a recipe: any version, any suite, any group.

use aws_lc_rs::{agreement, error::Unspecified, kem, rand};
use parallax_model::profile::{Fresh, HelloLayout, HelloRecipe};
use parallax_tls::{
    ClientHello, Extension,
    registry::{CipherSuite, NamedGroup, ProtocolVersion, SignatureScheme},
};

/// Writes the records of a hello of at least `least` bytes.
///
/// Its key shares are well-formed and nobody holds their secrets: it is for reading an answer, not for finishing a handshake.
pub(crate) fn craft(recipe: &HelloRecipe, server_name: Option<&str>, least: usize) -> Vec<u8> {
    let mut hello = hello(recipe, server_name);
    let wire = hello.to_records(ProtocolVersion::TLS10);
    if wire.len() >= least {
        return wire;
    }
    hello.extensions.push(Extension::Padding((least - wire.len()).saturating_sub(EXTENSION_HEADER)));
    hello.to_records(ProtocolVersion::TLS10)
}

/// Writes the records of a client's own hello; its key shares are as those of [`craft`].
pub(crate) fn imitate(layout: &HelloLayout, server_name: Option<&str>) -> Vec<u8> {
    layout.records(server_name, &Fresh { random: random(), session_id: random(), public_key: &public_key })
}

fn hello(recipe: &HelloRecipe, server_name: Option<&str>) -> ClientHello {
    let highest = recipe.versions.iter().copied().max().map_or(ProtocolVersion::TLS12, ProtocolVersion);
    let tls13 = highest >= ProtocolVersion::TLS13;
    ClientHello {
        legacy_version: highest.min(ProtocolVersion::TLS12),
        random: random(),
        // TLS 1.3 sends one for the sake of middleboxes (RFC 8446 appendix D.4).
        session_id: if tls13 { random::<32>().to_vec() } else { Vec::new() },
        cipher_suites: recipe.cipher_suites.iter().copied().map(CipherSuite).collect(),
        extensions: extensions(recipe, server_name, tls13),
        ..ClientHello::default()
    }
}

fn extensions(recipe: &HelloRecipe, server_name: Option<&str>, tls13: bool) -> Vec<Extension> {
    let tls12 = recipe.versions.iter().any(|version| ProtocolVersion(*version) <= ProtocolVersion::TLS12);
    let mut extensions = Vec::with_capacity(12);
    extensions.extend(server_name.map(|name| Extension::ServerName(name.to_owned())));
    if tls12 {
        extensions.push(Extension::ExtendedMasterSecret);
        extensions.push(Extension::RenegotiationInfo(Vec::new()));
        extensions.push(Extension::EcPointFormats(vec![0]));
        extensions.push(Extension::SessionTicket(Vec::new()));
    }
    if !recipe.groups.is_empty() {
        extensions.push(Extension::SupportedGroups(recipe.groups.iter().copied().map(NamedGroup).collect()));
    }
    if !recipe.alpn.is_empty() {
        extensions.push(Extension::Alpn(recipe.alpn.iter().map(|protocol| protocol.clone().into_bytes()).collect()));
    }
    extensions.push(Extension::StatusRequest);
    if !recipe.signature_schemes.is_empty() {
        extensions.push(Extension::SignatureAlgorithms(recipe.signature_schemes.iter().copied().map(SignatureScheme).collect()));
    }
    if tls13 {
        extensions.push(Extension::KeyShare(recipe.key_shares.iter().map(|group| (NamedGroup(*group), public_key(NamedGroup(*group)))).collect()));
        extensions.push(Extension::PskKeyExchangeModes(vec![1]));
        extensions.push(Extension::SupportedVersions(recipe.versions.iter().copied().map(ProtocolVersion).collect()));
    }
    extensions
}

/// Makes a public key of a group; random bytes of its size where the library lacks the group.
pub(crate) fn public_key(group: NamedGroup) -> Vec<u8> {
    match group {
        NamedGroup::X25519 => agreement_key(&agreement::X25519),
        NamedGroup::SECP256R1 => agreement_key(&agreement::ECDH_P256),
        NamedGroup::SECP384R1 => agreement_key(&agreement::ECDH_P384),
        NamedGroup::SECP521R1 => agreement_key(&agreement::ECDH_P521),
        NamedGroup::MLKEM512 => encapsulation_key(&kem::ML_KEM_512),
        NamedGroup::MLKEM768 => encapsulation_key(&kem::ML_KEM_768),
        NamedGroup::MLKEM1024 => encapsulation_key(&kem::ML_KEM_1024),
        NamedGroup::X25519MLKEM768 => [public_key(NamedGroup::MLKEM768), public_key(NamedGroup::X25519)].concat(),
        NamedGroup::SECP256R1MLKEM768 => [public_key(NamedGroup::SECP256R1), public_key(NamedGroup::MLKEM768)].concat(),
        NamedGroup::SECP384R1MLKEM1024 => [public_key(NamedGroup::SECP384R1), public_key(NamedGroup::MLKEM1024)].concat(),
        other => {
            let mut bytes = vec![0; other.key_share_len().unwrap_or(USUAL_SHARE)];
            rand::fill(&mut bytes).expect(DOES_NOT_FAIL);
            // Below the prime of every finite-field group of this size (RFC 7919 appendix A: they begin with ones).
            bytes[0] &= 0x7f;
            bytes
        }
    }
}

fn agreement_key(algorithm: &'static agreement::Algorithm) -> Vec<u8> {
    let public = agreement::PrivateKey::generate(algorithm).and_then(|private| private.compute_public_key());
    public.expect(DOES_NOT_FAIL).as_ref().to_vec()
}

fn encapsulation_key(algorithm: &'static kem::Algorithm<kem::AlgorithmId>) -> Vec<u8> {
    let public = kem::DecapsulationKey::generate(algorithm).and_then(|private| private.encapsulation_key()?.key_bytes().map_err(|_| Unspecified));
    public.expect(DOES_NOT_FAIL).as_ref().to_vec()
}

/// Makes random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect(DOES_NOT_FAIL);
    bytes
}

/// Type and length of an extension.
const EXTENSION_HEADER: usize = 4;

/// A share of a group whose size nobody knows.
const USUAL_SHARE: usize = 32;
const DOES_NOT_FAIL: &str = "the generators of aws-lc do not fail once they are seeded";

#[cfg(test)]
mod tests {
    use parallax_model::profile::Profile;

    use super::*;

    fn decoded(wire: &[u8]) -> ClientHello {
        ClientHello::decode(&wire[5..]).unwrap()
    }

    #[test]
    fn every_built_in_recipe_is_written_as_it_stands() {
        for profile in Profile::all().into_iter().filter(|profile| profile.client.is_none()) {
            let recipe = profile.hello;
            let hello = decoded(&craft(&recipe, Some("shop.example").filter(|_| recipe.server_name), 0));
            assert_eq!(hello.server_name(), recipe.server_name.then_some("shop.example"));
            assert_eq!(hello.cipher_suites.iter().map(|suite| suite.0).collect::<Vec<_>>(), recipe.cipher_suites);
            let expected = if recipe.versions.contains(&0x0304) { recipe.versions.clone() } else { vec![recipe.versions[0]] };
            assert_eq!(hello.offered_versions().iter().map(|version| version.0).collect::<Vec<_>>(), expected);
            assert_eq!(hello.key_share_groups().iter().map(|group| group.0).collect::<Vec<_>>(), recipe.key_shares);
            assert_eq!(hello.alpn().len(), recipe.alpn.len());
        }
    }

    #[test]
    fn padding_reaches_the_wanted_size_and_two_hellos_differ() {
        let recipe = Profile::builtin("modern").unwrap().hello;
        let wire = craft(&recipe, Some("shop.example"), 1_800);
        assert_eq!(wire.len(), 1_800);
        assert!(craft(&recipe, Some("shop.example"), 0).len() < 400);
        assert_ne!(wire, craft(&recipe, Some("shop.example"), 1_800));
    }

    #[test]
    fn shares_have_the_size_of_their_group() {
        for group in NamedGroup::KNOWN.iter().filter(|group| group.key_share_len().is_some()) {
            assert_eq!(Some(public_key(*group).len()), group.key_share_len(), "{group}");
        }
        assert_eq!(public_key(NamedGroup(0x9999)).len(), USUAL_SHARE);
    }
}
