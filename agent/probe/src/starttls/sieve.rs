use parallax_model::facts::UpgradeEnd;

use super::dialogue::{Dialogue, Heard, Turn, split_word};

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Sieve {
    /// The server lists what it can do without being asked.
    #[default]
    Capabilities,
    Answer,
}

impl Dialogue for Sieve {
    fn hear(&mut self, line: &[u8], heard: &mut Heard) -> Turn {
        let word = split_word(line).0.to_ascii_uppercase();
        match (*self, word.as_slice()) {
            (Self::Capabilities, [b'"', ..]) => {
                heard.greet(line);
                let words: Vec<u8> = line.iter().copied().filter(|byte| *byte != b'"').collect();
                heard.can(&words);
                Turn::listen()
            }
            (Self::Capabilities, b"OK") if heard.greeting.is_some() => {
                *self = Self::Answer;
                heard.ask_if_listed("STARTTLS", "STARTTLS\r\n")
            }
            (Self::Answer, b"OK") => heard.decide(line, UpgradeEnd::Ready),
            (Self::Answer, b"NO") => heard.refuse(line, false),
            (_, b"NO" | b"BYE") => heard.decide(line, UpgradeEnd::Refused),
            _ => heard.decide(line, UpgradeEnd::NotProtocol),
        }
    }
}
