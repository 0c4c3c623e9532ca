//! One round now: opened, watched, and ended with its verdict.

use std::{collections::BTreeSet, sync::Arc};

use parallax_model::{cadence::Cadence, check::Check, id::VantageName};
use parallax_proto::{
    convert::check_from_operator,
    v1::{self, RunRoundRequest, RunRoundResponse, run_round_request::What, run_round_response::Event as Reply},
};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::checks;
use crate::{
    app::App,
    round::{Event, Live, open_adhoc, see_to},
    rpc::{peer::Operator, status::of_store},
    schedule::eligible,
};

type Replies = mpsc::Sender<Result<RunRoundResponse, Status>>;

/// Opens a round from every vantage that the check takes.
pub(super) async fn run(app: &Arc<App>, who: &Operator, request: RunRoundRequest) -> Result<ReceiverStream<Result<RunRoundResponse, Status>>, Status> {
    let check = match request.what {
        Some(What::Check(message)) => Check { cadence: Cadence::Once, name: None, paused: false, ..check_from_operator(message, app.now())? },
        Some(What::Name(name)) => checks::by_name(app, &name).await?,
        None => return Err(Status::invalid_argument("say what to run: a check, or the name of one")),
    };
    let fleet = app.store.vantages().await.map_err(of_store)?;
    let online: BTreeSet<VantageName> = app.fleet.online().into_iter().collect();
    let members: Vec<_> = eligible(&check, &fleet, &online).into_iter().cloned().collect();
    checks::someone(&check, &fleet, members.len())?;
    let (present, silent): (Vec<VantageName>, Vec<VantageName>) = members.iter().map(|vantage| vantage.name.clone()).partition(|name| online.contains(name));
    if present.is_empty() {
        return Err(Status::failed_precondition(format!("none of the chosen vantages is connected: {}", joined(&silent))));
    }
    let live = open_adhoc(app, &check, &members).await.map_err(of_store)?;
    app.audit(&who.name, "run-round", &check.target.to_string(), live.id.to_string()).await;
    let (replies, responses) = mpsc::channel(REPLIES);
    let texts = |names: &[VantageName]| names.iter().map(ToString::to_string).collect();
    let opened = v1::RoundOpened {
        round_id: live.id.0.as_bytes().to_vec(),
        vantages: texts(&members.iter().map(|vantage| vantage.name.clone()).collect::<Vec<_>>()),
        silent: texts(&silent),
    };
    let events = live.watch();
    see_to(app, &live);
    let stopping = app.stopping.clone();
    app.tasks.spawn(async move {
        let _ = replies.send(Ok(RunRoundResponse { event: Some(Reply::Opened(opened)) })).await;
        tokio::select! {
            () = stopping.cancelled() => drop(replies.send(Err(Status::unavailable("the coordinator stops"))).await),
            followed = relay(&live, events, &replies) => if followed.is_none() {
                live.cancelled.cancel();
            },
        }
    });
    Ok(ReceiverStream::new(responses))
}

/// Passes events on until the round ends; none when the operator went away before.
async fn relay(live: &Live, mut events: broadcast::Receiver<Event>, replies: &Replies) -> Option<()> {
    loop {
        let event = tokio::select! {
            () = replies.closed() => return None,
            event = events.recv() => event,
        };
        let reply = match event {
            Ok(Event::Attempt(attempt)) => Ok(Reply::Attempt(*attempt)),
            Ok(Event::Done { vantage, follow_up }) => Ok(Reply::Done(v1::VantageDone { vantage: vantage.to_string(), follow_up })),
            Ok(Event::Note(note)) => Ok(Reply::Note(note)),
            Ok(Event::Verdict(verdict)) => Ok(Reply::VerdictJson(serde_json::to_string(&*verdict).map_err(|error| Status::internal(error.to_string())).ok()?)),
            Ok(Event::Refused(addresses)) => Err(refused(live, &addresses)),
            Ok(Event::Failed(why)) => Err(Status::internal(format!("the round could not be judged: {why}"))),
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return Some(()),
        };
        let last = matches!(reply, Ok(Reply::VerdictJson(_)) | Err(_));
        replies.send(reply.map(|event| RunRoundResponse { event: Some(event) })).await.ok()?;
        if last {
            return Some(());
        }
    }
}

fn refused(live: &Live, addresses: &[String]) -> Status {
    let shown = addresses.join(", ");
    let target = live.check.target.authority();
    Status::failed_precondition(format!(
        "every vantage's own policy refuses {target}: {shown} lies in a special-purpose range; allow it where the agents run, with --allow CIDR"
    ))
}

fn joined(names: &[VantageName]) -> String {
    names.iter().map(VantageName::as_str).collect::<Vec<_>>().join(", ")
}

const REPLIES: usize = 256;
