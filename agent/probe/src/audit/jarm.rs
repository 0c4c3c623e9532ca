//! JARM, the fingerprint of a server's answers to ten hellos (Salesforce 2020, BSD-3).

use aws_lc_rs::digest::{SHA256, digest};
use parallax_model::{bytes::Bytes, facts::AuditAnswer};
use parallax_tls::{
    ClientHello, Extension, ServerHello,
    registry::{CipherSuite, ExtensionType, NamedGroup, ProtocolVersion, SignatureScheme},
};

use super::{
    ask::{Ask, Reply},
    caller::Caller,
};

/// Writes the ten hellos; none without a name, which the algorithm wants in each.
pub(super) fn asks(caller: &Caller) -> Option<[Ask; 10]> {
    let name = caller.name.as_deref()?;
    Some(HELLOS.map(|hello| hello.ask(caller, name)))
}

/// Computes the fingerprint from the ten answers, in the order of the hellos.
pub(super) fn fingerprint(replies: &[Reply; 10]) -> String {
    let silent = replies.iter().any(|reply| matches!(reply.end, AuditAnswer::Silence | AuditAnswer::NotConnected));
    let hellos: Vec<Option<&ServerHello>> = replies.iter().map(first_hello).collect();
    if silent || hellos.iter().all(Option::is_none) {
        return "0".repeat(LENGTH);
    }
    let mut choices = String::new();
    let mut details = String::new();
    for hello in hellos {
        let Some(hello) = hello else {
            choices.push_str("000");
            continue;
        };
        choices.push_str(&format!("{:02x}{}", suite_index(hello.cipher_suite), version_letter(hello.legacy_version)));
        details.push_str(&String::from_utf8_lossy(hello.alpn().unwrap_or_default()));
        let types: Vec<String> = hello.extensions.iter().map(|(kind, _)| format!("{:04x}", kind.0)).collect();
        details.push_str(&types.join("-"));
    }
    let sha256 = Bytes(digest(&SHA256, details.as_bytes()).as_ref().to_vec()).to_string();
    choices + &sha256[..LENGTH - 30]
}

/// Returns the hello when it was the first thing that came; the algorithm looks no further than an alert.
fn first_hello(reply: &Reply) -> Option<&ServerHello> {
    let answer = &reply.answer;
    answer.hello_retry_requests.first().or(answer.server_hello.as_ref()).filter(|_| answer.plaintext_alerts.is_empty())
}

/// Returns the place of a suite among those offered, from 1, in numeric order with TLS 1.3 last; one more than the last for any other.
fn suite_index(suite: CipherSuite) -> usize {
    let mut sorted: Vec<u16> = TLS12_SUITES.iter().chain(&TLS13_SUITES).copied().collect();
    sorted.sort_unstable_by_key(|suite| (suite >> 8 == 0x13, *suite));
    sorted.iter().position(|known| *known == suite.0).unwrap_or(sorted.len()) + 1
}

fn version_letter(version: ProtocolVersion) -> char {
    char::from(b"abcdef"[usize::from(version.0 & 0x0f).min(5)])
}

/// How one of the ten hellos differs from the others.
#[derive(Debug, Clone, Copy)]
struct Hello {
    version: u16,
    with_tls13_suites: bool,
    suites: Order,
    grease: bool,
    rare_alpn: bool,
    /// The highest version in `supported_versions`, none without the extension.
    supports: Option<u16>,
    /// The order of protocols and versions.
    lists: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Forward,
    Reverse,
    TopHalf,
    BottomHalf,
    MiddleOut,
}

impl Order {
    fn of<T: Clone>(self, list: &[T]) -> Vec<T> {
        let middle = list.len() / 2;
        let odd = list.len() % 2;
        let from_middle = |step: usize| [list[middle + odd + step].clone(), list[middle - 1 - step].clone()];
        match self {
            Self::Forward => list.to_vec(),
            Self::Reverse => list.iter().rev().cloned().collect(),
            Self::BottomHalf => list[middle + odd..].to_vec(),
            Self::TopHalf => list[..middle + odd].iter().rev().cloned().collect(),
            Self::MiddleOut => list[middle..middle + odd].iter().cloned().chain((0..middle).flat_map(from_middle)).collect(),
        }
    }
}

impl Hello {
    const fn of(version: u16, suites: Order, supports: Option<u16>, lists: Order) -> Self {
        Self { version, with_tls13_suites: true, suites, grease: false, rare_alpn: false, supports, lists }
    }

    fn ask(self, caller: &Caller, name: &str) -> Ask {
        let version = ProtocolVersion(self.version);
        let mut hello = ClientHello {
            legacy_version: version.min(ProtocolVersion::TLS12),
            random: caller.random,
            session_id: caller.session_id.to_vec(),
            cipher_suites: self.suites.of(&offered_suites(self.with_tls13_suites)),
            extensions: self.extensions(caller, name),
            ..ClientHello::default()
        };
        if self.grease {
            hello.cipher_suites.insert(0, CipherSuite(GREASE));
        }
        let mut ask = Ask::new(hello);
        ask.record_version = if version == ProtocolVersion::TLS13 { ProtocolVersion::TLS10 } else { version };
        ask
    }

    fn extensions(self, caller: &Caller, name: &str) -> Vec<Extension> {
        let mut extensions = Vec::with_capacity(14);
        if self.grease {
            extensions.push(Extension::Grease(GREASE, Vec::new()));
        }
        extensions.extend([
            Extension::ServerName(name.to_owned()),
            Extension::ExtendedMasterSecret,
            Extension::Raw(ExtensionType::MAX_FRAGMENT_LENGTH, vec![1]),
            Extension::RenegotiationInfo(Vec::new()),
            Extension::SupportedGroups([29, 23, 24, 25].map(NamedGroup).to_vec()),
            Extension::EcPointFormats(vec![0]),
            Extension::SessionTicket(Vec::new()),
            Extension::Alpn(self.protocols()),
            Extension::SignatureAlgorithms(SCHEMES.map(SignatureScheme).to_vec()),
            self.key_share(caller),
            Extension::PskKeyExchangeModes(vec![1]),
        ]);
        extensions.extend(self.supports.map(|highest| {
            let versions: Vec<ProtocolVersion> = (0x0301..=highest).map(ProtocolVersion).collect();
            let grease = self.grease.then_some(ProtocolVersion(GREASE));
            Extension::SupportedVersions(grease.into_iter().chain(self.lists.of(&versions)).collect())
        }));
        extensions
    }

    /// The original reverses units of which one holds two protocols, for want of a comma; the fingerprint depends on it.
    fn protocols(self) -> Vec<Vec<u8>> {
        let units: &[&[&str]] = if self.rare_alpn {
            &[&["http/0.9"], &["http/1.0"], &["spdy/1"], &["spdy/2"], &["spdy/3"], &["h2c"], &["hq"]]
        } else {
            &[&["http/0.9"], &["http/1.0"], &["http/1.1"], &["spdy/1"], &["spdy/2"], &["spdy/3", "h2"], &["h2c"], &["hq"]]
        };
        self.lists.of(units).into_iter().flatten().map(|protocol| protocol.as_bytes().to_vec()).collect()
    }

    fn key_share(self, caller: &Caller) -> Extension {
        let mut extension = caller.key_share(&[NamedGroup::X25519]);
        if let (true, Extension::KeyShare(shares)) = (self.grease, &mut extension) {
            shares.insert(0, (NamedGroup(GREASE), vec![0]));
        }
        extension
    }
}

/// The list of the original: the suites of TLS 1.3 stand in two places among the others.
fn offered_suites(with_tls13: bool) -> Vec<CipherSuite> {
    let (head, rest) = TLS12_SUITES.split_at(30);
    let (middle, tail) = rest.split_at(14);
    let (first, second): (&[u16], &[u16]) = if with_tls13 { TLS13_SUITES.split_at(2) } else { (&[], &[]) };
    [head, first, middle, second, tail].concat().into_iter().map(CipherSuite).collect()
}

const HELLOS: [Hello; 10] = [
    Hello::of(0x0303, Order::Forward, Some(0x0303), Order::Reverse),
    Hello::of(0x0303, Order::Reverse, Some(0x0303), Order::Forward),
    Hello::of(0x0303, Order::TopHalf, None, Order::Forward),
    Hello { rare_alpn: true, ..Hello::of(0x0303, Order::BottomHalf, None, Order::Forward) },
    Hello { rare_alpn: true, grease: true, ..Hello::of(0x0303, Order::MiddleOut, None, Order::Reverse) },
    Hello::of(0x0302, Order::Forward, None, Order::Forward),
    Hello::of(0x0304, Order::Forward, Some(0x0304), Order::Reverse),
    Hello::of(0x0304, Order::Reverse, Some(0x0304), Order::Forward),
    Hello { with_tls13_suites: false, ..Hello::of(0x0304, Order::Forward, Some(0x0304), Order::Forward) },
    Hello { grease: true, ..Hello::of(0x0304, Order::MiddleOut, Some(0x0304), Order::Reverse) },
];

const TLS12_SUITES: [u16; 64] = [
    0x0016, 0x0033, 0x0067, 0xc09e, 0xc0a2, 0x009e, 0x0039, 0x006b, 0xc09f, 0xc0a3, 0x009f, 0x0045, 0x00be, 0x0088, 0x00c4, 0x009a, 0xc008, 0xc009, 0xc023,
    0xc0ac, 0xc0ae, 0xc02b, 0xc00a, 0xc024, 0xc0ad, 0xc0af, 0xc02c, 0xc072, 0xc073, 0xcca9, 0xcc14, 0xc007, 0xc012, 0xc013, 0xc027, 0xc02f, 0xc014, 0xc028,
    0xc030, 0xc060, 0xc061, 0xc076, 0xc077, 0xcca8, 0xcc13, 0xc011, 0x000a, 0x002f, 0x003c, 0xc09c, 0xc0a0, 0x009c, 0x0035, 0x003d, 0xc09d, 0xc0a1, 0x009d,
    0x0041, 0x00ba, 0x0084, 0x00c0, 0x0007, 0x0004, 0x0005,
];
/// The first two and the other three stand apart in the original's list.
const TLS13_SUITES: [u16; 5] = [0x1302, 0x1301, 0x1305, 0x1304, 0x1303];
const SCHEMES: [u16; 9] = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0201];
const GREASE: u16 = 0x6a6a;
const LENGTH: usize = 62;

#[cfg(test)]
mod tests {
    use parallax_tls::ServerAnswer;

    use super::*;
    use crate::audit::tests::{caller, replied};

    #[test]
    fn orders_are_those_of_the_original() {
        let odd = [1, 2, 3, 4, 5];
        assert_eq!(Order::Reverse.of(&odd), [5, 4, 3, 2, 1]);
        assert_eq!(Order::TopHalf.of(&odd), [3, 2, 1]);
        assert_eq!(Order::BottomHalf.of(&odd), [4, 5]);
        assert_eq!(Order::MiddleOut.of(&odd), [3, 4, 2, 5, 1]);
        assert_eq!(Order::MiddleOut.of(&[1, 2, 3, 4]), [3, 2, 4, 1]);
    }

    #[test]
    fn the_hellos_differ_as_the_original_says() {
        let asks = asks(&caller()).unwrap();
        let suites: Vec<usize> = asks.iter().map(|ask| ask.hello.cipher_suites.len()).collect();
        assert_eq!(suites, [69, 69, 35, 34, 70, 69, 69, 69, 64, 70]);
        let versions: Vec<u16> = asks.iter().map(|ask| ask.hello.legacy_version.0).collect();
        assert_eq!(versions, [0x0303, 0x0303, 0x0303, 0x0303, 0x0303, 0x0302, 0x0303, 0x0303, 0x0303, 0x0303]);
        assert_eq!(asks[0].hello.cipher_suites[30..34].iter().map(|suite| suite.0).collect::<Vec<_>>(), [0x1302, 0x1301, 0xcc14, 0xc007]);
        assert_eq!(asks[0].hello.cipher_suites[45..50].iter().map(|suite| suite.0).collect::<Vec<_>>(), [0xcca8, 0x1305, 0x1304, 0x1303, 0xcc13]);
        assert_eq!((asks[3].hello.alpn().len(), asks[0].hello.alpn()[2].as_slice()), (7, &b"spdy/3"[..]), "reversed by units");
    }

    #[test]
    fn the_fingerprint_is_put_together_as_the_original_says() {
        let nothing = || replied(AuditAnswer::Alert(40), ServerAnswer::default());
        let chosen = |suite: u16, extensions| {
            let hello = ServerHello { cipher_suite: CipherSuite(suite), extensions, ..ServerHello::default() };
            replied(AuditAnswer::Hello, ServerAnswer { server_hello: Some(hello), ..ServerAnswer::default() })
        };
        let alpn = (ExtensionType::ALPN, vec![0, 3, 2, b'h', b'2']);
        let first = chosen(0xc030, vec![alpn, (ExtensionType::RENEGOTIATION_INFO, vec![0])]);
        let replies = [first, chosen(0x1301, vec![]), nothing(), nothing(), nothing(), nothing(), nothing(), nothing(), nothing(), nothing()];
        let text = fingerprint(&replies);
        // SHA-256 of "h20010-ff01".
        let details = Bytes(digest(&SHA256, b"h20010-ff01").as_ref().to_vec()).to_string();
        assert_eq!(text, format!("2ad41d{}{}", "000".repeat(8), &details[..32]));
        assert_eq!(fingerprint(&std::array::from_fn(|_| nothing())), "0".repeat(62));
    }
}
