//! `parallax explain`, as it is typed.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

fn explain(words: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parallax"));
    let mut child = command.arg("explain").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that reads nothing may have gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn a_pasted_line_gives_the_set_of_causes_and_the_probe_that_separates_them() {
    let line = "*5 upstream timed out (110: Connection timed out) while SSL handshaking to upstream, upstream: \"https://10.0.0.5:8443/x\", host: \"a.test\"";
    let output = explain(&[line], "");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("nginx, as the client of an upstream") && text.contains("- path.mtu-blackhole:") && text.contains("- server.slow-handshake:"),
        "{text}"
    );
    assert!(text.contains("parallax probe 10.0.0.5:8443 --profile nginx-upstream"), "{text}");
}

#[test]
fn lines_on_standard_input_are_read_once_each() {
    let line = "curl: (35) Recv failure: Connection reset by peer\n";
    let output = explain(&["-", "-o", "json"], &format!("nothing\n{line}{line}"));
    let readings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(readings.len(), 1);
    assert_eq!((&readings[0]["speaker"], &readings[0]["host"]), (&"curl".into(), &serde_json::Value::Null));
}

#[test]
fn what_nobody_knows_is_usage_with_a_hint() {
    for (words, hint) in [(["server.chain-incmplete"], "perhaps server.chain-incomplete"), (["all is well here"], "paste the whole line")] {
        let output = explain(&words, "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(said.contains(hint) && said.lines().count() == 1, "{said}");
    }
}
