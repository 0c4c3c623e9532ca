//! The file that is handed on: what stands in it, what must not, and what a hostile server cannot do to it.

use parallax_cli::render::bundle;
use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    facts::{ConnectEnd, Direction, Facts, HelloSent, HttpEnd, HttpFacts, ServerAnswerFacts, TcpFacts, TlsEnd, TlsFacts, TranscriptEntry},
    id::{AttemptId, CheckId},
    proof::{Excluded, Onlooker, Proof},
    verdict::{Cause, Verdict},
};

const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{1b}[2J";
const HIDDEN: [&str; 5] = ["198.51.100.77", "203.0.113.9", "203.0.113.44", "coordinator.internal", "secret-rack-7"];

fn attempt(verdict: &Verdict, vantage: &str, experiment: Experiment, address: &str, local: &str, tls: TlsFacts) -> Attempt {
    let tcp = TcpFacts {
        remote: address.parse().expect("an address"),
        local: Some(local.parse().expect("an address")),
        source_port_pinned: false,
        end: ConnectEnd::Connected,
        connect_us: 900,
        hop_limit: None,
        mss_clamp: None,
        icmp_from: None,
        at_connect: None,
        at_end: Some(Default::default()),
        ack_ttl: Some(58),
    };
    let http = HttpFacts {
        end: HttpEnd::Answered,
        status: Some(200),
        server: Some(HOSTILE.to_owned()),
        location: None,
        alt_svc: None,
        bytes_read: 1,
        elapsed_us: 1,
        body: None,
    };
    Attempt {
        id: AttemptId::new(),
        round: verdict.round,
        check: CheckId(verdict.round.0),
        vantage: vantage.parse().expect("a name"),
        profile: "modern".parse().expect("a name"),
        experiment,
        address: Some(address.parse().expect("an address")),
        sequence: 0,
        started_at: verdict.started_at,
        elapsed_us: 12_000,
        clock_offset_us: Some(0),
        facts: Facts { tcp: Some(tcp), tls: Some(tls), http: Some(http), ..Facts::default() },
    }
}

fn reset() -> TlsFacts {
    let hello = [[22, 3, 1, 0, 4, 1, 0, 0, 0].as_slice(), b"<script>"].concat();
    let entry = TranscriptEntry { direction: Direction::Sent, at_us: 100, bytes: Bytes(hello) };
    let sent = HelloSent { server_name: Some(HOSTILE.to_owned()), bytes: 517, writes: 1, sha256: Bytes(vec![1]) };
    TlsFacts {
        hello: sent,
        end: TlsEnd::Reset,
        end_us: 4_000,
        first_byte_us: None,
        bytes_read: 0,
        answer: ServerAnswerFacts::default(),
        handshake: None,
        certificates: vec![Bytes(b"<script>".to_vec())],
        transcript: vec![entry],
    }
}

fn proof() -> Proof {
    let mut verdict: Verdict = serde_json::from_str(include_str!("data/two-faults.json")).expect("the sample is a verdict");
    let filter = verdict.findings.iter().position(|finding| finding.cause == Cause::PathSniFilter).expect("the sample has it");
    let address = verdict.findings[filter].scope.addresses[0].clone();
    let attempts = vec![
        attempt(&verdict, "a", Experiment::Baseline, &address, "198.51.100.5:40001", reset()),
        attempt(&verdict, "b", Experiment::Baseline, &address, "198.51.100.77:40002", reset()),
        attempt(&verdict, "a", Experiment::Responder, "203.0.113.9:7444", "198.51.100.5:40003", reset()),
    ];
    verdict.findings.retain(|finding| finding.cause == Cause::PathSniFilter);
    let finding = &mut verdict.findings[0];
    finding.evidence[0].attempts = vec![attempts[0].id];
    finding.evidence[0].text = format!("{HOSTILE}, seen by the responder 203.0.113.9:7444 and by b at 198.51.100.77");
    let excluded = Excluded {
        finding: finding.cause,
        vantages: finding.scope.vantages.clone(),
        addresses: finding.scope.addresses.clone(),
        cause: Cause::PathMtuBlackhole,
        requires: "large packets are lost".to_owned(),
        excluded_by: "a large one that passes".to_owned(),
        counter: Cause::PathSniFilter,
        next: "send one".to_owned(),
        held: None,
    };
    let onlooker = |name: &str, egress: &str| Onlooker {
        name: name.to_owned(),
        labels: [("site", "north"), ("rack", "secret-rack-7")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        group: format!("egress={egress}/24"),
        egress: egress.to_owned(),
    };
    Proof {
        verdict,
        attempts,
        excluded: vec![excluded],
        vantages: vec![onlooker("a", "198.51.100.5"), onlooker("b", "203.0.113.44")],
        own_addresses: vec!["203.0.113.9:7444".to_owned(), "coordinator.internal:7443".to_owned()],
        present_rules: "2".to_owned(),
    }
}

#[test]
fn the_page_goes_from_the_sentence_to_the_packets_and_needs_nothing_else() {
    let page = bundle::html(&proof());
    let order = [
        "<h1>",
        "What was found",
        "path.sni-filter",
        "the rules that fired",
        "Unless",
        "Tried and not held",
        "path.mtu-blackhole",
        "Mend",
        "The path",
        "See it yourself",
        "openssl s_client -connect",
        "-servername another.example",
        "traceroute -n -T",
        "tcptraceroute",
        "Who looked",
        "time line of the attempts",
        "Packets",
        "ClientHello",
        "TCP_INFO",
        "Certificates",
        "All attempts",
        "</html>",
    ];
    let mut from = 0;
    for part in order {
        from += page[from..].find(part).unwrap_or_else(|| panic!("{part:?} is missing or out of place"));
    }
    for part in ["http://", "src=", "@import", "url(", "<link", "<iframe"] {
        assert!(!page.contains(part), "{part} would load something");
    }
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("@media print"));
}

#[test]
fn what_a_server_says_stays_text() {
    let proof = proof();
    let page = bundle::html(&proof);
    assert!(page.contains("&lt;script&gt;alert(1)"), "it is shown");
    assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{1b}'), "it does nothing");
    let document = bundle::document(&proof).unwrap();
    let read: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(read["attempts"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_fleets_own_addresses_and_labels_stay_out() {
    let proof = proof();
    let (page, document) = (bundle::html(&proof), bundle::document(&proof).unwrap());
    for text in [&page, &document] {
        for hidden in HIDDEN {
            assert!(!text.contains(hidden), "{hidden} is handed out");
        }
        assert!(text.contains("north"), "where a vantage stands is said");
    }
    assert!(document.contains("198.51.100.5:40001"), "where a blamed vantage stands is part of the evidence");
}
