//! Which sequence numbers of which agent's spool are settled.

use parallax_model::id::{BootId, VantageName};
use rusqlite::{Connection, OptionalExtension, params};

use super::connection::{from_json, to_json};
use crate::settled::Settled;

const SETTLED: &str = "-- watermark
SELECT settled FROM spools WHERE vantage = ?1 AND boot = ?2";
const SETTLE: &str = "-- settle
INSERT INTO spools (vantage, boot, settled) VALUES (?1, ?2, ?3) ON CONFLICT (vantage, boot) DO UPDATE SET settled = excluded.settled";

/// Settles numbers; returns up to which one all are settled.
pub(super) fn settle(main: &Connection, vantage: &VantageName, boot: BootId, more: &Settled) -> rusqlite::Result<u64> {
    let stored = settled(main, vantage, boot)?;
    let mut settled = stored.clone();
    settled.merge(more);
    if settled != stored {
        main.prepare_cached(SETTLE)?.execute(params![vantage.as_str(), boot.0.as_bytes(), to_json(&settled)?])?;
    }
    Ok(settled.through())
}

/// Returns up to which number all are settled.
pub(super) fn watermark(main: &Connection, vantage: &VantageName, boot: BootId) -> rusqlite::Result<u64> {
    Ok(settled(main, vantage, boot)?.through())
}

fn settled(main: &Connection, vantage: &VantageName, boot: BootId) -> rusqlite::Result<Settled> {
    let found = main.prepare_cached(SETTLED)?.query_row(params![vantage.as_str(), boot.0.as_bytes()], |row| from_json(row, 0)).optional()?;
    Ok(found.unwrap_or_default())
}
