//! The first exchange of a session: the agent says who and how it is, the coordinator takes it into the fleet.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
};

use parallax_model::{
    bytes::Bytes,
    id::VantageName,
    vantage::{Responder, Standing, Vantage},
};
use parallax_proto::{
    convert::{ConvertError, Reason, boot_id},
    v1::{self, SessionRequest, session_request::Message as Up, session_response::Message as Down},
};
use parallax_store::VantageSeen;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};
use tonic::{Status, Streaming};
use tracing::{debug, info};

use super::{HEARTBEAT, SILENCE, Session, acknowledge, first_offset_us, keep_seen};
use crate::{
    app::App,
    fleet::{Link, Outbox, told_to},
    rpc::{enroll::valid_labels, status::of_store},
    schedule::send_assignments,
};

/// Runs a session from its hello to its end; gives the outbox back, so that the reason of the end can be sent.
pub(super) async fn run(
    app: Arc<App>,
    vantage: Vantage,
    egress: Option<IpAddr>,
    mut inbound: Streaming<SessionRequest>,
    outbox: Outbox,
) -> (Result<(), Status>, Outbox) {
    let name = vantage.name.clone();
    let hello = match first_message(&mut inbound).await {
        Ok(hello) => hello,
        Err(status) => return (Err(status), outbox),
    };
    let (mut session, epoch, acknowledging) = match greet(&app, vantage, egress, hello, &outbox).await {
        Ok(greeted) => greeted,
        Err(status) => return (Err(status), outbox),
    };
    let outcome = session.read(&mut inbound).await;
    let was_present = app.fleet.leave(&name, epoch);
    debug!(vantage.name = %name, session.epoch = epoch, ?outcome, "a session ended");
    if was_present {
        session.seen.at = app.now();
        keep_seen(&app, &name, &session.seen).await;
        if vantage_runs_responder(&session) {
            app.plan.invalidate();
        }
    }
    drop(session);
    // What was read is still stored; its acknowledgement goes nowhere, and the agent sends it again in vain.
    let _ = acknowledging.await;
    (outcome, outbox)
}

fn vantage_runs_responder(session: &Session) -> bool {
    session.seen.capabilities.iter().any(|capability| capability == "responder")
}

async fn first_message(inbound: &mut Streaming<SessionRequest>) -> Result<v1::Hello, Status> {
    let first = timeout(SILENCE, inbound.message()).await.map_err(|_| Status::deadline_exceeded("no hello came"))??;
    match first.and_then(|request| request.message) {
        Some(Up::Hello(hello)) if hello.protocol == PROTOCOL => Ok(hello),
        Some(Up::Hello(hello)) => Err(Status::failed_precondition(format!(
            "this coordinator speaks version {PROTOCOL} of the session protocol, the agent version {}: install matching builds",
            hello.protocol
        ))),
        _ => Err(Status::invalid_argument("a session begins with a hello")),
    }
}

async fn greet(
    app: &Arc<App>,
    vantage: Vantage,
    egress: Option<IpAddr>,
    hello: v1::Hello,
    outbox: &Outbox,
) -> Result<(Session, u64, tokio::task::JoinHandle<()>), Status> {
    let name = vantage.name;
    let boot = boot_id(&hello.boot_id, "boot_id")?;
    let responder = announced_responder(&name, &hello)?;
    let now = app.now();
    let offset = first_offset_us(hello.now_us, now);
    let seen = VantageSeen {
        at: now,
        egress,
        version: hello.version.clone(),
        capabilities: hello.capabilities.clone(),
        clock_offset_ms: offset.map(|micros| micros / 1_000),
        labels: valid_labels(hello.labels)?,
    };
    let gone = || Status::permission_denied("the vantage was deleted");
    let epoch = app.store.begin_session(&name).await.map_err(of_store)?.ok_or_else(gone)?;
    app.store.touch_vantage(&name, &seen).await.map_err(of_store)?;
    let watermark = app.store.watermark(&name, boot).await.map_err(of_store)?;
    let (ending_sender, ending) = watch::channel(None);
    let announces = responder.is_some();
    let link = Link {
        epoch,
        outbox: outbox.clone(),
        ending: ending_sender,
        capabilities: hello.capabilities,
        version: hello.version,
        clock_offset_us: offset,
        responder,
        egress,
        last_heard: now,
        assigned: None,
    };
    let welcome = v1::Welcome {
        epoch,
        now_us: app.now().as_micros(),
        heartbeat_interval_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap_or(u32::MAX),
        acknowledged_through: watermark,
        responders: told_to(&name, &app.own_responder, &app.fleet.responders()).iter().map(Into::into).collect(),
    };
    // The welcome is queued before others can find the session, so that it comes first.
    let _ = outbox.send(Ok(v1::SessionResponse { message: Some(Down::Welcome(welcome)) })).await;
    if !app.fleet.join(&name, link) {
        return Err(Status::aborted("a newer session of this vantage is open"));
    }
    app.counters.sessions.fetch_add(1, Relaxed);
    app.audit(name.as_str(), "session", name.as_str(), format!("epoch {epoch}, build {}", seen.version)).await;
    info!(vantage.name = %name, session.epoch = epoch, agent.version = seen.version, agent.spooled = hello.spooled_attempts, "a vantage is online");
    send_assignments(app, &name, true);
    if vantage.standing == Standing::Draining {
        // The operator's word may have come while the agent was away.
        app.fleet.send(&name, Down::Drain(v1::Drain {}));
    }
    let after = app.store.vantage(&name).await.map_err(of_store)?;
    if announces || after.is_none_or(|after| after.labels != vantage.labels) {
        app.plan.invalidate();
    }
    let (items, queue) = mpsc::channel(QUEUED_BATCHES);
    let acknowledging = app.tasks.spawn(acknowledge::run(Arc::clone(app), name.clone(), queue, outbox.clone()));
    let session = Session { app: Arc::clone(app), name, outbox: outbox.clone(), ending, items, seen, kept: Instant::now() };
    Ok((session, epoch, acknowledging))
}

fn announced_responder(name: &VantageName, hello: &v1::Hello) -> Result<Option<Responder>, ConvertError> {
    if hello.responder_addresses.is_empty() {
        return Ok(None);
    }
    let message = v1::Responder { addresses: hello.responder_addresses.clone(), key_sha256: hello.responder_key_sha256.clone(), vantage: name.to_string() };
    let responder = Responder::try_from(message)?;
    if responder.key_sha256 == Bytes(vec![0; 32]) {
        return Err(ConvertError::new("responder_key_sha256", Reason::Missing));
    }
    Ok(Some(responder))
}

/// The version of the session protocol.
const PROTOCOL: u32 = 1;
/// Batches of one agent that wait for the store.
const QUEUED_BATCHES: usize = 32;
