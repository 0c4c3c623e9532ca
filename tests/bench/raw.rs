//! How many raw ClientHellos a second one thread sends and judges against a server that answers with an alert, beside a bare loop of the same bytes.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use parallax_model::{assignment::Experiment, check::Limits, facts::TlsEnd, profile::Profile, target::Target};
use parallax_probe::{AuditManners, Plan, SystemNet};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
};

use crate::Row;

const IN_FLIGHT: usize = 16;
const TURNS: usize = 5;
/// A fatal handshake_failure in a record of TLS 1.2.
const ALERT: [u8; 7] = [21, 3, 3, 0, 2, 2, 40];

/// Measures both loops, in turn so that the machine's drift hits both.
pub(crate) fn measure(span: Duration) -> anyhow::Result<Vec<Row>> {
    let address = server()?;
    let plan = plan(address)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut bare, mut probe) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        bare.push(runtime.block_on(rate(span / TURNS as u32, || bare_hello(address)))?);
        probe.push(runtime.block_on(rate(span / TURNS as u32, || one_probe(&plan)))?);
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Ok(vec![
        Row::new("bare loop: connect, ClientHello, alert, reset; one thread", format!("{:.0} a second", median(bare)), "for comparison"),
        Row::new("raw ClientHello probes with facts; one thread", format!("{:.0} a second", median(probe)), "15,000"),
    ])
}

/// Keeps [`IN_FLIGHT`] of them under way for `span` and returns how many ended in a second.
async fn rate<F: Future<Output = anyhow::Result<()>>>(span: Duration, act: impl Fn() -> F) -> anyhow::Result<f64> {
    let began = Instant::now();
    let mut under_way: FuturesUnordered<F> = (0..IN_FLIGHT).map(|_| act()).collect();
    let mut ended = 0_u32;
    while let Some(result) = under_way.next().await {
        result?;
        ended += 1;
        if began.elapsed() < span {
            under_way.push(act());
        }
    }
    Ok(f64::from(ended) / began.elapsed().as_secs_f64())
}

async fn bare_hello(address: SocketAddr) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_nodelay(true)?;
    let mut stream = socket.connect(address).await?;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    stream.write_all(&[0x16; 260]).await?;
    let mut answer = [0; 64];
    ensure!(stream.read(&mut answer).await? == ALERT.len(), "the server's answer is no alert");
    Ok(())
}

async fn one_probe(plan: &Plan) -> anyhow::Result<()> {
    let facts = parallax_probe::run(plan, &SystemNet).await;
    let end = facts.tls.as_ref().map(|tls| tls.end);
    ensure!(end == Some(TlsEnd::Alert(40)), "the probe ended with {end:?}");
    Ok(())
}

fn plan(address: SocketAddr) -> anyhow::Result<Plan> {
    let target: Target = format!("tls://localhost:{}", address.port()).parse()?;
    Ok(Plan {
        server_name: target.server_name().map(str::to_owned),
        target,
        profile: Profile::builtin("legacy").context("no profile legacy")?,
        experiment: Experiment::Baseline,
        address,
        limits: Limits::default(),
        source_port: None,
        http: false,
        pinned_responder: false,
        siblings: Vec::new(),
        manners: AuditManners::default(),
    })
}

/// Starts a server that answers whatever comes with an alert and closes; one thread, blocking, since nothing is cheaper.
fn server() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut hello = [0; 1_024];
            let _ = (&stream).read(&mut hello).and_then(|_| (&stream).write_all(&ALERT));
        }
    });
    Ok(address)
}
