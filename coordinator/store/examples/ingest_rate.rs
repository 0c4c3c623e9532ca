//! Measures how many attempts a second the store takes through `ingest`, each batch acknowledged after a `synchronous = FULL` commit.
//!
//! `cargo run --release -p parallax-store --example ingest_rate -- [DIRECTORY] [SECONDS]`; the directory decides which disk is measured.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use parallax_model::{
    assignment::Experiment,
    attempt::Attempt,
    clock::{Clock, SystemClock, Timestamp},
    facts::{ConnectEnd, Facts, TcpFacts, TcpInfo},
    id::{AttemptId, BootId, CheckId, RoundId, VantageName},
};
use parallax_store::{SqliteStore, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from).join(format!("ingest-rate-{}", std::process::id()));
    let span = Duration::from_secs(arguments.next().map_or(Ok(5), |text| text.parse())?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut out = io::stdout();
    writeln!(out, "{:>8} {:>6} {:>10} {:>12} {:>10} {:>9} {:>9}", "sessions", "batch", "bytes/row", "attempts/s", "CPU µs/row", "p50 ms", "p99 ms")?;
    for (sessions, batch) in [(1, 100), (8, 100), (50, 100), (200, 100), (200, 10), (1_000, 100)] {
        let line = runtime.block_on(measure(&directory, sessions, batch, span));
        std::fs::remove_dir_all(&directory)?;
        writeln!(out, "{}", line?)?;
    }
    Ok(())
}

/// Lets `sessions` send batches one after the other for `span`, and describes what came of it.
async fn measure(directory: &Path, sessions: u32, batch: u32, span: Duration) -> Result<String, Box<dyn std::error::Error>> {
    let store = Arc::new(SqliteStore::open(directory)?);
    let round = RoundId::scheduled(CheckId::new(), SystemClock.now());
    let (began, cpu) = (Instant::now(), cpu_seconds()?);
    let mut tasks = tokio::task::JoinSet::new();
    for session in 0..sessions {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let vantage: VantageName = format!("vantage-{session}").parse().map_err(|error| io::Error::other(format!("{error}")))?;
            let (boot, mut next, mut waits) = (BootId::new(), 1, Vec::new());
            while began.elapsed() < span {
                let attempts = (next..next + u64::from(batch)).map(|sequence| (sequence, sample(round, &vantage))).collect();
                let sent = Instant::now();
                let result = store.ingest(&vantage, boot, attempts).await.map_err(io::Error::other)?;
                waits.push(sent.elapsed());
                next = result.acknowledged_through + 1;
            }
            Ok::<_, io::Error>((next - 1, waits))
        });
    }
    let (mut total, mut waits) = (0, Vec::new());
    while let Some(ended) = tasks.join_next().await {
        let (acknowledged, more) = ended??;
        total += acknowledged;
        waits.extend(more);
    }
    let (elapsed, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    let counted = store.count_attempts(None).await?;
    assert_eq!(counted, total, "what was acknowledged is stored");
    drop(store);
    let size: u64 = std::fs::read_dir(directory)?.map(|entry| entry.and_then(|entry| entry.metadata()).map_or(0, |data| data.len())).sum();
    waits.sort_unstable();
    let percentile = |part: usize| waits.get(waits.len() * part / 100).map_or(0.0, |wait| wait.as_secs_f64() * 1e3);
    let (rows, bytes) = (total as f64, size as f64);
    Ok(format!(
        "{sessions:>8} {batch:>6} {:>10.0} {:>12.0} {:>10.1} {:>9.1} {:>9.1}",
        bytes / rows,
        rows / elapsed,
        cpu * 1e6 / rows,
        percentile(50),
        percentile(99)
    ))
}

/// Returns the CPU time of this process so far, from `/proc/self/stat` (clock ticks of 10 ms).
fn cpu_seconds() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

/// An attempt that was refused: some 650 bytes as a row, as most are in an outage.
fn sample(round: RoundId, vantage: &VantageName) -> Attempt {
    let info = TcpInfo { state: 1, bytes_acked: 518, segments_in: 4, segments_out: 5, rtt_us: 12_300, min_rtt_us: 11_900, ..TcpInfo::default() };
    let remote = std::net::SocketAddr::from(([192, 0, 2, 7], 443));
    let tcp = TcpFacts {
        remote,
        local: Some(([198, 51, 100, 9], 40_000).into()),
        source_port_pinned: false,
        end: ConnectEnd::Reset,
        connect_us: 12_345,
        hop_limit: None,
        mss_clamp: None,
        icmp_from: None,
        at_connect: None,
        at_end: Some(info),
        ack_ttl: Some(57),
    };
    let id = AttemptId::new();
    Attempt {
        id,
        round,
        check: CheckId(round.0),
        vantage: vantage.clone(),
        profile: "modern".parse().expect("a profile's name"),
        experiment: Experiment::Baseline,
        address: Some(remote),
        sequence: 0,
        started_at: Timestamp::from_micros(1_700_000_000_000_000),
        elapsed_us: 12_400,
        clock_offset_us: Some(-310),
        facts: Facts { tcp: Some(tcp), tls: None, ..Facts::default() },
    }
}
