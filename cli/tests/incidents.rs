//! Incidents as people read them.
#![expect(clippy::unwrap_used, reason = "tests may unwrap")]

use parallax_cli::render::{incident, timeline};
use parallax_model::{
    incident::{Gap, Incident, Timeline},
    verdict::Verdict,
};
use serde_json::{Value, json};

fn incident(state: &str, ended_at: Option<&str>) -> Incident {
    serde_json::from_value(json!({
        "apiVersion": "parallax/v1", "kind": "Incident", "id": "01a20e52-60be-80f2-86e3-5a6075dc7fb7", "check": "web", "target": "www.example.test:443",
        "state": state, "informational": false, "started_at": "2026-11-24T08:05:00Z", "started_round": "01a20e52-60be-80f2-a6c5-4654290e1c89",
        "began_before": false, "confirmed_at": "2026-11-24T08:05:00Z", "last_failing_at": "2026-11-24T08:07:00Z", "ended_at": ended_at,
        "locus": "path", "cause": "path.sni-filter", "tier": "confirmed", "mechanism": "tls.reset.sni", "headline": "something on the path of a minds the name",
        "causes": [
            {"cause": "path.sni-filter", "tier": "confirmed", "first_at": "2026-11-24T08:06:00Z", "last_at": "2026-11-24T08:07:00Z", "rounds": 2},
            {"cause": "undetermined.group-blocked", "tier": "insufficient", "first_at": "2026-11-24T08:05:00Z", "last_at": "2026-11-24T08:05:00Z", "rounds": 1}
        ],
        "scope": {"vantages": ["a"], "addresses": ["192.0.2.7:443"], "profiles": ["modern"], "share": 1.0}, "rounds": 3, "heard": 3, "episodes": 1,
        "verdicts": [
            {"at": "2026-11-24T08:05:00Z", "round": "01a20e52-60be-80f2-a6c5-4654290e1c89", "revision": 1, "cause": "undetermined.group-blocked", "tier": "insufficient", "vantages": ["a"]},
            {"at": "2026-11-24T08:06:00Z", "round": "01a20e52-60be-80f2-a6c5-4654290e1c88", "revision": 1, "cause": "path.sni-filter", "tier": "confirmed", "vantages": ["a"]}
        ],
        "last_good": {"round": "01a20e52-60be-80f2-a6c5-4654290e1c87", "at": "2026-11-24T08:04:00Z"},
        "changed_at_onset": [{
            "what": "key", "subject": "192.0.2.7:443",
            "before": "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff until 2026-12-01T00:00:00Z",
            "after": "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100 until 2027-02-01T00:00:00Z"
        }],
        "changed_at_end": []
    }))
    .unwrap()
}

/// A round of the check; `missing` were not heard.
fn verdict(minute: u32, missing: &[&str]) -> Verdict {
    let mut sample: Value = serde_json::from_str(include_str!("data/two-faults.json")).unwrap();
    sample["started_at"] = json!(format!("2026-11-24T08:{minute:02}:00Z"));
    sample["vantages"]["missing"] = json!(missing);
    sample["findings"] = json!([]);
    sample["healthy"] = json!(true);
    serde_json::from_value(sample).unwrap()
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_block_says_when_what_who_and_what_changed() {
    let text = plain(&incident::text(&incident("ended", Some("2026-11-24T08:08:00Z")), &[]));
    let expected = [
        "■ path.sni-filter  confirmed  ended",
        "  when      2026-11-24 08:05:00Z to 08:08:00Z (3m), 3 failing rounds",
        "  who       vantages a · addresses 192.0.2.7:443 · profiles modern",
        "  what      something on the path of a minds the name",
        "  course    08:05:00Z undetermined.group-blocked (insufficient); 08:06:00Z path.sni-filter",
        "            (confirmed)",
        "  changed   key of 192.0.2.7:443: 0011223344556677 until 2026-12-01T00:00:00Z → ffeeddccbbaa9988",
        "            until 2027-02-01T00:00:00Z",
    ];
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..expected.len()], expected);
    assert!(text.ends_with("01a20e52-60be-80f2-86e3-5a6075dc7fb7 · round 01a20e52-60be-80f2-a6c5-4654290e1c89"), "{text}");
}

#[test]
fn news_stands_in_one_line() {
    let line = plain(&incident::one_line("ended", &incident("ended", Some("2026-11-24T08:08:00Z"))));
    assert_eq!(line, "incident ended after 3m: path.sni-filter at a (confirmed), since 2026-11-24 08:05:00Z");
}

#[test]
fn rounds_that_say_the_same_stand_in_one_line_and_gaps_between_them() {
    let gap = |value: Value| -> Gap { serde_json::from_value(value).unwrap() };
    let line = Timeline {
        gaps: vec![gap(json!({"vantage": null, "from": "2026-11-24T08:04:00Z", "until": "2026-11-24T08:06:00Z", "rounds": 2, "reason": "no round was made"}))],
        ..Timeline::default()
    };
    let rounds = [verdict(1, &[]), verdict(2, &[]), verdict(3, &["b"]), verdict(6, &[])];
    let text = plain(&timeline::text(&rounds, &line));
    let words = |line: &str| line.split("019a").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: Vec<String> = text.lines().skip(2).map(words).collect();
    assert_eq!(shown, ["08:01:00 to 08:02:00 2 healthy", "08:03:00 1 healthy (not heard: b)", "08:04:00 2 gap: no round was made", "08:06:00 1 healthy"]);
}

#[test]
fn an_incident_says_its_own_part_of_a_rounds_headline() {
    let mut round: Verdict = serde_json::from_str(include_str!("data/two-faults.json")).unwrap();
    round.headline = format!("{}: the chain lacks its issuer; something on the path of a minds the name.", round.target);
    let open = Incident { headline: round.headline.clone(), target: round.target.clone(), began_before: true, rounds: 1, ..incident("confirmed", None) };
    let text = plain(&incident::text(&open, std::slice::from_ref(&round)));
    assert!(text.contains("\n  what      something on the path of a minds the name.\n"), "{text}");
    assert!(text.contains("\n  when      failing since the first round, 2026-11-24 08:05:00Z\n"), "{text}");
    round.headline = "three; parts; here".to_owned();
    assert_eq!(Incident { headline: round.headline.clone(), ..open }.sentence(&[round]), "three; parts; here");
}
