//! The one stream to the coordinator: kept up, tried again, and fed from the spool.

mod backoff;
mod dial;
mod link;
mod pump;
mod talk;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use parallax_model::{
    clock::Timestamp,
    id::{BootId, RoundId},
    vantage::Labels,
};
use parallax_proto::v1::{self, session_request::Message};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tracing::{debug, error, info, warn};

pub(crate) use dial::{DialError, dial, open_channel};
use link::{LinkError, connect};

use crate::{
    fleet_clock::FleetClock,
    identity::{Identity, Keystore},
    memory::TimeMemory,
    spool::Spool,
};

/// What the coordinator wants.
#[derive(Debug)]
pub(crate) enum Order {
    /// The present set of scheduled checks, still sealed.
    Assignments(v1::SignedAssignments),
    /// The fleet's responders, without the agent's own.
    Responders(Vec<v1::Responder>),
    /// Run a share now.
    Run(Box<v1::Assignment>),
    /// Give up the shares of a round.
    Cancel(RoundId),
    /// Open at most so many connections a second to one target.
    Throttle(u32),
    /// Finish what runs and stop.
    Drain,
    /// This vantage is banned.
    Revoked(String),
}

/// What the agent says of itself at the start of a session.
#[derive(Debug, Clone)]
pub(crate) struct Introduction {
    /// This run of the agent.
    pub(crate) boot: BootId,
    /// What it can do.
    pub(crate) capabilities: Vec<String>,
    /// SHA-256 of its target policy.
    pub(crate) policy_sha256: Vec<u8>,
    /// Its own labels.
    pub(crate) labels: Labels,
    /// Where its responders are reached.
    pub(crate) responder_addresses: Vec<String>,
    /// SHA-256 of their key; empty without responders.
    pub(crate) responder_key_sha256: Vec<u8>,
}

/// What a session needs of the rest of the agent.
pub(crate) struct Context {
    /// What the agent says of itself.
    pub(crate) introduction: Introduction,
    /// Addresses that replace those of the identity; empty for none.
    pub(crate) coordinators: Vec<String>,
    /// The identity on disk.
    pub(crate) keystore: Keystore,
    /// The coordinator's time.
    pub(crate) clock: Arc<FleetClock>,
    /// The newest time seen, on disk.
    pub(crate) memory: TimeMemory,
    /// What waits to be sent.
    pub(crate) spool: Spool,
    /// Where orders go.
    pub(crate) orders: mpsc::UnboundedSender<Order>,
    /// Revision of the assignments that the agent holds.
    pub(crate) revision: watch::Receiver<u64>,
    /// Shares that run.
    pub(crate) running: watch::Receiver<u32>,
    /// Whether a session is up.
    pub(crate) online: watch::Sender<bool>,
}

/// How a session that was up ended.
#[derive(Debug)]
enum End {
    /// The agent stops.
    Stopped,
    /// A new certificate is to be tried.
    Renewed,
    /// The stream broke or ended.
    Lost,
    /// The coordinator banned this vantage.
    Revoked,
}

/// Keeps a session up until `stop` turns true or the coordinator bans the vantage; `outgoing` is what else is to be sent while it is up.
pub(crate) async fn keep(context: Context, mut outgoing: mpsc::Receiver<Message>, mut stop: watch::Receiver<bool>) {
    let mut failures = 0_u32;
    let mut complained = None;
    loop {
        while outgoing.try_recv().is_ok() {}
        match attempt(&context, &mut outgoing, &mut stop).await {
            Ok(End::Stopped | End::Revoked) => return,
            Ok(End::Renewed) => continue,
            Ok(End::Lost) => {
                failures = 1;
                complained = None;
            }
            Err(problem) => {
                failures = failures.saturating_add(1);
                let text = crate::telemetry::with_sources(&problem);
                if complained.as_ref() == Some(&text) {
                    debug!("still not online: {text}");
                } else {
                    warn!("not online, trying on: {text}");
                    complained = Some(text);
                }
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(backoff::pause(failures, backoff::random())) => {}
        }
    }
}

/// Tries every identity at every coordinator once; returns when the session that came up has ended, or the last reason why none did.
async fn attempt(context: &Context, outgoing: &mut mpsc::Receiver<Message>, stop: &mut watch::Receiver<bool>) -> Result<End, LinkError> {
    let present = context.keystore.load().map_err(LinkError::Identity)?.ok_or(LinkError::NotEnrolled)?;
    let mut last = LinkError::Dial(DialError::NoAddress);
    if let Some(next) = context.keystore.load_next() {
        match session(context, &next, outgoing, stop).await {
            Ok(end) => return Ok(end),
            Err(problem) => {
                if problem.is_refusal() {
                    warn!("the coordinator refuses the renewed certificate, going on with the present one: {}", crate::telemetry::with_sources(&problem));
                    context.keystore.discard_next().map_err(LinkError::Identity)?;
                }
                last = problem;
            }
        }
    }
    match session(context, &present, outgoing, stop).await {
        Ok(end) => Ok(end),
        Err(LinkError::Dial(DialError::NoAddress)) => Err(last),
        Err(problem) => Err(problem),
    }
}

async fn session(context: &Context, identity: &Identity, outgoing: &mut mpsc::Receiver<Message>, stop: &mut watch::Receiver<bool>) -> Result<End, LinkError> {
    let addresses = if context.coordinators.is_empty() { &identity.coordinators } else { &context.coordinators };
    let mut last = LinkError::Dial(DialError::NoAddress);
    for address in addresses {
        let connected = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(End::Stopped),
            connected = connect(context, identity, address) => connected,
        };
        match connected {
            Ok(link) => {
                if context.keystore.load_next().as_ref() == Some(identity) {
                    context.keystore.promote(identity).map_err(LinkError::Identity)?;
                    info!("certificate renewed");
                }
                let offset_s = context.clock.offset_us().unwrap_or(0) / 1_000_000;
                if offset_s.abs() >= CLOCK_COMPLAINT.as_secs().cast_signed() {
                    warn!(
                        offset_s,
                        "this host's clock differs from the coordinator's, whose time is used: set it, for example with 'timedatectl set-ntp true'"
                    );
                }
                info!("online as {}", identity.name);
                context.online.send_replace(true);
                let end = talk::talk(context, link, identity, outgoing, stop).await;
                context.online.send_replace(false);
                return Ok(end);
            }
            Err(problem) => last = problem,
        }
    }
    Err(last)
}

fn order(context: &Context, order: Order) {
    if context.orders.send(order).is_err() {
        error!("the agent takes no orders any more");
    }
}

/// Takes the coordinator's statement of the time in, and keeps it for the next start.
fn remember(context: &Context, stated: Timestamp) {
    if let Err(error) = context.memory.remember(stated, context.clock.offset_us()) {
        debug!("{}", crate::telemetry::with_sources(&error));
    }
}

/// From this difference on, the agent says that its host's clock is off.
const CLOCK_COMPLAINT: Duration = Duration::from_secs(120);
