//! The ladder: hellos with one peculiarity each, which tell a server or path that cannot bear it from one that can.

use parallax_model::facts::{AuditAnswer, Rung, RungFacts};
use parallax_tls::{
    Extension,
    registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme},
};

use super::{
    alpn::UNKNOWN_PROTOCOL,
    ask::{Ask, Cut, Reply},
    caller::Caller,
};

/// Writes the hello of TLS 1.2 that the small rungs vary.
pub(super) fn small(caller: &Caller) -> Ask {
    caller.ask(caller.offer(ProtocolVersion::TLS12, COMMON_SUITES.to_vec()))
}

/// Writes the hello of TLS 1.3 and 1.2 that the other rungs vary; below 256 bytes for names of up to 45 letters.
pub(super) fn modern(caller: &Caller) -> Ask {
    let mut offer = caller.offer(ProtocolVersion::TLS12, MODERN_SUITES.to_vec());
    let groups = [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1];
    offer.groups = groups.to_vec();
    offer.schemes = MODERN_SCHEMES.to_vec();
    let mut ask = caller.ask(offer);
    ask.hello.session_id = caller.session_id.to_vec();
    ask.hello.extensions.push(Extension::SupportedVersions(vec![ProtocolVersion::TLS13, ProtocolVersion::TLS12]));
    ask.hello.extensions.push(Extension::PskKeyExchangeModes(vec![1]));
    ask.hello.extensions.push(caller.key_share(&groups[..1]));
    ask
}

/// Writes the hello of every rung but the two that the others vary, as far as those two were answered.
pub(super) fn ladder(caller: &Caller, has_small: bool, has_modern: bool) -> Vec<(Rung, Ask)> {
    let (small, modern) = (small(caller), modern(caller));
    let base = if has_modern { &modern } else { &small };
    let write = |rung: &Rung| {
        let (base, is_asked) = match rung {
            Rung::Small | Rung::Modern => return None,
            Rung::SmallNoName | Rung::SmallOtherName | Rung::SmallUpperCase => (&small, has_small),
            Rung::HybridShare => (&modern, has_modern),
            _ => (base, has_small || has_modern),
        };
        is_asked.then(|| vary(caller, *rung, base.clone())).flatten().map(|ask| (*rung, ask))
    };
    Rung::ALL.iter().filter_map(write).collect()
}

/// Turns an answer into facts.
pub(super) fn facts(rung: Rung, reply: &Reply) -> RungFacts {
    let answer = match reply.end {
        // The ladder offers two versions, either of which will do.
        AuditAnswer::OtherVersion(_) => AuditAnswer::Hello,
        end => end,
    };
    RungFacts { name: rung.as_str().to_owned(), bytes_sent: reply.bytes_sent, answer, elapsed_us: reply.elapsed_us }
}

/// Gives the hello its one peculiarity; none where there is no name to do it with.
fn vary(caller: &Caller, rung: Rung, mut ask: Ask) -> Option<Ask> {
    let name = caller.name.as_deref();
    match rung {
        Rung::Small | Rung::Modern => {}
        Rung::SmallNoName => ask.hello = ask.hello.without_server_name(),
        Rung::SmallOtherName => ask.hello = ask.hello.with_server_name(&caller.other_name),
        Rung::SmallUpperCase => ask.hello = ask.hello.with_server_name(&name?.to_ascii_uppercase()),
        Rung::Length256To511 => pad(&mut ask, 400),
        Rung::Length10Mod256 => pad(&mut ask, 2 * 256 + 10),
        Rung::Length512 => pad(&mut ask, 512),
        Rung::Padded => pad(&mut ask, 1_800),
        Rung::Huge => pad(&mut ask, 15_900),
        Rung::HybridShare => offer_hybrid(caller, &mut ask),
        Rung::TwoSegments => ask.cut = Cut::Middle,
        Rung::NameInTwoSegments => ask.cut = name.map(|_| Cut::Name)?,
        Rung::TwoRecords => ask.cut = name.map(|_| Cut::NameRecords)?,
        Rung::SmallRecords => ask.fragment = 64,
        Rung::Grease => add_grease(&mut ask),
        Rung::UnknownExtension => ask.hello.extensions.push(Extension::Raw(UNKNOWN_EXTENSION, vec![1, 2, 3])),
        Rung::EmptyLastExtension => ask.hello.extensions.push(Extension::ExtendedMasterSecret),
        Rung::ManySuites => add_suites(&mut ask),
        Rung::LegacyVersion0304 => ask.hello.legacy_version = ProtocolVersion(0x0304),
        Rung::LegacyVersion0398 => ask.hello.legacy_version = ProtocolVersion(0x0398),
        Rung::LegacyVersion0498 => ask.hello.legacy_version = ProtocolVersion(0x0498),
        Rung::RecordVersion0300 => ask.record_version = ProtocolVersion::SSL30,
        Rung::RecordVersion0303 => ask.record_version = ProtocolVersion::TLS12,
        Rung::AlpnHttp => ask.hello.extensions.push(Extension::Alpn(vec![b"h2".to_vec(), b"http/1.1".to_vec()])),
        Rung::AlpnUnknown => ask.hello.extensions.push(Extension::Alpn(vec![UNKNOWN_PROTOCOL.as_bytes().to_vec()])),
        Rung::EchGrease => ask.hello.extensions.push(made_up_ech(caller)),
    }
    Some(ask)
}

/// Pads the handshake message, its header included, to a length.
fn pad(ask: &mut Ask, length: usize) {
    let missing = length.saturating_sub(ask.hello.encode().len() + EXTENSION_HEADER);
    ask.hello.extensions.push(Extension::Padding(missing));
}

fn replace(ask: &mut Ask, extension: Extension) {
    let kind = extension.extension_type();
    if let Some(place) = ask.hello.extensions.iter_mut().find(|other| other.extension_type() == kind) {
        *place = extension;
    }
}

fn offer_hybrid(caller: &Caller, ask: &mut Ask) {
    let groups = [NamedGroup::X25519MLKEM768, NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup::SECP384R1];
    replace(ask, Extension::SupportedGroups(groups.to_vec()));
    replace(ask, caller.key_share(&groups[..2]));
}

fn add_grease(ask: &mut Ask) {
    ask.hello.cipher_suites.insert(0, CipherSuite(0x3a3a));
    for extension in &mut ask.hello.extensions {
        match extension {
            Extension::SupportedGroups(groups) => groups.insert(0, NamedGroup(0x5a5a)),
            Extension::SupportedVersions(versions) => versions.insert(0, ProtocolVersion(0x7a7a)),
            Extension::KeyShare(shares) => shares.insert(0, (NamedGroup(0x5a5a), vec![0])),
            _ => {}
        }
    }
    ask.hello.extensions.insert(0, Extension::Grease(0x1a1a, Vec::new()));
    ask.hello.extensions.push(Extension::Grease(0xbaba, vec![0]));
}

fn add_suites(ask: &mut Ask) {
    let offered = ask.hello.cipher_suites.clone();
    let others = CipherSuite::KNOWN.iter().copied().filter(|suite| suite.fits(ProtocolVersion::TLS12) && !offered.contains(suite));
    ask.hello.cipher_suites.extend(others.take(MANY_SUITES - offered.len()));
}

/// Writes an outer `encrypted_client_hello` of DHKEM(X25519), HKDF-SHA256 and AES-128-GCM that nobody can open.
fn made_up_ech(caller: &Caller) -> Extension {
    let payload: Vec<u8> = caller.random.iter().copied().cycle().take(ECH_PAYLOAD).collect();
    let head: [u8; 8] = [0, 0, 1, 0, 1, caller.random[0], 0, 32];
    let body = [&head[..], &caller.session_id, &(ECH_PAYLOAD as u16).to_be_bytes(), &payload].concat();
    Extension::Raw(ExtensionType::ENCRYPTED_CLIENT_HELLO, body)
}

/// Suites of TLS 1.2 and before, one of which nearly every server has.
const COMMON_SUITES: [CipherSuite; 14] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA,
];
/// Fewer, for the bytes that key share and versions take.
const MODERN_SUITES: [CipherSuite; 12] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
];
const MODERN_SCHEMES: [SignatureScheme; 8] = [
    SignatureScheme::ECDSA_SECP256R1_SHA256,
    SignatureScheme::ECDSA_SECP384R1_SHA384,
    SignatureScheme::ECDSA_SECP521R1_SHA512,
    SignatureScheme::ED25519,
    SignatureScheme::RSA_PSS_RSAE_SHA256,
    SignatureScheme::RSA_PSS_PSS_SHA256,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA1,
];
/// A type that the registry has not assigned.
const UNKNOWN_EXTENSION: ExtensionType = ExtensionType(0x6b6b);
const EXTENSION_HEADER: usize = 4;
const MANY_SUITES: usize = 200;
/// As long as a padded inner hello with its tag usually is.
const ECH_PAYLOAD: usize = 144;

#[cfg(test)]
mod tests {
    use parallax_tls::ClientHello;

    use super::*;
    use crate::audit::tests::caller;

    fn rung(rung: Rung) -> Ask {
        let caller = caller();
        ladder(&caller, true, true).into_iter().find(|(other, _)| *other == rung).unwrap().1
    }

    #[test]
    fn every_rung_is_a_hello_that_reads_back() {
        let ladder = ladder(&caller(), true, true);
        assert_eq!(ladder.len(), Rung::ALL.len() - 2);
        for (rung, ask) in ladder {
            assert_eq!(ClientHello::decode(&ask.hello.encode()).as_ref(), Ok(&ask.hello), "{rung:?}");
        }
    }

    #[test]
    fn lengths_are_those_that_the_rungs_are_called_by() {
        let long = Caller { name: Some("a".repeat(45)), ..caller() };
        assert!(small(&long).hello.encode().len() < 256 && modern(&long).hello.encode().len() < 256);
        for (name, length) in [(Rung::Length256To511, 400), (Rung::Length10Mod256, 522), (Rung::Length512, 512), (Rung::Padded, 1_800), (Rung::Huge, 15_900)] {
            assert_eq!(rung(name).hello.encode().len(), length, "{name:?}");
        }
        assert!(rung(Rung::HybridShare).wire().len() > 1_300);
        assert_eq!(rung(Rung::ManySuites).hello.cipher_suites.len(), 200);
        assert!(rung(Rung::SmallRecords).wire().windows(5).filter(|header| *header == [22, 3, 1, 0, 64]).count() >= 3);
    }

    #[test]
    fn names_are_varied_where_there_is_one() {
        assert_eq!(rung(Rung::SmallNoName).hello.server_name(), None);
        assert_eq!(rung(Rung::SmallUpperCase).hello.server_name(), Some("SHOP.CORP.TEST"));
        let nameless = Caller { name: None, ..caller() };
        let rungs: Vec<Rung> = ladder(&nameless, true, true).into_iter().map(|(rung, _)| rung).collect();
        assert!(!rungs.contains(&Rung::SmallUpperCase) && !rungs.contains(&Rung::TwoRecords) && rungs.contains(&Rung::Grease));
    }

    #[test]
    fn what_nobody_answers_to_is_not_varied() {
        assert!(ladder(&caller(), false, false).is_empty());
        let old: Vec<(Rung, Ask)> = ladder(&caller(), true, false);
        assert!(old.iter().all(|(rung, ask)| *rung != Rung::HybridShare && ask.hello.key_share_groups().is_empty()));
    }
}
