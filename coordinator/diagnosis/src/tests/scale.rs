//! A round of fifty vantages at eight addresses: judged all the same, and how long it takes.

use std::time::Instant;

use super::{
    case::Case,
    expand::{self, NOW},
    pki::PKI,
};
use crate::{History, judge, wanted};

#[test]
fn fifty_vantages_at_eight_addresses_are_judged() {
    let names: Vec<String> = (0..50).map(|n| format!("v{n}")).collect();
    let addresses: Vec<String> = (1..9).map(|n| format!("192.0.2.{n}")).collect();
    let vantages: Vec<String> = names.iter().enumerate().map(|(n, name)| format!("\"{name}:site{}\"", n / 2)).collect();
    let filtered = "v0 v1";
    let others = names[2..].join(" ");
    let text = format!(
        "title = \"scale\"\nhealthy = false\nvantages = [{}]\n[[see]]\nfrom = \"{others}\"\nat = \"{at}\"\nchain = \"incomplete\"\n[[see]]\nfrom = \"{filtered}\"\nat = \"{at}\"\noutcome = \"tls.reset*2\"\n[[try]]\nfrom = \"{filtered}\"\nat = \"{at}\"\nexperiment = \"control-name\"\noutcome = \"ok*3\"\nchain = \"default\"\n",
        vantages.join(", "),
        at = addresses.join(" "),
    );
    let round = expand::round(&toml::from_str::<Case>(&text).unwrap());
    assert!(round.attempts.len() > 3_200);
    let began = Instant::now();
    let verdict = judge(&round, &History::default(), &PKI.trust(), NOW.parse().unwrap());
    let judged = began.elapsed();
    let _ = wanted(&round, &History::default(), &PKI.trust(), NOW.parse().unwrap());
    eprintln!("{} attempts: judged in {judged:?}, wanted in {:?}", round.attempts.len(), began.elapsed() - judged);
    let causes: Vec<&str> = verdict.findings.iter().map(|finding| finding.cause.as_str()).collect();
    assert_eq!(causes, ["server.chain-incomplete", "path.sni-filter"]);
    assert_eq!(verdict.findings[1].scope.addresses.len(), 8);
    assert_eq!(verdict.matrix.len(), 50 * 8 * 4);
}
