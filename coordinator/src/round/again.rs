//! Judging again: stored rounds by the present rules, with the clock and the history of their time.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry},
    sync::Arc,
};

use futures_util::{StreamExt as _, stream};
use parallax_diagnosis::{History, RoundView, Trust, VantageView, judge};
use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    clock::Timestamp,
    id::{CheckId, VantageName},
    vantage::Responder,
    verdict::{Cause, Finding, Location, Scope, Tier, Verdict},
};
use parallax_store::{JudgedRound, JudgedSpan, RoundRecord, ShareState, Store, StoreError};
use tokio::sync::mpsc;
use tracing::warn;

/// A stored round, ready to be judged as at its time.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The round.
    pub(crate) view: RoundView,
    /// What was known before it.
    pub(crate) history: History,
    /// When it was judged.
    pub(crate) at: Timestamp,
}

impl Recorded {
    /// Reads one round that has `verdict`; none when the round itself is no longer kept.
    pub(crate) async fn read(store: &dyn Store, responders: Vec<Responder>, verdict: &Verdict) -> Result<Option<Self>, StoreError> {
        let Some(record) = store.round(verdict.round).await? else { return Ok(None) };
        let attempts = store.attempts_of_round(record.id).await?;
        let verdicts = match record.check.name {
            Some(_) => store.verdicts_of_check(record.check.id, None, Some(record.started_at), super::close::HISTORY).await?,
            None => Vec::new(),
        };
        let known_keys = store.known_keys(&verdict.target, Some(verdict.closed_at)).await?;
        let view = view(record, attempts, responders, verdict.closed_at);
        Ok(Some(Self { view, history: History { verdicts, known_keys }, at: verdict.closed_at }))
    }
}

/// Puts a round together as it was seen when it was judged.
fn view(record: RoundRecord, attempts: Vec<Attempt>, responders: Vec<Responder>, judged_at: Timestamp) -> RoundView {
    let heard: BTreeSet<&VantageName> = attempts.iter().map(|attempt| &attempt.vantage).collect();
    let witnesses: BTreeSet<&VantageName> =
        attempts.iter().filter(|attempt| attempt.experiment == Experiment::Witness).map(|attempt| &attempt.vantage).collect();
    let over = judged_at > record.deadline;
    let vantages = record.vantages.into_iter().map(|vantage| VantageView {
        reported: !matches!(vantage.share, ShareState::Assigned | ShareState::Missed) || (over && heard.contains(&vantage.name)),
        witness: witnesses.contains(&vantage.name),
        name: vantage.name,
        labels: vantage.labels,
        group: vantage.group,
        build: vantage.build,
        clock_offset_ms: vantage.clock_offset_ms,
        egress: vantage.egress,
    });
    let vantages = vantages.collect();
    RoundView { check: record.check, round: record.id, started_at: record.started_at, vantages, attempts, responders }
}

/// What came of one round.
#[derive(Debug)]
pub(crate) enum Again {
    /// The same findings in the same words.
    Same,
    /// The same findings in other words.
    Reworded,
    /// The judgement itself ended early.
    Failed,
    /// Another verdict.
    Changed {
        /// The check that it belongs to.
        check: Option<CheckId>,
        /// As it is stored.
        before: Box<Verdict>,
        /// As the present rules have it.
        after: Box<Verdict>,
    },
}

/// Judges every round of a span again, in the order of their starts, and sends what came of each; ends early when nobody listens.
///
/// Memory holds a page of rounds, a few rounds' attempts and the last verdicts of each check.
pub(crate) async fn rejudge(
    store: Arc<dyn Store>,
    trust: Arc<Trust>,
    responders: Vec<Responder>,
    span: JudgedSpan,
    results: mpsc::Sender<Again>,
) -> Result<(), StoreError> {
    let at_once = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let mut span = span;
    let mut past = Past::default();
    loop {
        let page = store.judged_rounds(span, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        span.after = Some((last.record.started_at, last.record.id));
        let mut ready = Vec::with_capacity(page.len());
        for judged in page {
            let former = past.before(&*store, &judged).await?;
            past.remember(&judged);
            ready.push((judged, former));
        }
        let work = ready.into_iter().map(|(judged, former)| one(Arc::clone(&store), Arc::clone(&trust), responders.clone(), judged, former));
        let mut done = stream::iter(work.collect::<Vec<_>>()).buffered(at_once);
        while let Some(result) = done.next().await {
            if results.send(result?).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn one(
    store: Arc<dyn Store>,
    trust: Arc<Trust>,
    responders: Vec<Responder>,
    judged: JudgedRound,
    verdicts: Vec<Arc<Verdict>>,
) -> Result<Again, StoreError> {
    let JudgedRound { record, check, mut revisions } = judged;
    let Some((_, before)) = revisions.pop() else { return Ok(Again::Same) };
    let id = record.id;
    let attempts = store.attempts_of_round(record.id).await?;
    let known_keys = store.known_keys(&before.target, Some(before.closed_at)).await?;
    let work = move || {
        let view = view(record, attempts, responders, before.closed_at);
        let history = History { verdicts: verdicts.iter().map(|verdict| Verdict::clone(verdict)).collect(), known_keys };
        let after = judge(&view, &history, &trust.with(&view.check.trust), before.closed_at);
        compare(check, before, after)
    };
    Ok(tokio::task::spawn_blocking(work).await.unwrap_or_else(|panic| {
        warn!(round.id = %id, error = %panic, "the judgement of a stored round ended early: this is a bug, please report it");
        Again::Failed
    }))
}

fn compare(check: Option<CheckId>, before: Verdict, after: Verdict) -> Again {
    if essence(&before) != essence(&after) {
        return Again::Changed { check, before: Box::new(before), after: Box::new(after) };
    }
    // Verdicts of before there were digests are not reworded by having none.
    let same_words = Verdict { revision: before.revision, rules: before.rules.clone(), digest: before.digest.clone(), ..after } == before;
    if same_words { Again::Same } else { Again::Reworded }
}

/// Returns what a verdict says apart from its words.
fn essence(verdict: &Verdict) -> (bool, Vec<Essence<'_>>) {
    (verdict.healthy, verdict.findings.iter().map(essence_of).collect())
}

fn essence_of(finding: &Finding) -> Essence<'_> {
    (finding.cause, finding.tier, &finding.scope, finding.mechanism.as_deref(), finding.location.as_ref())
}

type Essence<'a> = (Cause, Tier, &'a Scope, Option<&'a str>, Option<&'a Location>);

/// The last verdicts of each check, as far as they matter for the rounds that follow; the newest round first.
#[derive(Debug, Default)]
struct Past(BTreeMap<CheckId, VecDeque<Vec<Revision>>>);

/// A verdict, and when it was recorded.
type Revision = (Timestamp, Arc<Verdict>);

impl Past {
    /// Returns the verdicts that were known when a round was judged, the newest round first.
    async fn before(&mut self, store: &dyn Store, judged: &JudgedRound) -> Result<Vec<Arc<Verdict>>, StoreError> {
        let (Some(check), Some((_, verdict))) = (judged.check, judged.revisions.last()) else { return Ok(Vec::new()) };
        let rounds = match self.0.entry(check) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let earlier = store.verdicts_of_check(check, None, Some(judged.record.started_at), super::close::HISTORY).await?;
                unknown.insert(earlier.into_iter().map(|verdict| vec![(verdict.closed_at, Arc::new(verdict))]).collect())
            }
        };
        let of_then =
            |revisions: &Vec<Revision>| revisions.iter().rev().find(|(recorded, _)| *recorded <= verdict.closed_at).map(|(_, found)| Arc::clone(found));
        Ok(rounds.iter().filter_map(of_then).collect())
    }

    fn remember(&mut self, judged: &JudgedRound) {
        let Some(check) = judged.check else { return };
        let rounds = self.0.entry(check).or_default();
        rounds.push_front(judged.revisions.iter().map(|(at, verdict)| (*at, Arc::new(verdict.clone()))).collect());
        rounds.truncate(super::close::HISTORY);
    }
}

/// Rounds that are read together.
const PAGE: usize = 256;
