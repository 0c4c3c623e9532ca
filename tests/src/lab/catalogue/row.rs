use std::{fs, path::Path};

use parallax_model::{
    catalogue::{Page, page},
    verdict::Cause,
};
use serde::Deserialize;

use super::Certificate;
use crate::lab::{LabError, serve::Kind};

/// One misconfiguration: the servers that have it, the causes that are right, and the cure that the causes' pages name.
///
/// Texts of servers may hold `NAME` (the row's own DNS name), `ADDRESS`, `ADDRESS2`, … and `ADDRESS6` (its addresses), and `/path/` (its folder).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The file's name without its ending.
    #[serde(skip)]
    pub id: String,
    /// One line that says what is wrong.
    pub title: String,
    /// The causes that must be found, all of them.
    pub causes: Vec<Cause>,
    /// Causes that may stand beside them.
    #[serde(default)]
    pub allowed: Vec<Cause>,
    /// Causes that may stand beside them and that the cure leaves, since they are the server's nature.
    #[serde(default)]
    pub always: Vec<Cause>,
    /// What is probed.
    #[serde(default = "own_name")]
    pub target: String,
    /// Further arguments of `parallax probe`.
    #[serde(default)]
    pub args: Vec<String>,
    /// How many IPv4 addresses the name has.
    #[serde(default = "one")]
    pub addresses: usize,
    /// Whether it has an IPv6 address as well.
    #[serde(default)]
    pub ipv6: bool,
    /// Further lines of a shell that runs in the row's folder once its certificates are made.
    #[serde(default)]
    pub prepare: String,
    /// Certificates beside the good one, which is in `fullchain.pem`, `privkey.pem` and `site.pem` (both in one).
    #[serde(default, rename = "certificate")]
    pub certificates: Vec<Certificate>,
    /// What serves it.
    #[serde(rename = "server")]
    pub servers: Vec<Server>,
    /// What heals it, carried out on the servers' texts in this order.
    #[serde(rename = "cure")]
    pub cures: Vec<Cure>,
}

/// A server and its configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The program.
    #[serde(default)]
    pub kind: Kind,
    /// The port that it listens on, at every address of the row that its text names.
    #[serde(default = "https")]
    pub port: u16,
    /// Its configuration, or its arguments.
    pub text: String,
}

/// One change of a server's text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cure {
    /// What is replaced, as it stands.
    pub from: String,
    /// What comes in its place; empty takes it out.
    #[serde(default)]
    pub to: String,
    /// Whether the page needs to name neither: the change is not of the server's settings.
    #[serde(default)]
    pub beside_the_page: bool,
}

impl Row {
    /// Reads a row from the text of its file.
    pub fn parse(id: &str, text: &str) -> Result<Self, LabError> {
        let mut row: Self = toml::from_str(text).map_err(|source| LabError::Parse { id: id.to_owned(), source: Box::new(source) })?;
        id.clone_into(&mut row.id);
        row.validate().map_err(|reason| LabError::Scenario { id: id.to_owned(), reason })?;
        Ok(row)
    }

    /// Reads all rows of a folder, in the order of their names.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, LabError> {
        let failed = |source| LabError::File { path: folder.display().to_string(), source };
        let mut files: Vec<_> = fs::read_dir(folder).map_err(failed)?.flatten().map(|entry| entry.path()).collect();
        files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
        files.sort();
        let rows = files.iter().map(|path| {
            let id = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            Self::parse(&id, &fs::read_to_string(path).map_err(failed)?)
        });
        rows.collect()
    }

    /// Returns the DNS name of the row.
    pub fn name(&self) -> String {
        format!("{}.example.test", self.id)
    }

    /// Returns the servers with the cure applied.
    pub fn cured(&self) -> Vec<Server> {
        let heal =
            |server: &Server| Server { text: self.cures.iter().fold(server.text.clone(), |text, cure| text.replace(&cure.from, &cure.to)), ..server.clone() };
        self.servers.iter().map(heal).collect()
    }

    /// A cure changes something, and its words are those of the page of one of the causes, for the program that it is applied to.
    fn validate(&self) -> Result<(), String> {
        if self.causes.is_empty() || self.cures.is_empty() || self.servers.is_empty() {
            return Err("it needs a cause, a server and a cure".to_owned());
        }
        for cure in &self.cures {
            let Some(server) = self.servers.iter().find(|server| server.text.contains(&cure.from)) else {
                return Err(format!("no server's text holds {:?}", cure.from));
            };
            let word = if cure.to.is_empty() { &cure.from } else { &cure.to };
            let says = |line: &str| self.causes.iter().any(|cause| settings(page(*cause), server.kind).iter().any(|text| text.contains(line.trim())));
            let named = word.lines().all(says);
            if !named && !cure.beside_the_page {
                return Err(format!("the page of {} does not say {word:?} for {:?}", self.causes[0], server.kind));
            }
        }
        Ok(())
    }
}

/// The texts of a page that an owner of such a server follows.
fn settings(page: &Page, kind: Kind) -> Vec<&String> {
    let own: &[&Option<String>] = match kind {
        Kind::Nginx => &[&page.nginx],
        Kind::Apache => &[&page.apache],
        Kind::Haproxy => &[&page.haproxy],
        // These stand for any server: what a page says in words is shown with what is at hand.
        Kind::Stunnel | Kind::Openssl | Kind::Gnutls | Kind::Python | Kind::Device => &[&page.nginx, &page.apache, &page.haproxy],
    };
    own.iter().filter_map(|text| text.as_ref()).chain(&page.steps).chain([&page.remedy]).collect()
}

fn own_name() -> String {
    "NAME".to_owned()
}

const fn one() -> usize {
    1
}

const fn https() -> u16 {
    443
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_the_folder_parse_and_their_cures_are_the_pages_own() {
        let rows = Row::read_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogue")).unwrap();
        assert!(!rows.is_empty());
    }

    #[test]
    fn a_cure_that_the_page_does_not_name_is_refused() {
        let text = "title=''\ncauses=['server.alpn']\n[[server]]\ntext='x'\n[[cure]]\nfrom='x'\nto='made_up on;'\n";
        let refusal = Row::parse("x", text).unwrap_err().to_string();
        assert!(refusal.contains("does not say \"made_up on;\""), "{refusal}");
        assert!(Row::parse("x", &text.replace("from='x'", "from='y'")).unwrap_err().to_string().contains("no server's text holds"));
    }
}
