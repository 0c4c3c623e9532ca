//! One agent's session: greeting, heartbeats, results in, instructions out, and its end.

mod acknowledge;
mod greet;

use std::{sync::Arc, time::Duration};

use parallax_model::{clock::Timestamp, id::VantageName};
use parallax_proto::v1::{self, SessionRequest, SessionResponse, session_request::Message as Up, session_response::Message as Down};
use parallax_store::VantageSeen;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};
use tonic::{Request, Status, Streaming};
use tracing::{debug, error, info, warn};

use self::acknowledge::Item;
use super::peer;
use crate::{
    app::App,
    fleet::{Ending, Outbox},
    round::{Event, Live},
};

/// Opens a session: the first message must be the agent's hello.
pub(super) async fn open(app: &Arc<App>, request: Request<Streaming<SessionRequest>>) -> Result<mpsc::Receiver<Result<SessionResponse, Status>>, Status> {
    let (_, vantage) = peer::vantage(app, &request).await?;
    let egress = peer::egress(&request);
    let inbound = request.into_inner();
    let (outbox, responses) = mpsc::channel(OUTBOX);
    let (app, tasks) = (Arc::clone(app), app.tasks.clone());
    // The stream is answered before the hello is read: a client may wait for the response's headers before it sends anything.
    tasks.spawn(async move {
        let (outcome, outbox) = greet::run(app, vantage, egress, inbound, outbox).await;
        if let Err(status) = outcome {
            let _ = outbox.send(Err(status)).await;
        }
    });
    Ok(responses)
}

/// A session that was greeted.
struct Session {
    app: Arc<App>,
    name: VantageName,
    outbox: Outbox,
    ending: watch::Receiver<Option<Ending>>,
    items: mpsc::Sender<Item>,
    seen: VantageSeen,
    kept: Instant,
}

impl Session {
    /// Reads until the agent is gone or has to go; says why in the second case.
    async fn read(&mut self, inbound: &mut Streaming<SessionRequest>) -> Result<(), Status> {
        loop {
            let message = tokio::select! {
                changed = self.ending.changed() => {
                    let ending = changed.ok().and_then(|()| *self.ending.borrow_and_update());
                    return self.end(ending.unwrap_or(Ending::Stopping)).await;
                }
                message = timeout(SILENCE, inbound.message()) => message.map_err(|_| Status::deadline_exceeded("no heartbeat came"))??,
            };
            let Some(SessionRequest { message: Some(message) }) = message else {
                return Ok(());
            };
            self.take(message).await?;
        }
    }

    async fn take(&mut self, message: Up) -> Result<(), Status> {
        match message {
            Up::Hello(_) => return Err(Status::invalid_argument("a second hello in one session")),
            Up::Heartbeat(heartbeat) => self.heartbeat(&heartbeat).await,
            Up::AssignmentAck(ack) => {
                for rejection in ack.rejections {
                    warn!(vantage.name = %self.name, rejection.reason, "a vantage will not run a check");
                }
                debug!(vantage.name = %self.name, ack.revision, "assignments arrived");
            }
            Up::AttemptBatch(batch) => self.queue(Item::Batch(batch)).await?,
            Up::ShareDone(done) => self.queue(Item::Done(done)).await?,
            Up::RunEvent(event) => self.show(event),
        }
        Ok(())
    }

    /// Queues what must be handled in order; waits when the store is behind, which slows the agent down.
    async fn queue(&self, item: Item) -> Result<(), Status> {
        self.items.send(item).await.map_err(|_| Status::unavailable("results can no longer be stored"))
    }

    async fn heartbeat(&mut self, heartbeat: &v1::Heartbeat) {
        let received = self.app.now();
        let offset = heartbeat.clock_offset_us;
        self.app.fleet.with(&self.name, |link| {
            link.last_heard = received;
            link.clock_offset_us = offset.or(link.clock_offset_us);
        });
        self.seen.at = received;
        self.seen.clock_offset_ms = offset.map(|micros| micros / 1_000).or(self.seen.clock_offset_ms);
        let answer =
            v1::HeartbeatAck { agent_sent_at_us: heartbeat.sent_at_us, received_at_us: received.as_micros(), answered_at_us: self.app.now().as_micros() };
        self.send(Down::HeartbeatAck(answer));
        if self.kept.elapsed() > KEEP_SEEN {
            self.kept = Instant::now();
            keep_seen(&self.app, &self.name, &self.seen).await;
        }
    }

    fn show(&self, event: v1::RunEvent) {
        let live = parallax_proto::convert::round_id(&event.round_id, "round_id").ok().and_then(|id| self.app.rounds.find(id));
        if let (Some(live), Some(mut attempt)) = (live.filter(|live: &Arc<Live>| live.members.contains(&self.name)), event.attempt) {
            attempt.vantage = self.name.to_string();
            live.tell(Event::Attempt(Box::new(attempt)));
        }
    }

    async fn end(&self, ending: Ending) -> Result<(), Status> {
        if ending != Ending::Stopping {
            info!(vantage.name = %self.name, ?ending, "a session is ended");
        }
        match ending {
            Ending::Superseded => {
                self.app.audit(self.name.as_str(), "session-superseded", self.name.as_str(), String::new()).await;
                Err(Status::aborted("a newer session of this vantage took over: is the same data directory in use twice?"))
            }
            Ending::Revoked => {
                self.send(Down::Revoked(v1::Revoked { reason: format!("the vantage {} was banned or deleted", self.name) }));
                Err(Status::permission_denied(format!("the vantage {} was banned or deleted", self.name)))
            }
            Ending::Stalled => Err(Status::resource_exhausted("the agent does not read its instructions")),
            Ending::Stopping => Err(Status::unavailable("the coordinator stops")),
        }
    }

    fn send(&self, message: Down) {
        if self.outbox.try_send(Ok(SessionResponse { message: Some(message) })).is_err() {
            debug!(vantage.name = %self.name, "an agent does not read fast enough");
        }
    }
}

/// Records when and from where a vantage was heard; a failure is logged, because the session matters more.
async fn keep_seen(app: &App, name: &VantageName, seen: &VantageSeen) {
    if let Err(failure) = app.store.touch_vantage(name, seen).await {
        error!(vantage.name = %name, error = &failure as &dyn std::error::Error, "what a session told could not be kept");
    }
}

/// Estimates the offset of an agent's clock from the moment that it wrote; the heartbeats make it exact.
fn first_offset_us(agent: i64, now: Timestamp) -> Option<i64> {
    (agent > 0).then(|| agent.saturating_sub(now.as_micros()))
}

/// Messages that wait for one agent; a fleet-wide change sends a handful.
const OUTBOX: usize = 256;
/// How often an agent says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After this silence an agent is gone.
const SILENCE: Duration = Duration::from_secs(20);
/// How often it is written down that a vantage was heard.
const KEEP_SEEN: Duration = Duration::from_secs(60);
