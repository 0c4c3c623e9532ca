//! Runs every case of `testdata`.

use std::{collections::BTreeSet, fs, path::Path};

use parallax_model::verdict::{Finding, Verdict};

use super::{
    case::{Case, Expect},
    expand::{self, NOW},
    pki::PKI,
};
use crate::{History, judge};

#[test]
fn every_case_gets_its_verdict() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(files.len() > 40, "the cases are in {}", folder.display());
    let failures: Vec<String> = files.iter().filter_map(|file| wrong(file)).collect();
    assert!(failures.is_empty(), "{} of {} cases fail:\n{}", failures.len(), files.len(), failures.join("\n"));
}

/// Returns what is wrong with the verdict of a case.
fn wrong(file: &Path) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let case: Case = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let verdict = judge(&expand::round(&case), &History::default(), &PKI.trust(), NOW.parse().unwrap());
    let mut complaints = complaints(&case, &verdict);
    complaints.extend(unsound(&verdict));
    if complaints.is_empty() {
        return None;
    }
    let said: Vec<String> = verdict
        .findings
        .iter()
        .map(|finding| {
            format!(
                "{} {} {:?} {:?}",
                finding.cause,
                finding.tier,
                finding.scope,
                finding.evidence.iter().map(|evidence| format!("{}: {}", evidence.rule, evidence.text)).collect::<Vec<_>>()
            )
        })
        .collect();
    Some(format!(
        "{name} ({}):\n  {}\n  healthy {} \"{}\"\n  said: {}",
        case.title,
        complaints.join("\n  "),
        verdict.healthy,
        verdict.headline,
        said.join("\n        ")
    ))
}

fn complaints(case: &Case, verdict: &Verdict) -> Vec<String> {
    let mut complaints = Vec::new();
    if verdict.healthy != case.healthy {
        complaints.push(format!("healthy should be {}", case.healthy));
    }
    for expect in &case.expect {
        // Of several findings with one cause the one is meant that differs least.
        let same = verdict.findings.iter().filter(|finding| finding.cause == expect.cause);
        match same.min_by_key(|finding| differences(expect, finding).len()) {
            Some(finding) => complaints.extend(differences(expect, finding)),
            None => complaints.push(format!("{} is missing", expect.cause)),
        }
    }
    for finding in verdict.findings.iter().filter(|finding| !case.expect.iter().any(|expect| expect.cause == finding.cause)) {
        complaints.push(format!("{} is said and should not be", finding.cause));
    }
    complaints.extend(case.headline.iter().filter(|word| !verdict.headline.contains(*word)).map(|word| format!("the headline lacks {word:?}")));
    complaints
}

fn differences(expect: &Expect, finding: &Finding) -> Vec<String> {
    let mut found = Vec::new();
    let set = |text: &str| text.split_whitespace().map(str::to_owned).collect::<BTreeSet<String>>();
    let mut compare = |what: &str, wanted: &Option<String>, got: &[String]| {
        if let Some(wanted) = wanted.as_deref().filter(|wanted| set(wanted) != got.iter().cloned().collect()) {
            found.push(format!("{}: {what} should be {wanted}, not {got:?}", expect.cause));
        }
    };
    compare("vantages", &expect.vantages, &finding.scope.vantages);
    compare("addresses", &expect.addresses, &finding.scope.addresses);
    compare("profiles", &expect.profiles, &finding.scope.profiles);
    compare("mechanism", &expect.mechanism, finding.mechanism.as_slice());
    if finding.tier != expect.tier {
        found.push(format!("{}: tier should be {}, not {}", expect.cause, expect.tier, finding.tier));
    }
    let hops = finding.location.as_ref().map(|location| [location.first_hop, location.last_hop]);
    if expect.hops.is_some() && expect.hops != hops {
        found.push(format!("{}: hops should be {:?}, not {hops:?}", expect.cause, expect.hops));
    }
    let router = finding.location.as_ref().and_then(|location| location.router.clone());
    if expect.router.is_some() && expect.router != router {
        found.push(format!("{}: router should be {:?}, not {router:?}", expect.cause, expect.router));
    }
    if expect.counter.is_some() && expect.counter != finding.counter.as_ref().map(|counter| counter.cause) {
        found.push(format!("{}: counter should be {:?}, not {:?}", expect.cause, expect.counter, finding.counter));
    }
    if let Some([least, most]) = expect.share.filter(|[least, most]| !(*least..=*most).contains(&finding.scope.share)) {
        found.push(format!("{}: share should be {least} to {most}, not {}", expect.cause, finding.scope.share));
    }
    for rule in expect.rules.iter().filter(|rule| !finding.evidence.iter().any(|evidence| evidence.rule == **rule)) {
        found.push(format!("{}: the rule {rule} did not fire", expect.cause));
    }
    for words in expect.says.iter().filter(|words| !finding.evidence.iter().any(|evidence| evidence.text.contains(*words))) {
        found.push(format!("{}: nothing says {words:?}", expect.cause));
    }
    let next = finding.counter.as_ref().map(|counter| counter.next.as_str()).unwrap_or_default();
    if let Some(words) = expect.next.as_deref().filter(|words| !next.contains(words)) {
        found.push(format!("{}: what is to be tried should be {words:?}, not {next:?}", expect.cause));
    }
    let steps = finding.remedy.steps.join("\n");
    for line in expect.mend.iter().filter(|wanted| !steps.lines().any(|line| line.trim() == **wanted)) {
        found.push(format!("{}: no line of the remedy is {line:?}:\n{steps}", expect.cause));
    }
    for rule in expect.without.iter().filter(|rule| finding.evidence.iter().any(|evidence| evidence.rule == **rule)) {
        found.push(format!("{}: the rule {rule} fired", expect.cause));
    }
    found
}

/// What no verdict may lack, whatever it says.
fn unsound(verdict: &Verdict) -> Vec<String> {
    let mut complaints = Vec::new();
    if verdict.headline.trim().is_empty() || verdict.headline.contains("  ") {
        complaints.push(format!("the headline reads badly: {:?}", verdict.headline));
    }
    for finding in &verdict.findings {
        let cause = finding.cause;
        if finding.evidence.is_empty()
            || finding.evidence.iter().any(|evidence| evidence.text.is_empty() || evidence.text.contains("nobody gets") && evidence.text.is_empty())
        {
            complaints.push(format!("{cause} has no evidence"));
        }
        if finding.scope.vantages.is_empty() || !(0.0..=1.0).contains(&finding.scope.share) {
            complaints.push(format!("{cause} has no sound scope: {:?}", finding.scope));
        }
        if finding.locus.to_string() != "vantage" && finding.counter.is_none() {
            complaints.push(format!("{cause} names no counter"));
        }
        if finding.remedy.summary.is_empty() || finding.remedy.steps.is_empty() {
            complaints.push(format!("{cause} has no remedy"));
        }
        if finding.locus.to_string() == "path" && !finding.remedy.steps[0].starts_with("For the ticket:\n    Time (UTC)   ") {
            complaints.push(format!("{cause} has no ticket"));
        }
        let undetermined = finding.locus.to_string() == "undetermined";
        if undetermined != (finding.tier.to_string() == "insufficient") {
            complaints.push(format!("{cause} has tier {}", finding.tier));
        }
    }
    complaints
}
