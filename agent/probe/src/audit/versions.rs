//! One protocol version after the other: whether it is spoken, and its lists.

use futures_util::future::join_all;
use parallax_model::facts::{Accepted, VersionFacts};
use parallax_tls::registry::ProtocolVersion;
use tokio::join;

use super::{
    caller::Caller,
    driver::Driver,
    groups::groups,
    signature_schemes::{Tls13Schemes, tls12_schemes},
    suites::{ChachaFirst, suites},
};
use crate::net::Net;

/// Asks for SSL 3 to TLS 1.3 side by side; a version that no cap left room for is missing.
pub(super) async fn versions<N: Net>(driver: &Driver<'_, N>, caller: &Caller) -> Vec<VersionFacts> {
    let one = |version| version_facts(driver, caller, version);
    let (ssl3, tls10, tls11, tls12, tls13) =
        join!(one(ProtocolVersion::SSL30), one(ProtocolVersion::TLS10), one(ProtocolVersion::TLS11), one(ProtocolVersion::TLS12), one(ProtocolVersion::TLS13));
    [ssl3, tls10, tls11, tls12, tls13].into_iter().flatten().collect()
}

async fn version_facts<N: Net>(driver: &Driver<'_, N>, caller: &Caller, version: ProtocolVersion) -> Option<VersionFacts> {
    let list = driver.settle(suites(caller, version)).await;
    let accepted = &list.accepted.numbers;
    let groups = async {
        match groups(caller, version, accepted) {
            Some(question) => driver.settle(question).await.accepted,
            None => Accepted::default(),
        }
    };
    let chacha = driver.settle(ChachaFirst::new(caller, version, &list.accepted));
    let (groups, prefers_chacha, tls12) = join!(groups, chacha, schemes_of_tls12(driver, caller, version, accepted));
    let signature_schemes = if version == ProtocolVersion::TLS13 { schemes_of_tls13(driver, caller, accepted, &groups.numbers).await } else { tls12 };
    Some(VersionFacts {
        version: version.0,
        answer: list.answer?,
        suites: list.accepted,
        prefers_chacha,
        groups,
        signature_schemes,
        unoffered_suite: list.unoffered,
    })
}

async fn schemes_of_tls12<N: Net>(driver: &Driver<'_, N>, caller: &Caller, version: ProtocolVersion, accepted: &[u16]) -> Accepted {
    let questions = if version == ProtocolVersion::TLS12 { tls12_schemes(caller, accepted) } else { Vec::new() };
    let lists = join_all(questions.into_iter().map(|question| driver.settle(question))).await;
    let of_keys = lists.into_iter().map(|list| list.accepted);
    // The order of one key's schemes is the order of all where the server has one key.
    of_keys.reduce(|one, other| Accepted { numbers: [one.numbers, other.numbers].concat(), ..other }).unwrap_or_default()
}

async fn schemes_of_tls13<N: Net>(driver: &Driver<'_, N>, caller: &Caller, suites: &[u16], groups: &[u16]) -> Accepted {
    match Tls13Schemes::new(caller, suites, groups) {
        Some(question) => driver.settle(question).await,
        None => Accepted::default(),
    }
}
