//! The picture that people look at first: vantages down, addresses and profiles across, one glyph per cell, the blamed cells in brackets.

use std::collections::BTreeMap;

use owo_colors::{OwoColorize, Style};
use parallax_model::{
    outcome::Outcome,
    verdict::{MatrixCell, Verdict},
};

use super::survey;

/// Draws the matrix of a verdict, legend included; colour only repeats what the glyphs say.
pub fn draw(verdict: &Verdict, width: usize) -> String {
    let cells = &verdict.matrix;
    let addresses = in_order(cells, |cell| &cell.address);
    let vantages = in_order(cells, |cell| &cell.vantage);
    if cells.is_empty() {
        return String::from("  no cell was tried\n");
    }
    if in_order(cells, |cell| &cell.profile).len() > MOST_ACROSS {
        return survey::draw(verdict, &addresses, &vantages) + &legend(verdict);
    }
    let row_head = vantages.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(4);
    let mut lines = Vec::new();
    for shelf in shelves(cells, &addresses, width.saturating_sub(row_head + 4)) {
        lines.push(heading(&shelf, row_head));
        lines.push(profiles(&shelf, row_head));
        for vantage in &vantages {
            lines.push(row(verdict, vantage, &shelf, row_head));
        }
        lines.push(String::new());
    }
    lines.push(legend(verdict));
    lines.join("\n")
}

/// More profiles than these stand below each other.
const MOST_ACROSS: usize = 8;

struct Block<'a> {
    address: &'a str,
    columns: Vec<(&'a str, usize)>,
}

impl Block<'_> {
    fn width(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.1 + 1).sum();
        columns.saturating_sub(1).max(self.address.chars().count())
    }
}

/// Cuts the addresses into shelves that fit the width, one above the other.
fn shelves<'a>(cells: &'a [MatrixCell], addresses: &[&'a str], width: usize) -> Vec<Vec<Block<'a>>> {
    let mut shelves: Vec<Vec<Block<'a>>> = Vec::new();
    let mut used = 0;
    for address in addresses {
        let here: Vec<&MatrixCell> = cells.iter().filter(|cell| cell.address == *address).collect();
        let mut columns: Vec<(&str, usize)> = Vec::new();
        for cell in here {
            if !columns.iter().any(|column| column.0 == cell.profile) {
                columns.push((&cell.profile, cell.profile.chars().count().max(5)));
            }
        }
        let block = Block { address, columns };
        let needs = block.width() + 3;
        match shelves.last_mut() {
            Some(shelf) if used + needs <= width => {
                shelf.push(block);
                used += needs;
            }
            _ => {
                shelves.push(vec![block]);
                used = needs;
            }
        }
    }
    shelves
}

fn heading(shelf: &[Block<'_>], row_head: usize) -> String {
    let block = |block: &Block<'_>| format!("{}{:pad$}", block.address.bold(), "", pad = block.width() - block.address.chars().count());
    let blocks: Vec<String> = shelf.iter().map(block).collect();
    format!("  {:row_head$}  {}", "", blocks.join("   ")).trim_end().to_owned()
}

fn profiles(shelf: &[Block<'_>], row_head: usize) -> String {
    let block = |block: &Block<'_>| {
        let columns: Vec<String> = block.columns.iter().map(|(profile, width)| format!("{profile:^width$}")).collect();
        format!("{:width$}", columns.join(" "), width = block.width())
    };
    let text = format!("  {:row_head$}  {}", "", shelf.iter().map(block).collect::<Vec<_>>().join("   "));
    text.trim_end().dimmed().to_string()
}

fn row(verdict: &Verdict, vantage: &str, shelf: &[Block<'_>], row_head: usize) -> String {
    let discarded = verdict.vantages.discarded.iter().any(|discarded| discarded.vantage == vantage);
    let block = |block: &Block<'_>| {
        let cell = |(profile, width): &(&str, usize)| {
            let found = verdict.matrix.iter().find(|cell| cell.vantage == vantage && cell.address == block.address && cell.profile == *profile);
            draw_cell(verdict, found, *width)
        };
        let columns: Vec<String> = block.columns.iter().map(cell).collect();
        let visible: usize = block.columns.iter().map(|column| column.1 + 1).sum::<usize>().saturating_sub(1);
        format!("{}{:pad$}", columns.join(" "), "", pad = block.width().saturating_sub(visible))
    };
    let blocks: Vec<String> = shelf.iter().map(block).collect();
    let note = if discarded { "   (not scored)" } else { "" };
    format!("  {vantage:row_head$}  {}{}", blocks.join("   ").trim_end(), note.dimmed())
}

pub(super) fn draw_cell(verdict: &Verdict, cell: Option<&MatrixCell>, width: usize) -> String {
    let Some(cell) = cell else { return centred("·", width, Style::new().dimmed()) };
    let (glyph, style) = glyph(cell);
    let blamed = verdict.findings.iter().any(|finding| finding.blames(cell));
    let text = if blamed { format!("[{glyph}]") } else { glyph };
    let mixed = cell.failures > 0 && cell.failures < cell.attempts;
    let text = if mixed { format!("{text}{}/{}", cell.failures, cell.attempts) } else { text };
    centred(&text, width, style)
}

/// Styles the text and not the space around it, so that lines can be trimmed.
fn centred(text: &str, width: usize, style: Style) -> String {
    let free = width.saturating_sub(text.chars().count());
    format!("{:left$}{}{:right$}", "", text.style(style), "", left = free / 2, right = free - free / 2)
}

fn glyph(cell: &MatrixCell) -> (String, Style) {
    let style = match cell.outcome {
        Outcome::Ok => Style::new().green(),
        Outcome::NotCompleted(_) => Style::new().dimmed(),
        Outcome::Certificate(_) | Outcome::Http(_) => Style::new().yellow(),
        _ => Style::new().red().bold(),
    };
    (letter(cell.outcome).0.to_owned(), style)
}

/// Returns the glyph of an outcome and the words of the legend.
fn letter(outcome: Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Ok => ("✓", "passes"),
        Outcome::StartTlsNotOffered => ("O", "STARTTLS is not offered"),
        Outcome::StartTlsRefused => ("S", "STARTTLS is refused"),
        Outcome::StartTlsNotProtocol => ("P", "speaks another protocol before TLS"),
        Outcome::StartTlsReset | Outcome::StartTlsClosed | Outcome::StartTlsTimeout | Outcome::StartTlsUnreachable => ("s", "cut off before TLS"),
        Outcome::QuicTimeout | Outcome::QuicRefused | Outcome::QuicUnreachable => ("Q", "no QUIC"),
        Outcome::QuicVersion | Outcome::QuicClosed | Outcome::QuicReset | Outcome::QuicMalformed => ("q", "QUIC ended"),
        Outcome::TlsReset | Outcome::TcpReset => ("R", "reset"),
        Outcome::TlsClosed => ("F", "closed without a word"),
        Outcome::TlsTimeout => ("T", "silent after the ClientHello"),
        Outcome::TlsAlert(_) => ("A", "alert"),
        Outcome::TlsNotTls => ("N", "answers, but not TLS"),
        Outcome::TlsMalformed | Outcome::TlsOverCap => ("M", "malformed or endless TLS"),
        Outcome::TlsUnsupported => ("U", "chose what the prober cannot do"),
        Outcome::TlsUnreachable | Outcome::TcpUnreachable => ("I", "unreachable (ICMP)"),
        Outcome::TcpRefused => ("x", "refused"),
        Outcome::TcpTimeout => ("t", "no answer to the SYN"),
        Outcome::Certificate(_) => ("C", "certificate"),
        Outcome::Http(_) => ("H", "HTTP status of 400 or above"),
        Outcome::HttpTimeout | Outcome::HttpClosed | Outcome::HttpNotHttp => ("h", "no whole HTTP answer"),
        Outcome::NotCompleted(_) => ("-", "not tried to its end"),
        Outcome::DnsNxdomain
        | Outcome::DnsServfail
        | Outcome::DnsRefused
        | Outcome::DnsResponse(_)
        | Outcome::DnsTimeout
        | Outcome::DnsNoAnswer
        | Outcome::DnsFailed => ("D", "not resolved"),
    }
}

fn legend(verdict: &Verdict) -> String {
    let mut used: BTreeMap<&str, (&str, Vec<String>)> = BTreeMap::new();
    for cell in &verdict.matrix {
        let (glyph, words) = letter(cell.outcome);
        let names = &mut used.entry(glyph).or_insert((words, Vec::new())).1;
        let name = cell.outcome.to_string();
        if cell.outcome != Outcome::Ok && !names.contains(&name) {
            names.push(name);
        }
    }
    let mut parts: Vec<String> = used
        .iter()
        .map(|(glyph, (words, names))| if names.is_empty() { format!("{glyph} {words}") } else { format!("{glyph} {words} ({})", names.join(", ")) })
        .collect();
    if verdict.findings.iter().any(|finding| verdict.matrix.iter().any(|cell| finding.blames(cell))) {
        parts.push("[ ] blamed".to_owned());
    }
    let mixed = verdict.matrix.iter().find(|cell| cell.failures > 0 && cell.failures < cell.attempts);
    parts.extend(mixed.map(|cell| format!("{}/{} failed of tried", cell.failures, cell.attempts)));
    if has_gaps(&verdict.matrix) {
        parts.push("· not tried".to_owned());
    }
    // Entries are kept whole: only the gaps between them may break.
    let unbroken: Vec<String> = parts.iter().map(|part| part.replace(' ', "\u{a0}")).collect();
    super::wrap(&unbroken.join("   "), "  ", "  ").replace('\u{a0}', " ").dimmed().to_string()
}

/// Tells whether some vantage did not try at some address what others tried there.
pub(super) fn has_gaps(cells: &[MatrixCell]) -> bool {
    let vantages = in_order(cells, |cell| &cell.vantage).len();
    let mut columns: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    cells.iter().for_each(|cell| *columns.entry((&cell.address, &cell.profile)).or_default() += 1);
    columns.values().any(|tried| *tried < vantages)
}

fn in_order<'a>(cells: &'a [MatrixCell], pick: impl Fn(&'a MatrixCell) -> &'a String) -> Vec<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for cell in cells {
        let value = pick(cell).as_str();
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen
}
