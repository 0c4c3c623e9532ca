//! What one attempt costs to put on the wire and to take from it.

use std::{hint::black_box, time::Duration};

use anyhow::Context as _;
use parallax_model::{
    attempt::Attempt,
    check::Check,
    clock::{Clock as _, SystemClock},
};
use parallax_proto::{v1, wire};

use crate::{Row, handshake::thread_cpu, load};

const TURNS: u32 = 20_000;

/// Measures both directions on one thread.
pub(crate) fn measure() -> anyhow::Result<Row> {
    let now = SystemClock.now();
    let attempt = load::attempt(&Check::once("api.example.test".parse()?, now), now, "fra-1".parse()?);
    let bytes = wire::encode(&v1::Attempt::from(&attempt));
    let encoding = each(|| Ok(wire::encode(&v1::Attempt::from(black_box(&attempt)))))?;
    let decoding = each(|| Attempt::try_from(wire::decode::<v1::Attempt>(black_box(&bytes))?).context("the attempt does not come back"))?;
    let measured = format!("{:.1} µs, {:.1} µs", encoding.as_secs_f64() * 1e6, decoding.as_secs_f64() * 1e6);
    Ok(Row::new(format!("an attempt of {} bytes written, read; one thread", bytes.len()), measured, "for comparison"))
}

fn each<T>(turn: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<Duration> {
    let began = thread_cpu()?;
    for _ in 0..TURNS {
        black_box(turn()?);
    }
    Ok(thread_cpu()?.saturating_sub(began) / TURNS)
}
