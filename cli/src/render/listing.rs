//! Rows of things, in whatever form was asked for.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde_json::{Map, Value};

use crate::{
    args::Output,
    exit::{ERROR, Failure},
};

/// Rows for people and documents for scripts, made from the same things.
pub struct Listing {
    /// Headings of the table.
    pub headings: &'static [&'static str],
    /// Cells of the table.
    pub rows: Vec<Vec<String>>,
    /// One document per row.
    pub documents: Vec<Value>,
    /// What is said instead of an empty table.
    pub empty: &'static str,
}

impl Listing {
    /// Prints it.
    pub fn print(&self, output: Output) -> Result<(), Failure> {
        match output {
            Output::Table | Output::Wide | Output::Nagios => self.table(),
            Output::Json => super::json(&self.documents)?,
            Output::Yaml => super::yaml(&self.documents)?,
            Output::Jsonl => self.documents.iter().try_for_each(super::json_line)?,
            Output::Csv => self.csv()?,
        }
        Ok(())
    }

    fn table(&self) {
        if self.rows.is_empty() {
            return super::remark(self.empty);
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(self.headings.to_vec());
        table.set_width(u16::try_from(super::width()).unwrap_or(u16::MAX));
        self.rows.iter().for_each(|row| {
            table.add_row(row.clone());
        });
        for (at, column) in table.column_iter_mut().enumerate() {
            let cells = self.headings.get(at).copied().into_iter().chain(self.rows.iter().filter_map(|row| row.get(at)).map(String::as_str));
            column.set_constraint(constraint(cells));
        }
        super::answer(&table.trim_fmt());
    }

    fn csv(&self) -> Result<(), Failure> {
        let failed = |error: csv::Error| Failure::new(ERROR, error.to_string());
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(self.headings.iter().map(|heading| heading.to_lowercase().replace(' ', "_"))).map_err(failed)?;
        for row in &self.rows {
            writer.write_record(row).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|error| Failure::new(ERROR, error.to_string()))?;
        super::answer(&String::from_utf8_lossy(&bytes));
        Ok(())
    }
}

/// Keeps what people copy whole: a column of single words, or of times, is not broken, and no other is made narrower than its longest word.
fn constraint<'a>(cells: impl Iterator<Item = &'a str>) -> ColumnConstraint {
    const TIME: usize = 22;
    let (mut widest, mut longest_word, mut spaced) = (0, 0, false);
    for cell in cells {
        widest = widest.max(cell.chars().count());
        longest_word = longest_word.max(cell.split(' ').map(|word| word.chars().count()).max().unwrap_or(0));
        spaced |= cell.contains(' ') && cell.chars().count() > TIME;
    }
    if spaced { ColumnConstraint::LowerBoundary(Width::Fixed(u16::try_from(longest_word + 2).unwrap_or(u16::MAX))) } else { ColumnConstraint::ContentWidth }
}

/// Prints one thing: `KEY  VALUE` lines for people, one document for scripts.
pub fn one(document: &Map<String, Value>, output: Output) -> Result<(), Failure> {
    match output {
        Output::Json => super::json(document),
        Output::Jsonl => super::json_line(document),
        Output::Yaml => super::yaml(document),
        Output::Csv => {
            let lines: Vec<String> = document.iter().map(|(key, value)| format!("{key},{}", plain(value))).collect();
            super::answer(&lines.join("\n"));
            Ok(())
        }
        Output::Table | Output::Wide | Output::Nagios => {
            let widest = document.keys().map(String::len).max().unwrap_or(0);
            let lines: Vec<String> = document.iter().map(|(key, value)| format!("{key:widest$}  {}", plain(value))).collect();
            super::answer(&lines.join("\n"));
            Ok(())
        }
    }
}

/// Returns a value as people write it.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(map) => map.iter().map(|(key, value)| format!("{key}={}", plain(value))).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_times_and_addresses_are_not_broken() {
        for cells in [["ROUND", "01a21dcc-ade9-871c-bd60-55bf5f7b5357"], ["WHO", "[2001:db8:5::11]:443"], ["FAILING SINCE", "2026-11-27 16:17:44Z"]] {
            assert_eq!(constraint(cells.into_iter()), ColumnConstraint::ContentWidth);
        }
        let prose = constraint(["VERDICT", "server.chain-incomplete (confirmed); path.sni-filter at a, d (confirmed)"].into_iter());
        assert_eq!(prose, ColumnConstraint::LowerBoundary(Width::Fixed(25)));
    }
}
