//! What failed at an address, and how.

use std::net::SocketAddr;

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    facts::ConnectEnd,
    id::ProfileName,
    outcome::Outcome,
    profile::{Profile, REQUIRED_PROFILE},
};

use super::RowSoFar;

/// A failing address, as the lists need to know it.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    pub(super) row: RowSoFar<'a>,
    /// The failing profile that is looked into.
    pub(super) lead: Profile,
    pub(super) symptom: Symptom,
    /// Whether the check requires the lead.
    pub(super) required: bool,
    /// Whether the lead both passes and fails.
    pub(super) mixed: bool,
    /// Whether another profile passes at the same address.
    pub(super) others_pass: bool,
    /// Whether the lead's hello carries the target's name.
    pub(super) named: bool,
    /// Failing profiles that fail in another way than the lead.
    pub(super) odd_ones: Vec<(ProfileName, Symptom)>,
    /// Every failing profile with the number of its baseline attempts.
    pub(super) failing: Vec<(ProfileName, u32)>,
    /// The slowest connect that was seen there, microseconds.
    pub(super) round_trip_us: u64,
    /// How long the latest end of a handshake there took to come, microseconds; silences that were given up do not count.
    pub(super) latest_end_us: u64,
}

/// How the lead fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symptom {
    /// Nothing answers the SYN, or a router says no.
    NoAnswer,
    /// The SYN is refused.
    Refused,
    /// The connection ends after the hello: reset, close, something that is not TLS.
    Cut,
    /// An alert in clear.
    Alert,
    /// Nothing more comes.
    Silence,
    /// The prober's library went no further.
    LocalRefusal,
    /// It ends before TLS, or over QUIC: there is no hello whose segments could be varied.
    BeforeTls,
    /// The server itself answered under its key: there is nothing to find out on the way.
    Authenticated,
}

impl<'a> Case<'a> {
    /// Reads the case from a row; none when nothing failed at the address.
    pub(super) fn of(row: &RowSoFar<'a>) -> Option<Self> {
        let here = |attempt: &&Attempt| attempt.experiment == Experiment::Baseline && attempt.address == Some(row.address);
        let baseline: Vec<&Attempt> = row.attempts.iter().filter(here).collect();
        let of = |name: &ProfileName| baseline.iter().filter(|attempt| attempt.profile == *name).map(|attempt| Outcome::of(attempt)).collect::<Vec<_>>();
        let fails = |name: &&ProfileName| of(name).into_iter().any(Outcome::is_failure);
        let passes = |name: &&ProfileName| of(name).into_iter().any(Outcome::is_ok);
        let mut failing: Vec<&ProfileName> = row.check.profiles.iter().filter(fails).collect();
        // What a large hello meets may hang on which segment its name falls into: that it fails, or wavers, shows less than that a small one wavers.
        let is_large = |name: &ProfileName| row.check.profile(name.as_str()).is_some_and(|profile| profile.hello.exceeds_one_segment());
        failing.sort_by_key(|name| {
            let (wavers, large) = (passes(name), is_large(name));
            (name.as_str() != REQUIRED_PROFILE, !wavers || large, wavers && large)
        });
        let symptom = |name: &ProfileName| {
            let last = baseline.iter().rev().find(|attempt| attempt.profile == *name && Outcome::of(attempt).is_failure());
            last.map_or(Symptom::Authenticated, |attempt| Symptom::of(attempt))
        };
        // What the server said under its key needs no looking into, as long as there is something else.
        let lead_name = failing.iter().find(|name| symptom(name) != Symptom::Authenticated).or_else(|| failing.first())?;
        let lead = row.check.profile(lead_name.as_str())?;
        let count = |name: &ProfileName| u32::try_from(of(name).len()).unwrap_or(u32::MAX);
        let connects = row.attempts.iter().filter_map(|attempt| attempt.facts.tcp.as_ref()).filter(|tcp| tcp.remote == row.address);
        Some(Self {
            row: *row,
            symptom: symptom(lead_name),
            odd_ones: failing.iter().filter(|name| symptom(name) != symptom(lead_name)).map(|name| ((*name).clone(), symptom(name))).collect(),
            required: row.check.requires(lead_name),
            mixed: passes(lead_name),
            others_pass: row.check.profiles.iter().any(|name| name != *lead_name && !fails(&name) && passes(&name)),
            named: lead.hello.server_name && row.check.target.server_name().is_some(),
            failing: failing.iter().map(|name| ((*name).clone(), count(name))).collect(),
            latest_end_us: baseline
                .iter()
                .filter(|attempt| !matches!(Outcome::of(attempt), Outcome::TlsTimeout | Outcome::HttpTimeout))
                .filter_map(|attempt| Some(attempt.facts.tls.as_ref()?.end_us + attempt.facts.http.as_ref().map_or(0, |http| http.elapsed_us)))
                .max()
                .unwrap_or(0),
            round_trip_us: connects.filter(|tcp| tcp.end == ConnectEnd::Connected).map(|tcp| tcp.connect_us).max().unwrap_or(0),
            lead,
        })
    }

    /// Returns how many baseline attempts a failing profile needs in all, so that chance is ruled out.
    pub(super) fn wanted_baselines(&self, name: &ProfileName) -> u32 {
        if *name == self.lead.name || self.row.check.requires(name) { 4 } else { 3 }
    }

    /// Returns other doors of the same server: usual ports of the address, and the target's other addresses of the family.
    pub(super) fn siblings(&self) -> Vec<SocketAddr> {
        let same = self.row.address;
        let ports = [443, 80].into_iter().filter(|port| *port != same.port()).map(|port| SocketAddr::new(same.ip(), port));
        let others = self.row.attempts.iter().filter(|attempt| attempt.experiment == Experiment::Baseline).filter_map(|attempt| attempt.address);
        let mut siblings: Vec<SocketAddr> = Vec::new();
        for other in others.filter(|other| other.ip() != same.ip() && other.is_ipv4() == same.is_ipv4()).chain(ports) {
            if !siblings.contains(&other) {
                siblings.push(other);
            }
        }
        siblings
    }

    /// Returns the responders of the same family, those on the target's port first: only they prove something about the port.
    pub(super) fn responders(&self) -> Vec<SocketAddr> {
        let same_family = |responder: &&SocketAddr| responder.is_ipv4() == self.row.address.is_ipv4();
        let mut responders: Vec<SocketAddr> = self.row.responders.iter().filter(same_family).copied().collect();
        responders.sort_by_key(|responder| responder.port() != self.row.address.port());
        responders
    }
}

impl Symptom {
    fn of(attempt: &Attempt) -> Self {
        match Outcome::of(attempt) {
            Outcome::TcpRefused => Self::Refused,
            Outcome::TcpTimeout | Outcome::TcpUnreachable => Self::NoAnswer,
            Outcome::TlsReset | Outcome::TlsClosed | Outcome::TlsNotTls | Outcome::TlsMalformed | Outcome::TcpReset => Self::Cut,
            Outcome::TlsTimeout | Outcome::TlsUnreachable | Outcome::TlsOverCap => Self::Silence,
            Outcome::TlsAlert(_) => {
                let alerts = attempt.facts.tls.iter().flat_map(|tls| &tls.answer.alerts);
                if alerts.into_iter().any(|alert| alert.encrypted) { Self::Authenticated } else { Self::Alert }
            }
            Outcome::TlsUnsupported => Self::LocalRefusal,
            Outcome::StartTlsNotOffered
            | Outcome::StartTlsRefused
            | Outcome::StartTlsClosed
            | Outcome::StartTlsReset
            | Outcome::StartTlsTimeout
            | Outcome::StartTlsNotProtocol
            | Outcome::StartTlsUnreachable
            | Outcome::QuicTimeout
            | Outcome::QuicRefused
            | Outcome::QuicUnreachable
            | Outcome::QuicVersion
            | Outcome::QuicClosed
            | Outcome::QuicReset
            | Outcome::QuicMalformed => Self::BeforeTls,
            _ => Self::Authenticated,
        }
    }
}
