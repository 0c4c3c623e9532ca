//! What a verdict rests on beside itself: the facts, who looked, and what was tried and did not hold.

use serde::{Deserialize, Serialize};

use crate::{
    assignment::Experiment,
    attempt::Attempt,
    outcome::{CertificateFault, Outcome},
    vantage::Labels,
    verdict::{Cause, Finding, Tier, Verdict},
};

/// A verdict with everything that it rests on, as an operator may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// What was judged.
    pub verdict: Verdict,
    /// All attempts of the round.
    pub attempts: Vec<Attempt>,
    /// The hypotheses that were tried and do without; by the present rules.
    pub excluded: Vec<Excluded>,
    /// Who took part.
    pub vantages: Vec<Onlooker>,
    /// Addresses of the fleet's own responders and coordinators, which nobody outside has to know.
    pub own_addresses: Vec<String>,
    /// The version of the rules that the coordinator has now.
    pub present_rules: String,
}

impl Proof {
    /// Says what an attempt means with its certificate judged: the facts alone know only that the handshake came about.
    pub fn judged(&self, attempt: &Attempt) -> Outcome {
        let own = Outcome::of(attempt);
        let chain = attempt.facts.certificates();
        let Some(address) = attempt.address.map(|address| address.to_string()).filter(|_| own.is_ok() && !chain.is_empty()) else { return own };
        let (vantage, profile) = (attempt.vantage.as_str(), attempt.profile.as_str());
        let baseline = attempt.experiment == Experiment::Baseline;
        let cell = self.verdict.matrix.iter().find(|cell| baseline && cell.vantage == vantage && cell.address == address && cell.profile == profile);
        let of_cell = cell.map(|cell| cell.outcome).filter(|outcome| matches!(outcome, Outcome::Certificate(_)));
        let all_fail = cell.is_some_and(|cell| cell.failures > 0 && cell.failures == cell.attempts);
        if let (Some(fault), true) = (of_cell, all_fail) {
            return fault;
        }
        let blaming = self.verdict.findings.iter().filter(|finding| !finding.cause.is_informational() && finding.scope.covers(vantage, &address, profile));
        // What is wrong with a chain is wrong for every name, but for the names that it bears.
        let same_fault = |fault: Outcome, other: &Attempt| {
            (baseline || fault != Outcome::Certificate(CertificateFault::NameMismatch))
                && other.address == attempt.address
                && other.facts.certificates() == chain
        };
        let accused = |finding: &Finding, fault: Outcome| all_fail || self.cited(finding).any(|other| other.id == attempt.id || same_fault(fault, other));
        let mut faults = blaming.filter_map(|finding| self.verdict.certificate_fault(finding).map(|fault| (finding, fault)));
        faults.find(|(finding, fault)| accused(finding, *fault)).map_or(own, |(_, fault)| of_cell.unwrap_or(fault))
    }

    /// Returns the attempts within a finding's scope that its rules rest on.
    fn cited(&self, finding: &Finding) -> impl Iterator<Item = &Attempt> {
        let wanted: Vec<_> = finding.evidence.iter().flat_map(|evidence| &evidence.attempts).collect();
        self.attempts.iter().filter(move |attempt| wanted.contains(&&attempt.id)).filter(|attempt| {
            attempt.address.is_some_and(|address| finding.scope.covers(attempt.vantage.as_str(), &address.to_string(), attempt.profile.as_str()))
        })
    }
}

/// A vantage that took part in a round.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Onlooker {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// The group that it counts in.
    pub group: String,
    /// The address that its session came from, empty when not known.
    pub egress: String,
}

/// A hypothesis that was tried for what a finding blames, and that the finding does without.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The finding's cause.
    pub finding: Cause,
    /// The finding's vantages for which it was tried.
    pub vantages: Vec<String>,
    /// The finding's addresses at which it was tried.
    pub addresses: Vec<String>,
    /// What it says.
    pub cause: Cause,
    /// What it requires, all of it.
    pub requires: String,
    /// What excludes it.
    pub excluded_by: String,
    /// Its best competing explanation.
    pub counter: Cause,
    /// The experiment that would separate the two.
    pub next: String,
    /// How strongly it held, where it held and something stronger was found; none where it did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Tier>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bytes::Bytes,
        clock::Timestamp,
        facts::{Facts, HelloSent, ServerAnswerFacts, TlsEnd, TlsFacts},
        id::{AttemptId, CheckId},
        verdict::{Evidence, Locus, MatrixCell, Remedy, Scope},
    };

    const FAULT: Outcome = Outcome::Certificate(CertificateFault::Expired);

    fn attempt(verdict: &Verdict, experiment: Experiment, end: TlsEnd, chain: u8) -> Attempt {
        let hello = HelloSent { server_name: None, bytes: 200, writes: 1, sha256: Bytes(Vec::new()) };
        let certificates = if end == TlsEnd::Established { vec![Bytes(vec![chain])] } else { Vec::new() };
        let tls = TlsFacts {
            hello,
            end,
            end_us: 1,
            first_byte_us: None,
            bytes_read: 0,
            answer: ServerAnswerFacts::default(),
            handshake: None,
            certificates,
            transcript: Vec::new(),
        };
        Attempt {
            id: AttemptId::new(),
            round: verdict.round,
            check: CheckId(verdict.round.0),
            vantage: "a".parse().unwrap(),
            profile: "modern".parse().unwrap(),
            experiment,
            address: Some("192.0.2.1:443".parse().unwrap()),
            sequence: 0,
            started_at: Timestamp::default(),
            elapsed_us: 1,
            clock_offset_us: None,
            facts: Facts { tls: Some(tls), ..Facts::default() },
        }
    }

    /// A round of one cell in which `failures` of four attempts failed by an expired certificate.
    fn proof(failures: u32) -> Proof {
        let cell = MatrixCell {
            vantage: "a".to_owned(),
            address: "192.0.2.1:443".to_owned(),
            profile: "modern".to_owned(),
            outcome: FAULT,
            attempts: 4,
            failures,
            handshake_ms: None,
            negotiated: None,
            client_refuses: None,
        };
        let verdict = Verdict {
            api_version: Verdict::API_VERSION.to_owned(),
            kind: Verdict::KIND.to_owned(),
            target: "x.test:443".to_owned(),
            check: None,
            round: crate::id::RoundId::new(),
            revision: 1,
            rules: String::new(),
            started_at: Timestamp::default(),
            closed_at: Timestamp::default(),
            headline: String::new(),
            healthy: false,
            vantages: Default::default(),
            findings: Vec::new(),
            matrix: vec![cell],
            audit: Vec::new(),
            digest: None,
        };
        Proof { verdict, attempts: Vec::new(), excluded: Vec::new(), vantages: Vec::new(), own_addresses: Vec::new(), present_rules: String::new() }
    }

    #[test]
    fn a_handshake_in_a_cell_that_fails_by_its_certificate_is_no_pass() {
        let proof = proof(4);
        let (done, cut) =
            (attempt(&proof.verdict, Experiment::Baseline, TlsEnd::Established, 1), attempt(&proof.verdict, Experiment::Baseline, TlsEnd::Reset, 1));
        assert_eq!([proof.judged(&done), proof.judged(&cut)], [FAULT, Outcome::TlsReset]);
        let other_name = attempt(&proof.verdict, Experiment::ControlName, TlsEnd::Established, 1);
        assert_eq!(proof.judged(&other_name), Outcome::Ok, "what a comparison gets is not judged by the cell");
    }

    #[test]
    fn in_a_mixed_cell_the_chain_that_a_finding_cites_decides() {
        let mut proof = proof(2);
        let chains = [1, 1, 2].map(|chain| attempt(&proof.verdict, Experiment::Baseline, TlsEnd::Established, chain));
        let cited = attempt(&proof.verdict, Experiment::ControlName, TlsEnd::Established, 3);
        let same_chain = attempt(&proof.verdict, Experiment::ControlName, TlsEnd::Established, 1);
        let evidence = Evidence { rule: "certificate".to_owned(), text: String::new(), attempts: vec![chains[0].id, cited.id] };
        let scope = Scope { vantages: vec!["a".to_owned()], addresses: vec!["192.0.2.1:443".to_owned()], profiles: Vec::new(), share: 0.5 };
        proof.verdict.findings = vec![Finding {
            locus: Locus::Server,
            cause: Cause::ServerCertificateExpired,
            tier: Tier::Confirmed,
            mechanism: None,
            scope,
            location: None,
            evidence: vec![evidence],
            counter: None,
            remedy: Remedy::default(),
        }];
        proof.attempts = [chains.to_vec(), vec![cited, same_chain]].concat();
        let judged: Vec<Outcome> = proof.attempts.iter().map(|attempt| proof.judged(attempt)).collect();
        assert_eq!(judged, [FAULT, FAULT, Outcome::Ok, FAULT, FAULT]);
    }
}
