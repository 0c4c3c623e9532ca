//! `parallax probe` and `parallax check create`, as they are typed where no coordinator is.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::process::{Command, Output};

fn probe(words: &[&str]) -> Output {
    parallax(&[&["probe"], words].concat())
}

fn parallax(words: &[&str]) -> Output {
    let nowhere = ["--coordinator", "127.0.0.1:1", "--ca", "/nonexistent", "--token", "t"];
    Command::new(env!("CARGO_BIN_EXE_parallax")).args(words).args(nowhere).output().unwrap()
}

#[test]
fn an_audit_without_tls_over_tcp_is_refused_with_what_to_run_instead() {
    for (target, instead) in
        [("quic://shop.example:443", "shop.example:443"), ("quic://shop.example:8443", "shop.example:8443"), ("tcp://shop.example:443", "shop.example:443")]
    {
        let output = probe(&[target, "--deep"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("'parallax probe {instead} --deep'")) && said.contains(&format!("'parallax probe {target}'")), "{said}");
    }
}

#[test]
fn an_audit_over_tcp_and_a_probe_over_quic_are_not_refused() {
    for words in [&["shop.example", "--deep"][..], &["smtp+starttls://shop.example", "--deep"], &["quic://shop.example"]] {
        let said = String::from_utf8(probe(words).stderr).unwrap();
        assert!(said.contains("cannot read --ca"), "the next step, which needs a coordinator: {said}");
    }
}

#[test]
fn a_check_over_quic_is_planned_without_audits_and_refused_with_them() {
    let create = ["check", "create", "shop", "--every", "60s", "--target", "quic://shop.example"];
    let refused = parallax(&[&create[..], &["--audit", "every-round"]].concat());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("leave --audit out") && said.contains("a check of shop.example"), "{said}");
    for words in [&create[..], &[&create[..], &["--audit", "never"]].concat()] {
        let said = String::from_utf8(parallax(words).stderr).unwrap();
        assert!(said.contains("cannot read --ca"), "the next step, which needs a coordinator: {said}");
    }
}
