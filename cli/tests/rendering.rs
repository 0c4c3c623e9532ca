//! What people read: a verdict with two faults, a clock that is wrong, a silent vantage and a mixture.

use parallax_cli::render::verdict;
use parallax_model::{report::AuditReport, verdict::Verdict};

fn two_faults() -> Verdict {
    serde_json::from_str(include_str!("data/two-faults.json")).expect("the sample is a verdict")
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_verdict_is_read_without_colour() {
    insta::assert_snapshot!(plain(&verdict::text(&two_faults(), false)));
}

/// What the engine found at Debian's nginx with one RSA key, three suites and TLS 1.0 switched on.
fn audit() -> Vec<AuditReport> {
    serde_json::from_str(include_str!("data/audit.json")).expect("the sample is a list of reports")
}

#[test]
fn an_audit_is_read_without_colour() {
    insta::assert_snapshot!(plain(&parallax_cli::render::audit::text(&audit(), false)));
}

#[test]
fn an_audit_names_every_suite_when_there_is_room() {
    insta::assert_snapshot!(plain(&parallax_cli::render::audit::text(&audit(), true)));
}

#[test]
fn monitoring_gets_one_line() {
    insta::assert_snapshot!(verdict::one_line(&two_faults()), @"PARALLAX CRITICAL - api.example.test:443: Something on a's network resets handshakes that name api.example.test; the server at 192.0.2.8 forgets its intermediate certificate. | cells=9 failing=6");
}

#[test]
fn lists_say_it_in_a_few_words() {
    insta::assert_snapshot!(verdict::summary(&two_faults()), @"server.chain-incomplete (confirmed); path.sni-filter at a (confirmed)");
}
