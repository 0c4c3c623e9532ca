//! A ClientHello of the own codec, from a recipe: any version, any suite, any group.

use aws_lc_rs::rand;
use parallax_model::profile::HelloRecipe;
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
        extensions.push(Extension::KeyShare(recipe.key_shares.iter().map(|group| (NamedGroup(*group), key_share(NamedGroup(*group)))).collect()));
        extensions.push(Extension::PskKeyExchangeModes(vec![1]));
        extensions.push(Extension::SupportedVersions(recipe.versions.iter().copied().map(ProtocolVersion).collect()));
    }
    extensions
}

/// Returns a public key that a peer accepts as one of the group's; for groups without such a recipe, random bytes of some length.
fn key_share(group: NamedGroup) -> Vec<u8> {
    match group {
        NamedGroup::X25519 => random::<32>().to_vec(),
        NamedGroup::X448 => random::<56>().to_vec(),
        NamedGroup::SECP256R1 => P256_BASE_POINT.to_vec(),
        NamedGroup::X25519MLKEM768 => [ml_kem_768(), random::<32>().to_vec()].concat(),
        NamedGroup::MLKEM768 => ml_kem_768(),
        _ => random::<32>().to_vec(),
    }
}

/// Makes an encapsulation key whose coefficients are below the modulus, which peers check (FIPS 203 section 7.2).
fn ml_kem_768() -> Vec<u8> {
    const MODULUS: u16 = 3_329;
    const COEFFICIENTS: usize = 768;
    let source = random::<{ COEFFICIENTS * 2 }>();
    let mut key = Vec::with_capacity(COEFFICIENTS / 2 * 3 + 32);
    for &[a, b, c, d] in source.as_chunks::<4>().0 {
        let [first, second] = [u16::from_be_bytes([a, b]) % MODULUS, u16::from_be_bytes([c, d]) % MODULUS];
        let packed = u32::from(first) | u32::from(second) << 12;
        key.extend_from_slice(&packed.to_le_bytes()[..3]);
    }
    key.extend_from_slice(&random::<32>());
    key
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the random generator of aws-lc does not fail once it is seeded");
    bytes
}

/// Type and length of an extension.
const EXTENSION_HEADER: usize = 4;

/// The base point of P-256 in uncompressed form (SEC 2 section 2.4.2): a valid public key.
const P256_BASE_POINT: [u8; 65] = [
    0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4,
    0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33,
    0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5,
];

#[cfg(test)]
mod tests {
    use parallax_model::profile::Profile;

    use super::*;

    fn decoded(wire: &[u8]) -> ClientHello {
        ClientHello::decode(&wire[5..]).unwrap()
    }

    #[test]
    fn every_built_in_recipe_is_written_as_it_stands() {
        for profile in Profile::all() {
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
    fn the_post_quantum_share_has_its_size() {
        assert_eq!(key_share(NamedGroup::X25519MLKEM768).len(), 1_216);
    }
}
