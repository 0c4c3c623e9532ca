//! Everything that the server at one address can do, with as few connections as possible.
//!
//! Each question is pure: a state machine, or a list of hellos and a reading of their answers. The driver carries them to the server.
//!
//! | file | question |
//! |---|---|
//! | `ask`, `caller` | what a hello, an answer and a question are; what all hellos share |
//! | `elimination` | what of a list is accepted, in whose order; `suites` and `groups` are made of it |
//! | `versions` | one version as a whole |
//! | `signature_schemes`, `features`, `key_exchange` | the rest that stands in the clear part of a handshake |
//! | `alpn` | which application protocols are chosen, in the clear part or by full handshakes |
//! | `certificates`, `sessions` | which chain for which name, and whether sessions are resumed, there, at other addresses and across names |
//! | `renegotiation`, `http2` | what a finished handshake is good for: a second one, and the protocol that was agreed on |
//! | `tolerance`, `jarm` | hellos with one peculiarity each, and fingerprints |
//! | `driver` | connections, caps and pace |

mod alpn;
mod ask;
mod caller;
mod certificates;
mod driver;
mod elimination;
mod features;
mod groups;
mod http2;
mod jarm;
mod key_exchange;
mod renegotiation;
mod sessions;
mod signature_schemes;
mod suites;
#[cfg(test)]
mod tests;
mod tolerance;
mod versions;

use parallax_model::facts::{
    AlpnFacts, AuditAnswer, AuditFacts, CertificateAsk, CertificateFacts, ClientCertificateFacts, Facts, Rung, SessionFacts, ShareFacts, TcpFacts, VersionFacts,
};
use parallax_tls::registry::{CipherSuite, KeyExchange, NamedGroup, ProtocolVersion};
use tokio::join;

use self::{
    ask::{Ask, Reply},
    caller::Caller,
    driver::Driver,
    sessions::Full,
};
use crate::{
    net::Net,
    plan::{Plan, control_name},
    tcp, tls,
};

/// Asks the server everything; a cap that is reached, or a server that vanishes, leaves what was found until then.
pub(crate) async fn audit<N: Net>(plan: &Plan, net: &N) -> Facts {
    let caller = caller(plan);
    let driver = Driver::new(plan, net);
    let mut facts = AuditFacts::default();
    let (small, modern) = (tolerance::small(&caller), tolerance::modern(&caller));
    let (small, modern) = join!(driver.ask(&small), driver.ask(&modern));
    for (rung, reply) in [(Rung::Small, &small), (Rung::Modern, &modern)] {
        facts.tolerance.extend(reply.as_ref().map(|reply| tolerance::facts(rung, reply)));
    }
    facts.ja3s = modern.as_ref().and_then(Reply::hello).map(parallax_tls::fingerprint::ja3s);
    let ends = [small, modern].map(|reply| reply.map(|reply| reply.end));
    if ends.contains(&Some(AuditAnswer::NotConnected)) && ends.iter().all(|end| !matches!(end, Some(end) if is_heard(*end))) {
        return unreachable(&driver);
    }
    if !ends.contains(&Some(AuditAnswer::NotTls)) {
        survey(&driver, &caller, &mut facts, ends.map(|end| end == Some(AuditAnswer::Hello))).await;
    }
    closing(&driver, facts)
}

fn is_heard(end: AuditAnswer) -> bool {
    end != AuditAnswer::NotConnected
}

/// Makes names and randomness for one audit.
fn caller(plan: &Plan) -> Caller {
    let name = plan.server_name.clone();
    let other_name = control_name(name.as_deref().unwrap_or("parallax.example"));
    let shares = SHARES.map(|group| (group, tls::public_key(group))).to_vec();
    Caller { name, other_name, random: tls::random(), session_id: tls::random(), shares }
}

fn unreachable<N: Net>(driver: &Driver<'_, N>) -> Facts {
    let tcp = driver.account().tcp.clone();
    tcp.map_or_else(Facts::default, tcp::failed)
}

fn closing<N: Net>(driver: &Driver<'_, N>, mut facts: AuditFacts) -> Facts {
    let account = driver.account();
    facts.connections = account.connections;
    facts.bytes_read = account.bytes_read;
    facts.stopped = account.stopped;
    facts.elapsed_us = driver.elapsed_us();
    let tcp: Option<TcpFacts> = account.tcp.clone();
    Facts { tcp, audit: Some(Box::new(facts)), ..Facts::default() }
}

/// Asks for versions, fingerprint and ladder side by side, and then for what depends on the versions.
async fn survey<N: Net>(driver: &Driver<'_, N>, caller: &Caller, facts: &mut AuditFacts, [has_small, has_modern]: [bool; 2]) {
    let (ladder, jarm) = (tolerance::ladder(caller, has_small, has_modern), jarm::asks(caller));
    let (rungs, hellos): (Vec<Rung>, Vec<Ask>) = ladder.into_iter().unzip();
    let fingerprint = async { Some(driver.each(jarm?.to_vec()).await) };
    let (ssl2, versions, climbed, fingerprint) = join!(driver.ssl2(), versions::versions(driver, caller), driver.each(hellos), fingerprint);
    facts.ssl2 = ssl2;
    facts.versions = versions;
    facts.tolerance.extend(rungs.iter().zip(climbed).filter_map(|(rung, reply)| Some(tolerance::facts(*rung, &reply?))));
    facts.tolerance.sort_by_key(|rung| rung.rung());
    let replies = fingerprint.and_then(|replies| replies.into_iter().collect::<Option<Vec<Reply>>>());
    facts.jarm = replies.and_then(|replies| <[Reply; 10]>::try_from(replies).ok()).map(|replies| jarm::fingerprint(&replies));
    let below = facts.versions.iter().rev().find(|version| version.version < ProtocolVersion::TLS13.0 && !version.suites.numbers.is_empty()).cloned();
    let tls13 = facts.versions.iter().find(|version| version.version == ProtocolVersion::TLS13.0 && !version.suites.numbers.is_empty()).cloned();
    let shares = shares(driver, caller, tls13.as_ref());
    let protocols = asked(tls13.as_ref().filter(|_| below.is_none()), |version| alpn::tls13(driver, version));
    let of_tls12 = below.as_ref().filter(|version| version.version == ProtocolVersion::TLS12.0);
    let renegotiation = asked(of_tls12, |version| renegotiation::ask(driver, caller, version));
    let sessions = resumed(driver, below.as_ref(), tls13.as_ref());
    let (in_clear, shares, sessions, protocols, renegotiation) =
        join!(in_clear(driver, caller, below.as_ref(), &facts.versions), shares, sessions, protocols, renegotiation);
    facts.alpn = protocols;
    facts.renegotiation = renegotiation;
    let mut demands = in_clear.as_ref().is_some_and(InClear::demands_certificate);
    if let Some(in_clear) = in_clear {
        in_clear.note(facts, caller);
    }
    let (session_facts, full) = sessions;
    demands |= full.as_ref().is_some_and(|full| full.seen.certificate_requested);
    facts.sessions = session_facts;
    facts.client_certificate = driver.account().client_certificate.take();
    let best = tls13.as_ref().or(below.as_ref());
    let (http2, across_names) = join!(
        asked(best.filter(|_| facts.agrees_on("h2")), |version| http2::ask(driver, version)),
        asked(best.filter(|_| demands), |version| sessions::across_names(driver, caller, version)),
    );
    facts.http2 = http2;
    facts.sessions.across_names = across_names;
    if let Some(full) = full {
        encrypted(driver, caller, facts, (tls13.as_ref(), below.is_some()), full).await;
    }
    facts.key_exchange = key_exchange::facts(&driver.account().exchanges, shares);
}

/// What a version below TLS 1.3 showed besides its lists.
struct InClear {
    everything: Option<Reply>,
    cbc: Option<Reply>,
    fallback: Option<Reply>,
    alpn: Option<AlpnFacts>,
    certificates: Vec<(CertificateAsk, Option<Reply>)>,
}

async fn in_clear<N: Net>(driver: &Driver<'_, N>, caller: &Caller, best: Option<&VersionFacts>, versions: &[VersionFacts]) -> Option<InClear> {
    let best = best?;
    let (version, suites) = (ProtocolVersion(best.version), &best.suites.numbers);
    let accepted: Vec<(ProtocolVersion, Vec<u16>)> = versions
        .iter()
        .filter(|version| !version.suites.numbers.is_empty())
        .map(|version| (ProtocolVersion(version.version), version.suites.numbers.clone()))
        .collect();
    let everything = features::everything(caller, version, suites);
    let one = |ask: Option<Ask>| async { driver.ask(&ask?).await };
    let cbc = one(features::encrypt_then_mac(caller, version, suites));
    let fallback = one(features::fallback_version(&accepted).map(|(version, suites)| features::fallback(caller, *version, suites)));
    let once_more = one(second_exchange(driver, caller, best));
    let asks = certificates::asks(caller, certificates::has_both_keys(suites));
    let hellos = asks.iter().map(|ask| certificates::ask(caller, *ask, version, suites)).collect();
    let alpn = alpn::Alpn::new(caller, version, suites);
    let (everything, cbc, fallback, _, alpn, replies) = join!(driver.ask(&everything), cbc, fallback, once_more, driver.settle(alpn), driver.each(hellos));
    Some(InClear { everything, cbc, fallback, alpn, certificates: asks.into_iter().zip(replies).collect() })
}

/// Asks for the prime a second time when only one connection has shown it, to see whether its value repeats.
fn second_exchange<N: Net>(driver: &Driver<'_, N>, caller: &Caller, best: &VersionFacts) -> Option<Ask> {
    let known = key_exchange::facts(&driver.account().exchanges, Vec::new());
    known.finite_field.filter(|field| field.value_reused.is_none())?;
    let is_finite = |suite: &CipherSuite| suite.key_exchange() == KeyExchange::FiniteField;
    let suites = best.suites.numbers.iter().copied().map(CipherSuite).filter(is_finite).collect();
    Some(caller.ask(caller.offer(ProtocolVersion(best.version), suites)))
}

/// Asks where there is a version to ask with.
async fn asked<'v, T, F: Future<Output = Option<T>>>(version: Option<&'v VersionFacts>, ask: impl FnOnce(&'v VersionFacts) -> F) -> Option<T> {
    match version {
        Some(version) => ask(version).await,
        None => None,
    }
}

impl InClear {
    /// Tells whether a client certificate is asked for under the target's name.
    fn demands_certificate(&self) -> bool {
        self.everything.as_ref().is_some_and(|reply| reply.answer.certificate_request.is_some())
    }

    fn note(self, facts: &mut AuditFacts, caller: &Caller) {
        facts.features = self.everything.and_then(|all| features::facts(caller, &all, self.cbc.as_ref(), self.fallback.as_ref()));
        facts.alpn = self.alpn;
        for (ask, reply) in self.certificates {
            if let Some(reply) = reply {
                certificates::note(facts, caller, ask, &reply);
            }
        }
    }
}

async fn shares<N: Net>(driver: &Driver<'_, N>, caller: &Caller, tls13: Option<&VersionFacts>) -> Vec<ShareFacts> {
    let Some(version) = tls13 else { return Vec::new() };
    let groups = key_exchange::hybrids(caller, &version.groups.numbers);
    let replies = driver.each(groups.iter().map(|group| key_exchange::share(caller, &version.suites.numbers, *group)).collect()).await;
    groups.iter().zip(replies).filter_map(|(group, reply)| Some(key_exchange::share_facts(*group, &reply?))).collect()
}

async fn resumed<N: Net>(driver: &Driver<'_, N>, below: Option<&VersionFacts>, tls13: Option<&VersionFacts>) -> (SessionFacts, Option<Full>) {
    let tls12 = async {
        match below.filter(|version| version.version == ProtocolVersion::TLS12.0) {
            Some(version) => sessions::tls12(driver, version).await,
            None => SessionFacts::default(),
        }
    };
    let tls13 = async {
        match tls13 {
            Some(version) => sessions::tls13(driver, version).await,
            None => None,
        }
    };
    let (tls12, tls13) = join!(tls12, tls13);
    let SessionFacts { tls12_ticket, tls12_id, tls12_lifetime_seconds, ticket_key_name, mut elsewhere, .. } = tls12;
    let (mut tls13, full) = tls13.map_or_else(Default::default, |(facts, full)| (facts, Some(full)));
    elsewhere.append(&mut tls13.elsewhere);
    (SessionFacts { tls12_ticket, tls12_id, tls12_lifetime_seconds, ticket_key_name, elsewhere, ..tls13 }, full)
}

/// Notes what only full handshakes of TLS 1.3 show: the request for a certificate, and the chains of a server that speaks nothing older.
async fn encrypted<N: Net>(driver: &Driver<'_, N>, caller: &Caller, facts: &mut AuditFacts, (tls13, speaks_older): (Option<&VersionFacts>, bool), full: Full) {
    let Some(version) = tls13 else { return };
    if full.seen.certificate_requested && facts.client_certificate.is_none() {
        facts.client_certificate = Some(request(&full));
    }
    if speaks_older {
        return;
    }
    let asks = certificates::asks(caller, certificates::may_have_both_keys(&version.signature_schemes));
    let (mut full, mut shown) = (Some(full), Vec::with_capacity(asks.len()));
    for ask in asks {
        // The first ask is what the handshake before has asked already.
        let answered = match full.take() {
            Some(full) => Some(full),
            None => sessions::tls13_certificate(driver, caller, version, ask).await,
        };
        shown.extend(answered.map(|full| (ask, full)));
    }
    for (ask, full) in shown {
        let chain = certificates::chain_index(&mut facts.chains, full.seen.chain);
        let answer = AuditAnswer::Hello;
        let server_name = certificates::server_name(caller, ask);
        let (version, staple) = (Some(version.version), full.seen.staple);
        facts.certificates.push(CertificateFacts { ask, server_name, answer, version, cipher_suite: full.cipher_suite, chain, staple, timestamps: None });
    }
}

fn request(full: &Full) -> ClientCertificateFacts {
    ClientCertificateFacts {
        certificate_types: Vec::new(),
        signature_schemes: full.seen.client_schemes.clone(),
        authorities: full.seen.authorities.iter().take(features::MOST_AUTHORITIES).cloned().collect(),
        authorities_count: u32::try_from(full.seen.authorities.len()).unwrap_or(u32::MAX),
        flight_bytes: full.bytes_read,
    }
}

/// The groups for which keys are made; the first of them that a server accepts proves its signatures.
const SHARES: [NamedGroup; 8] = [
    NamedGroup::X25519,
    NamedGroup::SECP256R1,
    NamedGroup::SECP384R1,
    NamedGroup::SECP521R1,
    NamedGroup::X448,
    NamedGroup::X25519MLKEM768,
    NamedGroup::SECP256R1MLKEM768,
    NamedGroup::SECP384R1MLKEM1024,
];
