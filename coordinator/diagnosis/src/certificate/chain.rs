use parallax_model::{bytes::Bytes, clock::Timestamp, outcome::CertificateFault};
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    x509::SubjectPublicKeyInfo,
};

use super::{
    LeafFacts, Notary, Wish, constraints, leaf,
    signature::{self, Signed, Verified},
};
use crate::trust::{Anchor, Trust};

/// Where the longest path from the leaf ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// At a trusted anchor.
    Anchor,
    /// At a certificate that was sent, is its own issuer, and is not trusted: the leaf itself at position 0.
    Root(usize),
    /// At a certificate whose issuer was not sent.
    Missing {
        /// The issuer that it names.
        issuer: String,
        /// How many certificates of the path were sent.
        sent: usize,
    },
    /// The leaf cannot be read.
    Unreadable,
}

/// Whether a trusted authority vouches for the leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Authority {
    /// A path from what was sent leads to a trusted anchor.
    Anchored {
        /// Whether each certificate certifies the one before it.
        in_order: bool,
    },
    /// A path leads there once an intermediate that was seen elsewhere is added.
    WithHelp,
    /// No path leads to a trusted anchor.
    None {
        /// Whether the last certificate of the path looks like one whose issuer was merely not sent.
        looks_incomplete: bool,
    },
}

/// What a walk from the leaf upwards found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Walk {
    pub(super) authority: Authority,
    pub(super) end: End,
    pub(super) weak_signature: bool,
    pub(super) expired_at: Option<Timestamp>,
    /// Whether a certificate of the path to the anchor may not issue for the leaf's names.
    pub(super) violates_constraints: bool,
    /// How many certificates were sent that the path to the anchor does without.
    pub(super) surplus: usize,
    /// Whether the path ends at an anchor that is not the operator's own.
    pub(super) publicly: bool,
}

impl Walk {
    /// Returns what is wrong with the chain apart from its leaf.
    pub(super) fn fault(&self) -> Option<CertificateFault> {
        match (&self.authority, &self.end) {
            (Authority::Anchored { .. }, _) if self.expired_at.is_some() => Some(CertificateFault::ChainExpired),
            (Authority::Anchored { in_order }, _) => (!in_order).then_some(CertificateFault::ChainMisordered),
            (Authority::WithHelp, _) => Some(CertificateFault::ChainIncomplete),
            (Authority::None { .. }, End::Root(0)) => Some(CertificateFault::SelfSigned),
            (Authority::None { looks_incomplete: true }, End::Missing { .. }) => Some(CertificateFault::ChainIncomplete),
            (Authority::None { .. }, _) => Some(CertificateFault::Untrusted),
        }
    }
}

/// Walks from the leaf to a trusted anchor through what was sent, preferring a path without an expired certificate, then the shortest.
pub(super) fn walk(sent: &[Bytes], parsed: &[Option<X509Certificate<'_>>], leaf: &LeafFacts, wish: &Wish<'_>, notary: &mut Notary<'_>) -> Walk {
    let trust = notary.trust;
    let extra: Vec<X509Certificate<'_>> =
        wish.elsewhere.iter().filter_map(|der| X509Certificate::from_der(&der.0).ok().map(|(_, certificate)| certificate)).collect();
    let own = Search { pool: parsed.iter().map(Option::as_ref).collect(), trust, now: wish.now.as_micros() / 1_000_000 };
    let (best, longest) = own.run(&mut notary.verified);
    if let Some(path) = best {
        let distinct = distinct_positions(sent);
        let in_order = path.iter().enumerate().all(|(step, at)| distinct.get(step) == Some(at));
        let certificates: Vec<&X509Certificate<'_>> = path.iter().filter_map(|at| own.pool[*at]).collect();
        let expired_at = certificates.iter().skip(1).map(|certificate| certificate.validity().not_after.timestamp()).filter(|until| *until < own.now).min();
        return Walk {
            authority: Authority::Anchored { in_order },
            end: End::Anchor,
            weak_signature: certificates.iter().any(|certificate| signature::is_weak(certificate) && !is_own_issuer(certificate)),
            expired_at: expired_at.map(|seconds| Timestamp::from_micros(seconds * 1_000_000)),
            violates_constraints: certificates.iter().skip(1).any(|issuer| constraints::leave_out(issuer, leaf)),
            surplus: surplus(sent, parsed),
            publicly: certificates.last().is_some_and(|last| trust.is_public(last.subject().as_raw(), last.issuer().as_raw())),
        };
    }
    let helped = Search { pool: own.pool.iter().copied().chain(extra.iter().map(Some)).collect(), ..own };
    let with_help = !extra.is_empty() && helped.run(&mut notary.verified).0.is_some();
    let end = end_of(&longest, &own);
    let last = longest.last().and_then(|at| own.pool[*at]);
    let looks_incomplete = last.is_some_and(|last| looks_incomplete(last, longest.len() == 1, trust));
    let weak_signature = longest.iter().filter_map(|at| own.pool[*at]).any(|certificate| signature::is_weak(certificate) && !is_own_issuer(certificate));
    let authority = if with_help { Authority::WithHelp } else { Authority::None { looks_incomplete } };
    Walk { authority, end, weak_signature, expired_at: None, violates_constraints: false, surplus: 0, publicly: false }
}

fn end_of(longest: &[usize], search: &Search<'_, '_>) -> End {
    let at = longest.last().copied().unwrap_or(0);
    match search.pool.get(at).copied().flatten() {
        Some(last) if is_own_issuer(last) => End::Root(at),
        Some(last) => End::Missing { issuer: last.issuer().to_string(), sent: longest.len() },
        None => End::Unreadable,
    }
}

/// A certificate that tells where to fetch its issuer has one that is published; a lone leaf whose issuer shares a name with an anchor, or that is judged with an operator's own
/// anchors, is taken for one whose intermediate was forgotten, unless a root signed it.
fn looks_incomplete(last: &X509Certificate<'_>, alone: bool, trust: &Trust) -> bool {
    let issuer = last.issuer().to_string();
    let by_root = issuer.to_ascii_lowercase().contains("root");
    !leaf::issuer_urls(last).is_empty() || (alone && !by_root && (trust.has_own_anchors() || trust.shares_a_name_with(&issuer)))
}

/// Positions of the certificates that were sent, exact repetitions left out.
fn distinct_positions(sent: &[Bytes]) -> Vec<usize> {
    (0..sent.len()).filter(|at| !sent[..*at].contains(&sent[*at])).collect()
}

/// Counts what no client needs: repetitions, roots, and certificates that issued none of the others; a cross-certificate helps old clients.
fn surplus(sent: &[Bytes], parsed: &[Option<X509Certificate<'_>>]) -> usize {
    let is_needed = |at: usize| {
        let Some(certificate) = parsed[at].as_ref() else { return false };
        let issued = |other: usize| other != at && parsed[other].as_ref().is_some_and(|child| child.issuer().as_raw() == certificate.subject().as_raw());
        !sent[..at].contains(&sent[at]) && !is_own_issuer(certificate) && (0..sent.len()).any(issued)
    };
    (1..sent.len()).filter(|at| !is_needed(*at)).count()
}

fn is_own_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

struct Search<'a, 'c> {
    pool: Vec<Option<&'a X509Certificate<'c>>>,
    trust: &'a Trust,
    now: i64,
}

impl Search<'_, '_> {
    /// Returns the best path to an anchor (positions, the anchor itself left out), and the longest path of all.
    fn run(&self, verified: &mut Verified) -> (Option<Vec<usize>>, Vec<usize>) {
        let mut found = Found { best: None, longest: vec![0], budget: MAX_SIGNATURES, verified };
        self.extend(&mut vec![0], &mut found);
        (found.best.map(|(_, path)| path), found.longest)
    }

    fn extend(&self, path: &mut Vec<usize>, found: &mut Found<'_>) {
        let Some(last) = path.last().and_then(|at| self.pool[*at]) else { return };
        if path.len() > found.longest.len() {
            found.longest.clone_from(path);
        }
        if self.ends_at_anchor(last, found) {
            let expired =
                path.iter().skip(1).filter_map(|at| self.pool[*at]).filter(|certificate| certificate.validity().not_after.timestamp() < self.now).count();
            let cost = (expired, path.len());
            if found.best.as_ref().is_none_or(|(best, _)| cost < *best) {
                found.best = Some((cost, path.clone()));
            }
            return;
        }
        if path.len() > MAX_DEPTH || is_own_issuer(last) {
            return;
        }
        for at in 1..self.pool.len() {
            let Some(issuer) = self.pool[at] else { continue };
            if path.contains(&at) || issuer.subject().as_raw() != last.issuer().as_raw() || !found.spend() {
                continue;
            }
            if issuer.is_ca() && found.certified(last, issuer.public_key()) {
                path.push(at);
                self.extend(path, found);
                path.pop();
            }
        }
    }

    fn ends_at_anchor(&self, last: &X509Certificate<'_>, found: &mut Found<'_>) -> bool {
        let same = self.trust.anchors_named(last.subject().as_raw()).any(|anchor| anchor.key() == last.public_key().raw);
        same || self.trust.anchors_named(last.issuer().as_raw()).any(|anchor| found.spend() && found.is_signed(last, anchor))
    }
}

struct Found<'v> {
    best: Option<((usize, usize), Vec<usize>)>,
    longest: Vec<usize>,
    budget: u32,
    verified: &'v mut Verified,
}

impl Found<'_> {
    fn spend(&mut self) -> bool {
        self.budget = self.budget.saturating_sub(1);
        self.budget > 0
    }

    fn is_signed(&mut self, child: &X509Certificate<'_>, anchor: &Anchor) -> bool {
        let key = SubjectPublicKeyInfo::from_der(anchor.key());
        key.is_ok_and(|(_, key)| self.certified(child, &key))
    }

    /// A weak signature that cannot be verified any more is taken at its name, since it is reported as a fault of its own.
    fn certified(&mut self, child: &X509Certificate<'_>, issuer: &SubjectPublicKeyInfo<'_>) -> bool {
        match self.verified.by(child, issuer) {
            Signed::Yes => true,
            Signed::No => false,
            Signed::Unknown => signature::is_weak(child),
        }
    }
}

/// A hostile server may send hundreds of certificates of one name: the search stops after so many signatures.
const MAX_SIGNATURES: u32 = 64;
/// No honest path is longer.
const MAX_DEPTH: usize = 8;
