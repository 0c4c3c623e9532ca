use parallax_model::facts::UpgradeEnd;

use super::dialogue::{Dialogue, Heard, Turn, split_word};

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Imap {
    #[default]
    Greeting,
    Capabilities,
    Answer,
}

impl Dialogue for Imap {
    fn hear(&mut self, line: &[u8], heard: &mut Heard) -> Turn {
        let (tag, rest) = split_word(line);
        let (word, rest) = split_word(rest);
        let word = word.to_ascii_uppercase();
        match (*self, tag, word.as_slice()) {
            (Self::Greeting, b"*", b"OK") => {
                heard.greet(line);
                *self = Self::Capabilities;
                Turn::say("p1 CAPABILITY\r\n")
            }
            // Already authenticated, it may no longer change to TLS (RFC 9051 section 6.2.1).
            (Self::Greeting, b"*", b"PREAUTH" | b"BYE") => {
                heard.greet(line);
                heard.decide(line, UpgradeEnd::Refused)
            }
            (Self::Capabilities, b"*", b"CAPABILITY") => {
                rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).for_each(|word| heard.can(word));
                Turn::listen()
            }
            (Self::Capabilities, b"p1", b"OK") => {
                *self = Self::Answer;
                heard.ask_if_listed("STARTTLS", STARTTLS)
            }
            (Self::Capabilities, b"p1", b"NO" | b"BAD") => {
                *self = Self::Answer;
                Turn::say(STARTTLS)
            }
            (Self::Answer, b"p2", b"OK") => heard.decide(line, UpgradeEnd::Ready),
            (Self::Answer, b"p2", b"NO" | b"BAD") => heard.refuse(line, word == b"BAD"),
            (Self::Capabilities | Self::Answer, b"*", b"BYE") => heard.decide(line, UpgradeEnd::Refused),
            (Self::Capabilities | Self::Answer, b"*", _) => Turn::listen(),
            _ => heard.decide(line, UpgradeEnd::NotProtocol),
        }
    }
}

const STARTTLS: &str = "p2 STARTTLS\r\n";
