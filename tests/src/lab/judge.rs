//! Compares the verdict that a probe gave with the one that is right.

use parallax_model::verdict::Cause;
use serde::{Deserialize, Serialize};

use super::scenario::{Expected, Probe, Tier};

/// How good a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Every cause is there with its blame, and no other.
    Right,
    /// Nothing false is claimed, and something is missing or too weak.
    UnderSpecified,
    /// Something false is claimed, or there is no verdict at all.
    Wrong,
}

/// A grade, with the reasons for anything but `Right`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// The grade.
    pub grade: Grade,
    /// What is missing, too weak or false, one sentence each.
    pub reasons: Vec<String>,
    /// Whether a path was blamed for the server's side, or the server's side for a path.
    pub confused: bool,
    /// What became of each finding that must be there.
    pub weighed: Vec<Weighed>,
    /// Findings that are false.
    pub mistakes: Vec<Mistake>,
}

/// What became of a finding that must be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Weighed {
    /// The causes of which one is right.
    pub causes: Vec<String>,
    /// The tier with which one of them was found; none if it is missing.
    pub tier: Option<Tier>,
    /// Whether it blames the right vantages; none where the scenario states none.
    pub vantages: Option<bool>,
    /// Whether it blames the right addresses; none where the scenario states none.
    pub addresses: Option<bool>,
}

/// A finding that is false.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// The locus of the first finding that must be there; none for a healthy target.
    pub instead_of: Option<String>,
    /// The locus that is blamed.
    pub locus: String,
    /// The cause that is told.
    pub cause: String,
}

/// The part of a verdict document that is judged.
#[derive(Debug, Clone, Deserialize)]
pub struct Document {
    /// Whether the target is healthy.
    pub healthy: bool,
    /// The findings.
    pub findings: Vec<Finding>,
}

/// The part of a finding that is judged.
#[derive(Debug, Clone, Deserialize)]
pub struct Finding {
    /// Where the fault lies.
    pub locus: String,
    /// Its name.
    pub cause: String,
    /// How sure the verdict is.
    pub tier: Tier,
    /// What is blamed.
    #[serde(default)]
    pub scope: Scope,
    /// Where on the path, when it was measured.
    #[serde(default)]
    pub location: Option<Location>,
    /// The rules that fired.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
}

/// The part of a location that is judged.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Location {
    /// The nearest hop.
    pub first_hop: u8,
    /// The farthest hop.
    pub last_hop: u8,
    /// The last router that answered before it.
    #[serde(default)]
    pub router: Option<String>,
}

/// The part of a piece of evidence that is judged.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Evidence {
    /// The rule's name.
    pub rule: String,
}

/// The part of a scope that is judged.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Scope {
    /// The blamed vantages.
    #[serde(default)]
    pub vantages: Vec<String>,
    /// The blamed addresses with their ports.
    #[serde(default)]
    pub addresses: Vec<String>,
}

impl Judgement {
    /// The judgement on a probe that gave no verdict.
    pub fn none(reason: String) -> Self {
        Self { grade: Grade::Wrong, reasons: vec![reason], ..Self::right() }
    }

    fn right() -> Self {
        Self { grade: Grade::Right, reasons: Vec::new(), confused: false, weighed: Vec::new(), mistakes: Vec::new() }
    }

    fn lower(&mut self, grade: Grade, reason: String) {
        self.grade = self.grade.max(grade);
        self.reasons.push(reason);
    }
}

/// Judges a verdict.
pub fn judge(probe: &Probe, document: &Document) -> Judgement {
    let mut judgement = Judgement::right();
    let mut used = vec![false; document.findings.len()];
    for expected in &probe.findings {
        match_expected(expected, document, &mut used, &mut judgement);
    }
    for (finding, used) in document.findings.iter().zip(used) {
        let Finding { cause, locus, .. } = finding;
        if used || cause.parse().is_ok_and(Cause::is_informational) {
            continue;
        }
        let is_forbidden = probe.forbidden.contains(locus);
        if probe.allowed.contains(cause) && !is_forbidden {
            continue;
        }
        if locus == "undetermined" && !is_forbidden {
            judgement.lower(Grade::UnderSpecified, format!("{cause} was found"));
        } else {
            let why = if is_forbidden { "blames the wrong party" } else { "is false" };
            judgement.lower(Grade::Wrong, format!("{cause} ({}) {why}", finding.scope.vantages.join(" ")));
            judgement.mistakes.push(Mistake { instead_of: first_locus(probe), locus: locus.clone(), cause: cause.clone() });
        }
        judgement.confused |= is_confused(probe, locus);
    }
    if let Some(healthy) = probe.healthy.filter(|&healthy| healthy != document.healthy) {
        let grade = if document.findings.iter().any(|finding| finding.locus == "undetermined") { Grade::UnderSpecified } else { Grade::Wrong };
        judgement.lower(grade, format!("healthy is {}, and should be {healthy}", document.healthy));
    }
    judgement
}

fn match_expected(expected: &Expected, document: &Document, used: &mut [bool], judgement: &mut Judgement) {
    let candidates = || document.findings.iter().enumerate().filter(|(_, finding)| expected.causes.contains(&finding.cause));
    let fits = |finding: &Finding| blame(expected, finding).is_empty();
    let chosen = candidates().find(|(index, finding)| !used[*index] && fits(finding)).or_else(|| candidates().find(|(index, _)| !used[*index]));
    let mut weighed = Weighed { causes: expected.causes.clone(), tier: None, vantages: None, addresses: None };
    let Some((index, finding)) = chosen else {
        judgement.weighed.push(weighed);
        return judgement.lower(Grade::UnderSpecified, format!("{} is missing", expected.causes.join(" or ")));
    };
    used[index] = true;
    weighed.tier = Some(finding.tier);
    weighed.vantages = expected.vantages.as_ref().map(|_| wrong_vantages(expected, finding).is_none());
    weighed.addresses = expected.addresses.as_ref().map(|_| wrong_addresses(expected, finding).is_none());
    judgement.weighed.push(weighed);
    for reason in blame(expected, finding) {
        judgement.lower(Grade::Wrong, format!("{} {reason}", finding.cause));
    }
    if finding.tier < expected.tier {
        judgement.lower(Grade::UnderSpecified, format!("{} is only {:?}, not {:?}", finding.cause, finding.tier, expected.tier).to_lowercase());
    }
    whereabouts(expected, finding, judgement);
    for rule in expected.rules.iter().filter(|rule| !finding.evidence.iter().any(|evidence| evidence.rule == **rule)) {
        judgement.lower(Grade::UnderSpecified, format!("{} does not rest on {rule}", finding.cause));
    }
}

/// A missing location is under-specified; one more than a hop off sends somebody to the wrong owner.
fn whereabouts(expected: &Expected, finding: &Finding, judgement: &mut Judgement) {
    let Some(hop) = expected.hop else { return };
    let Some(Location { first_hop, last_hop, router }) = &finding.location else {
        return judgement.lower(Grade::UnderSpecified, format!("{} is not located, and stands at hop {hop}", finding.cause));
    };
    if !(first_hop.saturating_sub(1)..=last_hop.saturating_add(1)).contains(&hop) {
        judgement.lower(Grade::Wrong, format!("{} is put at hops {first_hop} to {last_hop}, and stands at hop {hop}", finding.cause));
    } else if last_hop - first_hop.min(last_hop) > MOST_SPAN {
        judgement.lower(Grade::UnderSpecified, format!("{} is put anywhere from hop {first_hop} to {last_hop}", finding.cause));
    }
    if let Some(wanted) = expected.router.as_ref().filter(|wanted| router.as_ref() != Some(wanted)) {
        let told = router.as_deref().unwrap_or("nobody");
        judgement.lower(Grade::UnderSpecified, format!("{} names {told} as the last router before it, and should name {wanted}", finding.cause));
    }
}

const MOST_SPAN: u8 = 2;

fn blame(expected: &Expected, finding: &Finding) -> Vec<String> {
    wrong_vantages(expected, finding).into_iter().chain(wrong_addresses(expected, finding)).collect()
}

fn wrong_vantages(expected: &Expected, finding: &Finding) -> Option<String> {
    let vantages = expected.vantages.as_ref()?;
    let missing = vantages.iter().any(|name| !finding.scope.vantages.contains(name));
    let extra = finding.scope.vantages.iter().any(|name| !vantages.contains(name) && !expected.optional_vantages.contains(name));
    (missing || extra).then(|| format!("blames vantages [{}], and should blame [{}]", finding.scope.vantages.join(" "), vantages.join(" ")))
}

fn wrong_addresses(expected: &Expected, finding: &Finding) -> Option<String> {
    let addresses = expected.addresses.as_ref()?;
    let same = addresses.len() == finding.scope.addresses.len() && addresses.iter().all(|address| finding.scope.addresses.contains(address));
    (!same).then(|| format!("blames addresses [{}], and should blame [{}]", finding.scope.addresses.join(" "), addresses.join(" ")))
}

fn first_locus(probe: &Probe) -> Option<String> {
    let cause = probe.findings.first()?.causes.first()?;
    cause.split('.').next().map(str::to_owned)
}

/// Which party a locus speaks of: the server's side, the way there, or neither.
fn side(locus: &str) -> Option<bool> {
    match locus {
        "server" | "edge" | "policy" => Some(true),
        "path" => Some(false),
        _ => None,
    }
}

fn is_confused(probe: &Probe, locus: &str) -> bool {
    let Some(found) = side(locus) else { return false };
    let mut expected =
        probe.findings.iter().flat_map(|finding| &finding.causes).filter_map(|cause| side(cause.split('.').next().unwrap_or_default())).peekable();
    expected.peek().is_some() && expected.all(|side| side != found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::scenario::Scenario;

    fn probe(finding: &str) -> Probe {
        Scenario::parse("x", &format!("title=''\n[[probe]]\n{finding}")).unwrap().probes.remove(0)
    }

    fn document(findings: &[(&str, &str, &str)]) -> Document {
        let finding = |&(cause, tier, vantages): &(&str, &str, &str)| {
            let vantages: Vec<_> = vantages.split_whitespace().collect();
            serde_json::json!({"locus": cause.split('.').next(), "cause": cause, "tier": tier, "scope": {"vantages": vantages, "addresses": ["192.0.2.11:443"]}})
        };
        let findings: Vec<_> = findings.iter().map(finding).collect();
        serde_json::from_value(serde_json::json!({"healthy": findings.is_empty(), "findings": findings})).unwrap()
    }

    const FILTER: &str = "[[probe.finding]]\ncauses=['path.sni-filter']\nvantages=['a','d']\ntier='confirmed'\n";

    #[test]
    fn the_same_cause_and_blame_is_right_in_any_order_of_vantages() {
        assert_eq!(judge(&probe(FILTER), &document(&[("path.sni-filter", "confirmed", "d a")])).grade, Grade::Right);
    }

    #[test]
    fn weaker_missing_or_undetermined_is_under_specified() {
        for found in [&[("path.sni-filter", "likely", "a d")][..], &[], &[("undetermined.insufficient", "insufficient", "a d")]] {
            let judgement = judge(&probe(FILTER), &document(found));
            assert_eq!(judgement.grade, Grade::UnderSpecified, "{judgement:?}");
            assert!(!judgement.confused && !judgement.reasons.is_empty());
        }
    }

    #[test]
    fn wrong_blame_and_false_causes_are_wrong() {
        for found in [&[("path.sni-filter", "confirmed", "a")][..], &[("path.sni-filter", "confirmed", "a d"), ("path.throttling", "suspected", "a")]] {
            assert_eq!(judge(&probe(FILTER), &document(found)).grade, Grade::Wrong);
        }
        let addressed = format!("{FILTER}addresses=['192.0.2.12:443']\n");
        assert_eq!(judge(&probe(&addressed), &document(&[("path.sni-filter", "confirmed", "a d")])).grade, Grade::Wrong);
    }

    #[test]
    fn a_location_is_right_within_one_hop() {
        let located = |first: u8, last: u8| {
            let mut document = document(&[("path.sni-filter", "confirmed", "a d")]);
            document.findings[0].location = Some(Location { first_hop: first, last_hop: last, router: Some("198.18.1.1".to_owned()) });
            document
        };
        let expecting = probe(&format!("{FILTER}hop=2\nrouter='198.18.1.1'\n"));
        for (first, last, grade) in [(2, 3, Grade::Right), (3, 3, Grade::Right), (4, 5, Grade::Wrong), (1, 6, Grade::UnderSpecified)] {
            assert_eq!(judge(&expecting, &located(first, last)).grade, grade, "{first} to {last}");
        }
        assert_eq!(judge(&expecting, &document(&[("path.sni-filter", "confirmed", "a d")])).grade, Grade::UnderSpecified);
        let elsewhere = probe(&format!("{FILTER}hop=2\nrouter='198.18.1.138'\n"));
        assert_eq!(judge(&elsewhere, &located(2, 3)).grade, Grade::UnderSpecified);
    }

    #[test]
    fn evidence_that_must_be_there_is_missed() {
        let expecting = probe(&format!("{FILTER}rules=['reply-ttl']\n"));
        let mut told = document(&[("path.sni-filter", "confirmed", "a d")]);
        assert_eq!(judge(&expecting, &told).grade, Grade::UnderSpecified);
        told.findings[0].evidence = vec![Evidence { rule: "reply-ttl".to_owned() }];
        assert_eq!(judge(&expecting, &told).grade, Grade::Right);
    }

    #[test]
    fn blaming_the_server_for_a_path_is_flagged_and_the_reverse_too() {
        let judgement = judge(&probe(FILTER), &document(&[("server.closes-handshake", "likely", "a d")]));
        assert!(judgement.confused && judgement.grade == Grade::Wrong);
        let server = "[[probe.finding]]\ncauses=['server.not-tls']\n";
        assert!(judge(&probe(server), &document(&[("path.tls-block", "suspected", "a")])).confused);
        let both = "[[probe.finding]]\ncauses=['server.not-tls','path.tls-block']\n";
        assert!(!judge(&probe(both), &document(&[("path.state-loss", "suspected", "a")])).confused);
    }

    #[test]
    fn a_healthy_target_must_be_called_healthy_and_informational_findings_may_be_allowed() {
        let healthy = probe("healthy = true\nallowed = ['server.certificate-rollout']\n");
        assert_eq!(judge(&healthy, &document(&[])).grade, Grade::Right);
        assert_eq!(judge(&healthy, &Document { healthy: false, findings: Vec::new() }).grade, Grade::Wrong);
        let mut rollout = document(&[("server.certificate-rollout", "likely", "a b")]);
        rollout.healthy = true;
        assert_eq!(judge(&healthy, &rollout).grade, Grade::Right);
    }

    #[test]
    fn a_forbidden_locus_is_wrong_even_where_its_cause_is_allowed() {
        let forbidding = probe("allowed = ['server.unreachable']\nforbidden = ['server']\n");
        assert_eq!(judge(&forbidding, &document(&[("server.unreachable", "suspected", "a")])).grade, Grade::Wrong);
    }
}
