//! From options to a running coordinator, and back to nothing.

mod accept;
mod addresses;
mod data_dir;
mod error;
mod housekeeping;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
pub use error::StartError;
use parallax_diagnosis::Trust;
use parallax_model::clock::{Clock, SystemClock};
use parallax_responder::Identity;
use parallax_store::{OperatorToken, Role, SqliteStore, Store};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info, warn};

use self::data_dir::DataDir;
use crate::{
    app::App,
    bus::Bus,
    config::{Config, StoreKind},
    fleet::{Advertised, Ending, Fleet, TargetCaps, reachable},
    incidents::Incidents,
    pki::{AdminCredential, AssignmentKey, Authority, ServerCertificate, server_config},
    round::{self, Rounds},
    rpc,
    schedule::{self, Planner},
    telemetry::Counters,
    web,
};

/// A coordinator that serves.
pub struct Running {
    app: Arc<App>,
    tasks: JoinSet<()>,
    listen: SocketAddr,
    http: Option<SocketAddr>,
    _data_dir: DataDir,
}

/// What is listened on.
struct Listeners {
    grpc: TcpListener,
    http: Option<TcpListener>,
    responders: Vec<TcpListener>,
}

/// Starts a coordinator; it is ready when this returns.
pub async fn start(config: &Config) -> Result<Running, StartError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let data_dir = DataDir::take(&config.data_dir)?;
    let dir = data_dir.path();
    let store = open_store(config, &data_dir)?;
    let listeners = bind(config)?;
    let listen = accept::bound(&listeners.grpc)?;
    let http = listeners.http.as_ref().map(accept::bound).transpose()?;
    let authority = Authority::load_or_create(dir, clock.now())?;
    let coordinators = addresses::coordinators(&config.advertise, listen);
    let names = addresses::certificate_names(&coordinators, listen);
    let tls = ServerCertificate::load_or_issue(dir, &authority, &names, clock.now()).and_then(|certificate| server_config(&authority, &certificate))?;
    let identity = Arc::new(Identity::load_or_create(dir)?);
    let own_responder = own_responder(&listeners.responders, &coordinators, &identity).await?;
    let first = coordinators.first().map(ToString::to_string).unwrap_or_default();
    admit_admin(&*store, &authority, dir, &addresses::for_admin(&config.advertise, listen).unwrap_or(first), &*clock).await?;
    let app = Arc::new(App {
        clock,
        store,
        authority,
        assignment_key: AssignmentKey::load_or_create(dir)?,
        fleet: Fleet::default(),
        caps: TargetCaps::default(),
        rounds: Rounds::default(),
        plan: Planner::default(),
        incidents: Incidents::default(),
        bus: Bus::new(),
        counters: Counters::default(),
        trust: Arc::new(Trust::new(trust_anchors())),
        coordinators: coordinators.iter().map(ToString::to_string).collect(),
        own_responder,
        certificate_life: config.certificate_life,
        stopping: CancellationToken::new(),
        tasks: TaskTracker::new(),
        started: Instant::now(),
    });
    schedule::replan(&app).await?;
    round::resume(&app).await?;
    let tls = Arc::new(ArcSwap::from_pointee(tls));
    let tasks = spawn(&app, listeners, tls, identity, config, &names).await?;
    info!(
        "ready: agents and operators on {listen}, web page on {}, administrator's context in {}",
        http.map_or_else(|| "nothing".to_owned(), |address| format!("http://{address}/")),
        AdminCredential::path(dir).display()
    );
    Ok(Running { app, tasks, listen, http, _data_dir: data_dir })
}

impl Running {
    /// Returns where agents and operators connect.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Returns where the web page is.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Tells agents to come back later, finishes what is under way within ten seconds, and stops.
    pub async fn stop(mut self) {
        info!("stopping");
        self.app.stopping.cancel();
        self.app.fleet.end_all(Ending::Stopping);
        self.app.tasks.close();
        let all = async {
            while self.tasks.join_next().await.is_some() {}
            self.app.tasks.wait().await;
        };
        if tokio::time::timeout(DRAIN, all).await.is_err() {
            warn!("some connections did not end in time and are cut");
        }
        // Closing the store waits for its last commit.
        let app = self.app;
        let _ = tokio::task::spawn_blocking(move || drop(app)).await;
        info!("stopped");
    }
}

fn open_store(config: &Config, data_dir: &DataDir) -> Result<Arc<dyn Store>, StartError> {
    match &config.store {
        StoreKind::Sqlite => Ok(Arc::new(SqliteStore::open(&data_dir.path().join("store"))?)),
        StoreKind::Postgres(_) => Err(StartError::NoPostgres),
    }
}

fn bind(config: &Config) -> Result<Listeners, StartError> {
    Ok(Listeners {
        grpc: accept::listen(config.listen, "listen")?,
        http: config.http.map(|address| accept::listen(address, "http")).transpose()?,
        responders: config.responders.iter().map(|address| accept::listen(*address, "responder")).collect::<Result<_, _>>()?,
    })
}

async fn own_responder(listeners: &[TcpListener], coordinators: &[crate::config::HostPort], identity: &Identity) -> Result<Advertised, StartError> {
    let bound = listeners.iter().map(accept::bound).collect::<Result<Vec<_>, _>>()?;
    let wildcard = bound.iter().any(|address| address.ip().is_unspecified());
    let mut addresses = if wildcard { reachable(coordinators).await } else { Vec::new() };
    if addresses.iter().any(|address| !address.is_loopback()) {
        // On another host, loopback is that host.
        addresses.retain(|address| !address.is_loopback());
    }
    Ok(Advertised::new(&bound, &addresses, identity.key_sha256()))
}

/// Keeps the administrator's token known to the store and written in the data directory.
async fn admit_admin(store: &dyn Store, authority: &Authority, dir: &std::path::Path, coordinator: &str, clock: &dyn Clock) -> Result<(), StartError> {
    let secret = AdminCredential::secret(dir)?;
    if store.operator_by_secret(&secret.digest()).await?.is_none() {
        let token = OperatorToken { name: "admin".to_owned(), role: Role::Admin, secret_sha256: secret.digest(), created_at: clock.now() };
        store.put_operator_token(&token).await?;
    }
    let credential = AdminCredential { coordinator: coordinator.to_owned(), authority_pem: authority.pem().to_owned(), token: secret.operator_token() };
    Ok(credential.write(dir)?)
}

/// Returns the host's trust anchors (DER), or Mozilla's when the host has none.
fn trust_anchors() -> Vec<Vec<u8>> {
    let native: Vec<Vec<u8>> = rustls_native_certs::load_native_certs().certs.into_iter().map(|certificate| certificate.to_vec()).collect();
    if native.is_empty() {
        info!("this host has no trust store: certificates are judged by the roots that are built in");
        return webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|certificate| certificate.to_vec()).collect();
    }
    native
}

async fn spawn(
    app: &Arc<App>,
    listeners: Listeners,
    tls: Arc<ArcSwap<rustls::ServerConfig>>,
    identity: Arc<Identity>,
    config: &Config,
    names: &BTreeSet<String>,
) -> Result<JoinSet<()>, StartError> {
    let mut tasks = JoinSet::new();
    let routes = rpc::routes(app).await.map_err(StartError::Reflection)?;
    let incoming = accept::handshakes(listeners.grpc, Arc::clone(&tls), app.stopping.clone());
    let served = tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(Duration::from_secs(15)))
        .http2_keepalive_timeout(Some(Duration::from_secs(15)))
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, app.stopping.clone().cancelled_owned());
    tasks.spawn(async move {
        if let Err(failure) = served.await {
            error!(error = &failure as &dyn std::error::Error, "serving ended early");
        }
    });
    if let Some(listener) = listeners.http {
        tasks.spawn(web::serve(Arc::clone(app), listener));
    }
    for listener in listeners.responders {
        tasks.spawn(parallax_responder::serve(listener, Arc::clone(&identity), app.stopping.clone().cancelled_owned()));
    }
    tasks.spawn(schedule::keep_planned(Arc::clone(app)));
    tasks.spawn(schedule::keep_opening(Arc::clone(app)));
    tasks.spawn(round::sweep(Arc::clone(app)));
    tasks.spawn(housekeeping::run(Arc::clone(app), tls, config.data_dir.clone(), names.clone(), config.retention));
    Ok(tasks)
}

/// SIGTERM to exit is at most 15 seconds; the rest is for the store's last commits.
const DRAIN: Duration = Duration::from_secs(10);
/// One session may have this much of its spool on the way.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
