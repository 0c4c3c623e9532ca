//! One row of the matrix: resolve, every profile at every address, the proof that the vantage itself is fine, and the explanation of failures at once.

use std::{net::SocketAddr, rc::Rc, time::Duration};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    facts::{DnsFacts, LookupEnd},
    outcome::Outcome,
    profile::{Profile, REQUIRED_PROFILE},
    resolver::Resolver,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    look::Look,
    share::{Share, Try},
};

/// Looks at every cell, and at the responders at the same time; returns the attempts at the target.
pub(super) async fn look<L: Look>(share: &Rc<Share<L>>) -> Vec<Attempt> {
    let mut gates = JoinSet::new();
    for address in share.gate_addresses() {
        gates.spawn_local(gate(Rc::clone(share), address));
    }
    let mut cells = JoinSet::new();
    share.watch(&[]);
    let mut others = JoinSet::new();
    others.spawn_local(ask_others(Rc::clone(share)));
    let addresses = resolve(share).await;
    share.watch(&addresses.iter().map(SocketAddr::ip).collect::<Vec<_>>());
    let profiles: Vec<Rc<Profile>> =
        share.assignment.check.profiles.iter().filter_map(|name| share.assignment.check.profile(name.as_str())).map(Rc::new).collect();
    let begin = |cells: &mut JoinSet<Vec<Attempt>>, address: SocketAddr| {
        for profile in &profiles {
            cells.spawn_local(cell(Rc::clone(share), Rc::clone(profile), address));
        }
    };
    addresses.iter().for_each(|address| begin(&mut cells, *address));
    let further = others.join_all().await.into_iter().flatten().filter(|address| !addresses.contains(address));
    further.take(MOST_ADDRESSES.saturating_sub(addresses.len())).for_each(|address| begin(&mut cells, address));
    let cells = cells.join_all().await;
    gates.join_all().await;
    cells.into_iter().flatten().collect()
}

/// Resolves the target, a second time when the first brought nothing, and returns the addresses to try.
pub(super) async fn resolve<L: Look>(share: &Share<L>) -> Vec<SocketAddr> {
    let check = &share.assignment.check;
    let Some(profile) = check.profiles.first() else { return Vec::new() };
    let resolver = &check.asked_resolvers()[0];
    let started = Instant::now();
    let mut facts = share.resolve(profile, resolver).await;
    if facts.addresses.is_empty() {
        sleep_until(started + BETWEEN_TRIES).await;
        facts = share.resolve(profile, resolver).await;
    }
    for name in names_beside(&facts) {
        share.resolve_another(profile, name, resolver).await;
    }
    places(&facts, check.target.port).collect()
}

/// Asks the resolvers that the first one is compared with, all at once; returns the addresses that they give.
async fn ask_others<L: Look>(share: Rc<Share<L>>) -> Vec<SocketAddr> {
    let check = &share.assignment.check;
    let Some(profile) = check.profiles.first().filter(|_| check.target.literal_address().is_none()) else { return Vec::new() };
    let mut asked = JoinSet::new();
    let others: Vec<Resolver> = check.asked_resolvers()[1..].to_vec();
    for resolver in others {
        let (share, profile) = (Rc::clone(&share), profile.clone());
        asked.spawn_local(async move { share.resolve(&profile, &resolver).await });
    }
    let mut found: Vec<SocketAddr> = Vec::new();
    for address in asked.join_all().await.iter().flat_map(|facts| places(facts, check.target.port)) {
        if !found.contains(&address) {
            found.push(address);
        }
    }
    found
}

/// Returns where a lookup says that the target is, what only TCP brought last.
fn places(facts: &DnsFacts, port: u16) -> impl Iterator<Item = SocketAddr> {
    let by_tcp = facts.addresses_by_tcp();
    facts.addresses.clone().into_iter().chain(by_tcp).take(MOST_ADDRESSES).map(move |address| SocketAddr::new(address, port))
}

/// Returns the names that tell whether a resolver is of any use, where it was of none for this one: after silence one that it knows by itself, and after errors those that
/// take it a working way to others, the nearest first.
fn names_beside(facts: &DnsFacts) -> Vec<String> {
    let ends: Vec<LookupEnd> = facts.answers.iter().filter(|answer| matches!(answer.record_type, 1 | 28)).map(|answer| answer.end).collect();
    let all = |is: fn(&LookupEnd) -> bool| !ends.is_empty() && ends.iter().all(is);
    if all(|end| *end == LookupEnd::TimedOut) {
        vec![KNOWN_TO_RESOLVERS.to_owned()]
    } else if all(|end| matches!(end, LookupEnd::Response(SERVER_FAILURE | REFUSED))) {
        let parent = facts.name.split_once('.').map(|(_, parent)| parent.to_owned());
        parent.into_iter().filter(|parent| parent.contains('.')).chain([KNOWN_TO_ALL.to_owned()]).collect()
    } else {
        Vec::new()
    }
}

/// Tries one profile at one address until the cell is decided.
async fn cell<L: Look>(share: Rc<Share<L>>, profile: Rc<Profile>, address: SocketAddr) -> Vec<Attempt> {
    let wanted = share.assignment.check.limits.attempts as usize;
    let mut attempts: Vec<Attempt> = Vec::with_capacity(wanted);
    let (mut passed, mut failed) = (0_usize, 0_usize);
    loop {
        let started = Instant::now();
        // Once tries have passed it is known how long the address takes, and six more full timeouts would eat the share's time.
        let slowest_ms = attempts.iter().filter(|attempt| Outcome::of(attempt).is_ok()).map(|attempt| attempt.elapsed_us / 1_000).max();
        let attempt_ms = slowest_ms.map(|slowest| share.assignment.check.limits.attempt_ms.min(REPEATED_TRY_MS.max(slowest * 4 + 1_000)));
        let attempt = share
            .attempt(Try { profile: &profile, experiment: Experiment::Baseline, address, source_port: None, siblings: &[], attempt_ms, in_row: true })
            .await;
        let outcome = Outcome::of(&attempt);
        attempts.push(attempt);
        if !outcome.is_completed() {
            break;
        }
        if outcome.is_ok() {
            passed += 1
        } else {
            failed += 1
        }
        let most = if passed > 0 && failed > 0 { wanted.max(MOST_TRIES) } else { wanted };
        if attempts.len() >= most {
            break;
        }
        sleep_until(started + if outcome.is_ok() { AFTER_A_PASS } else { BETWEEN_TRIES }).await;
    }
    attempts
}

/// Proves the vantage at one responder; one lost packet must not discard it, so there is a second try.
async fn gate<L: Look>(share: Rc<Share<L>>, address: SocketAddr) {
    let profile = Profile::builtin(REQUIRED_PROFILE).expect("the required profile is built in");
    for _ in 0..2 {
        let attempt = share
            .attempt(Try { profile: &profile, experiment: Experiment::Responder, address, source_port: None, siblings: &[], attempt_ms: None, in_row: true })
            .await;
        if !Outcome::of(&attempt).is_failure() {
            return;
        }
    }
}

/// Attempts of one cell are at least so far apart (methods: two losses of one burst are one event).
pub(super) const BETWEEN_TRIES: Duration = Duration::from_millis(200);
/// A pass is no loss: the next attempt needs no pause, only to be another one.
const AFTER_A_PASS: Duration = Duration::from_millis(50);
/// RFC 9462 section 6.4: resolvers answer for it themselves.
const KNOWN_TO_RESOLVERS: &str = "resolver.arpa";
/// RFC 2606 section 3: reserved, and served.
const KNOWN_TO_ALL: &str = "example.com";
/// RCODEs (RFC 1035 section 4.1.1).
const SERVER_FAILURE: u16 = 2;
const REFUSED: u16 = 5;
const MOST_ADDRESSES: usize = 8;
/// Where success and failure mix, the cell is tried so often.
const MOST_TRIES: usize = 8;

/// Wait of a try in a cell where another try has passed, milliseconds: longer than the queue of a server that serves one at a time; longer still where that one took long.
const REPEATED_TRY_MS: u64 = 3_000;
