use parallax_model::{bytes::Bytes, outcome::CertificateFault as Fault, target::Host};

use super::{
    expand::NOW,
    pki::{NAME, PKI},
};
use crate::{
    Trust,
    certificate::{self, Wish},
};

fn faults(chain: &str, trust: &Trust) -> Vec<Fault> {
    judged(chain, trust, &[]).faults
}

fn judged(chain: &str, trust: &Trust, elsewhere: &[Bytes]) -> certificate::Judgement {
    let name = Host::Name(NAME.to_owned());
    let wish = Wish { name: Some(&name), now: NOW.parse().unwrap(), elsewhere, staple: Some(None), expected_keys: &[] };
    certificate::judge(&PKI.chain(chain), &wish, trust)
}

#[test]
fn each_chain_has_its_faults() {
    let trust = PKI.trust();
    for (chain, expected) in [
        ("good", vec![]),
        ("with-root", vec![]),
        ("repeated", vec![]),
        ("wildcard", vec![]),
        ("misordered", vec![Fault::ChainMisordered]),
        ("incomplete", vec![Fault::ChainIncomplete]),
        ("incomplete-aia", vec![Fault::ChainIncomplete]),
        ("expired", vec![Fault::Expired]),
        ("future", vec![Fault::NotYetValid]),
        ("old-intermediate", vec![Fault::ChainExpired]),
        ("default", vec![Fault::NameMismatch]),
        ("near", vec![Fault::NameMismatch]),
        ("must-staple", vec![Fault::StapleMissing]),
        ("untrusted", vec![Fault::Untrusted]),
        ("untrusted-leaf", vec![Fault::Untrusted]),
        ("client-only", vec![Fault::Purpose]),
        ("authority", vec![Fault::NameMismatch, Fault::Purpose]),
        ("ending", vec![]),
        ("self-signed", vec![Fault::SelfSigned]),
        ("sinkhole", vec![Fault::NameMismatch, Fault::SelfSigned]),
    ] {
        assert_eq!(faults(chain, &trust), expected, "{chain}");
    }
}

#[test]
fn without_anchors_of_the_operator_a_lone_leaf_is_incomplete_only_if_it_tells_where_its_issuer_is() {
    let nobody = Trust::default();
    assert_eq!(faults("incomplete", &nobody), [Fault::Untrusted]);
    assert_eq!(faults("incomplete-aia", &nobody), [Fault::ChainIncomplete]);
    assert_eq!(faults("good", &nobody), [Fault::Untrusted]);
}

#[test]
fn an_intermediate_seen_elsewhere_proves_that_one_is_missing() {
    let elsewhere = [PKI.chain("good")[1].clone()];
    let judged = judged("incomplete", &PKI.trust(), &elsewhere);
    assert_eq!(judged.faults, [Fault::ChainIncomplete]);
    assert!(judged.anchored, "a trusted authority vouches for the leaf once the intermediate is there");
}

#[test]
fn what_is_no_certificate_is_unreadable() {
    let name = Host::Name(NAME.to_owned());
    let wish = Wish { name: Some(&name), now: NOW.parse().unwrap(), elsewhere: &[], staple: None, expected_keys: &[] };
    for hostile in [vec![], vec![Bytes(vec![])], vec![Bytes(vec![0x30, 0x80, 0xff])], vec![Bytes(vec![0; 4_096])]] {
        assert_eq!(certificate::judge(&hostile, &wish, &PKI.trust()).faults, [Fault::Unreadable]);
    }
}

#[test]
fn a_forged_signature_builds_no_path() {
    let mut forged = PKI.chain("good");
    let last = forged[0].0.len() - 1;
    forged[0].0[last] ^= 1;
    let name = Host::Name(NAME.to_owned());
    let wish = Wish { name: Some(&name), now: NOW.parse().unwrap(), elsewhere: &[], staple: None, expected_keys: &[] };
    let judged = certificate::judge(&forged, &wish, &PKI.trust());
    assert!(!judged.anchored && !judged.faults.is_empty(), "{:?}", judged.faults);
}

#[test]
fn the_owners_expected_key_is_held_to() {
    let key = judged("good", &PKI.trust(), &[]).leaf.unwrap().key_sha256;
    let name = Host::Name(NAME.to_owned());
    let with = |expected_keys: &[Bytes]| {
        certificate::judge(
            &PKI.chain("good"),
            &Wish { name: Some(&name), now: NOW.parse().unwrap(), elsewhere: &[], staple: None, expected_keys },
            &PKI.trust(),
        )
        .faults
    };
    assert_eq!(with(&[key]), []);
    assert_eq!(with(&[Bytes(vec![7; 32])]), [Fault::KeyUnexpected]);
}
