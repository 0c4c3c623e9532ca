use parallax_model::facts::UpgradeEnd;

use super::{
    dialogue::{Dialogue, Heard, Turn},
    replies::Reply,
};

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Nntp {
    #[default]
    Greeting,
    /// The answer to CAPABILITIES; whether its list has begun, which a dot ends.
    Capabilities(bool),
    Answer,
}

impl Dialogue for Nntp {
    fn hear(&mut self, line: &[u8], heard: &mut Heard) -> Turn {
        if let Self::Capabilities(true) = *self {
            if line.trim_ascii_end() != b"." {
                heard.can(line);
                return Turn::listen();
            }
            *self = Self::Answer;
            return heard.ask_if_listed("STARTTLS", STARTTLS);
        }
        let Some(reply) = Reply::of(line) else { return heard.decide(line, UpgradeEnd::NotProtocol) };
        match *self {
            Self::Greeting => {
                heard.greet(line);
                match reply.code {
                    200 | 201 => {
                        *self = Self::Capabilities(false);
                        Turn::say("CAPABILITIES\r\n")
                    }
                    400..600 => heard.decide(line, UpgradeEnd::Refused),
                    _ => heard.decide(line, UpgradeEnd::NotProtocol),
                }
            }
            Self::Capabilities(_) if reply.code == 101 => {
                *self = Self::Capabilities(true);
                Turn::listen()
            }
            Self::Capabilities(_) => {
                *self = Self::Answer;
                Turn::say(STARTTLS)
            }
            Self::Answer if reply.code == 382 => heard.decide(line, UpgradeEnd::Ready),
            Self::Answer => heard.refuse(line, reply.code == 500),
        }
    }
}

const STARTTLS: &str = "STARTTLS\r\n";
