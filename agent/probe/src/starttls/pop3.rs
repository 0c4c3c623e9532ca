use parallax_model::facts::UpgradeEnd;

use super::dialogue::{Dialogue, Heard, Turn, split_word};

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Pop3 {
    #[default]
    Greeting,
    /// The answer to CAPA; whether its list has begun, which a dot ends.
    Capabilities(bool),
    Answer,
}

impl Dialogue for Pop3 {
    fn hear(&mut self, line: &[u8], heard: &mut Heard) -> Turn {
        if let Self::Capabilities(true) = *self {
            if line.trim_ascii_end() != b"." {
                heard.can(line);
                return Turn::listen();
            }
            *self = Self::Answer;
            return heard.ask_if_listed("STLS", STLS);
        }
        let positive = match split_word(line).0 {
            b"+OK" => true,
            b"-ERR" => false,
            _ => return heard.decide(line, UpgradeEnd::NotProtocol),
        };
        match *self {
            Self::Greeting => {
                heard.greet(line);
                *self = Self::Capabilities(false);
                if positive { Turn::say("CAPA\r\n") } else { heard.decide(line, UpgradeEnd::Refused) }
            }
            Self::Capabilities(_) if positive => {
                *self = Self::Capabilities(true);
                Turn::listen()
            }
            Self::Capabilities(_) => {
                *self = Self::Answer;
                Turn::say(STLS)
            }
            Self::Answer if positive => heard.decide(line, UpgradeEnd::Ready),
            // The protocol has one word for every refusal.
            Self::Answer => heard.refuse(line, true),
        }
    }
}

const STLS: &str = "STLS\r\n";
