//! What one full TLS 1.3 probe costs the agent, facts and all, beside a bare tokio-rustls loop against the same server.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use parallax_model::{assignment::Experiment, check::Limits, facts::TlsEnd, profile::Profile, target::Target};
use parallax_probe::{AuditManners, Plan, SystemNet};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream},
};

use crate::Row;

/// Measures both loops, in turn so that the machine's drift hits both.
pub(crate) fn measure(handshakes: usize) -> anyhow::Result<Vec<Row>> {
    let (address, certificate) = server()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bare = Bare::new(address, certificate)?;
    let plan = plan(address)?;
    let (mut bare_us, mut probe_us) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let count = (handshakes / 5).max(1);
        bare_us.push(cpu_us(&runtime, count, || bare.connect())?);
        probe_us.push(cpu_us(&runtime, count, || probe(&plan))?);
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (bare_us, probe_us) = (median(&mut bare_us), median(&mut probe_us));
    Ok(vec![
        Row::new("bare tokio-rustls handshake, CPU of the client's thread", format!("{bare_us:.0} µs"), "for comparison"),
        Row::new("full TLS 1.3 probe with facts, CPU of the agent's thread", format!("{probe_us:.0} µs"), "1.5 times the bare loop"),
        Row::new("ratio", format!("{:.2}", probe_us / bare_us), "1.50"),
    ])
}

fn cpu_us<F: Future<Output = anyhow::Result<()>>>(runtime: &tokio::runtime::Runtime, count: usize, act: impl Fn() -> F) -> anyhow::Result<f64> {
    let before = thread_cpu()?;
    runtime.block_on(async {
        for _ in 0..count {
            act().await?;
        }
        anyhow::Ok(())
    })?;
    Ok((thread_cpu()? - before).as_secs_f64() * 1e6 / count as f64)
}

/// Processor time of this thread alone, so that the server's thread does not count; by the clock that counts nanoseconds, since `getrusage` may count ticks of 4 ms.
pub(crate) fn thread_cpu() -> anyhow::Result<Duration> {
    Ok(nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

struct Bare {
    address: SocketAddr,
    connector: tokio_rustls::TlsConnector,
    name: ServerName<'static>,
}

impl Bare {
    fn new(address: SocketAddr, certificate: CertificateDer<'static>) -> anyhow::Result<Self> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate)?;
        let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self { address, connector: Arc::new(config).into(), name: "localhost".try_into()? })
    }

    async fn connect(&self) -> anyhow::Result<()> {
        let stream = TcpStream::connect(self.address).await?;
        self.connector.connect(self.name.clone(), stream).await?;
        Ok(())
    }
}

fn plan(address: SocketAddr) -> anyhow::Result<Plan> {
    let target: Target = format!("tls://localhost:{}", address.port()).parse()?;
    let server_name = target.server_name().map(str::to_owned);
    let profile = Profile::builtin("modern").context("no profile modern")?;
    let (experiment, limits) = (Experiment::Baseline, Limits::default());
    Ok(Plan {
        target,
        profile,
        experiment,
        address,
        server_name,
        limits,
        source_port: None,
        http: false,
        pinned_responder: false,
        siblings: Vec::new(),
        manners: AuditManners::default(),
    })
}

async fn probe(plan: &Plan) -> anyhow::Result<()> {
    let facts = parallax_probe::run(plan, &SystemNet).await;
    anyhow::ensure!(facts.tls.is_some_and(|tls| tls.end == TlsEnd::Established), "the probe did not pass");
    Ok(())
}

/// Starts a TLS server on a thread of its own; it closes every connection after the handshake.
fn server() -> anyhow::Result<(SocketAddr, CertificateDer<'static>)> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(anyhow::Error::msg)?;
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key)?;
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            tell.send(listener.local_addr()?)?;
            loop {
                let (stream, _) = listener.accept().await?;
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let _ = stream.read(&mut [0; 64]).await;
                    }
                });
            }
        })
    });
    Ok((told.recv()?, certificate))
}
