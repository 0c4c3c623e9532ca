//! How many attempts a second the coordinator takes through real sessions, each acknowledged after its commit.

use std::{
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    bytes::Bytes,
    check::Check,
    clock::{Clock as _, SystemClock, Timestamp},
    id::{AttemptId, BootId, VantageName},
};
use parallax_proto::{
    join::JoinString,
    v1::{
        AssignmentSet, AttemptBatch, EnrollRequest, Hello, SessionRequest, enrollment_service_client::EnrollmentServiceClient, session_request::Message as Up,
        session_response::Message as Down, session_service_client::SessionServiceClient,
    },
    wire,
};
use tokio::sync::{Barrier, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::{
    facts::{self, Sent},
    host::Host,
};

const SESSIONS: usize = 8;
const CHECKS: usize = 20;
const BATCH: usize = 100;
const IN_FLIGHT: usize = 8;

/// Runs the load for `span` and returns stored and acknowledged attempts a second.
pub(crate) fn run(bin: &Path, span: Duration) -> anyhow::Result<f64> {
    let host = Host::start(bin)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (acknowledged, seconds) = runtime.block_on(async {
        let ready = Arc::new(Barrier::new(SESSIONS + 1));
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            let (join, authority, ready) = (host.join_string()?, host.authority()?, Arc::clone(&ready));
            sessions.push(tokio::spawn(async move { session(authority, join, format!("load-{number}"), &ready, span).await }));
        }
        // A check has shares for the vantages that are there when its round opens.
        ready.wait().await;
        for number in 0..CHECKS {
            host.parallax(&["check", "create", &format!("load-{number}"), "--target", "192.0.2.1:443", "--every", "5s"])?;
        }
        let (mut acknowledged, mut seconds) = (0, 0.0_f64);
        for session in sessions {
            let (through, took) = session.await??;
            acknowledged += through;
            seconds = seconds.max(took);
        }
        anyhow::Ok((acknowledged, seconds))
    })?;
    let stored = host.metric("parallax_attempts_stored_total")?;
    ensure!(stored == acknowledged, "{acknowledged} attempts were acknowledged and {stored} stored");
    Ok(stored as f64 / seconds)
}

/// Enrols, connects, waits for the checks, sends for `span`; returns how many attempts were acknowledged and in how many seconds.
async fn session(authority_pem: String, join: JoinString, name: String, ready: &Barrier, span: Duration) -> anyhow::Result<(u64, f64)> {
    let coordinator = join.coordinators.last().context("a join string without coordinator")?.clone();
    let key = rcgen::KeyPair::generate()?;
    let request = rcgen::CertificateParams::new(Vec::<String>::new())?.serialize_request(&key)?;
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&authority_pem));
    let enrol = EnrollRequest {
        token_id: join.token_id.clone(),
        secret: join.secret.clone(),
        certificate_request: request.der().to_vec(),
        name: name.clone(),
        labels: Default::default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let answer = EnrollmentServiceClient::new(channel(&coordinator, tls.clone()).await?).enroll(enrol).await?.into_inner();
    let identity = Identity::from_pem(pem("CERTIFICATE", &answer.certificate), key.serialize_pem());
    let mut client = SessionServiceClient::new(channel(&coordinator, tls.identity(identity)).await?);
    let boot = BootId::new();
    let (up, requests) = mpsc::channel(2 * IN_FLIGHT);
    let hello = Hello {
        protocol: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        boot_id: boot.0.as_bytes().to_vec(),
        now_us: SystemClock.now().as_micros(),
        ..Hello::default()
    };
    up.send(SessionRequest { message: Some(Up::Hello(hello)) }).await?;
    let mut answers = client.session(ReceiverStream::new(requests)).await?.into_inner();
    ready.wait().await;
    let checks = loop {
        let message = answers.message().await?.context("the session ended")?.message;
        if let Some(Down::Assignments(signed)) = message {
            let set: AssignmentSet = wire::decode(&signed.assignment_set)?;
            let checks: Vec<Check> = set.checks.into_iter().filter_map(|scheduled| Check::try_from(scheduled.check?).ok()).collect();
            if checks.len() == CHECKS {
                break checks;
            }
        }
    };
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let began = Instant::now();
    let mut sender = Some(tokio::spawn(send(up, Arc::clone(&permits), checks, name.parse()?, boot, span)));
    let (mut through, mut sent) = (0, None);
    while sent.is_none_or(|sent| through < sent) {
        tokio::select! {
            message = answers.message() => {
                if let Some(Down::BatchAck(ack)) = message?.context("the session ended")?.message {
                    permits.add_permits((ack.acknowledged_through - through) as usize / BATCH);
                    through = ack.acknowledged_through;
                }
            }
            total = async { match sender.as_mut() { Some(sender) => sender.await, None => std::future::pending().await } } => {
                sender = None;
                sent = Some(total??);
            }
        }
    }
    Ok((through, began.elapsed().as_secs_f64()))
}

/// Sends batches, each of one round, over the coming rounds of all checks in turn.
async fn send(
    up: mpsc::Sender<SessionRequest>,
    permits: Arc<Semaphore>,
    checks: Vec<Check>,
    vantage: VantageName,
    boot: BootId,
    span: Duration,
) -> anyhow::Result<u64> {
    let began = Instant::now();
    let mut next = 1;
    for check in checks.iter().cycle() {
        if began.elapsed() >= span {
            break;
        }
        permits.acquire().await?.forget();
        let start = check.cadence.next_after(check.anchor, SystemClock.now()).context("the check has no round")?;
        let attempts = (0..BATCH).map(|_| (&attempt(check, start, vantage.clone())).into()).collect();
        let batch = AttemptBatch { boot_id: boot.0.as_bytes().to_vec(), first_sequence: next, attempts };
        up.send(SessionRequest { message: Some(Up::AttemptBatch(batch)) }).await?;
        next += BATCH as u64;
    }
    // The stream stays open until everything is acknowledged.
    tokio::spawn(async move { up.closed().await });
    Ok(next - 1)
}

/// Makes an attempt whose handshake was finished.
pub(crate) fn attempt(check: &Check, start: Timestamp, vantage: VantageName) -> Attempt {
    let remote = SocketAddr::from(([192, 0, 2, 1], 443));
    let hello = Sent { name: Some("api.example.test"), bytes: 240 };
    Attempt {
        id: AttemptId::new(),
        round: check.round_at(start),
        check: check.id,
        vantage,
        profile: check.profiles[0].clone(),
        experiment: Experiment::Baseline,
        address: Some(remote),
        sequence: 0,
        started_at: start,
        elapsed_us: 81_000,
        clock_offset_us: Some(120),
        facts: facts::established(remote, &hello, &[Bytes(vec![1; 900]), Bytes(vec![2; 1_100])]),
    }
}

async fn channel(coordinator: &str, tls: ClientTlsConfig) -> anyhow::Result<Channel> {
    ensure!(!coordinator.is_empty(), "no coordinator");
    Ok(Endpoint::from_shared(format!("https://{coordinator}"))?.tls_config(tls)?.connect().await?)
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}
