//! What a round means: findings with locus, cause, tier, scope, evidence, counter and remedy.
//!
//! The JSON form is the product's public promise: fields may be added, never changed.

use std::fmt;

use parallax_tls::registry::{CipherSuite, NamedGroup, ProtocolVersion};
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    digest::Digest,
    facts::TlsFacts,
    id::{AttemptId, RoundId},
    outcome::Outcome,
    report::AuditReport,
};

/// What a round means, computed from all its attempts and the last verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Verdict {
    /// Always `parallax/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// Always `Verdict`.
    pub kind: String,
    /// `HOST:PORT`.
    pub target: String,
    /// The check's name, none for an ad-hoc probe.
    pub check: Option<String>,
    /// The round that is judged.
    pub round: RoundId,
    /// Grows by one when late results change the verdict; starts at 1.
    pub revision: u32,
    /// The version of the rules that judged.
    #[serde(default)]
    pub rules: String,
    /// When the round started.
    pub started_at: Timestamp,
    /// When the round was closed.
    pub closed_at: Timestamp,
    /// One sentence that a person can act on.
    pub headline: String,
    /// Whether the target is fine from every vantage that could judge it.
    pub healthy: bool,
    /// Who took part.
    pub vantages: Participation,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// One cell per vantage, address and profile.
    pub matrix: Vec<MatrixCell>,
    /// What the server can do, one entry per address, of a round with audits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audit: Vec<AuditReport>,
    /// What was seen of the target in short, so that later rounds can say what changed; none in verdicts of older coordinators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// Who took part in a round.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Participation {
    /// Vantages that the round wanted.
    pub eligible: u32,
    /// Vantages that reported.
    pub reported: u32,
    /// Vantages whose observations are shown and not scored.
    pub discarded: Vec<Discarded>,
    /// Vantages that the round wanted and did not hear.
    #[serde(default)]
    pub missing: Vec<String>,
    /// Gates that could not be run, in words, for example that no responder is configured.
    #[serde(default)]
    pub gates_not_run: Vec<String>,
}

/// A vantage whose observations are not scored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// The vantage.
    pub vantage: String,
    /// A `vantage.*` cause, or `policy-denied`, `interrupted` and the like.
    pub cause: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Where the fault lies.
    pub locus: Locus,
    /// What it is.
    pub cause: Cause,
    /// How strong the evidence is.
    pub tier: Tier,
    /// The deepest observed node, in OONI's naming where it has one: `tls.reset.sni`.
    pub mechanism: Option<String>,
    /// Who and what is blamed.
    pub scope: Scope,
    /// Where on the path, when it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The rules that fired.
    pub evidence: Vec<Evidence>,
    /// The best competing explanation and what would separate the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counter: Option<Counter>,
    /// What to change and where.
    pub remedy: Remedy,
}

/// Who and what is blamed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Vantages that fail by this cause; for `server.*` all that tried.
    pub vantages: Vec<String>,
    /// Addresses, `ADDRESS:PORT`.
    pub addresses: Vec<String>,
    /// Profiles.
    pub profiles: Vec<String>,
    /// Share of the attempts that fail, 0 to 1.
    pub share: f64,
}

/// Where on the path something sits; hop 1 is the first router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The nearest hop that it can be at.
    pub first_hop: u8,
    /// The farthest hop that it can be at.
    pub last_hop: u8,
    /// The address of the last router that answered before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The rule's name.
    pub rule: String,
    /// Its sentence, with counts.
    pub text: String,
    /// The attempts that it rests on.
    pub attempts: Vec<AttemptId>,
}

/// The best competing explanation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// The competing cause.
    pub cause: Cause,
    /// The experiment that would separate the two.
    pub next: String,
}

/// What to change and where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Remedy {
    /// One sentence.
    pub summary: String,
    /// Settings, commands, or the text for a ticket.
    pub steps: Vec<String>,
}

/// One cell of the matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixCell {
    /// The vantage.
    pub vantage: String,
    /// `ADDRESS:PORT`, or `HOST:PORT` where nothing was resolved.
    pub address: String,
    /// The profile.
    pub profile: String,
    /// What most failing attempts showed, `ok` when none failed.
    pub outcome: Outcome,
    /// Attempts that completed.
    pub attempts: u32,
    /// Attempts that failed.
    pub failures: u32,
    /// Median time to the end of the handshake, milliseconds, over the attempts that passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake_ms: Option<f64>,
    /// What the server chose in the last attempt that passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negotiated: Option<Negotiated>,
    /// Why the client whose hello was sent would go no further, although the server chose what it offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_refuses: Option<String>,
}

/// What a server chose, by the names of the TLS registries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Negotiated {
    /// The version: `TLSv1.3`.
    pub version: String,
    /// The cipher suite: `TLS_AES_128_GCM_SHA256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher_suite: Option<String>,
    /// The key-exchange group: `X25519MLKEM768`; none where the suite needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Bits of a finite-field group (DHE of TLS 1.2 and before).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dh_bits: Option<u16>,
}

/// Where a fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the contract's own words, explained by catalogue pages")]
pub enum Locus {
    Server,
    Edge,
    Policy,
    Path,
    Dns,
    Vantage,
    Undetermined,
}

impl fmt::Display for Locus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Server => "server",
            Self::Edge => "edge",
            Self::Policy => "policy",
            Self::Path => "path",
            Self::Dns => "dns",
            Self::Vantage => "vantage",
            Self::Undetermined => "undetermined",
        })
    }
}

/// How strong the evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Undetermined findings have no more than this.
    Insufficient,
    /// A contrast with one passing group only.
    Suspected,
    /// A contrast with two passing groups or more, or for a server two groups that fail alike.
    Likely,
    /// An artefact settles authorship by itself.
    Confirmed,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Insufficient => "insufficient",
            Self::Suspected => "suspected",
            Self::Likely => "likely",
            Self::Confirmed => "confirmed",
        })
    }
}

macro_rules! causes {
    (faults { $($fault:ident = $fault_locus:ident $fault_text:literal,)* } advice { $($advice:ident = $advice_locus:ident $advice_text:literal,)* }) => {
        causes! { $($fault = $fault_locus $fault_text,)* $($advice = $advice_locus $advice_text,)* }

        impl Cause {
            /// Tells whether a finding of this cause leaves the round healthy: it is advice, or worth knowing, and no fault.
            pub fn is_informational(self) -> bool {
                matches!(self, $(Self::$advice)|*)
            }
        }
    };
    ($($name:ident = $locus:ident $text:literal,)*) => {
        /// What is wrong; the names are a public promise, none is ever renamed or reused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each has its page in the catalogue")]
        pub enum Cause {
            $(#[serde(rename = $text)] $name,)*
        }

        impl Cause {
            /// Every cause, in the order of the contract.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the name, `locus.what`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Returns where a fault of this cause lies.
            pub fn locus(self) -> Locus {
                match self {
                    $(Self::$name => Locus::$locus,)*
                }
            }
        }
    };
}

causes! {
    faults {
        ServerUnreachable = Server "server.unreachable",
        ServerRefused = Server "server.refused",
        ServerNotTls = Server "server.not-tls",
        ServerStarttlsNotOffered = Server "server.starttls-not-offered",
        ServerClosesHandshake = Server "server.closes-handshake",
        ServerSlowHandshake = Server "server.slow-handshake",
        ServerProtocolVersion = Server "server.protocol-version",
        ServerCipherSuites = Server "server.cipher-suites",
        ServerKeyExchangeGroups = Server "server.key-exchange-groups",
        ServerAlpn = Server "server.alpn",
        ServerSniRejected = Server "server.sni-rejected",
        ServerDefaultCertificate = Server "server.default-certificate",
        ServerClientCertificateRequired = Server "server.client-certificate-required",
        ServerHelloIntolerance = Server "server.hello-intolerance",
        ServerCertificateExpired = Server "server.certificate-expired",
        ServerCertificateNotYetValid = Server "server.certificate-not-yet-valid",
        ServerCertificateNameMismatch = Server "server.certificate-name-mismatch",
        ServerCertificateSelfSigned = Server "server.certificate-self-signed",
        ServerCertificateUntrusted = Server "server.certificate-untrusted",
        ServerCertificateWeakKey = Server "server.certificate-weak-key",
        ServerCertificateWeakSignature = Server "server.certificate-weak-signature",
        ServerCertificateRevoked = Server "server.certificate-revoked",
        ServerCertificateKeyType = Server "server.certificate-key-type",
        ServerCertificatePurpose = Server "server.certificate-purpose",
        ServerCertificateNameConstraints = Server "server.certificate-name-constraints",
        ServerChainIncomplete = Server "server.chain-incomplete",
        ServerChainMisordered = Server "server.chain-misordered",
        ServerChainExpired = Server "server.chain-expired",
        ServerStapleMissing = Server "server.staple-missing",
        ServerStapleInvalid = Server "server.staple-invalid",
        ServerUpstreamFailure = Server "server.upstream-failure",
        ServerHttp2Broken = Server "server.http2-broken",
        ServerOverloaded = Server "server.overloaded",
        ServerIpv6Unserved = Server "server.ipv6-unserved",
        EdgeMtuBlackhole = Edge "edge.mtu-blackhole",
        EdgeFilter = Edge "edge.filter",
        EdgeBlocked = Edge "edge.blocked",
        PolicySourceBlocked = Policy "policy.source-blocked",
        PolicyRateLimited = Policy "policy.rate-limited",
        PolicyBanned = Policy "policy.banned",
        PolicyHttpDenied = Policy "policy.http-denied",
        PathSniFilter = Path "path.sni-filter",
        PathAddressBlock = Path "path.address-block",
        PathTlsBlock = Path "path.tls-block",
        PathMtuBlackhole = Path "path.mtu-blackhole",
        PathHelloSize = Path "path.hello-size",
        PathHelloSplit = Path "path.hello-split",
        PathVersionFilter = Path "path.version-filter",
        PathInterception = Path "path.interception",
        PathMultipathLeg = Path "path.multipath-leg",
        PathReturnLoss = Path "path.return-loss",
        PathRateLimited = Path "path.rate-limited",
        PathStateLoss = Path "path.state-loss",
        PathThrottling = Path "path.throttling",
        PathStarttlsStripped = Path "path.starttls-stripped",
        PathQuicBlocked = Path "path.quic-blocked",
        DnsTampering = Dns "dns.tampering",
        DnsBlocked = Dns "dns.blocked",
        DnsZoneBroken = Dns "dns.zone-broken",
        VantageNetworkDown = Vantage "vantage.network-down",
        VantageCaptivePortal = Vantage "vantage.captive-portal",
        VantageClock = Vantage "vantage.clock",
        VantageIpv6 = Vantage "vantage.ipv6",
        VantageResolver = Vantage "vantage.resolver",
        VantageInstrument = Vantage "vantage.instrument",
        UndeterminedInsufficient = Undetermined "undetermined.insufficient",
        UndeterminedGroupBlocked = Undetermined "undetermined.group-blocked",
        UndeterminedFlaky = Undetermined "undetermined.flaky",
        UndeterminedConflicting = Undetermined "undetermined.conflicting",
    }
    advice {
        ServerCertificateRollout = Server "server.certificate-rollout",
        ServerCertificateExpiring = Server "server.certificate-expiring",
        ServerCertificateLifetime = Server "server.certificate-lifetime",
        ServerCertificateDrift = Server "server.certificate-drift",
        ServerChainSurplus = Server "server.chain-surplus",
        ServerChainOversized = Server "server.chain-oversized",
        ServerClientCertificateOptional = Server "server.client-certificate-optional",
        ServerClock = Server "server.clock",
        ServerHsts = Server "server.hsts",
        ServerClientAuthorities = Server "server.client-authorities",
        ServerNameNeeded = Server "server.name-needed",
        ServerOldVersions = Server "server.old-versions",
        ServerOutdatedStack = Server "server.outdated-stack",
        ServerTls13Missing = Server "server.tls13-missing",
        ServerWeakSuites = Server "server.weak-suites",
        ServerSuiteOrder = Server "server.suite-order",
        ServerTls13Suites = Server "server.tls13-suites",
        ServerGroups = Server "server.groups",
        ServerWeakDh = Server "server.weak-dh",
        ServerInsecureRenegotiation = Server "server.insecure-renegotiation",
        ServerObsoleteFeatures = Server "server.obsolete-features",
        ServerEarlyData = Server "server.early-data",
        ServerTicketLifetime = Server "server.ticket-lifetime",
        ServerNoResumption = Server "server.no-resumption",
        ServerResumptionPerNode = Server "server.resumption-per-node",
        ServerResumptionAcrossNames = Server "server.resumption-across-names",
        ServerClientRenegotiation = Server "server.client-renegotiation",
        ServerFallbackUnprotected = Server "server.fallback-unprotected",
        ServerHelloLimits = Server "server.hello-limits",
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Says that a text is no cause's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no cause is called {0:?}")]
pub struct UnknownCause(pub String);

impl std::str::FromStr for Cause {
    type Err = UnknownCause;
    fn from_str(text: &str) -> Result<Self, UnknownCause> {
        Self::ALL.iter().copied().find(|cause| cause.as_str() == text).ok_or_else(|| UnknownCause(text.to_owned()))
    }
}

impl Negotiated {
    /// Reads what the server chose out of the facts of a handshake, none when it chose nothing.
    pub fn of(tls: &TlsFacts) -> Option<Self> {
        let full = tls.handshake.as_ref();
        let version = full.and_then(|full| full.version).or(tls.answer.version)?;
        let suite = full.and_then(|full| full.cipher_suite).or(tls.answer.cipher_suite);
        let group = full.and_then(|full| full.group).or(tls.answer.group);
        Some(Self {
            version: ProtocolVersion(version).name().into_owned(),
            cipher_suite: suite.map(|suite| CipherSuite(suite).name().into_owned()),
            group: group.map(|group| NamedGroup(group).name().into_owned()),
            dh_bits: tls.answer.dh_bits,
        })
    }
}

impl Scope {
    /// Tells whether a cell of the matrix lies within it; an empty list means all.
    pub fn covers(&self, vantage: &str, address: &str, profile: &str) -> bool {
        let has = |list: &[String], value: &str| list.is_empty() || list.iter().any(|item| item == value);
        has(&self.vantages, vantage) && has(&self.addresses, address) && has(&self.profiles, profile)
    }
}

impl Finding {
    /// Tells whether it blames a cell.
    pub fn blames(&self, cell: &MatrixCell) -> bool {
        cell.failures > 0 && self.scope.covers(&cell.vantage, &cell.address, &cell.profile)
    }
}

impl Verdict {
    /// Returns what is wrong with the certificate in the cells that a finding blames; none where they fail by something else.
    pub fn certificate_fault(&self, finding: &Finding) -> Option<Outcome> {
        let named = finding.mechanism.as_deref().and_then(|mechanism| mechanism.parse().ok());
        let seen = self.matrix.iter().filter(|cell| finding.blames(cell)).map(|cell| cell.outcome);
        named.into_iter().chain(seen).find(|outcome| matches!(outcome, Outcome::Certificate(_)))
    }

    /// Returns the part of the headline that speaks of a finding; none where the headline does not tell its parts apart.
    pub fn sentence_of(&self, finding: &Finding) -> Option<String> {
        let faults = || self.findings.iter().filter(|finding| finding.locus != Locus::Vantage && !finding.cause.is_informational());
        let at = faults().position(|other| other == finding)?;
        let told = self.headline.strip_prefix(&format!("{}: ", self.target))?.strip_suffix('.')?;
        let parts: Vec<&str> = told.split("; ").collect();
        (parts.len() == faults().count()).then(|| format!("{}.", parts[at]))
    }

    /// The value of `apiVersion`.
    pub const API_VERSION: &str = "parallax/v1";
    /// The value of `kind`.
    pub const KIND: &str = "Verdict";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_reads_back_and_begins_with_its_locus() {
        for cause in Cause::ALL {
            assert_eq!(cause.as_str().parse(), Ok(*cause));
            assert!(cause.as_str().starts_with(&format!("{}.", cause.locus())), "{cause}");
        }
    }
}
