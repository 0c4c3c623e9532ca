//! Judgement: the round as it was seen goes to the diagnosis, the verdict to the store and to everybody who watches.

use std::{collections::BTreeSet, sync::Arc};

use parallax_diagnosis::{History, RoundView, Trust, VantageView};
use parallax_model::{
    assignment::Experiment,
    facts::{NotCompleted, TlsEnd},
    id::VantageName,
    incident::IncidentNews,
    outcome::Outcome,
    verdict::Verdict,
};
use parallax_store::{RoundRecord, RoundVantage, ShareState, StoreError};
use tracing::{info, warn};

use super::live::{Event, Live};
use crate::{app::App, bus::Announced, incidents, telemetry::Counters};

/// Everything that a judgement is handed.
#[derive(Debug)]
pub(super) struct Base {
    /// The round.
    pub(super) view: RoundView,
    /// What was known before.
    pub(super) history: History,
    /// Whether the round is closed in the store and no result came since.
    settled: bool,
    /// How many results the view holds that no judgement has seen.
    unjudged: u64,
}

impl Base {
    /// Returns what is trusted for this check.
    pub(super) fn trust(&self, fleet_wide: &Trust) -> Trust {
        fleet_wide.with(&self.view.check.trust)
    }
}

/// Reads what is needed to judge a round.
pub(super) async fn judgement_base(app: &App, live: &Live) -> Result<Base, StoreError> {
    let record = app.store.round(live.id).await?;
    let attempts = app.store.attempts_of_round(live.id).await?;
    let heard: BTreeSet<&VantageName> = attempts.iter().map(|attempt| &attempt.vantage).collect();
    let over = app.clock.now() > live.deadline;
    let vantages = record
        .iter()
        .flat_map(|record: &RoundRecord| &record.vantages)
        .map(|vantage| vantage_view(app, live, vantage, over && heard.contains(&vantage.name)))
        .collect();
    let responders = app.own_responder.responder.iter().cloned().chain(app.fleet.responders()).collect();
    let view = RoundView { check: live.check.clone(), round: live.id, started_at: live.start, vantages, attempts, responders };
    let known_keys = app.store.known_keys(&live.check.target.authority(), None).await?;
    let unjudged = record.as_ref().map_or(0, |record| record.unjudged);
    let settled = unjudged == 0 && record.is_none_or(|record| record.closed_at.is_some());
    Ok(Base { view, history: History { known_keys }, settled, unjudged })
}

/// Judges a round and stores the verdict, under a further revision when it was judged before and the verdict is another now.
pub(super) async fn close(app: &Arc<App>, live: &Live) -> Result<(), StoreError> {
    let base = judgement_base(app, live).await?;
    let (trust, now) = (app.trust.clone(), app.clock.now());
    let judged = tokio::task::spawn_blocking(move || (parallax_diagnosis::judge(&base.view, &base.history, &base.trust(&trust), now), base)).await;
    let (mut verdict, base) = match judged {
        Ok(judged) => judged,
        Err(panic) => {
            warn!(round.id = %live.id, error = %panic, "the judgement of a round ended early");
            live.tell(Event::Failed("the judgement ended early: this is a bug, please report it".to_owned()));
            return Ok(());
        }
    };
    let former = app.store.verdict(live.id, None).await?;
    if let Some(former) = former.filter(|former| says_the_same(former, &verdict)) {
        if !base.settled {
            // Nothing new came of it, or an earlier run was cut off between verdict and close.
            app.store.close_round(live.id, now, base.unjudged).await?;
        }
        live.tell(Event::Verdict(Arc::new(former)));
        return Ok(());
    }
    let check = live.check.name.is_some().then_some(live.check.id);
    verdict.revision = app.store.put_verdict(check, &verdict, now).await?;
    app.store.close_round(live.id, now, base.unjudged).await?;
    let keys = authenticated_keys(&base.view, &verdict);
    if !keys.is_subset(&base.history.known_keys) {
        app.store.remember_keys(&verdict.target, &keys, now).await?;
    }
    Counters::add(&app.counters.verdicts, 1);
    info!(round.id = %live.id, check.name = live.check.name.as_ref().map(tracing::field::display), verdict.healthy = verdict.healthy, verdict.revision = verdict.revision, "judged");
    let refused = refused_by_every_policy(&base.view);
    let verdict = Arc::new(verdict);
    let news = if check.is_some() { news(app, live, &verdict).await } else { Vec::new() };
    app.bus.announce(Announced { check: live.check.id, verdict: Arc::clone(&verdict), news: news.into() });
    live.tell(if refused.is_empty() { Event::Verdict(verdict) } else { Event::Refused(refused) });
    Ok(())
}

/// Says what the verdict did to the check's incidents; the verdict stands even where that cannot be told.
async fn news(app: &App, live: &Live, verdict: &Verdict) -> Vec<IncidentNews> {
    incidents::take(app, &live.check, verdict).await.unwrap_or_else(|failure| {
        warn!(round.id = %live.id, error = &failure as &dyn std::error::Error, "the incidents of a check could not be read; the next round tries again");
        Vec::new()
    })
}

/// Returns the addresses that were refused, when the own policy of every vantage that reported refuses the target and nothing else was tried.
fn refused_by_every_policy(view: &RoundView) -> Vec<String> {
    let elsewhere = [Experiment::Resolve, Experiment::Responder, Experiment::NameAtResponder];
    let of_target = view.attempts.iter().filter(|attempt| !elsewhere.contains(&attempt.experiment));
    let mut refused = BTreeSet::new();
    for attempt in of_target {
        match attempt.facts.not_completed {
            Some(NotCompleted::PolicyDenied(address)) => refused.insert(address.ip().to_string()),
            _ => return Vec::new(),
        };
    }
    refused.into_iter().collect()
}

fn vantage_view(app: &App, live: &Live, vantage: &RoundVantage, late: bool) -> VantageView {
    let offset_now = app.fleet.with(&vantage.name, |link| link.clock_offset_us).flatten().map(|micros| micros / 1_000);
    VantageView {
        name: vantage.name.clone(),
        labels: vantage.labels.clone(),
        group: vantage.group.clone(),
        build: vantage.build.clone(),
        clock_offset_ms: offset_now.or(vantage.clock_offset_ms),
        egress: vantage.egress,
        witness: app.fleet.with(&vantage.name, |link| link.capabilities.iter().any(|name| name == Experiment::Witness.as_str())).unwrap_or(false),
        reported: late || vantage.share == ShareState::Reported || live.is_done(&vantage.name, false),
    }
}

/// Tells whether two verdicts differ in nothing but their number and time.
fn says_the_same(former: &Verdict, verdict: &Verdict) -> bool {
    let alike = Verdict { revision: former.revision, closed_at: former.closed_at, ..verdict.clone() };
    alike == *former
}

/// Returns the public keys that finished a handshake in a healthy round.
fn authenticated_keys(view: &RoundView, verdict: &Verdict) -> BTreeSet<String> {
    if !verdict.healthy || verdict.findings.iter().any(|finding| !finding.cause.is_informational()) {
        return BTreeSet::new();
    }
    let of_target = view.attempts.iter().filter(|attempt| attempt.experiment == Experiment::Baseline && Outcome::of(attempt) == Outcome::Ok);
    let tls = of_target.filter_map(|attempt| attempt.facts.tls.as_ref()).filter(|tls| tls.end == TlsEnd::Established);
    let proven = tls.filter(|tls| tls.handshake.as_ref().is_some_and(|handshake| handshake.signature_verified == Some(true)));
    proven.filter_map(|tls| tls.certificates.first()).filter_map(|leaf| key_sha256(&leaf.0)).collect()
}

fn key_sha256(certificate: &[u8]) -> Option<String> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(parallax_model::bytes::Bytes(crate::pki::sha256(parsed.public_key().raw).to_vec()).to_string())
}
