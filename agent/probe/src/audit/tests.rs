//! What the tests of all questions share.

use parallax_model::facts::AuditAnswer;
use parallax_tls::{Extension, ServerAnswer, registry::NamedGroup};

use super::{
    ask::{Ask, Reply},
    caller::Caller,
};

pub(super) fn caller() -> Caller {
    Caller {
        name: Some("shop.corp.test".to_owned()),
        other_name: "qxvjz.example".to_owned(),
        random: [7; 32],
        session_id: [9; 32],
        shares: vec![(NamedGroup::X25519, vec![1; 32]), (NamedGroup::X25519MLKEM768, vec![2; 1_216])],
    }
}

pub(super) fn replied(end: AuditAnswer, answer: ServerAnswer) -> Reply {
    Reply { end, answer, bytes_sent: 0, elapsed_us: 0 }
}

pub(super) fn offered_suites(ask: &Ask) -> Vec<u16> {
    ask.hello.cipher_suites.iter().filter(|suite| !suite.is_signal()).map(|suite| suite.0).collect()
}

pub(super) fn offered_groups(ask: &Ask) -> Vec<u16> {
    let lists = ask.hello.extensions.iter().filter_map(|extension| match extension {
        Extension::SupportedGroups(groups) => Some(groups),
        _ => None,
    });
    lists.flatten().map(|group| group.0).collect()
}

pub(super) fn offered_schemes(ask: &Ask) -> Vec<u16> {
    let lists = ask.hello.extensions.iter().filter_map(|extension| match extension {
        Extension::SignatureAlgorithms(schemes) => Some(schemes),
        _ => None,
    });
    lists.flatten().map(|scheme| scheme.0).collect()
}
