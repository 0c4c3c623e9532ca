//! What the agent says on standard error.

use std::{error::Error, io::Write as _};

use tracing::level_filters::LevelFilter;

/// Starts logging to standard error; `PARALLAX_LOG` names the level: error, warn, info (the default), debug or trace.
pub(crate) fn start_logging() {
    let level = std::env::var("PARALLAX_LOG").ok().and_then(|name| name.parse::<LevelFilter>().ok()).unwrap_or(LevelFilter::INFO);
    // A second call, as in tests, leaves the first one's subscriber in place.
    let _ = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).with_ansi(false).try_init();
}

/// Writes one line to standard error; there is nobody to tell when that fails.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Joins the text of an error and of everything beneath it, each once.
pub(crate) fn with_sources(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let inner = source.to_string();
        if !text.contains(&inner) {
            text = format!("{text}: {inner}");
        }
        next = source.source();
    }
    text
}

/// Writes text to standard output.
pub(crate) fn show(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}
