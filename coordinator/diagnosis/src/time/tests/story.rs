//! A notation of rounds: one line each, `a. bF cm d-` for cells that pass, fail, mix, or were not heard, then `; cause tier vantages` per finding; an empty line is a
//! round that was not made.

use parallax_model::{
    cadence::Cadence,
    check::Check,
    clock::Timestamp,
    digest::{AddressDigest, Digest, LeafDigest},
    id::{CheckId, RoundId},
    incident::Incident,
    outcome::Outcome,
    verdict::{Cause, Finding, Locus, MatrixCell, Participation, Remedy, Scope, Tier, Verdict},
};

use crate::time::Fold;

pub(super) const STEP_S: i64 = 60;
pub(super) const PLACE: &str = "192.0.2.7:443";

pub(super) fn at(number: usize) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000 + i64::try_from(number).unwrap() * STEP_S * 1_000_000)
}

pub(super) fn check() -> Check {
    let mut check = Check::once("www.example.test".parse().unwrap(), at(0));
    check.id = CheckId(parallax_model::id::BootId::new().0);
    check.cadence = Cadence::Every { every_ms: 60_000 };
    check.anchor = at(0);
    check
}

pub(super) fn story(check: &Check, text: &str) -> Vec<Verdict> {
    let lines = text.trim_matches('\n').lines().map(str::trim).enumerate();
    lines.filter(|(_, line)| !line.is_empty()).map(|(number, line)| round(check, number, line)).collect()
}

pub(super) fn round(check: &Check, number: usize, line: &str) -> Verdict {
    let mut parts = line.split(';').map(str::trim);
    let cells: Vec<(String, char)> =
        parts.next().unwrap_or_default().split_whitespace().map(|word| (word[..1].to_owned(), word.chars().nth(1).unwrap())).collect();
    let findings: Vec<Finding> = parts.map(|words| finding(words, &cells)).collect();
    let missing: Vec<String> = cells.iter().filter(|cell| cell.1 == '-').map(|cell| cell.0.clone()).collect();
    let count = |n: usize| u32::try_from(n).unwrap();
    let matrix: Vec<MatrixCell> = cells.iter().filter(|cell| cell.1 != '-').map(|(vantage, mark)| cell(vantage, *mark)).collect();
    Verdict {
        api_version: Verdict::API_VERSION.into(),
        kind: Verdict::KIND.into(),
        target: "www.example.test:443".into(),
        check: Some("web".into()),
        round: RoundId::scheduled(check.id, at(number)),
        revision: 1,
        rules: "1".into(),
        started_at: at(number),
        closed_at: at(number),
        headline: format!("round {number}"),
        healthy: !matrix.is_empty() && findings.iter().all(|finding| finding.cause.is_informational() || finding.locus == Locus::Vantage),
        vantages: Participation { eligible: count(cells.len()), reported: count(matrix.len()), missing, ..Participation::default() },
        findings,
        matrix,
        audit: Vec::new(),
        digest: Some(digest(&[("k", true)], 2)),
    }
}

pub(super) fn digest(keys: &[(&str, bool)], attempts: u32) -> Digest {
    let leaf = |(key, valid): &(&str, bool)| LeafDigest {
        key: (*key).to_owned(),
        chain: format!("chain-of-{key}"),
        not_after: at(1_000_000),
        valid: *valid,
        profiles: vec!["modern".into()],
        attempts,
    };
    Digest {
        builds: [("a".to_owned(), "0.1.0".to_owned())].into(),
        addresses: vec![AddressDigest { address: PLACE.into(), leaves: keys.iter().map(leaf).collect(), ..AddressDigest::default() }],
    }
}

fn cell(vantage: &str, mark: char) -> MatrixCell {
    let (outcome, attempts, failures) = match mark {
        '.' => (Outcome::Ok, 2, 0),
        'F' => (Outcome::TlsReset, 2, 2),
        'm' => (Outcome::TlsReset, 8, 4),
        other => panic!("no such mark: {other}"),
    };
    MatrixCell {
        vantage: vantage.to_owned(),
        address: PLACE.into(),
        profile: "modern".into(),
        outcome,
        attempts,
        failures,
        handshake_ms: None,
        negotiated: None,
        client_refuses: None,
    }
}

/// Reads `cause tier vantages`; without vantages all of them are blamed.
fn finding(words: &str, cells: &[(String, char)]) -> Finding {
    let mut words = words.split_whitespace();
    let cause: Cause = words.next().unwrap().parse().unwrap();
    let tier = match words.next().unwrap() {
        "confirmed" => Tier::Confirmed,
        "likely" => Tier::Likely,
        "suspected" => Tier::Suspected,
        _ => Tier::Insufficient,
    };
    let named: Vec<String> = words.map(str::to_owned).collect();
    let vantages = if named.is_empty() { cells.iter().map(|cell| cell.0.clone()).collect() } else { named };
    Finding {
        locus: cause.locus(),
        cause,
        tier,
        mechanism: None,
        scope: Scope { vantages, addresses: vec![PLACE.into()], profiles: vec!["modern".into()], share: 1.0 },
        location: None,
        evidence: Vec::new(),
        counter: None,
        remedy: Remedy::default(),
    }
}

/// Says of each incident `cause state first-failing..ended vantages`, by the numbers of the rounds.
pub(super) fn told(incidents: &[Incident]) -> Vec<String> {
    let number = |moment: Timestamp| moment.micros_since(at(0)) / 1_000_000 / STEP_S;
    let tell = |incident: &Incident| {
        let end = incident.ended_at.map_or_else(String::new, |end| number(end).to_string());
        format!("{} {} {}..{end} {}", incident.cause, incident.state, number(incident.started_at), incident.scope.vantages.join(" "))
    };
    incidents.iter().map(tell).collect()
}

pub(super) fn incidents(text: &str) -> Vec<String> {
    let check = check();
    told(&Fold::of(&check, &story(&check, text)).incidents())
}
