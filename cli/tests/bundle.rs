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
    let http = HttpFacts { status: Some(200), server: Some(HOSTILE.to_owned()), bytes_read: 1, elapsed_us: 1, ..HttpFacts::ended(HttpEnd::Answered) };
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

fn made() -> bundle::Made {
    bundle::Made { by: Some("the night watch".to_owned()), at: Default::default(), with: "parallax 0.1.0".to_owned() }
}

#[test]
fn the_page_goes_from_the_sentence_to_the_packets_and_needs_nothing_else() {
    let page = bundle::html(&proof(), &made());
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
    let page = bundle::html(&proof, &made());
    assert!(page.contains("&lt;script&gt;alert(1)"), "it is shown");
    assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains('\u{1b}'), "it does nothing");
    let document = bundle::document(&proof, &made()).unwrap();
    let read: serde_json::Value = serde_json::from_str(&document).unwrap();
    assert_eq!(read["attempts"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_fleets_own_addresses_and_labels_stay_out() {
    let proof = proof();
    let (page, document) = (bundle::html(&proof, &made()), bundle::document(&proof, &made()).unwrap());
    for text in [&page, &document] {
        for hidden in HIDDEN {
            assert!(!text.contains(hidden), "{hidden} is handed out");
        }
        assert!(text.contains("north"), "where a vantage stands is said");
    }
    assert!(document.contains("198.51.100.5:40001"), "where a blamed vantage stands is part of the evidence");
}

/// The sample with one fault alone, and attempts that it blames and does not blame.
fn of(cause: Cause, address: &str, profile: &str) -> Proof {
    let mut proof = proof();
    let mut verdict: Verdict = serde_json::from_str(include_str!("data/two-faults.json")).expect("the sample is a verdict");
    verdict.findings.retain(|finding| finding.cause == cause);
    let done = |vantage: &str, port: u16| {
        let tls = TlsFacts { end: TlsEnd::Established, ..reset() };
        let mut made = attempt(&verdict, vantage, Experiment::Baseline, address, &format!("198.51.100.5:{port}"), tls);
        made.profile = profile.parse().expect("a name");
        made
    };
    proof.attempts = vec![done("a", 42_301), done("b", 42_302)];
    proof.verdict = verdict;
    proof
}

#[test]
fn a_handshake_with_a_certificate_that_is_blamed_is_no_pass_anywhere() {
    let mut proof = of(Cause::ServerChainIncomplete, "192.0.2.8:443", "modern");
    proof.verdict.findings[0].evidence[0].attempts = proof.attempts.iter().map(|attempt| attempt.id).collect();
    let page = bundle::html(&proof, &made());
    let said = "handshake done; certificate.chain-incomplete";
    assert!(page.contains(&format!("<span class=\"bad\">{said}</span>")) && !page.contains("class=\"okbar\""), "the list and the time line");
    let packets = &page[page.find("id=\"packets\"").unwrap_or(0)..];
    assert!(packets.contains(&format!("it ended: <b>{said}</b>")), "the packets of a blamed attempt are shown");
    let explained = parallax_cli::render::proof::text(&proof, false);
    assert!(explained.contains(&format!("modern baseline: {said} in")), "{explained}");
    let document: serde_json::Value = serde_json::from_str(&bundle::document(&proof, &made()).expect("JSON")).expect("JSON");
    assert_eq!((&document["attempts"][0]["outcome"], &document["attempts"][0]["judged"]), (&"ok".into(), &"certificate.chain-incomplete".into()));
}

#[test]
fn commands_say_what_to_expect_and_use_the_ports_that_were_measured() {
    let mut proof = of(Cause::PathSniFilter, "192.0.2.7:443", "modern");
    let page = bundle::html(&proof, &made());
    assert!(page.contains("timeout 10 openssl s_client -connect 192.0.2.7:443") && page.contains("curl -m 10 -sS -v"), "they end by themselves");
    assert!(
        page.contains("expect: &#39;read 0 bytes&#39; and &#39;write:errno=104&#39;") || page.contains("expect: 'read 0 bytes' and 'write:errno=104'"),
        "{page}"
    );
    assert!(page.contains("-CAfile ROOT.pem") && page.contains("by the night watch"));
    proof.verdict.findings[0].cause = Cause::PathMultipathLeg;
    proof.attempts.iter_mut().filter_map(|attempt| attempt.facts.tcp.as_mut()).for_each(|tcp| tcp.source_port_pinned = true);
    let page = bundle::html(&proof, &made());
    assert!(page.contains("for p in 42301; do curl -kso /dev/null -m 5 --local-port $p") && page.contains("45: wait a minute"), "{page}");
}

#[test]
fn a_page_without_findings_shows_no_attempt() {
    let mut proof = proof();
    proof.verdict.findings.clear();
    assert!(bundle::html(&proof, &made()).contains("Nothing was found, so no attempt is shown"));
}
