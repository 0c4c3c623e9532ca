//! Stored rounds, judged again by the present rules.

use std::sync::Arc;

use parallax_diagnosis::RULES;
use parallax_model::clock::Timestamp;
use parallax_proto::v1::{
    RejudgeVerdictsRequest, RejudgeVerdictsResponse,
    rejudge_verdicts_response::{Changed, Event, Progress},
};
use parallax_store::{JudgedSpan, StoreError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::{checks, verdicts::document};
use crate::{
    app::App,
    round::{Again, rejudge},
    rpc::{peer::Operator, status::of_store},
};

type Replies = mpsc::Sender<Result<RejudgeVerdictsResponse, Status>>;

/// Judges the rounds of a span again and streams what differs; keeps it where that is asked for.
pub(super) async fn run(
    app: &Arc<App>,
    who: &Operator,
    request: RejudgeVerdictsRequest,
) -> Result<ReceiverStream<Result<RejudgeVerdictsResponse, Status>>, Status> {
    let check = if request.check.is_empty() { None } else { Some(checks::by_name(app, &request.check).await?.id) };
    let until = if request.until_us == 0 { app.now() } else { Timestamp::from_micros(request.until_us) };
    let span = JudgedSpan { check, since: Timestamp::from_micros(request.since_us), until, after: None };
    let (replies, responses) = mpsc::channel(REPLIES);
    let (app, who, of) = (Arc::clone(app), who.name.clone(), request.check);
    app.tasks.clone().spawn(async move {
        let mut tally = Progress { rules: RULES.to_owned(), ..Progress::default() };
        let ended = judge(&app, span, request.store, &replies, &mut tally).await;
        if request.store {
            let what = if of.is_empty() { "all" } else { &of };
            let detail = format!("rules {RULES} since {}: {} of {} rounds got a further revision", span.since, tally.stored, tally.rounds);
            app.audit(&who, "rejudge", what, detail).await;
        }
        let last = match ended {
            Ok(true) => Ok(event(Event::Summary(tally))),
            Ok(false) => Err(Status::unavailable("the coordinator stops")),
            Err(failure) => Err(of_store(failure)),
        };
        // Whoever asked may be gone.
        let _ = replies.send(last).await;
    });
    Ok(ReceiverStream::new(responses))
}

/// Returns false when the coordinator stops, or nobody listens any more, before the end.
async fn judge(app: &Arc<App>, span: JudgedSpan, store: bool, replies: &Replies, tally: &mut Progress) -> Result<bool, StoreError> {
    let responders = app.own_responder.responder.iter().cloned().chain(app.fleet.responders()).collect();
    let (results, mut judged) = mpsc::channel(REPLIES);
    let judging = tokio::spawn(rejudge(Arc::clone(&app.store), Arc::clone(&app.trust), responders, span, results));
    while let Some(again) = judged.recv().await {
        tally.rounds += 1;
        let mut news = None;
        match again {
            Again::Same => {}
            Again::Reworded => tally.reworded += 1,
            Again::Failed => tally.failed += 1,
            Again::Changed { check, before, after } => {
                tally.changed += 1;
                if store {
                    app.store.put_verdict(check, &after, app.now()).await?;
                    tally.stored += 1;
                }
                let documents = document(&before).and_then(|before_json| Ok(Changed { before_json, after_json: document(&after)? }));
                news = Some(documents.map(|changed| event(Event::Changed(changed))));
            }
        }
        if news.is_none() && tally.rounds.is_multiple_of(EVERY) {
            news = Some(Ok(event(Event::Progress(tally.clone()))));
        }
        let unheard = match news {
            Some(news) => replies.send(news).await.is_err(),
            None => false,
        };
        if unheard || app.stopping.is_cancelled() {
            return Ok(false);
        }
    }
    judging.await.unwrap_or(Ok(())).map(|()| true)
}

fn event(event: Event) -> RejudgeVerdictsResponse {
    RejudgeVerdictsResponse { event: Some(event) }
}

/// Rounds between two reports of progress.
const EVERY: u64 = 500;
const REPLIES: usize = 64;
