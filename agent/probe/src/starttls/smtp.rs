use parallax_model::facts::UpgradeEnd;

use super::{
    dialogue::{Dialogue, Heard, Turn},
    replies::Reply,
};

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Smtp {
    #[default]
    Greeting,
    /// The answer to EHLO; whether its first line, which names the server, has passed.
    Capabilities(bool),
    Answer,
}

impl Dialogue for Smtp {
    fn hear(&mut self, line: &[u8], heard: &mut Heard) -> Turn {
        let Some(reply) = Reply::of(line) else { return heard.decide(line, UpgradeEnd::NotProtocol) };
        match *self {
            Self::Greeting => {
                heard.greet(line);
                match reply.code {
                    _ if !reply.is_last => Turn::listen(),
                    220 => {
                        *self = Self::Capabilities(false);
                        Turn::say(EHLO)
                    }
                    400..600 => heard.decide(line, UpgradeEnd::Refused),
                    _ => heard.decide(line, UpgradeEnd::NotProtocol),
                }
            }
            Self::Capabilities(_) if reply.is_negative() => heard.refuse(line, reply.is_unknown_command()),
            Self::Capabilities(named) => {
                if named {
                    heard.can(reply.text);
                }
                *self = if reply.is_last { Self::Answer } else { Self::Capabilities(true) };
                if reply.is_last { heard.ask_if_listed("STARTTLS", "STARTTLS\r\n") } else { Turn::listen() }
            }
            Self::Answer if !reply.is_last => Turn::listen(),
            Self::Answer if reply.code == 220 => heard.decide(line, UpgradeEnd::Ready),
            Self::Answer => heard.refuse(line, reply.is_unknown_command()),
        }
    }
}

const EHLO: &str = "EHLO probe.parallax.invalid\r\n";
