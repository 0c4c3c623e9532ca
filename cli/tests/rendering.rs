//! What people read: a verdict with two faults, a clock that is wrong, a silent vantage and a mixture.

use parallax_cli::render::verdict;
use parallax_model::verdict::Verdict;

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

#[test]
fn monitoring_gets_one_line() {
    insta::assert_snapshot!(verdict::one_line(&two_faults()), @"PARALLAX CRITICAL - api.example.test:443: Something on a's network resets handshakes that name api.example.test; the server at 192.0.2.8 forgets its intermediate certificate. | cells=9 failing=6");
}

#[test]
fn lists_say_it_in_a_few_words() {
    insta::assert_snapshot!(verdict::summary(&two_faults()), @"server.chain-incomplete (confirmed); path.sni-filter at a (confirmed)");
}
