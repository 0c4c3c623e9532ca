//! The page of every cause: meaning, proof, remedy; compiled in, so that `explain` works offline.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::verdict::Cause;

/// The page of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// The cause.
    pub cause: Cause,
    /// True when, in one or two plain sentences.
    pub meaning: String,
    /// What vantages see.
    pub seen_as: String,
    /// How it is proven, and what excludes it.
    pub proof: String,
    /// What looks the same, and the experiment that separates the two.
    #[serde(default)]
    pub confused_with: Vec<Lookalike>,
    /// One sentence: what to change and where.
    pub remedy: String,
    /// Steps that hold for everybody: commands, text for a ticket.
    #[serde(default)]
    pub steps: Vec<String>,
    /// The nginx setting.
    #[serde(default)]
    pub nginx: Option<String>,
    /// The Apache httpd setting.
    #[serde(default)]
    pub apache: Option<String>,
    /// The HAProxy setting.
    #[serde(default)]
    pub haproxy: Option<String>,
    /// RFC sections, kernel options, papers.
    #[serde(default)]
    pub sources: Vec<String>,
}

/// A cause that shows the same face.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookalike {
    /// The other cause.
    pub cause: Cause,
    /// What separates the two.
    pub separated_by: String,
}

#[derive(Deserialize)]
struct Book {
    page: Vec<Page>,
}

static BOOK: LazyLock<Vec<Page>> = LazyLock::new(|| toml::from_str::<Book>(include_str!("catalogue.toml")).expect("the catalogue is checked by a test").page);

/// Returns the page of a cause.
pub fn page(cause: Cause) -> &'static Page {
    BOOK.iter().find(|page| page.cause == cause).expect("every cause has a page, checked by a test")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_one_page() {
        for cause in Cause::ALL {
            assert_eq!(BOOK.iter().filter(|page| page.cause == *cause).count(), 1, "{cause}");
        }
    }

    #[test]
    fn a_command_stands_alone_on_its_line() {
        for page in BOOK.iter() {
            for step in &page.steps {
                let mut lines = step.lines();
                let prose = lines.next().unwrap_or_default();
                assert!(!step.contains('\n') || prose.ends_with(':'), "{}: {prose}", page.cause);
                for command in lines {
                    let bare = command.strip_prefix("    ").unwrap_or_else(|| panic!("{}: {command}", page.cause));
                    assert!(!bare.starts_with(' ') && !bare.ends_with(['.', ':', ',']), "{}: {bare}", page.cause);
                }
                let unfed = step.lines().find(|line| line.contains("openssl s_client") && !line.contains("</dev/null") && !line.contains("| openssl s_client"));
                assert_eq!(unfed, None, "{}: it would wait for input", page.cause);
            }
            assert!(page.sources.iter().all(|source| !source.starts_with("methods")), "{}: nobody outside can read that", page.cause);
        }
    }

    #[test]
    fn server_pages_name_the_setting_for_three_servers() {
        for page in BOOK.iter().filter(|page| page.cause.as_str().starts_with("server.")) {
            assert!(page.nginx.is_some() && page.apache.is_some() && page.haproxy.is_some(), "{}", page.cause);
        }
    }
}
