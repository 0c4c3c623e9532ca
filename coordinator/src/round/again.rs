//! Judging again: stored rounds by the present rules, with the clock and the history of their time.

use std::{collections::BTreeSet, sync::Arc};

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
        let known_keys = store.known_keys(&verdict.target, Some(verdict.closed_at)).await?;
        let view = view(record, attempts, responders, verdict.closed_at);
        Ok(Some(Self { view, history: History { known_keys }, at: verdict.closed_at }))
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
/// Memory holds a page of rounds and a few rounds' attempts.
pub(crate) async fn rejudge(
    store: Arc<dyn Store>,
    trust: Arc<Trust>,
    responders: Vec<Responder>,
    span: JudgedSpan,
    results: mpsc::Sender<Again>,
) -> Result<(), StoreError> {
    let at_once = std::thread::available_parallelism().map_or(2, usize::from) * 2;
    let mut span = span;
    loop {
        let page = store.judged_rounds(span, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        span.after = Some((last.record.started_at, last.record.id));
        let work = page.into_iter().map(|judged| one(Arc::clone(&store), Arc::clone(&trust), responders.clone(), judged));
        let mut done = stream::iter(work.collect::<Vec<_>>()).buffered(at_once);
        while let Some(result) = done.next().await {
            if results.send(result?).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn one(store: Arc<dyn Store>, trust: Arc<Trust>, responders: Vec<Responder>, judged: JudgedRound) -> Result<Again, StoreError> {
    let JudgedRound { record, check, verdict: before } = judged;
    let id = record.id;
    let attempts = store.attempts_of_round(record.id).await?;
    let known_keys = store.known_keys(&before.target, Some(before.closed_at)).await?;
    let work = move || {
        let view = view(record, attempts, responders, before.closed_at);
        let after = judge(&view, &History { known_keys }, &trust.with(&view.check.trust), before.closed_at);
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

/// Rounds that are read together.
const PAGE: usize = 256;
