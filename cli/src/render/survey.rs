//! Many clients: one row each, one column per vantage, and what the server chose.

use owo_colors::OwoColorize;
use parallax_model::verdict::{MatrixCell, Verdict};

use super::matrix::draw_cell;

/// Draws one table per address.
pub(super) fn draw(verdict: &Verdict, addresses: &[&str], vantages: &[&str]) -> String {
    addresses.iter().map(|address| table(verdict, address, vantages) + "\n").collect()
}

fn table(verdict: &Verdict, address: &str, vantages: &[&str]) -> String {
    let here: Vec<&MatrixCell> = verdict.matrix.iter().filter(|cell| cell.address == address).collect();
    let mut profiles: Vec<&str> = Vec::new();
    for cell in &here {
        if !profiles.contains(&cell.profile.as_str()) {
            profiles.push(&cell.profile);
        }
    }
    let widest = profiles.iter().map(|profile| profile.chars().count()).chain([address.chars().count()]).max().unwrap_or(0);
    let columns: Vec<usize> = vantages.iter().map(|vantage| vantage.chars().count().max(3)).collect();
    let names: Vec<String> = vantages.iter().zip(&columns).map(|(vantage, width)| format!("{vantage:^width$}")).collect();
    let mut lines = vec![format!("  {:widest$}  {}  {}", address.bold(), names.join(" "), "chosen".dimmed())];
    for profile in profiles {
        let row: Vec<&MatrixCell> = here.iter().copied().filter(|cell| cell.profile == profile).collect();
        let of = |vantage: &str| row.iter().copied().find(|cell| cell.vantage == vantage);
        let glyphs: Vec<String> = vantages.iter().zip(&columns).map(|(vantage, width)| draw_cell(verdict, of(vantage), *width)).collect();
        lines.push(format!("  {profile:widest$}  {}  {}", glyphs.join(" "), ends(&row).join(" / ")).trim_end().to_owned());
    }
    lines.join("\n") + "\n"
}

/// Returns how the vantages fared, each way once: what the server chose, or the outcome.
fn ends(row: &[&MatrixCell]) -> Vec<String> {
    let mut ends: Vec<String> = Vec::new();
    for cell in row {
        let end = chosen(cell);
        if !ends.contains(&end) {
            ends.push(end);
        }
    }
    ends
}

fn chosen(cell: &MatrixCell) -> String {
    let Some(negotiated) = &cell.negotiated else { return cell.outcome.to_string() };
    let suite = negotiated.cipher_suite.as_deref().unwrap_or_default();
    let group = negotiated.group.as_deref().unwrap_or_default();
    let parts = [negotiated.version.as_str(), group, suite.strip_prefix("TLS_").unwrap_or(suite)];
    let chosen = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    match &cell.client_refuses {
        Some(refusal) => format!("{chosen}; the client refuses {refusal}"),
        None => chosen,
    }
}
