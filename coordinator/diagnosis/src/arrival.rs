//! The attempts as they came, and the chains that they brought, each once.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    clock::Timestamp,
    facts::{CertificateAsk, DnsFacts, Facts, HttpEnd},
    id::AttemptId,
    outcome::Outcome,
};

use crate::{
    certificate::{Judgement, Notary, Wish},
    trust::Trust,
    view::RoundView,
};

/// An attempt as it came, before chains are judged.
pub(crate) struct Arrival<'a> {
    pub(crate) seat: usize,
    pub(crate) attempt: &'a Attempt,
    /// What orders it among the others: when it began first of all.
    order: (Timestamp, u32, AttemptId),
    pub(crate) experiment: Experiment,
    pub(crate) address: Option<SocketAddr>,
    /// The number of its profile among those of the check.
    pub(crate) profile: Option<usize>,
    pub(crate) lookup: Option<&'a DnsFacts>,
    /// What it means by itself.
    pub(crate) raw: Outcome,
    /// The chain that came.
    pub(crate) chain: Option<usize>,
    /// The protocol that was chosen by ALPN, as it was first named in the round.
    pub(crate) alpn: Option<&'a str>,
    /// Whether a request was made and nothing came.
    pub(crate) unanswered: bool,
    /// Whether the peer proved that it holds the key of the leaf that it sent.
    pub(crate) authenticated: bool,
}

/// A chain that came, judged once.
pub(crate) struct Chain<'a> {
    pub(crate) sent: &'a [Bytes],
    staple: Option<&'a Bytes>,
    /// Whether the target was asked for by its name.
    pub(crate) named: bool,
    pub(crate) judgement: Judgement,
}

impl Chain<'_> {
    /// Returns the digest of the leaf's key.
    pub(crate) fn key(&self) -> Option<&Bytes> {
        self.judgement.leaf.as_ref().map(|leaf| &leaf.key_sha256)
    }
}

/// Reads the attempts of a round's vantages and sorts them by time; chains are numbered as they first came.
///
/// The facts of a round are more than a processor's cache holds: they are read once, as they lie, and what everybody asks of an attempt stands beside it from then on.
pub(crate) fn read(round: &RoundView) -> (Vec<Arrival<'_>>, Vec<Chain<'_>>) {
    let index: HashMap<&str, usize> = round.vantages.iter().enumerate().map(|(at, view)| (view.name.as_str(), at)).collect();
    let mut chains: Vec<Chain<'_>> = Vec::new();
    let mut protocols: Vec<&str> = Vec::new();
    let mut arrivals: Vec<Arrival<'_>> = Vec::with_capacity(round.attempts.len());
    for attempt in &round.attempts {
        // Those of one vantage come together.
        let last = arrivals.last().map(|last| last.seat).filter(|last| round.vantages[*last].name == attempt.vantage);
        let Some(seat) = last.or_else(|| index.get(attempt.vantage.as_str()).copied()) else { continue };
        let chain = sent(attempt).map(|(sent, staple)| {
            let named = is_named(attempt);
            find(&chains, sent, staple, named).unwrap_or_else(|| {
                chains.push(Chain { sent, staple, named, judgement: Judgement::unreadable() });
                chains.len() - 1
            })
        });
        let facts = &attempt.facts;
        let end = facts.http.as_ref().map(|http| http.end);
        arrivals.push(Arrival {
            seat,
            attempt,
            order: (attempt.started_at, attempt.sequence, attempt.id),
            experiment: attempt.experiment,
            address: attempt.address,
            profile: round.check.profiles.iter().position(|profile| *profile == attempt.profile),
            lookup: facts.dns.as_ref(),
            raw: Outcome::of(attempt),
            chain,
            alpn: alpn(facts).map(|chosen| once(&mut protocols, chosen)),
            unanswered: matches!(end, Some(HttpEnd::TimedOut | HttpEnd::Closed | HttpEnd::Reset)),
            authenticated: facts.handshake().is_some_and(|handshake| handshake.signature_verified == Some(true)),
        });
    }
    arrivals.sort_by_cached_key(|arrival| arrival.order);
    let mut ranks: Vec<Option<usize>> = vec![None; chains.len()];
    let mut ranked = 0;
    for chain in arrivals.iter_mut().filter_map(|arrival| arrival.chain.as_mut()) {
        *chain = *ranks[*chain].get_or_insert_with(|| {
            ranked += 1;
            ranked - 1
        });
    }
    let mut chains: Vec<(Option<usize>, Chain<'_>)> = ranks.into_iter().zip(chains).collect();
    chains.sort_by_key(|(rank, _)| *rank);
    (arrivals, chains.into_iter().map(|(_, chain)| chain).collect())
}

/// A chain that an audit was shown when it could use one type of key alone.
pub(crate) struct Audited<'a> {
    pub(crate) seat: usize,
    pub(crate) attempt: &'a Attempt,
    pub(crate) key_type: &'static str,
    pub(crate) chain: usize,
}

/// Adds the chains that audits were shown for one type of key each to those that came by whole handshakes.
pub(crate) fn audited<'a>(arrivals: &[Arrival<'a>], chains: &mut Vec<Chain<'a>>) -> Vec<Audited<'a>> {
    let mut audited = Vec::new();
    for Arrival { seat, attempt, .. } in arrivals.iter().filter(|arrival| arrival.experiment == Experiment::Audit) {
        let Some(audit) = attempt.facts.audit.as_deref() else { continue };
        for shown in &audit.certificates {
            let key_type = match shown.ask {
                CertificateAsk::Rsa => "RSA",
                CertificateAsk::Ecdsa => "ECDSA",
                CertificateAsk::OwnName | CertificateAsk::NoName | CertificateAsk::OtherName => continue,
            };
            let Some(sent) = shown.chain.and_then(|at| audit.chains.get(at as usize)).filter(|sent| !sent.is_empty()) else { continue };
            let same = chains.iter().position(|chain| chain.named && chain.sent == sent.as_slice());
            let chain = same.unwrap_or_else(|| {
                chains.push(Chain { sent, staple: shown.staple.as_ref(), named: true, judgement: Judgement::unreadable() });
                chains.len() - 1
            });
            audited.push(Audited { seat: *seat, attempt, key_type, chain });
        }
    }
    audited
}

/// Judges each chain.
pub(crate) fn judge(chains: &mut [Chain<'_>], round: &RoundView, trust: &Trust, now: Timestamp) {
    let elsewhere: BTreeSet<&Bytes> = chains.iter().flat_map(|chain| chain.sent.iter().skip(1)).collect();
    let elsewhere: Vec<Bytes> = elsewhere.into_iter().take(MAX_ELSEWHERE).cloned().collect();
    let mut notary = Notary::new(trust);
    for chain in chains {
        let expected_keys: &[Bytes] = if chain.named { &round.check.expected_keys } else { &[] };
        let name = chain.named.then_some(&round.check.target.host);
        let staple = chain.named.then_some(chain.staple);
        chain.judgement = notary.judge(chain.sent, &Wish { name, now, elsewhere: &elsewhere, staple, expected_keys });
    }
}

fn find(chains: &[Chain<'_>], sent: &[Bytes], staple: Option<&Bytes>, named: bool) -> Option<usize> {
    chains.iter().position(|chain| chain.named == named && chain.staple == staple && chain.sent == sent)
}

fn alpn(facts: &Facts) -> Option<&str> {
    let tls = facts.tls.as_ref()?;
    tls.handshake.as_ref().and_then(|full| full.alpn.as_deref()).or(tls.answer.alpn.as_deref())
}

/// Returns the first of equal names.
fn once<'a>(known: &mut Vec<&'a str>, name: &'a str) -> &'a str {
    known.iter().find(|known| **known == name).copied().unwrap_or_else(|| {
        known.push(name);
        name
    })
}

fn sent(attempt: &Attempt) -> Option<(&[Bytes], Option<&Bytes>)> {
    let sent = Some(attempt.facts.certificates()).filter(|sent| !sent.is_empty())?;
    Some((sent, attempt.facts.handshake().and_then(|handshake| handshake.staple.as_ref())))
}

/// Tells whether the attempt asked for the target by its name, so that the certificate must cover it.
fn is_named(attempt: &Attempt) -> bool {
    use Experiment::{ControlAfter, ControlName, ControlWalk, NoName, Responder};
    let elsewhere = matches!(attempt.experiment, ControlName | ControlAfter | ControlWalk | NoName | Responder | Experiment::NameAtResponder);
    let at_answer = attempt.facts.tls.as_ref().is_some_and(|tls| tls.handshake.is_none());
    !elsewhere && !at_answer
}

/// Intermediates of other chains that are tried where one seems to be missing.
const MAX_ELSEWHERE: usize = 32;
