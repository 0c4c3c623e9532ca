//! What all dialogues have in common.

use parallax_model::facts::UpgradeEnd;

/// One protocol's way to TLS.
pub(super) trait Dialogue: Send {
    /// Returns what the client says before the server has spoken.
    fn opening(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Returns the length of the first whole message, none while more of it must come.
    fn whole(&self, unread: &[u8]) -> Result<Option<usize>, Foreign> {
        line(unread)
    }

    /// Hears one whole message.
    fn hear(&mut self, message: &[u8], heard: &mut Heard) -> Turn;
}

/// Says that what came cannot begin a message of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Foreign;

/// What a dialogue does once it has heard something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Turn {
    /// What to send; empty for nothing.
    pub say: Vec<u8>,
    /// How the dialogue ended, none while it goes on; what is to be said is said before.
    pub end: Option<UpgradeEnd>,
}

impl Turn {
    pub(super) fn listen() -> Self {
        Self::default()
    }

    pub(super) fn say(words: impl Into<Vec<u8>>) -> Self {
        Self { say: words.into(), end: None }
    }

    pub(super) fn end(end: UpgradeEnd) -> Self {
        Self { say: Vec::new(), end: Some(end) }
    }
}

/// What a server said of itself, within caps and without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heard {
    /// Its first words.
    pub greeting: Option<String>,
    /// What it says it can do, a line each.
    pub capabilities: Vec<String>,
    /// Whether TLS is among them; none where there is no such list.
    pub offered: Option<bool>,
    /// The answer that decided.
    pub reply: Option<String>,
}

impl Heard {
    /// Notes the server's first words; later ones do not replace them.
    pub(super) fn greet(&mut self, words: &[u8]) {
        self.greeting.get_or_insert_with(|| shown(words, MAX_WORDS_CHARS));
    }

    /// Notes the answer that decided, and ends.
    pub(super) fn decide(&mut self, words: &[u8], end: UpgradeEnd) -> Turn {
        self.reply = Some(shown(words, MAX_WORDS_CHARS));
        Turn::end(end)
    }

    /// Ends because the server does not do what was asked: a command that is not listed and not known is not offered, one that is listed is refused.
    pub(super) fn refuse(&mut self, words: &[u8], unknown: bool) -> Turn {
        let not_offered = unknown && self.offered != Some(true);
        self.decide(words, if not_offered { UpgradeEnd::NotOffered } else { UpgradeEnd::Refused })
    }

    /// Notes something that the server can do.
    pub(super) fn can(&mut self, words: &[u8]) {
        if self.capabilities.len() < MAX_CAPABILITIES {
            self.capabilities.push(shown(words, MAX_CAPABILITY_CHARS));
        }
    }

    /// Notes whether TLS is in the list, which is now whole, and asks for it unless it is missing.
    pub(super) fn ask_if_listed(&mut self, keyword: &str, command: &str) -> Turn {
        let listed = self.capabilities.iter().any(|line| line.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(keyword)));
        self.offered = Some(listed);
        if listed { Turn::say(command) } else { Turn::end(UpgradeEnd::NotOffered) }
    }

    /// Notes the first words of something that is not the protocol.
    pub(super) fn foreign(&mut self, words: &[u8]) {
        if self.greeting.is_some() { self.reply = Some(shown(words, MAX_WORDS_CHARS)) } else { self.greet(words) }
    }
}

/// Cuts a line that ends with LF; a first byte that no text begins with is foreign.
pub(super) fn line(unread: &[u8]) -> Result<Option<usize>, Foreign> {
    match unread.first() {
        Some(byte) if !byte.is_ascii_graphic() && !b"\r\n \t".contains(byte) => Err(Foreign),
        _ => Ok(unread.iter().position(|byte| *byte == b'\n').map(|at| at + 1)),
    }
}

/// Splits a line at its first blank.
pub(super) fn split_word(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    (&line[..end], line[end..].trim_ascii())
}

/// Makes a server's words fit to be shown anywhere.
pub(crate) fn shown(words: &[u8], most: usize) -> String {
    let words = String::from_utf8_lossy(words.trim_ascii());
    words.chars().map(|letter| if letter.is_control() { '.' } else { letter }).take(most).collect()
}

/// Most lines that are kept of what a server can do.
pub const MAX_CAPABILITIES: usize = 64;
/// Most characters that are kept of each.
pub const MAX_CAPABILITY_CHARS: usize = 128;
/// Most characters that are kept of a greeting or an answer.
pub const MAX_WORDS_CHARS: usize = 256;
