//! The ephemeral secrets of a server: its prime, values that come twice, and real shares of post-quantum hybrids.

use aws_lc_rs::digest::{SHA256, digest};
use parallax_model::{
    bytes::Bytes,
    facts::{FiniteFieldFacts, KeyExchangeFacts, ShareFacts},
};
use parallax_tls::{
    registry::{CipherSuite, NamedGroup, ProtocolVersion},
    server_flight::{KeyExchangeGroup, ServerKeyExchange},
};

use super::{
    ask::{Ask, Reply},
    caller::Caller,
};

/// Offers the real share of one group, with the suites that the server accepts.
pub(super) fn share(caller: &Caller, suites: &[u16], group: NamedGroup) -> Ask {
    let mut offer = caller.offer(ProtocolVersion::TLS13, suites.iter().copied().map(CipherSuite).collect());
    offer.groups = vec![group];
    offer.shares = vec![group];
    caller.ask(offer)
}

/// Returns the hybrids among these groups for which a share can be made.
pub(super) fn hybrids(caller: &Caller, groups: &[u16]) -> Vec<NamedGroup> {
    let has_share = |group: &NamedGroup| caller.first_share(&[group.0]).is_some();
    groups.iter().map(|group| NamedGroup(*group)).filter(|group| group.name().contains("MLKEM")).filter(has_share).collect()
}

/// Reads the answer to a share.
pub(super) fn share_facts(group: NamedGroup, reply: &Reply) -> ShareFacts {
    let taken = reply.answer.server_hello.as_ref().and_then(|hello| hello.selected_group()) == Some(group);
    ShareFacts { group: group.0, answer: reply.end, taken, bytes_sent: reply.bytes_sent }
}

/// Puts together what all connections showed of the ephemeral values.
pub(super) fn facts(seen: &[ServerKeyExchange], hybrid_shares: Vec<ShareFacts>) -> KeyExchangeFacts {
    let (curves, fields): (Vec<_>, Vec<_>) = seen.iter().partition(|exchange| matches!(exchange.group, KeyExchangeGroup::Named(_)));
    KeyExchangeFacts { hybrid_shares, finite_field: finite_field(&fields), curve_value_reused: repeats(&curves) }
}

/// Describes the smallest prime, which is the one that matters.
fn finite_field(seen: &[&ServerKeyExchange]) -> Option<FiniteFieldFacts> {
    let smallest = seen.iter().min_by_key(|exchange| exchange.group.prime_bits())?;
    let KeyExchangeGroup::FiniteField { prime, generator } = &smallest.group else { return None };
    let same: Vec<&ServerKeyExchange> = seen.iter().copied().filter(|exchange| exchange.group == smallest.group).collect();
    Some(FiniteFieldFacts {
        prime_bits: smallest.group.prime_bits().unwrap_or(0),
        prime: Bytes(prime.clone()),
        generator: Bytes(generator.clone()),
        well_known: well_known(prime).map(str::to_owned),
        value_reused: repeats(&same),
    })
}

/// Tells whether any two connections with the same group showed the same value; none when no group came twice.
fn repeats(seen: &[&ServerKeyExchange]) -> Option<bool> {
    let mut pairs = seen.iter().enumerate().flat_map(|(at, one)| seen[at + 1..].iter().map(move |other| (one, other)));
    let mut comparable = pairs.by_ref().filter(|(one, other)| one.group == other.group).peekable();
    comparable.peek()?;
    Some(comparable.any(|(one, other)| one.public_value == other.public_value))
}

/// Names a prime that many servers share, by its SHA-256.
fn well_known(prime: &[u8]) -> Option<&'static str> {
    let sha256 = Bytes(digest(&SHA256, prime).as_ref().to_vec()).to_string();
    WELL_KNOWN.iter().find(|(_, known)| *known == sha256).map(|(name, _)| *name)
}

/// Primes of RFC 2409 and RFC 3526 (`modp…`), RFC 7919 (`ffdhe…`) and RFC 5114, with the SHA-256 of their bytes.
const WELL_KNOWN: [(&str, &str); 16] = [
    ("modp768", "b52ba6a3026520a6c49d37e4587601801bee500123b3259b6bf03e7cecc3e63d"),
    ("modp1024", "3f35a3f5f6c4376a744acad409bb22f8d897f949d2311d885adaa890981b67a0"),
    ("modp1536", "64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b"),
    ("modp2048", "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e"),
    ("modp3072", "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c"),
    ("modp4096", "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33"),
    ("modp6144", "d1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd"),
    ("modp8192", "39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf"),
    ("ffdhe2048", "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966"),
    ("ffdhe3072", "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17"),
    ("ffdhe4096", "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e"),
    ("ffdhe6144", "227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7"),
    ("ffdhe8192", "770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833"),
    ("rfc5114-1024-160", "44c55cfee5c075927cf682da5b681bdecbd5c3eb0784c14f5dce7610f0ef133d"),
    ("rfc5114-2048-224", "bfe545862ca102ad1eeddb5fbfa5bf855ac4995c56a8b408ce3fe099dce93a9d"),
    ("rfc5114-2048-256", "0b7835722cb619827610c2549fdda5587421686c4409a13865e76225522ddcc9"),
];

#[cfg(test)]
mod tests {
    use parallax_model::facts::AuditAnswer;
    use parallax_tls::{ServerAnswer, ServerHello, registry::ExtensionType};

    use super::*;
    use crate::audit::tests::{caller, replied};

    fn curve(group: u16, value: u8) -> ServerKeyExchange {
        ServerKeyExchange { group: KeyExchangeGroup::Named(NamedGroup(group)), public_value: vec![value], signature_scheme: None }
    }

    fn field(prime: &[u8], value: u8) -> ServerKeyExchange {
        let group = KeyExchangeGroup::FiniteField { prime: prime.to_vec(), generator: vec![2] };
        ServerKeyExchange { group, public_value: vec![value], signature_scheme: None }
    }

    #[test]
    fn a_value_is_compared_within_its_group() {
        assert_eq!(facts(&[curve(29, 1), curve(23, 1)], Vec::new()).curve_value_reused, None);
        assert_eq!(facts(&[curve(29, 1), curve(23, 1), curve(29, 2)], Vec::new()).curve_value_reused, Some(false));
        assert_eq!(facts(&[curve(29, 1), curve(29, 2), curve(29, 1)], Vec::new()).curve_value_reused, Some(true));
    }

    #[test]
    fn the_smallest_prime_is_described() {
        let found = facts(&[field(&[0x80, 1], 1), field(&[0x7f], 2), field(&[0x7f], 2)], Vec::new()).finite_field.unwrap();
        assert_eq!((found.prime_bits, found.prime, found.generator), (7, Bytes(vec![0x7f]), Bytes(vec![2])));
        assert_eq!((found.value_reused, found.well_known), (Some(true), None));
        assert_eq!(facts(&[], Vec::new()).finite_field, None);
    }

    #[test]
    fn the_prime_of_oakley_group_1_is_known() {
        let prime = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a3620ffffffffffffffff";
        assert_eq!(well_known(&prime.parse::<Bytes>().unwrap().0), Some("modp768"));
    }

    #[test]
    fn a_share_is_taken_when_the_server_answers_with_its_group() {
        let extensions = vec![(ExtensionType::KEY_SHARE, vec![0x11, 0xec, 0, 1, 9])];
        let taken = ServerAnswer { server_hello: Some(ServerHello { extensions, ..ServerHello::default() }), ..ServerAnswer::default() };
        assert!(share_facts(NamedGroup::X25519MLKEM768, &replied(AuditAnswer::Hello, taken)).taken);
        assert!(!share_facts(NamedGroup::X25519MLKEM768, &replied(AuditAnswer::Reset, ServerAnswer::default())).taken);
        assert_eq!(hybrids(&caller(), &[0x001d, 0x11ec]), [NamedGroup::X25519MLKEM768]);
        let ask = share(&caller(), &[0x1301], NamedGroup::X25519MLKEM768);
        assert_eq!(ask.hello.key_share_groups(), [NamedGroup::X25519MLKEM768]);
    }
}
