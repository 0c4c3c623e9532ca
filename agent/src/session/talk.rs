//! A session that is up: instructions in, heartbeats and results out.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parallax_model::clock::Timestamp;
use parallax_proto::{
    convert::{boot_id, round_id},
    v1::{self, session_request::Message, session_response::Message as Instruction},
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};
use tracing::{debug, error, info, warn};

use super::{Context, End, Order, link::Link, order, pump::Pump, remember};
use crate::{
    fleet_clock::Exchange,
    identity::{Identity, renew, renew_at},
    spool::Spool,
};

/// One heartbeat on its way.
struct Beat {
    sent_at_us: i64,
    sent: Instant,
    sent_before: u64,
}

struct Talk<'a> {
    context: &'a Context,
    requests: mpsc::Sender<v1::SessionRequest>,
    pump: Arc<Pump>,
    beats: VecDeque<Beat>,
    /// Mark before which everything was sent when the heartbeat before the last acknowledged one was.
    seen: u64,
    remembered: Instant,
    rotate: bool,
}

/// Runs the session until it ends.
pub(super) async fn talk(context: &Context, link: Link, identity: &Identity, outgoing: &mut mpsc::Receiver<Message>, stop: &mut watch::Receiver<bool>) -> End {
    let Link { requests, mut responses, channel, heartbeat } = link;
    let pump = Pump::new();
    let mut talk =
        Talk { context, requests: requests.clone(), pump: Arc::clone(&pump), beats: VecDeque::new(), seen: 0, remembered: Instant::now(), rotate: false };
    let mut pumping = Box::pin(pumped(pump, context.spool.clone(), requests.clone()));
    let mut ticks = interval(heartbeat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    let mut renewal = Instant::now() + until_renewal(context, identity);
    loop {
        let alive_until = heard + heartbeat * 2 + SILENCE;
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            response = responses.message() => match response {
                Ok(Some(v1::SessionResponse { message: Some(instruction) })) => {
                    heard = Instant::now();
                    if let Some(end) = talk.obey(instruction) {
                        return end;
                    }
                    if std::mem::take(&mut talk.rotate) {
                        renewal = Instant::now();
                    }
                }
                Ok(Some(v1::SessionResponse { message: None })) => debug!("an instruction that this build does not know was skipped"),
                Ok(None) => {
                    info!("the coordinator ended the session");
                    return End::Lost;
                }
                Err(status) => {
                    debug!("{}", crate::telemetry::with_sources(&status));
                    warn!("offline, trying to come back: {}", reason(&status));
                    return End::Lost;
                }
            },
            () = sleep_until(alive_until) => {
                warn!("offline: the coordinator fell silent");
                return End::Lost;
            }
            _ = ticks.tick() => talk.beat(),
            // A stream that takes nothing must not hold up the watch over it: what does not fit is progress, which is not durable anyway.
            Some(message) = outgoing.recv() => drop(requests.try_send(v1::SessionRequest { message: Some(message) })),
            () = sleep_until(renewal) => {
                if renew_and_store(context, channel.clone(), identity).await {
                    return End::Renewed;
                }
                renewal = Instant::now() + RENEW_AGAIN;
            }
            () = &mut pumping => return End::Lost,
        }
    }
    // What was queued still goes out: the stream ends when its last sender is gone, and the coordinator answers with its own end.
    drop((talk, pumping, requests));
    let _ = timeout(GOODBYE, async { while let Ok(Some(_)) = responses.message().await {} }).await;
    End::Stopped
}

async fn pumped(pump: Arc<Pump>, spool: Spool, requests: mpsc::Sender<v1::SessionRequest>) {
    pump.run(&spool, &requests).await;
}

impl Talk<'_> {
    /// Follows one instruction; returns how the session ends when it does.
    fn obey(&mut self, instruction: Instruction) -> Option<End> {
        let context = self.context;
        match instruction {
            Instruction::HeartbeatAck(ack) => self.learn(&ack),
            Instruction::BatchAck(ack) => match boot_id(&ack.boot_id, "boot_id") {
                Ok(boot) => {
                    context.spool.acknowledge(boot, ack.acknowledged_through);
                    if let Some(seen) = self.pump.acknowledged(boot, ack.acknowledged_through) {
                        context.spool.confirm(seen);
                    }
                }
                Err(problem) => warn!(%problem, "an acknowledgement cannot be read"),
            },
            Instruction::Assignments(sealed) => order(context, Order::Assignments(sealed)),
            Instruction::RunTask(task) => {
                if let Some(assignment) = task.assignment {
                    order(context, Order::Run(Box::new(assignment)));
                }
            }
            Instruction::CancelTask(cancel) => match round_id(&cancel.round_id, "round_id") {
                Ok(round) => order(context, Order::Cancel(round)),
                Err(problem) => warn!(%problem, "a cancellation cannot be read"),
            },
            Instruction::Throttle(throttle) => order(context, Order::Throttle(throttle.connections_per_second)),
            Instruction::Drain(_) => order(context, Order::Drain),
            Instruction::RotateCertificate(_) => self.rotate = true,
            Instruction::Revoked(revoked) => {
                error!(reason = revoked.reason, "the coordinator banned this vantage");
                order(context, Order::Revoked(revoked.reason));
                return Some(End::Revoked);
            }
            Instruction::Welcome(welcome) => order(context, Order::Responders(welcome.responders)),
        }
        None
    }

    fn beat(&mut self) {
        let context = self.context;
        let beat = Beat { sent_at_us: context.clock.wall().as_micros(), sent: Instant::now(), sent_before: self.pump.sent_before() };
        let message = Message::Heartbeat(v1::Heartbeat {
            sent_at_us: beat.sent_at_us,
            spooled_attempts: context.spool.status().waiting,
            running_shares: *context.running.borrow(),
            clock_offset_us: context.clock.offset_us(),
        });
        if self.requests.try_send(v1::SessionRequest { message: Some(message) }).is_ok() {
            self.beats.push_back(beat);
        }
        if self.beats.len() > MOST_BEATS {
            self.beats.pop_front();
        }
    }

    fn learn(&mut self, ack: &v1::HeartbeatAck) {
        let Some(at) = self.beats.iter().position(|beat| beat.sent_at_us == ack.agent_sent_at_us) else { return };
        let Some(beat) = self.beats.drain(..=at).next_back() else { return };
        let (received, answered) = (Timestamp::from_micros(ack.received_at_us), Timestamp::from_micros(ack.answered_at_us));
        self.context.clock.learn(&Exchange { sent: beat.sent, received, answered, arrived: Instant::now() });
        // Ends of shares are worked on behind the batches before them; a heartbeat later they are.
        self.context.spool.confirm(std::mem::replace(&mut self.seen, beat.sent_before));
        if self.remembered.elapsed() > REMEMBER {
            self.remembered = Instant::now();
            remember(self.context, answered);
        }
    }
}

async fn renew_and_store(context: &Context, channel: tonic::transport::Channel, identity: &Identity) -> bool {
    let problem = match timeout(RENEW_TIME, renew(channel, identity)).await {
        Ok(Ok(renewed)) => match context.keystore.store_next(&renewed) {
            Ok(()) => return true,
            Err(problem) => crate::telemetry::with_sources(&problem),
        },
        Ok(Err(problem)) => crate::telemetry::with_sources(&problem),
        Err(_) => "the coordinator does not answer".to_owned(),
    };
    warn!("the certificate was not renewed, trying again in a minute: {problem}");
    false
}

/// Returns what to say of a broken stream: the coordinator's own words, or that the connection broke.
fn reason(status: &tonic::Status) -> &str {
    if status.code() == tonic::Code::Unknown { "the connection to the coordinator broke" } else { status.message() }
}

fn until_renewal(context: &Context, identity: &Identity) -> Duration {
    let Some((not_before, not_after)) = identity.validity() else { return Duration::ZERO };
    let micros = renew_at(not_before, not_after).micros_since(context.clock.now());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

const MOST_BEATS: usize = 16;
/// How long after two heartbeats without a word the coordinator counts as gone.
const SILENCE: Duration = Duration::from_secs(5);
/// How often the coordinator's time is written down.
const REMEMBER: Duration = Duration::from_secs(600);
const GOODBYE: Duration = Duration::from_millis(500);
const RENEW_TIME: Duration = Duration::from_secs(20);
const RENEW_AGAIN: Duration = Duration::from_secs(60);
