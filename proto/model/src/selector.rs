//! Which vantages are meant: a label expression such as `site=north + not country in (de, at)`.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::vantage::Labels;

/// A parsed selector; shown as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    typed: String,
    expression: Expression,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expression {
    All,
    Name(String),
    Label(String, Vec<String>),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

/// Says why a text is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Nothing was written.
    #[error("the selector is empty: write all, a vantage's name, or labels such as 'site=north + country=de'")]
    Empty,
    /// Something else was due at this place.
    #[error("selector: expected {expected} before {found:?}")]
    Expected {
        /// What was due.
        expected: &'static str,
        /// What stands there, empty at the end.
        found: String,
    },
}

impl Selector {
    /// Returns the selector that takes every vantage.
    pub fn all() -> Self {
        Self { typed: "all".to_owned(), expression: Expression::All }
    }

    /// Tells whether the vantage with this name and these labels is meant.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        self.expression.matches(name, labels)
    }

    /// Returns the vantages' names that stand in the selector by themselves, so that a misspelt one can be pointed out.
    pub fn names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.expression.collect_names(&mut names);
        names
    }
}

impl Expression {
    fn matches(&self, name: &str, labels: &Labels) -> bool {
        match self {
            Self::All => true,
            Self::Name(wanted) => wanted == name,
            Self::Label(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::Not(inner) => !inner.matches(name, labels),
            Self::And(parts) => parts.iter().all(|part| part.matches(name, labels)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(name, labels)),
        }
    }

    fn collect_names<'a>(&'a self, names: &mut BTreeSet<&'a str>) {
        match self {
            Self::Name(name) => {
                names.insert(name);
            }
            Self::Not(inner) => inner.collect_names(names),
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect_names(names)),
            Self::All | Self::Label(..) => {}
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.typed)
    }
}

impl FromStr for Selector {
    type Err = SelectorError;
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        let mut tokens = Tokens { rest: text.trim() };
        if tokens.rest.is_empty() {
            return Err(SelectorError::Empty);
        }
        let expression = tokens.alternatives(0)?;
        if !tokens.rest.is_empty() {
            return Err(tokens.expected("'+', ',' or the end"));
        }
        Ok(Self { typed: text.trim().to_owned(), expression })
    }
}

impl TryFrom<String> for Selector {
    type Error = SelectorError;
    fn try_from(text: String) -> Result<Self, SelectorError> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.typed
    }
}

struct Tokens<'a> {
    rest: &'a str,
}

/// Deeper nesting than anyone types; keeps hostile input from exhausting the stack.
const MAX_DEPTH: u8 = 32;

impl<'a> Tokens<'a> {
    fn expected(&self, expected: &'static str) -> SelectorError {
        SelectorError::Expected { expected, found: self.rest.chars().take(20).collect() }
    }

    fn symbol(&mut self, symbol: char) -> bool {
        let Some(rest) = self.rest.strip_prefix(symbol) else { return false };
        self.rest = rest.trim_start();
        true
    }

    fn word(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "._-/".contains(c))).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        (!word.is_empty()).then_some(word)
    }

    fn keyword(&mut self, keyword: &str) -> bool {
        let before = self.rest;
        let found = self.word() == Some(keyword);
        if !found {
            self.rest = before;
        }
        found
    }

    fn alternatives(&mut self, depth: u8) -> Result<Expression, SelectorError> {
        let mut parts = vec![self.conjunction(depth)?];
        while self.symbol(',') || self.keyword("or") {
            parts.push(self.conjunction(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::Or(parts) })
    }

    fn conjunction(&mut self, depth: u8) -> Result<Expression, SelectorError> {
        let mut parts = vec![self.term(depth)?];
        while self.symbol('+') || self.keyword("and") {
            parts.push(self.term(depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Expression::And(parts) })
    }

    fn term(&mut self, depth: u8) -> Result<Expression, SelectorError> {
        if depth > MAX_DEPTH {
            return Err(self.expected("less nesting"));
        }
        if self.keyword("not") {
            return Ok(Expression::Not(Box::new(self.term(depth + 1)?)));
        }
        if self.symbol('(') {
            let inner = self.alternatives(depth + 1)?;
            return if self.symbol(')') { Ok(inner) } else { Err(self.expected("')'")) };
        }
        let word = self.word().ok_or_else(|| self.expected("a name or KEY=VALUE"))?;
        if self.symbol('=') {
            let value = self.word().ok_or_else(|| self.expected("a value"))?;
            return Ok(Expression::Label(word.to_owned(), vec![value.to_owned()]));
        }
        if self.keyword("in") {
            return Ok(Expression::Label(word.to_owned(), self.values()?));
        }
        Ok(if word == "all" { Expression::All } else { Expression::Name(word.to_owned()) })
    }

    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        if !self.symbol('(') {
            return Err(self.expected("'('"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.word().ok_or_else(|| self.expected("a value"))?.to_owned());
            if self.symbol(')') {
                return Ok(values);
            }
            if !self.symbol(',') {
                return Err(self.expected("',' or ')'"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picks(selector: &str) -> Vec<&'static str> {
        let fleet = [("a", "north", "de"), ("b", "south", "de"), ("c", "south", "at")];
        let selector: Selector = selector.parse().unwrap_or_else(|error| panic!("{selector}: {error}"));
        let labels = |site: &str, country: &str| Labels::from([("site".into(), site.into()), ("country".into(), country.into())]);
        fleet.iter().filter(|(name, site, country)| selector.matches(name, &labels(site, country))).map(|row| row.0).collect()
    }

    #[test]
    fn selectors_pick_by_name_and_label() {
        for (selector, expected) in [
            ("all", vec!["a", "b", "c"]),
            ("b", vec!["b"]),
            ("a, c", vec!["a", "c"]),
            ("site=south", vec!["b", "c"]),
            ("site=south+country=at", vec!["c"]),
            ("site=south and not country=at", vec!["b"]),
            ("country in (at, ch)", vec!["c"]),
            ("not (a or c)", vec!["b"]),
            ("a or site=south + country=de", vec!["a", "b"]),
        ] {
            assert_eq!(picks(selector), expected, "{selector}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["", " ", "site=", "(a", "a b", "k in x", "k in (", "+a", &"(".repeat(100)] {
            assert!(text.parse::<Selector>().is_err(), "{text:?}");
        }
    }
}
