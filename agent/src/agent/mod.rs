//! The agent put together: identity, session, schedule, runner, responders, and an orderly end.

mod director;
mod folder;
mod respond;

use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use parallax_model::{clock::SystemClock, id::BootId};
use parallax_proto::join::JoinError;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    time::timeout,
};
use tracing::{info, warn};

use crate::{
    config::{Origin, Settings},
    files::FileError,
    fleet_clock::FleetClock,
    guard::Guard,
    identity::{EnrollError, Enrolment, Identity, IdentityError, Keystore, enroll},
    memory::TimeMemory,
    runner::{Journal, Parts, Runner, SystemLook},
    schedule::Sealed,
    server_log::ServerLog,
    session::{Context, Introduction, keep},
    spool::{self, Caps, Spool},
    vantage,
    witness::Witness,
};
use director::{Director, Ended};
use folder::Folder;

/// Says why the agent does not run, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AgentError {
    /// A file in the data folder cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another agent uses the data folder.
    #[error("another agent runs with the data folder {0}: stop it first, or give this one its own --data-dir")]
    InUse(String),
    /// There is an identity, and it is unusable.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// There is no identity, and no join string.
    #[error("this host is not enrolled: give a join string with --join; 'parallax vantage token create' prints one")]
    NotEnrolled,
    /// The join string is not one.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Nobody named the vantage.
    #[error("this host's name cannot name a vantage: choose one with --name, of letters, digits, '.', '_' and '-'")]
    NoName,
    /// Enrolment failed.
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    /// A responder cannot listen.
    #[error("the responder cannot listen on {address}: choose another port with --responder, or stop what uses it")]
    Responder {
        /// Where it was to listen.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The responder has no key.
    #[error(transparent)]
    ResponderIdentity(#[from] parallax_responder::IdentityError),
    /// The signal handlers cannot be installed.
    #[error("cannot wait for signals")]
    Signals(#[source] std::io::Error),
    /// The coordinator banned this vantage.
    #[error("the coordinator banned this vantage ({0}): ask its operator; a fresh start needs a new join string and an empty data folder")]
    Revoked(String),
}

/// Enrols and does nothing else.
pub(crate) async fn enroll_only(settings: &Settings) -> Result<(), AgentError> {
    let folder = Folder::lock(&settings.data_dir.value)?;
    let identity = identity(settings, &Keystore::new(folder.path())).await?;
    info!("enrolled as {}", identity.name);
    Ok(())
}

/// Runs until a signal, the operator or the coordinator ends it.
pub(crate) async fn run(settings: &Settings) -> Result<(), AgentError> {
    let folder = Folder::lock(&settings.data_dir.value)?;
    let keystore = Keystore::new(folder.path());
    let identity = identity(settings, &keystore).await?;
    let boot = BootId::new();
    let memory = TimeMemory::load(folder.path())?;
    let clock = Arc::new(FleetClock::new(Arc::new(SystemClock), memory.offset_us()));
    let spool = Spool::open(&folder.path().join(spool::FOLDER), boot, Caps::default())?;
    let guard = Arc::new(Guard::new(settings.allow.value.clone(), settings.deny.value.clone()));
    let responders = respond::start(settings, folder.path()).await?;
    let (journal, left) = Journal::open(folder.path())?;
    let (outgoing, to_send) = mpsc::channel(OUTGOING);
    let witness = witness(settings, &clock);
    let paths = &settings.witness_log.value;
    let log = (!paths.is_empty()).then(|| ServerLog::open(paths, Arc::clone(&clock)));
    let runner = Runner::new(Parts {
        look: SystemLook,
        witness: witness.clone(),
        log: log.clone(),
        guard: Arc::clone(&guard),
        clock: Arc::clone(&clock),
        spool: spool.clone(),
        outgoing: outgoing.clone(),
        vantage: identity.name.clone(),
        journal,
        max_rate: settings.max_rate.value,
    });
    runner.report_interrupted(left).await;
    let introduction = Introduction {
        boot,
        capabilities: vantage::capabilities(witness.is_some() || log.is_some()),
        policy_sha256: guard.digest(),
        labels: settings.label.value.clone(),
        responder_addresses: responders.addresses.iter().map(ToString::to_string).collect(),
        responder_key_sha256: responders.key_sha256.clone(),
    };
    let (orders, inbox) = mpsc::unbounded_channel();
    let (stop_session, session_stops) = watch::channel(false);
    let online = watch::Sender::new(false);
    let sealed = Sealed::new(folder.path(), identity.assignment_key.0.clone(), identity.name.clone());
    let director = Director::new(sealed, identity.name.clone(), Arc::clone(&clock), Rc::clone(&runner), outgoing);
    let context = Context {
        introduction,
        coordinators: settings.coordinator.value.clone(),
        keystore,
        clock,
        memory,
        spool: spool.clone(),
        orders,
        revision: director.revision(),
        running: runner.running(),
        online: online.clone(),
    };
    let session = tokio::task::spawn_local(keep(context, to_send, session_stops));
    let ended = director.run(inbox, stop_signal()?).await;
    wind_down(&ended, &runner, &spool, &online).await;
    let _ = stop_session.send(true);
    let _ = timeout(END_SESSION, session).await;
    responders.stop().await;
    match ended {
        Ended::Stopped | Ended::Drained => Ok(()),
        Ended::Revoked(reason) => Err(AgentError::Revoked(reason)),
    }
}

/// Begins to witness where it is wanted; a host that does not let the agent capture packets makes it a plain vantage.
fn witness(settings: &Settings, clock: &Arc<FleetClock>) -> Option<Rc<Witness>> {
    if !settings.witness.value {
        return None;
    }
    match Witness::open(Arc::clone(clock)) {
        Ok(witness) => {
            info!("witnessing what arrives on this host of the fleet's connections");
            Some(witness)
        }
        Err(problem) => {
            warn!(
                "this agent is no witness, only a vantage, because this host does not let it capture packets ({problem}): grant it CAP_NET_RAW, for example with AmbientCapabilities= in its systemd unit"
            );
            None
        }
    }
}

/// Lets shares come to their end or interrupts them, and sends what can still be sent; within eight seconds.
async fn wind_down(ended: &Ended, runner: &Runner<SystemLook>, spool: &Spool, online: &watch::Sender<bool>) {
    let mut running = runner.running();
    if matches!(ended, Ended::Stopped) && timeout(FINISH, running.wait_for(|running| *running == 0)).await.is_err() {
        info!(shares = *running.borrow(), "interrupting what still runs");
    }
    runner.interrupt();
    if timeout(INTERRUPT, running.wait_for(|running| *running == 0)).await.is_err() {
        warn!("some shares did not end in time; they are reported as interrupted at the next start");
    }
    if *online.borrow() && timeout(FLUSH, spool.emptied()).await.is_err() {
        info!(attempts = spool.status().waiting, "what is not acknowledged stays on disk for the next start");
    }
}

/// Returns the identity on disk, or enrols.
async fn identity(settings: &Settings, keystore: &Keystore) -> Result<Identity, AgentError> {
    match (keystore.load()?, &settings.join.value) {
        (Some(identity), join) => {
            if join.is_some() {
                info!("this data folder is enrolled as {}, the join string is ignored", identity.name);
            }
            if let Some(other) = settings.name.value.as_ref().filter(|name| settings.name.origin != Origin::Default && **name != identity.name) {
                warn!("the name given, {other}, is ignored: this data folder is enrolled as {}", identity.name);
            }
            Ok(identity)
        }
        (None, Some(join)) => {
            let name = settings.name.value.clone().ok_or(AgentError::NoName)?;
            let wanted = Enrolment { name, labels: settings.label.value.clone(), coordinators: settings.coordinator.value.clone() };
            let identity = enroll(&join.parse()?, &wanted).await?;
            keystore.store(&identity)?;
            Ok(identity)
        }
        (None, None) => Err(AgentError::NotEnrolled),
    }
}

/// Becomes ready at the first SIGTERM or SIGINT; the second ends the process at once.
fn stop_signal() -> Result<impl Future<Output = ()>, AgentError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(AgentError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(AgentError::Signals)?;
    let (first, received) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut first = Some(first);
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            match first.take() {
                Some(first) => {
                    info!("stopping");
                    let _ = first.send(());
                }
                None => std::process::exit(EXIT_FORCED),
            }
        }
    });
    Ok(async move {
        let _ = received.await;
    })
}

const OUTGOING: usize = 256;
const FINISH: Duration = Duration::from_secs(3);
const INTERRUPT: Duration = Duration::from_secs(1);
const FLUSH: Duration = Duration::from_secs(3);
const END_SESSION: Duration = Duration::from_secs(1);
const EXIT_FORCED: i32 = 130;
