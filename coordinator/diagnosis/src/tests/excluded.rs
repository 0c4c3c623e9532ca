//! What was tried in vain is told with the finding, and the judgement stays as it is.

use std::{fs, path::Path};

use parallax_model::proof::Excluded;

use super::{
    case::Case,
    expand::{self, NOW},
    pki::PKI,
};
use crate::{History, excluded, judge};

fn told(name: &str) -> Vec<Excluded> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name).with_extension("toml");
    let round = expand::round(&toml::from_str::<Case>(&fs::read_to_string(file).unwrap()).unwrap());
    let now = NOW.parse().unwrap();
    let told = excluded(&round, &History::default(), &PKI.trust(), now);
    let verdict = judge(&round, &History::default(), &PKI.trust(), now);
    for excluded in &told {
        assert!(verdict.findings.iter().any(|finding| finding.cause == excluded.finding), "{excluded:?} is about a finding");
        assert!(verdict.findings.iter().all(|finding| finding.cause != excluded.cause), "{excluded:?} is not in the verdict");
    }
    told
}

#[test]
fn a_filter_of_names_is_told_from_what_was_tried_before_it() {
    let told = told("01-sni-reset");
    let of_path: Vec<&str> = told.iter().map(|excluded| excluded.cause.as_str()).collect();
    assert!(of_path.contains(&"path.mtu-blackhole"), "{of_path:?}");
    let others = of_path.iter().filter(|cause| cause.contains("starttls") || cause.contains("quic")).count();
    assert_eq!(others, 0, "a target over TLS alone upgrades nothing and speaks no QUIC: {of_path:?}");
    let hole = told.iter().find(|excluded| excluded.cause.as_str() == "path.mtu-blackhole").unwrap();
    assert_eq!((hole.finding.as_str(), hole.vantages.join(" ").as_str(), hole.held), ("path.sni-filter", "a d", None));
    assert!(hole.excluded_by.starts_with("no silence but tls.reset.sni, seen in this round"), "{}", hole.excluded_by);
    assert!(!hole.requires.is_empty() && !hole.excluded_by.is_empty() && !hole.next.is_empty());
}

#[test]
fn what_is_tried_in_vain_says_what_was_seen_and_what_stays_open() {
    let of = |told: &[Excluded], cause: &str| told.iter().find(|excluded| excluded.cause.as_str() == cause).map(|excluded| excluded.excluded_by.clone());
    let mute = told("30-stopped-worker");
    let hole = of(&mute, "edge.mtu-blackhole").unwrap();
    assert!(hole.starts_with("a small MSS fails as well, seen in this round"), "{hole}");
    for other_stage in ["server.client-certificate-required", "server.alpn", "server.unreachable", "server.not-tls"] {
        assert_eq!(of(&mute, other_stage), None, "a server that never answers asks for nothing");
    }
    let edge = told("12-edge-mtu-hole");
    let open = of(&edge, "path.mtu-blackhole").unwrap();
    assert!(open.contains("stays open (look from one more network outside)"), "{open}");
}

#[test]
fn a_chain_at_first_sight_has_no_rivals() {
    assert_eq!(told("28-chain-incomplete"), []);
}
