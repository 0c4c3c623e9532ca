//! Exit codes: the cheapest contract that scripts have.

use parallax_model::verdict::{Locus, Verdict};

/// Healthy or done.
pub const DONE: u8 = 0;
/// Something went wrong that no other code names.
pub const ERROR: u8 = 1;
/// The command line does not parse.
pub const USAGE: u8 = 2;
/// A `server`, `edge` or `dns` finding.
pub const SERVER: u8 = 3;
/// Not authenticated or not allowed.
pub const NOT_ALLOWED: u8 = 4;
/// A `path`, `policy` or `vantage` finding, and none of [`SERVER`]'s.
pub const PATH: u8 = 5;
/// Only `undetermined` findings.
pub const UNDETERMINED: u8 = 6;
/// The coordinator cannot be reached.
pub const UNREACHABLE: u8 = 7;
/// A difference was found.
pub const DIFFERENCE: u8 = 8;
/// Timed out waiting.
pub const TIMED_OUT: u8 = 124;
/// Interrupted.
pub const INTERRUPTED: u8 = 130;

/// Returns the exit code of a verdict.
pub fn of_verdict(verdict: &Verdict) -> u8 {
    if verdict.healthy {
        return DONE;
    }
    let loci = || verdict.findings.iter().filter(|finding| !finding.cause.is_informational()).map(|finding| finding.locus);
    if loci().any(|locus| matches!(locus, Locus::Server | Locus::Edge | Locus::Dns)) {
        SERVER
    } else if loci().any(|locus| matches!(locus, Locus::Path | Locus::Policy | Locus::Vantage)) {
        PATH
    } else {
        UNDETERMINED
    }
}

/// Returns the state that monitoring plug-ins report: 0 fine, 1 warning, 2 critical, 3 unknown.
pub fn nagios(verdict: &Verdict) -> u8 {
    match of_verdict(verdict) {
        DONE => 0,
        PATH => 1,
        SERVER => 2,
        _ => 3,
    }
}

/// An error that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The code.
    pub code: u8,
    /// One sentence that says what happened and what to do.
    pub message: String,
}

impl Failure {
    /// Makes an error with this code and sentence.
    pub fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Makes an error of the command line's words.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        let code = match status.code() {
            tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => NOT_ALLOWED,
            tonic::Code::Unavailable => UNREACHABLE,
            tonic::Code::DeadlineExceeded => TIMED_OUT,
            tonic::Code::InvalidArgument => USAGE,
            _ => ERROR,
        };
        let message = match code {
            UNREACHABLE => format!("the coordinator went away: {}; try again, or look at its log", status.message()),
            NOT_ALLOWED => format!("{}; use a context with a valid token (--context FILE, or --token)", status.message()),
            _ => status.message().to_owned(),
        };
        Self::new(code, message)
    }
}

#[cfg(test)]
mod tests {
    use parallax_model::verdict::{Cause, Finding, Participation, Remedy, Scope, Tier};

    use super::*;

    fn verdict(causes: &[Cause], healthy: bool) -> Verdict {
        let finding = |cause: &Cause| Finding {
            locus: cause.locus(),
            cause: *cause,
            tier: Tier::Likely,
            mechanism: None,
            scope: Scope::default(),
            location: None,
            evidence: Vec::new(),
            counter: None,
            remedy: Remedy::default(),
        };
        Verdict {
            api_version: Verdict::API_VERSION.into(),
            kind: Verdict::KIND.into(),
            target: "x:443".into(),
            check: None,
            round: parallax_model::id::RoundId::new(),
            revision: 1,
            rules: String::new(),
            started_at: parallax_model::clock::Timestamp::default(),
            closed_at: parallax_model::clock::Timestamp::default(),
            headline: String::new(),
            healthy,
            vantages: Participation::default(),
            findings: causes.iter().map(finding).collect(),
            matrix: Vec::new(),
            audit: Vec::new(),
            digest: None,
        }
    }

    #[test]
    fn codes_follow_the_worst_locus() {
        for (causes, healthy, code, state) in [
            (vec![], true, DONE, 0),
            (vec![Cause::ServerCertificateRollout], true, DONE, 0),
            (vec![Cause::VantageClock], true, DONE, 0),
            (vec![Cause::PathSniFilter], false, PATH, 1),
            (vec![Cause::PathSniFilter, Cause::ServerChainIncomplete], false, SERVER, 2),
            (vec![Cause::DnsTampering], false, SERVER, 2),
            (vec![Cause::VantageNetworkDown], false, PATH, 1),
            (vec![Cause::UndeterminedFlaky], false, UNDETERMINED, 3),
        ] {
            let verdict = verdict(&causes, healthy);
            assert_eq!((of_verdict(&verdict), nagios(&verdict)), (code, state), "{causes:?}");
        }
    }
}
