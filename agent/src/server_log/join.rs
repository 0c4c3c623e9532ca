//! Lines of nginx that a client's own bytes cut: it quotes what it could not read as a PROXY header as it came, line feeds included.

use std::borrow::Cow;

use super::nginx;

/// Joins the parts of one file's lines.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// A line that was begun: its moment stands at its beginning, and whom it is about at its end.
    begun: Vec<u8>,
}

impl Joiner {
    /// Returns what is to be read once this line has come: the line itself, or what was begun before together with it; none while the rest is still to come.
    ///
    /// nginx writes a line at once, so that nothing of others stands between its parts: what looks like another line in there was written by the client.
    pub(super) fn take<'a>(&mut self, line: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        if !self.begun.is_empty() && self.begun.len() + 1 + line.len() < LONGEST {
            self.begun.push(b'\n');
            self.begun.extend_from_slice(line);
            return nginx::ends_a_quote(line).then(|| Cow::Owned(std::mem::take(&mut self.begun)));
        }
        // What is longer than any line had its end cut off, and this one is another.
        self.begun.clear();
        if !nginx::begins_a_quote(line) || nginx::ends_a_quote(line) {
            return Some(Cow::Borrowed(line));
        }
        self.begun.extend_from_slice(line);
        None
    }
}

/// nginx cuts its lines there (`NGX_MAX_ERROR_STR`).
const LONGEST: usize = 2_048;
