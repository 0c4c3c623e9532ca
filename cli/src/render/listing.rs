//! Rows of things, in whatever form was asked for.

use comfy_table::{ContentArrangement, Table, presets};
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
