//! What people read: a verdict with two faults, a clock that is wrong, a silent vantage and a mixture.

use parallax_cli::render::verdict;
use parallax_model::{
    facts::{Facts, HandshakeFacts, QuicEnd, QuicFacts, StartTlsFacts, UpgradeEnd},
    outcome::Outcome,
    report::AuditReport,
    verdict::{MatrixCell, Negotiated, Verdict},
};

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
fn protocols_are_named_also_where_their_end_was_not_seen() {
    let report = |alpn: &[&str], without: Option<&str>| AuditReport {
        alpn: alpn.iter().map(ToString::to_string).collect(),
        alpn_without_overlap: without.map(str::to_owned),
        ..AuditReport::default()
    };
    let line = |report| {
        let text = plain(&parallax_cli::render::audit::text(&[report], false));
        text.lines().find(|line| line.contains("alpn")).map(|line| line.trim().to_owned())
    };
    assert_eq!(line(report(&["h2"], None)).as_deref(), Some("alpn      h2"));
    assert_eq!(line(report(&[], Some("hello"))).as_deref(), Some("alpn      none; without overlap hello"));
    assert_eq!(line(report(&[], None)), None);
}

#[test]
fn ends_are_said_in_words() {
    let starttls = |end| StartTlsFacts {
        end,
        greeting: None,
        capabilities: Vec::new(),
        offered: None,
        reply: Some("454 not now".to_owned()),
        first_byte_us: None,
        elapsed_us: 0,
        bytes_read: 0,
        surplus_bytes: 0,
    };
    let quic = QuicFacts {
        remote: "192.0.2.7:443".parse().expect("an address"),
        local: None,
        end: QuicEnd::Closed(0x178),
        server_name: None,
        version: 1,
        versions: vec![1, 0x6b33_43cf],
        negotiation_us: None,
        retry: false,
        datagrams_sent: 2,
        datagrams_received: 1,
        bytes_read: 0,
        first_datagram_us: None,
        elapsed_us: 0,
        reason: None,
        icmp_from: None,
        handshake: Some(HandshakeFacts { alpn: Some("h3".to_owned()), ..HandshakeFacts::default() }),
        certificates: Vec::new(),
    };
    let said = parallax_cli::render::facts::of(&Facts { starttls: Some(starttls(UpgradeEnd::NotOffered)), quic: Some(quic), ..Facts::default() });
    assert_eq!(
        said,
        ["before TLS not offered, reply \"454 not now\"", "QUIC alert 120, h3 chosen, versions 0x00000001 0x6b3343cf, 2 datagrams sent, 1 received"]
    );
}

#[test]
fn monitoring_gets_one_line() {
    insta::assert_snapshot!(verdict::one_line(&two_faults()), @"PARALLAX CRITICAL - api.example.test:443: Something on a's network resets handshakes that name api.example.test; the server at 192.0.2.8 forgets its intermediate certificate. | cells=9 failing=6");
}

#[test]
fn monitoring_reads_the_target_once() {
    let mut verdict = two_faults();
    verdict.headline = format!("{}: it is cut.", verdict.target);
    assert_eq!(verdict::one_line(&verdict), "PARALLAX CRITICAL - api.example.test:443: it is cut. | cells=9 failing=6");
}

#[test]
fn lists_say_it_in_a_few_words() {
    insta::assert_snapshot!(verdict::summary(&two_faults()), @"server.chain-incomplete (confirmed); path.sni-filter at a (confirmed)");
}

#[test]
fn many_clients_stand_below_each_other_with_what_the_server_chose() {
    let mut survey = two_faults();
    let sample = survey.matrix[0].clone();
    let chosen =
        Negotiated { version: "TLSv1.3".to_owned(), cipher_suite: Some("TLS_AES_128_GCM_SHA256".to_owned()), group: Some("x25519".to_owned()), dh_bits: None };
    let cell = |profile: String, vantage: &str, passes: bool| MatrixCell {
        vantage: vantage.to_owned(),
        address: "192.0.2.7:443".to_owned(),
        profile,
        outcome: if passes { Outcome::Ok } else { Outcome::TlsAlert(70) },
        failures: if passes { 0 } else { sample.attempts },
        negotiated: passes.then(|| chosen.clone()),
        ..sample.clone()
    };
    let clients = (0..9).flat_map(|number| ["a", "b"].map(|vantage| cell(format!("client-{number}"), vantage, number != 3 && (number != 4 || vantage == "a"))));
    survey.matrix = clients.collect();
    survey.findings.clear();
    let text = plain(&verdict::text(&survey, false));
    let lines: Vec<&str> = text.lines().skip(2).take(6).collect();
    let expected = [
        "  192.0.2.7:443   a   b   chosen",
        "  client-0        ✓   ✓   TLSv1.3 x25519 AES_128_GCM_SHA256",
        "  client-1        ✓   ✓   TLSv1.3 x25519 AES_128_GCM_SHA256",
        "  client-2        ✓   ✓   TLSv1.3 x25519 AES_128_GCM_SHA256",
        "  client-3        A   A   tls.alert.70",
        "  client-4        ✓   A   TLSv1.3 x25519 AES_128_GCM_SHA256 / tls.alert.70",
    ];
    assert_eq!(lines, expected);
}
