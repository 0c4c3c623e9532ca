//! Cases of facts in, verdict out: `testdata/*.toml`, one file per scenario, written so that somebody who knows networks and not Rust can add one.

mod arrivals;
mod case;
mod cases;
mod certificates;
mod excluded;
mod expand;
mod pki;
mod scale;
mod simulator;
mod wanted;
mod witnessed;
