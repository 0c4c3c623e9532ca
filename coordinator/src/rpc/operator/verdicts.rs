//! Verdicts: listed, shown, watched.

use parallax_model::{clock::Timestamp, id::RoundId, target::Target, verdict::Verdict};
use parallax_proto::v1::{GetVerdictRequest, GetVerdictResponse, ListVerdictsRequest, ListVerdictsResponse, WatchVerdictsRequest, WatchVerdictsResponse};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::checks;
use crate::{app::App, bus::Announced, rpc::status::of_store};

/// Lists verdicts, the newest round first.
pub(super) async fn list(app: &App, request: ListVerdictsRequest) -> Result<ListVerdictsResponse, Status> {
    let moment = |micros: i64| (micros != 0).then(|| Timestamp::from_micros(micros));
    let (since, until) = (moment(request.since_us), moment(request.until_us));
    let limit = if request.limit == 0 { DEFAULT_LIMIT } else { usize::try_from(request.limit).unwrap_or(MOST).min(MOST) };
    let target = if request.target.is_empty() { None } else { Some(authority(&request.target)?) };
    let found = if request.check.is_empty() {
        // The filters below take some away, so more are read than are wanted.
        app.store.recent_verdicts(if target.is_some() || until.is_some() { MOST } else { limit }, since).await
    } else {
        let check = checks::by_name(app, &request.check).await?;
        app.store.verdicts_of_check(check.id, since, until, if target.is_some() { MOST } else { limit }).await
    };
    let wanted = |verdict: &Verdict| target.as_ref().is_none_or(|target| verdict.target == *target) && until.is_none_or(|until| verdict.started_at < until);
    let verdicts = found.map_err(of_store)?;
    let verdicts_json = verdicts.iter().filter(|verdict| wanted(verdict)).take(limit).map(document).collect::<Result<_, _>>()?;
    Ok(ListVerdictsResponse { verdicts_json })
}

/// Returns one verdict, with its attempts where they are wanted.
pub(super) async fn get(app: &App, request: GetVerdictRequest) -> Result<GetVerdictResponse, Status> {
    let verdict = found(app, &request.round, request.revision).await?;
    let attempts = if request.with_attempts { app.store.attempts_of_round(verdict.round).await.map_err(of_store)? } else { Vec::new() };
    Ok(GetVerdictResponse { verdict_json: document(&verdict)?, attempts: attempts.iter().map(Into::into).collect() })
}

/// Finds a verdict by its round; revision 0 is the newest.
pub(super) async fn found(app: &App, round: &str, revision: u32) -> Result<Verdict, Status> {
    let id: RoundId =
        round.parse().map_err(|_| Status::invalid_argument(format!("{round:?} is not a round's identifier: 'parallax verdict list' shows them")))?;
    let none = || match revision {
        0 => Status::not_found(format!("there is no verdict of a round {id}: 'parallax verdict list' shows what is kept")),
        _ => Status::not_found(format!("the round {id} has no verdict of revision {revision}")),
    };
    app.store.verdict(id, (revision > 0).then_some(revision)).await.map_err(of_store)?.ok_or_else(none)
}

/// Streams the verdicts of a check, or of everything, as they are made.
pub(super) async fn watch(app: &App, request: WatchVerdictsRequest) -> Result<ReceiverStream<Result<WatchVerdictsResponse, Status>>, Status> {
    let check = if request.check.is_empty() { None } else { Some(checks::by_name(app, &request.check).await?.id) };
    let mut news = app.bus.listen();
    let (replies, responses) = mpsc::channel(REPLIES);
    let stopping = app.stopping.clone();
    app.tasks.spawn(async move {
        loop {
            let heard = tokio::select! {
                () = stopping.cancelled() => return drop(replies.send(Err(Status::unavailable("the coordinator stops"))).await),
                () = replies.closed() => return,
                heard = news.recv() => heard,
            };
            let reply = match heard {
                Ok(announced) if check.is_none_or(|check| check == announced.check) => reply(&announced),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            };
            if replies.send(reply).await.is_err() {
                return;
            }
        }
    });
    Ok(ReceiverStream::new(responses))
}

fn reply(announced: &Announced) -> Result<WatchVerdictsResponse, Status> {
    let news = announced.news.iter().map(serde_json::to_string).collect::<Result<_, _>>();
    let incident_news_json = news.map_err(|error| Status::internal(error.to_string()))?;
    Ok(WatchVerdictsResponse { verdict_json: document(&announced.verdict)?, incident_news_json })
}

pub(super) fn document(verdict: &Verdict) -> Result<String, Status> {
    serde_json::to_string(verdict).map_err(|error| Status::internal(error.to_string()))
}

fn authority(text: &str) -> Result<String, Status> {
    text.parse::<Target>().map(|target| target.authority()).map_err(|error| Status::invalid_argument(error.to_string()))
}

const DEFAULT_LIMIT: usize = 100;
const MOST: usize = 10_000;
const REPLIES: usize = 64;
